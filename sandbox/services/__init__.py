"""The services of the sandbox, one file each. To add a service, write its file and add it to a table here."""

from .aodh import AODH
from .barbican import BARBICAN
from .blazar import BLAZAR
from .cinder import CINDER
from .common import Service
from .designate import DESIGNATE
from .glance import GLANCE
from .heat import HEAT
from .ironic import IRONIC
from .keystone import KEYSTONE
from .manila import MANILA
from .masakari import MASAKARI
from .mistral import MISTRAL
from .neutron import NEUTRON
from .nova import NOVA
from .octavia import OCTAVIA
from .placement import PLACEMENT
from .sahara import SAHARA
from .swift import SWIFT
from .watcher import WATCHER
from .zaqar import ZAQAR

ALL: dict[str, Service] = {
    service.name: service for service in (KEYSTONE, PLACEMENT, GLANCE, NEUTRON, NOVA, CINDER, HEAT, SWIFT)
}
#: The services that are started only with `up --with NAME`; with/NAME.txt lists the packages of each.
EXTRAS: dict[str, Service] = {
    service.name: service
    for service in (
        BARBICAN,
        DESIGNATE,
        OCTAVIA,
        IRONIC,
        MANILA,
        MISTRAL,
        ZAQAR,
        AODH,
        MASAKARI,
        BLAZAR,
        WATCHER,
        SAHARA,
    )
}
KNOWN = ALL | EXTRAS

"""Replacements for the parts of a neutron deployment that would need root."""

from neutron.services.qos.drivers.openvswitch import driver as ovs_qos
from neutron.services.trunk.drivers import base as trunk
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from neutron_lib.services.qos import base as qos
from neutron_lib.services.trunk import constants as trunk_constants

VIF_TYPE = portbindings.VIF_TYPE_OVS


class BindAllMechanismDriver(api.MechanismDriver):
    """Binds any port on any host at once, without an L2 agent."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self):
        self.drivers = [  # their constructors register them
            TrunkDriver("bindall", [VIF_TYPE], [trunk_constants.SEGMENTATION_TYPE_VLAN], can_trunk_bound_port=True),
            QosDriver("bindall", [VIF_TYPE], [portbindings.VNIC_NORMAL], ovs_qos.SUPPORTED_RULES),
        ]

    def bind_port(self, context):
        segment = context.segments_to_bind[0]
        context.set_binding(
            segment[api.ID], VIF_TYPE, {portbindings.CAP_PORT_FILTER: True}, constants.PORT_STATUS_ACTIVE
        )


class TrunkDriver(trunk.DriverBase):
    """A driver without which the trunk plugin does not load."""

    is_loaded = True


class QosDriver(qos.DriverBase):
    """A driver without which no QoS rule type is supported."""

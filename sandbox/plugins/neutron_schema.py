"""neutron_schema.py STATE: create neutron's tables from its models.

neutron's migrations ALTER constraints, which SQLite does not support. This also adds the default security group rules
that the migrations would insert.
"""

import sys

import sqlalchemy as sa
from neutron.db.migration.models import head
from neutron.db.models.securitygroup_default_rules import SecurityGroupDefaultRule
from neutron_lib import constants

engine = sa.create_engine(f"sqlite:///{sys.argv[1]}/data/db/neutron.db")
head.get_metadata().create_all(engine)
with sa.orm.Session(engine) as session:
    for ethertype in constants.IPv4, constants.IPv6:
        session.add(
            SecurityGroupDefaultRule(
                direction=constants.EGRESS_DIRECTION,
                ethertype=ethertype,
                used_in_default_sg=True,
                used_in_non_default_sg=True,
            )
        )
        session.add(
            SecurityGroupDefaultRule(
                direction=constants.INGRESS_DIRECTION,
                ethertype=ethertype,
                remote_group_id="PARENT",
                used_in_default_sg=True,
                used_in_non_default_sg=False,
            )
        )
    session.commit()

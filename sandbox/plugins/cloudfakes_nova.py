"""nova's fake hypervisor, changed to keep its servers across a restart."""

from nova import context, objects
from nova.virt import driver, fake


class Driver(fake.FakeDriver):
    # nova's own fake chooses a new node uuid at each start, which nova refuses
    get_nodenames_by_uuid = driver.ComputeDriver.get_nodenames_by_uuid

    def get_available_resource(self, nodename):
        status = super().get_available_resource(nodename)
        (status["uuid"],) = self.get_nodenames_by_uuid()
        return status

    def init_host(self, host):
        super().init_host(host)
        for i in objects.InstanceList.get_by_host(context.get_admin_context(), host):
            self.instances[i.uuid] = fake.FakeInstance(i.name, i.power_state, i.uuid)

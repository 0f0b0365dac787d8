"""What takes the place of Sahara's SSH: the servers of nova's fake hypervisor run nothing.

It keeps the files that are written to an instance, and returns them.  Every command succeeds and prints nothing, so
Sahara finds no disk to format and to mount.
"""

from typing import Any, Self

from sahara.utils import remote

_files: dict[tuple[str, str], str] = {}


class Instance(remote.Remote):
    """An instance of a cluster, as far as Sahara's engine and its fake plugin use it."""

    def __init__(self, instance: Any) -> None:
        self.id = instance.instance_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute_command(self, _command: str, **options: Any) -> tuple[Any, ...]:
        return (0, "", "") if options.get("get_stderr") else (0, "")

    def write_file_to(self, name: str, data: str, **_options: Any) -> None:
        _files[self.id, name] = data

    def append_to_file(self, name: str, data: str, **_options: Any) -> None:
        _files[self.id, name] = _files.get((self.id, name), "") + data

    def prepend_to_file(self, name: str, data: str, **_options: Any) -> None:
        _files[self.id, name] = data + _files.get((self.id, name), "")

    def write_files_to(self, files: dict[str, str], **_options: Any) -> None:
        for name, data in files.items():
            self.write_file_to(name, data)

    def append_to_files(self, files: dict[str, str], **_options: Any) -> None:
        for name, data in files.items():
            self.append_to_file(name, data)

    def read_file_from(self, name: str, **_options: Any) -> str:
        return _files[self.id, name]

    def replace_remote_string(self, name: str, old: str, new: str, **_options: Any) -> None:
        _files[self.id, name] = _files[self.id, name].replace(old, new)

    def get_os_distrib(self, **_options: Any) -> str:
        return "cirros"

    def get_neutron_info(self, *_arguments: Any) -> Any:
        raise NotImplementedError

    get_http_client = close_http_session = get_neutron_info


class Driver(remote.RemoteDriver):
    """The entry to it."""

    get_remote = staticmethod(Instance)

    def setup_remote(self, _engine: Any) -> None:
        pass

    def get_userdata_template(self) -> str:
        return ""

    def get_type_and_version(self) -> str:
        return "sandbox.1.0"

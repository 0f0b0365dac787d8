"""`os-retries run` around `openstack` on real services: a proxy between them refuses, and loses what the service has answered.

The proxy is one by `http_proxy`, so that the catalog and the commands stay as they are.
"""

import collections
import hashlib
import http.client
import http.server
import os
import socket
import struct
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import openstack
import pytest

pytestmark = [
    pytest.mark.cloud,
    # openstacksdk warns of its own inside.
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning"),
]

BIN = Path(sys.executable).parent
NAME = "run-" + uuid.uuid4().hex[:8]
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"}


class Proxy(http.server.ThreadingHTTPServer):
    """Forwards, and makes the first attempts of everything but discovery fail.

    What may be repeated is refused with a 503, then processed with the answer lost, and served the third time; a POST
    is refused with a 429 and served the second time, and so is, with a 503, an image's upload: glance refuses a second
    one with a 409.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = collections.Counter()
        self.processed = collections.Counter()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def next(self, request):
        with self.lock:
            self.seen[request] += 1
            return self.seen[request]

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        parts = urlsplit(self.path)
        length = self.headers.get("content-length")
        body = self.rfile.read(int(length)) if length else self.chunks() if self.headers["transfer-encoding"] else None
        request = self.command, parts.port, parts.path
        number = self.server.next(request)
        discovery = self.command == "GET" and "X-Auth-Token" not in self.headers
        if number == 1 and not discovery:
            self.refuse(429 if self.command == "POST" else 503)
            return
        wire = http.client.HTTPConnection(parts.netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        wire.request(self.command, parts._replace(scheme="", netloc="").geturl(), body, headers)
        with wire.getresponse() as response:
            content = response.read()
        wire.close()
        self.server.processed[request] += 1
        if number == 2 and self.command != "POST" and not discovery and not parts.path.endswith("/file"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {*HOP_BY_HOP, "date", "server"}:
                self.send_header(name, value)
        size = response.getheader("content-length", "0") if self.command == "HEAD" else str(len(content))
        if response.status != 204:
            self.send_header("Content-Length", size)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

    def refuse(self, status):
        self.send_response(status)
        self.send_header("Retry-After", "0.01")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def chunks(self):
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy():
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def demo(cloud):
    """What the command has left behind, seen without proxy; cleaned up at the end."""
    demo = openstack.connection.Connection(session=cloud.session(), region_name=cloud.region_name)
    yield demo
    for things, delete in (
        (demo.network.networks(name=NAME), demo.network.delete_network),
        (demo.block_storage.volumes(name=NAME), demo.block_storage.delete_volume),
        (demo.image.images(name=NAME), demo.image.delete_image),
        (demo.compute.keypairs(), lambda pair: pair.name == NAME and demo.compute.delete_keypair(pair)),
    ):
        for thing in things:
            delete(thing)
    demo.object_store.delete_object("thing", container=NAME)
    demo.object_store.delete_container(NAME)
    demo.close()


def run(cloud, proxy, *command, account="demo"):
    done = subprocess.run(
        [BIN / "os-retries", "run", "--retry-after", "0.01", "--", BIN / command[0], *map(str, command[1:])],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OS_CLOUD": account, "http_proxy": proxy.url},
    )
    assert done.returncode == 0, done.stderr
    assert "repeated (" in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("account", "command", "shown"),
    [
        ("admin", ("openstack", "project", "list"), "demo"),
        ("demo", ("openstack", "flavor", "list"), "tiny"),
        ("demo", ("openstack", "network", "list"), "private"),
        ("demo", ("openstack", "image", "list"), "cirros"),
        ("demo", ("openstack", "stack", "list"), ""),
        (
            "admin",  # without a command of its own here
            ("python", "-c", "import openstack; print(len(list(openstack.connect().placement.resource_providers())))"),
            "1\n",
        ),
    ],
)
def test_what_reads_shows_what_is_there(account, command, shown, cloud, proxy):
    out = run(cloud, proxy, *command, account=account)
    assert shown in out
    assert max(proxy.seen.values()) == 3


def test_what_creates_creates_once(cloud, proxy, demo):
    run(cloud, proxy, "openstack", "network", "create", NAME)
    assert len(list(demo.network.networks(name=NAME))) == 1
    run(cloud, proxy, "openstack", "volume", "create", "--size", "1", NAME)
    assert len(list(demo.block_storage.volumes(name=NAME))) == 1
    posts = {path: times for (verb, _, path), times in proxy.processed.items() if verb == "POST" and "auth" not in path}
    assert len(posts) == 2
    assert set(posts.values()) == {1}


def test_an_image_and_an_object_are_stored_whole(cloud, proxy, demo, tmp_path):
    """Without us the image is empty after the 503, and openstack says that all is well."""
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    run(cloud, proxy, "openstack", "image", "create", "--file", tmp_path / "file", NAME)
    run(cloud, proxy, "openstack", "container", "create", NAME)
    run(cloud, proxy, "openstack", "object", "create", "--name", "thing", NAME, tmp_path / "file")
    image = demo.image.find_image(NAME, ignore_missing=False)
    assert (image.status, image.hash_value) == ("active", hashlib.sha512(content).hexdigest())
    assert demo.object_store.download_object("thing", container=NAME) == content

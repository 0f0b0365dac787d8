"""`os-retries run` with `openstack` on real services, behind a proxy that refuses requests and loses answers.

The proxy is set by `http_proxy`, so that the catalog and the commands need no change.
"""

import collections
import hashlib
import http.client
import http.server
import json
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
        #: What meets the first requests to create, instead of the above: "504" and "close", "before" and "after".
        self.creates = None
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
        if self.server.creates is not None:
            self.handle_create(parts, body, request)
            return
        if number == 1 and not discovery:
            self.refuse(429 if self.command == "POST" else 503)
            return
        response, content = self.forward(parts, body, request)
        if number == 2 and self.command != "POST" and not discovery and not parts.path.endswith("/file"):
            self.hang_up()
            return
        self.pass_on(response, content)

    def handle_create(self, parts, body, request):
        creates = self.command == "POST" and not parts.path.endswith("/auth/tokens")
        way, _, when = (self.server.creates.pop(0) if creates and self.server.creates else "").partition(" ")
        if when != "before":
            response, content = self.forward(parts, body, request)
        if way == "504":
            self.refuse(504)
        elif way == "close":
            self.hang_up()
        else:
            self.pass_on(response, content)

    def forward(self, parts, body, request):
        wire = http.client.HTTPConnection(parts.netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        wire.request(self.command, parts._replace(scheme="", netloc="").geturl(), body, headers)
        with wire.getresponse() as response:
            content = response.read()
        wire.close()
        self.server.processed[request] += 1
        return response, content

    def hang_up(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def pass_on(self, response, content):
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


@pytest.fixture
def create(cloud, proxy, tmp_path):
    """Run one `openstack ... create` below us whose create meets ``way``; give its id, what was said, and the log."""

    def create(way, *command, account="demo"):
        (tmp_path / "conf").write_text(
            "[timeouts]\nretry_after = 0.1\nsettle_time = 1\nsettle_time_after_timeout = 2\n"
        )
        proxy.creates = [way]
        done = subprocess.run(
            [
                *(BIN / "os-retries", "run", "--config-file", tmp_path / "conf", "--log-json", tmp_path / "log", "--"),
                *(BIN / "openstack", *command, "-f", "value", "-c", "id"),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"OS_CLOUD": account, "http_proxy": proxy.url},
        )
        assert done.returncode == 0, done.stderr
        assert not proxy.creates
        (made,) = done.stdout.split()
        return made, done.stderr, [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]

    return create


@pytest.mark.parametrize(
    ("way", "sent", "said"),
    [
        ("504 after", 1, "block-storage answered 504 to POST /volumes · found, and taken as the answer: "),
        ("close after", 1, "block-storage: POST /volumes failed (closed without an answer) · found, and taken as the "),
        ("504 before", 2, "block-storage answered 504 to POST /volumes · looking it up"),
    ],
    ids=["504 after", "close after", "504 before"],
)
def test_a_create_whose_answer_is_lost_is_made_once_and_the_operator_told(proxy, demo, create, way, sent, said):
    name = f"{NAME}-{way.replace(' ', '-')}"
    made, told, events = create(way, "volume", "create", "--size", "1", name)
    there = list(demo.block_storage.volumes(name=name))
    for each in there:
        demo.block_storage.delete_volume(each)
    assert [each.id for each in there] == [made]
    assert sum(times for (verb, _, path), times in proxy.processed.items() if path.endswith("/volumes")) == 1
    assert said in told
    outcomes = [event["outcome"] for event in events if event["event"] == "look_up"]
    assert outcomes == (["found"] if sent == 1 else ["not there"])
    summary = "1 create looked up and found" if sent == 1 else "1 request repeated (1 retry"
    assert f"os-retries: {summary}" in told


CREATES = {  # what `openstack` creates: by whom, with which arguments, and where the service lists it
    "server": ("demo", ("--flavor", "tiny", "--image", "cirros", "--network", "private"), "compute", "/servers"),
    "port": ("demo", ("--network", "private"), "network", "/v2.0/ports"),
    "network": ("demo", (), "network", "/v2.0/networks"),
    "security group": ("demo", (), "network", "/v2.0/security-groups"),
    "image": ("demo", (), "image", "/v2/images"),
    "stack": ("demo", ("--template", "{template}"), "orchestration", "/stacks"),
    "project": ("admin", (), "identity", "/projects"),
    "user": ("admin", (), "identity", "/users"),
}


@pytest.mark.parametrize("way", ["504 after", "close after", "504 before"])
@pytest.mark.parametrize("what", CREATES)
def test_what_openstack_creates_of_every_service_is_there_once_and_is_what_it_shows(
    cloud, proxy, create, tmp_path, what, way
):
    account, options, service, path = CREATES[what]
    template = tmp_path / "template.yaml"
    template.write_text("heat_template_version: 2018-08-31\nresources: {r: {type: 'OS::Heat::RandomString'}}\n")
    name = f"{NAME}-{way.replace(' ', '-')}"
    session, at = cloud.session(account), {"endpoint_filter": {"service_type": service}}
    made, _, events = create(
        way, *what.split(), "create", *(each.format(template=template) for each in options), name, account=account
    )
    (collection,) = (value for value in session.get(path, **at).json().values() if isinstance(value, list))
    there = [each for each in collection if name in (each.get("name"), each.get("stack_name"))]
    for each in there:
        where = f"{path}/{each['stack_name']}" if service == "orchestration" else path
        session.delete(f"{where}/{each['id']}", **at)
    assert [each["id"] for each in there] == [made]
    sent = [path for (verb, _, path), times in proxy.processed.items() if verb == "POST" for _ in range(times)]
    assert len([path for path in sent if not path.endswith("/auth/tokens")]) == 1
    outcomes = [event["outcome"] for event in events if event["event"] == "look_up"]
    assert outcomes == (["not there"] if way == "504 before" else ["found"])


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

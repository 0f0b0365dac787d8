"""The table of clients agrees with the installed clients."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path

import pytest
from openstack import connection, proxy, service_description

from os_retries.rewrite import judgments, services

SKIPPED = {"tests", "osc", "common", "shell", "hacking"}


def methods(package: str):
    """Yield (class name, function node) of each public method of a client's own modules."""
    root = Path(importlib.util.find_spec(package).origin).parent
    for path in sorted(root.rglob("*.py")):
        if SKIPPED & set(path.relative_to(root).parts) or "shell" in path.name:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                        yield path, node.name, item


def own_nodes(function: ast.FunctionDef):
    todo = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)


def is_generator(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_nodes(function))


#: Of the clients that are installed here; the others are looked at in tests/sahara/test_rewrite.py.
MANAGERS = sorted(
    s.package
    for n, s in services.SERVICES.items()
    if s.package and n not in {"sdk", "keystoneauth", "swift"} and importlib.util.find_spec(s.package)
)


@pytest.mark.parametrize("package", MANAGERS)
def test_every_generator_of_a_client_is_listed_as_lazy(package):
    """A manager's method that is a generator must never be wrapped: the wrapper would see no error."""
    service = next(n for n, s in services.SERVICES.items() if s.package == package)
    for path, cls, function in methods(package):
        decorators = {ast.unparse(d).rpartition(".")[2] for d in function.decorator_list}
        if not is_generator(function) or decorators & {"property", "contextmanager"}:
            continue
        if package == "neutronclient" or not cls.endswith(("Manager", "Controller")):
            continue
        names = {"ResourceTypeController": "metadefs_resource_type", "TagController": "metadefs_tag"}
        path_of = (names.get(cls, "anything"), function.name)
        if path.parts[-2] == "v1":  # glance's first API, whose listing is covered by *.list
            assert function.name == "list", (path, cls, function.name)
        assert services.judge_path(service, path_of, {}, body=False) is judgments.LAZY, (path, cls, function.name)


def test_no_request_is_taken_for_a_method_of_a_string_or_dictionary():
    """What is left alone as a container's method is the name of no manager's or resource's method."""
    named = {}
    for package in MANAGERS:
        for _path, cls, function in methods(package):
            if not cls.endswith(("Formatter", "Output", "Dict", "List", "Tuple")):
                named.setdefault(function.name, f"{package} {cls}")
    assert {n: named[n] for n in named if n in services.BUILTIN_METHODS} == {}


def proxy_methods():
    for name in dir(connection.Connection):
        description = inspect.getattr_static(connection.Connection, name)
        if isinstance(description, service_description.ServiceDescription):
            for cls in description.supported_versions.values():
                for method, function in inspect.getmembers(cls, inspect.isfunction):
                    if (
                        not method.startswith("_")
                        and method not in vars(proxy.Proxy)
                        and "adapter" not in function.__module__
                    ):
                        yield name, method, function


def returns_generator(function) -> bool:
    source = inspect.getsource(function)
    annotated = str(inspect.signature(function).return_annotation)
    return "Generator" in annotated or inspect.isgeneratorfunction(function) or "return self._list(" in source


def test_the_sdks_generators_are_told_from_its_requests():
    """The rule for openstacksdk's names, with its exceptions, is right for every method of every proxy."""
    wrong = set()
    count = 0
    for service, method, function in proxy_methods():
        count += 1
        judgment = services.judge_path("sdk", (service, method), {}, body=False)
        if returns_generator(function) and judgment is judgments.WRAP:
            wrong.add(f"{service}.{method} is a generator and would be wrapped")
        if not returns_generator(function) and judgment is judgments.LAZY:
            wrong.add(f"{service}.{method} is no generator and would be left to attach")
    assert count > 1000
    # Makes its request at once and the rest while its body is read: attach is the better advice.
    assert wrong == {"object_store.stream_object is no generator and would be left to attach"}


def test_the_sdks_cloud_layer_has_no_generator_that_would_be_wrapped():
    """conn.list_servers() and its like make their requests at once."""
    wrong = [
        name
        for name, function in inspect.getmembers(connection.Connection, inspect.isfunction)
        if not name.startswith("_")
        and inspect.isgeneratorfunction(function)
        and services.judge_path("sdk", (name,), {}, body=False) is judgments.WRAP
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["novaclient", "cinderclient", "heatclient", "keystoneclient", "neutronclient"])
def test_the_clients_of_the_specification_are_looked_at(package):
    """A client that is missing here must not make its tests pass by not being there."""
    assert package in MANAGERS

"""Met at its start by every Python below `os-retries run`: sees to it that the clients it imports later are attached.

Whatever Python that is: this parses on 3.6, and below 3.11 does nothing but say so to `run`.  Nothing is imported
here that the interpreter has not imported already; os_retries itself comes in with the first client.
"""

import os
import sys

MYPY = False
if MYPY:
    from typing import Any

_HERE = os.path.dirname(__file__)
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))

# The modules that os_retries.run.child has something to do to.
_HOOKED = frozenset(
    (
        "keystoneauth1.session",
        "keystoneclient.session",
        "swiftclient.client",
        "ironicclient.common.http",
        "cinderclient.client",
        "manilaclient.common.httpclient",
        "neutronclient.v2_0.client",
    )
)


def _report(word: str) -> None:
    """Tell `run`, which keeps a journal, unless it has gone and the journal with it.

    As os_retries.run.journal appends, which cannot be imported here: another user may have made a pipe in its place.
    """
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW
        journal = os.open(os.environ["OSRETRIES_JOURNAL"], flags)
    except (KeyError, OSError):
        return
    try:
        state = os.fstat(journal)
        if state.st_mode & 0o170000 == 0o100000 and state.st_nlink == 1:  # a plain file
            os.write(journal, ("%s %d.%d\n" % ((word,) + sys.version_info[:2])).encode())
    except OSError:
        pass
    finally:
        os.close(journal)


class _Finder:
    """Finds os_retries, in whatever environment this is, and hooked modules as they would be found without it."""

    @staticmethod
    def find_spec(name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        if name == "os_retries":
            from importlib.util import spec_from_file_location

            return spec_from_file_location(
                name, os.path.join(_PACKAGE, "__init__.py"), submodule_search_locations=[_PACKAGE]
            )
        if name not in _HOOKED:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not _Finder else None
            if spec is not None:
                _tell_when_executed(spec.loader)
                return spec
        return None


def _tell_when_executed(loader: "Any") -> None:
    """Have the module told of as soon as it is there.

    The loader stays the one that it is, for the sake of whoever asks it for sources and resources.
    """
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: "Any") -> None:
        vars(loader).pop("exec_module", None)
        execute(module)
        _loaded(module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        pass


def _loaded(module: "Any") -> None:
    """Do what is to be done to a client's module.  A program must never fail because of it."""
    try:
        from os_retries.run import child

        child.loaded(module)
        _report("attached")
    except Exception as error:
        _report("failed")
        if sys.stderr is not None and not os.environ.get("OSRETRIES_QUIET"):
            sys.stderr.write(
                "os-retries: %s cannot be attached, so this program runs without retries: %s: %s\n"
                % (module.__name__, type(error).__name__, error)
            )


def _start() -> None:
    if os.environ.get("OSRETRIES_POLICY") is None:
        return  # somebody else's PYTHONPATH
    if sys.version_info < (3, 11):
        _report("old")
        return
    _report("in")
    sys.meta_path.insert(0, _Finder)
    for name in _HOOKED:
        if name in sys.modules:  # a .pth file was first
            _loaded(sys.modules[name])


def _make_way() -> None:
    """Let the sitecustomize that this one hides, of the distribution or the user, run as if this one were not there."""
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    ours = sys.modules.pop(__name__)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)  # the import under way wants to find one


if __name__ == "sitecustomize":
    try:
        _start()
    finally:
        _make_way()

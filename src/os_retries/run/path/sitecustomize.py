"""Executed at the start of every Python under `os-retries run`: attaches the clients that the program imports later.

Python imports a module named sitecustomize at its start.  `run` puts the folder of this file first on PYTHONPATH, so
Python imports this file.  It does three things:

1. It puts a finder first on sys.meta_path.  For a module in _HOOKED, the finder asks the other finders for the module's
   loader, and replaces the loader's exec_module.  As soon as the module has been executed, os_retries.run.child
   prepares it.  All other modules are found as usual.
2. For os_retries itself the finder returns the package that this file belongs to, because the environment of the
   program need not have it.
3. It removes its folder from sys.path and imports the sitecustomize that it has hidden, if there is one.

This file must run on old Pythons: it parses on 3.6, and below 3.11 it only reports the version of Python to `run`.  It
imports only modules that the interpreter has imported already, so that a program without clients loses no time.
"""

import os
import sys

MYPY = False
if MYPY:
    from typing import Any

_HERE = os.path.dirname(__file__)
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))

# The modules that os_retries.run.child prepares.
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
# When this module has been executed, os_retries.rehearse.inside injects faults below it, if `os-retries rehearse` asks
# for them.
_FAULTY = "requests.sessions"
if "OSRETRIES_FAULTS" in os.environ:
    _HOOKED |= frozenset((_FAULTY,))


def _report(word: str) -> None:
    """Append a word to the journal of `run`, unless `run` has ended and its journal is gone.

    os_retries.run.journal does the same and explains each check; it must not be imported here.
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
    """Finds os_retries in any environment, and the hooked modules where the other finders find them."""

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
    """Have ``_loaded`` called as soon as the module has been executed.

    The loader is not replaced, because programs ask it for sources and resources.
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
    """Prepare a client's module.  An error here must never stop the program."""
    try:
        if module.__name__ == _FAULTY:
            from os_retries.rehearse import inside

            inside.loaded(module)
            return
        from os_retries.run import child

        child.loaded(module)
        _report("attached")
        if "OSRETRIES_CHECK" in os.environ and module.__name__ == "keystoneauth1.session":
            # `os-retries check` has run this program.
            from os_retries.check import recording

            recording.begin()
    except Exception as error:
        _report("failed")
        if sys.stderr is not None and not os.environ.get("OSRETRIES_QUIET"):
            sys.stderr.write(
                "os-retries: %s cannot be attached, so this program runs without retries: %s: %s\n"
                % (module.__name__, type(error).__name__, error)
            )


def _start() -> None:
    if os.environ.get("OSRETRIES_POLICY") is None:
        return  # this program was not started by `run`
    if sys.version_info < (3, 11):
        _report("old")
        return
    _report("in")
    sys.meta_path.insert(0, _Finder)
    for name in _HOOKED:
        if name in sys.modules:  # a .pth file has imported it already
            _loaded(sys.modules[name])


def _make_way() -> None:
    """Execute the sitecustomize that this one hides, which belongs to the distribution or the user."""
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    ours = sys.modules.pop(__name__)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)  # the import that is in progress looks for it


if __name__ == "sitecustomize":
    try:
        _start()
    finally:
        _make_way()

"""The command line: ``os-retries run``, ``env``, ``operation``, ``check``, ``rehearse``, ``rewrite`` and more."""

from __future__ import annotations

import contextlib
import sys

TYPE_CHECKING = False  # to import typing takes as long as the rest of the package
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if list(argv[:2]) == ["run", "--"] and argv[2:]:
            # There are no options to parse, and importing argparse takes longer than everything that `run` does.
            from os_retries.run.command import run_with_defaults

            return run_with_defaults(argv[2:])
        from os_retries.arguments import parse_and_run

        return parse_and_run(argv)
    except BrokenPipeError:  # the reader of our output has exited: `os-retries rewrite . | head`
        sys.stderr.close()
        return 141
    except OSError as error:  # most likely a full disk to which our output is redirected
        with contextlib.suppress(OSError):
            sys.stderr.write(f"os-retries: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

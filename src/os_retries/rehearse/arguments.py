"""The options of ``os-retries rehearse``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
import sys

_DESCRIPTION = """\
Run a program that calls OpenStack under injected faults, once without os-retries and once with it, and report what
failed, what was repeated, and what was left behind on the cloud. The faults are injected below the clients of the
program, in the process of the program. The cloud itself is not disturbed, but the program changes it as usual."""

_EPILOG = """\
faults, separated by commas:
  refused 10%            answered with an error; the service does not see the request
  lost 5%                processed by the service, but the answer is lost
  unreachable, reset, stall, cut, late 5s
                         other ways to fail; docs/rehearse.md lists them
  lost once, reset 3 times       the first requests instead of a share
  refused 429 10% retry-after 2s   one status, and a Retry-After
  outage 30s at 60s      every request, from 60 s after the start for 30 s
  lost 5% of compute POST /servers$   only these: a service, a verb, a path (regular expression)

exit status: 0 if every run with os-retries ended with 0 and left nothing behind, else 1; 127 if COMMAND is not found,
126 if it cannot be run, 2 for a mistake in these options."""

DEFAULT = "lost 5%, refused 10%"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries rehearse`` to those of the other commands."""
    from os_retries.run.arguments import add_options

    parser = commands.add_parser(
        "rehearse",
        help="try a program under faults, without retries and with them",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        usage="os-retries rehearse [options] -- COMMAND [ARGUMENT ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    faults = parser.add_argument_group("the faults")
    which = faults.add_mutually_exclusive_group()
    which.add_argument("--faults", default=DEFAULT, help=f"which faults (default: {DEFAULT!r})".replace("%", "%%"))
    which.add_argument(
        "--replay", metavar="FILE", help="the faults that a --log-json file of os-retries run has recorded"
    )
    faults.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the random numbers (default: 1)")
    faults.add_argument(
        "--tokens", action="store_true", help="inject faults into requests for tokens and API versions too"
    )
    faults.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="runs each way, with the seeds N, N+1, … (default: 1)"
    )
    output = parser.add_argument_group("the report")
    output.add_argument("--json", action="store_true", help="print the report as JSON")
    output.add_argument("--html", metavar="FILE", help="also write the report as one HTML page")
    add_options(parser)
    parser.set_defaults(body=_run)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.rehearse import report
    from os_retries.rehearse.command import CannotRun, rehearse
    from os_retries.rehearse.grammar import GrammarError, parse
    from os_retries.rehearse.replay import clauses_of
    from os_retries.run.policies import FLAGS, UsageError, policies, write_policies
    from os_retries.terminal.stream import painter

    if not arguments.command:
        parser.exit(2, "os-retries rehearse: there is no command after --\n")
    if arguments.repeat < 1:
        parser.exit(2, "os-retries rehearse: --repeat must be 1 or more\n")
    try:
        how = write_policies(policies({name: getattr(arguments, name) for name in FLAGS}))
        if arguments.replay is None:
            clauses, faults = parse(arguments.faults), arguments.faults
        else:
            with open(arguments.replay, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                clauses, faults = clauses_of(file), f"those of {arguments.replay}"
            if not clauses:
                parser.exit(2, f"os-retries rehearse: --replay {arguments.replay}: it has no failed request\n")
        without, attached = rehearse(
            arguments.command, clauses, how, seed=arguments.seed, repeat=arguments.repeat, tokens=arguments.tokens
        )
    except (GrammarError, UsageError) as error:
        parser.exit(2, f"os-retries rehearse: {error}\n")
    except OSError as error:
        parser.exit(2, f"os-retries rehearse: --replay {arguments.replay}: {error.strerror}\n")
    except CannotRun as error:
        return int(error.args[0])
    outages = tuple((each.begin, each.end) for each in clauses if each.begin is not None and each.end is not None)
    made = report.Report(tuple(arguments.command), faults, arguments.seed, without, attached, outages)
    sys.stdout.write(report.as_json(made) if arguments.json else report.as_text(made, painter(sys.stdout)))
    sys.stdout.flush()
    if arguments.html is not None:
        from os_retries.rehearse.page import as_html

        try:
            with open(arguments.html, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(as_html(made))
        except OSError as error:
            parser.exit(2, f"os-retries rehearse: --html {arguments.html}: {error.strerror}\n")
    return 0 if made.passed else 1

"""The options of ``os-retries env``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from os_retries.run.arguments import add_numbers

if TYPE_CHECKING:
    from os_retries.run.environment import Form

_DESCRIPTION = """\
Print the environment variables that give a program the retries of `os-retries run`. They are for programs that cannot
be started by another command: applications of uWSGI and mod_wsgi, containers, systemd units."""

_EPILOG = """\
The variables have the effect of `os-retries run --quiet`. They name the folder of this installation, which must stay
where it is, and must be readable by the program. PYTHONPATH is replaced; only --shell keeps the entries that are set.

examples:
  eval "$(os-retries env)"                                      # for everything that this shell starts
  os-retries env --systemd > /etc/systemd/system/nova-compute.service.d/os-retries.conf
  os-retries env --dotenv > os-retries.env                      # docker run --env-file, EnvironmentFile= of systemd"""

_FORMS = {
    "shell": "for the shell: export NAME='VALUE' (default)",
    "systemd": 'for a unit file, or a drop-in of one: Environment="NAME=VALUE" below [Service]',
    "dotenv": "NAME=VALUE, without quotes",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries env`` to those of the other commands."""
    parser = commands.add_parser(
        "env",
        help="print the variables that give a program these retries",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    form = parser.add_argument_group("form").add_mutually_exclusive_group()
    for name, text in _FORMS.items():
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, default="shell", help=text)
    add_numbers(parser)
    parser.set_defaults(body=_env)


def _env(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.run.command import variables
    from os_retries.run.environment import FORMS
    from os_retries.run.policies import FLAGS, UsageError, policies, sinks, write_policies

    form: Form = FORMS[arguments.form]
    try:
        how = policies({name: getattr(arguments, name) for name in FLAGS}, arguments.config_file)
        made = variables(
            write_policies(how),
            quiet=True,
            log_json=arguments.log_json,
            service_config=arguments.service_config,
            observe=sinks(arguments.config_file),
        )
        print("\n".join(form(made)))  # noqa: T201
    except UsageError as error:
        parser.exit(2, f"os-retries env: {error}\n")
    return 0

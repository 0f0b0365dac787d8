"""The options of ``os-retries operation``.  Imported for every command's --help: standard library only."""

from __future__ import annotations

import argparse

_DESCRIPTION = """\
Show the resources of an operation on a cloud, or remove its markers from them. No resource is deleted. The cloud is
that of --os-cloud, or of OS_CLOUD and the other OS_ variables, as for the openstack command. This needs
openstacksdk."""

_EPILOG = """\
exit status: 1 if something could not be listed or changed, 2 for a mistake in these options or without a cloud."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``os-retries operation`` to those of the other commands."""
    parser = commands.add_parser(
        "operation",
        help="show the resources of an operation, or remove its markers",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in (
        ("show", "list the resources that carry a marker of the operation"),
        ("forget", "remove the markers; the resources stay, and another run with this key makes new ones"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.add_argument("key", metavar="KEY", help="the key of the operation")
        action.add_argument("--os-cloud", metavar="NAME", help="the name of the cloud in clouds.yaml")
        if name == "show":
            action.add_argument("--json", action="store_true", help="print a JSON list")
        action.set_defaults(body=_run, action=name)


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from os_retries.inventory.command import Cloud, UsageError, forget, show

    try:
        cloud = Cloud(arguments.os_cloud)
    except UsageError as error:
        parser.exit(2, f"os-retries operation: {error}\n")
    if arguments.action == "forget":
        return forget(arguments.key, cloud)
    return show(arguments.key, cloud, as_json=arguments.json)

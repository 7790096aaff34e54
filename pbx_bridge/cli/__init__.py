"""The command line: `pbx-bridge COMMAND`.

Only the module of the command that is asked for is imported, so that `--help` answers at once.
"""

from importlib import import_module

import click

from pbx_bridge import __version__

#: Each command, in the order of a first acquaintance: its module here, and what it does.
COMMANDS = {
    "demo": ("service", "See recorded real calls judged and texted, without PBX or account."),
    "init": ("init", "Make a first configuration, and an account for it on the PBX."),
    "check": ("trying", "Try configuration, database, PBX login and gateways; send nothing."),
    "probe": ("trying", "Watch a test call and propose the inbound settings for this PBX."),
    "backtest": ("backtesting", "Show whom last month's missed calls would have texted, and why."),
    "templates": ("templates", "Show the texts as callers get them, with their price; try drafts."),
    "rules": ("rules", "Read aloud what is done about which missed calls, step by step."),
    "hours": ("hours", "Show when somebody is there, line by line, and what closes you next."),
    "simulate": ("simulate", "Show what would be done about a call that you describe."),
    "run": ("service", "Watch the PBX and text missed callers, until stopped."),
    "health": ("health", "Tell whether the running service is alive and does its work."),
    "calls": ("listings", "List calls: what became of each, and whether it was texted."),
    "explain": ("listings", "Show one call's timeline and every rule that judged it."),
    "messages": ("listings", "List messages and what became of them."),
    "replies": ("listings", "List what customers wrote, and how it was understood."),
    "followups": ("followups", "Show what is under way for which caller; stop one."),
    "tasks": ("tasks", "See who still waits for a call; take one, put it off, close it."),
    "booked": ("bookings", "Write down that a caller booked."),
    "figures": ("figures", "Show how many missed callers were won back, and how sure that is."),
    "contacts": ("contacts", "See and change whom you know; import, export, address books."),
    "voicemails": ("voicemails", "List messages that callers left; try the transcriber."),
    "optouts": ("optouts", "See and change who wants no texts; import and export the list."),
    "gateways": ("gateways", "Show how each gateway stands, and what went through it."),
    "alerts": ("alerting", "List what staff were told, take an alert, or test every channel."),
    "ladder": ("ladder", "Show who is phoned when it is urgent, and what came of it; try it."),
    "webhooks": ("webhooks", "Show the webhooks and what they were told; test, replay, a secret."),
    "connectors": (
        "connectors",
        "Show the CRMs and what they were told; check one, find a number.",
    ),
    "users": ("users", "See and change who may use the page; one-time links for them."),
    "backup": ("backups", "Copy the database while the service works."),
    "restore": ("backups", "Put a backup in the place of the database."),
    "export": ("privacy", "Write all that is kept about a number into a file."),
    "erase": ("privacy", "Erase all that is kept about a number."),
    "send-test": ("sending", "Send one text through the gateway."),
    "record": ("captures", "Capture what the PBX says into a file."),
    "replay": ("captures", "Judge captured calls by today's rules; send nothing."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__name__}.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`pbx-bridge COMMAND --help` tells more, with examples.",
)
@click.version_option(__version__)
def main() -> None:
    """Text back the callers that an office on Asterisk or FreePBX missed.

    \b
    First steps:
      pbx-bridge demo                      see it work, with nothing set up
      pbx-bridge init                      a configuration, and an account on the PBX
      pbx-bridge check                     is everything right?
      pbx-bridge run                       nothing is sent until you allow it
      pbx-bridge calls                     what happened, and what would be sent
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is

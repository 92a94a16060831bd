"""`segwire`: the commands, each imported only when it runs."""

import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import version

import click

from runtime.errors import SegwireError
from runtime.logs import keep_logs_off_output
from runtime.process import begin_process

# Command name -> module below segwire.cli; each holds a click command named `command`.
COMMANDS: Mapping[str, str] = {
    "up": "up",
    "ingest": "ingest",
    "process": "process",
    "sink": "sink",
    "kafka": "kafka",
    "postgres": "postgres",
    "registry": "registry",
    "topics": "topics",
    "simulate": "simulate",
    "explain": "explain",
    "receipts": "receipts",
    "dead-letters": "dead_letters",
    "privacy": "privacy",
    "state": "state",
    "spool": "spool",
    "doctor": "doctor",
}


class LazyGroup(click.Group):
    """Knows its commands' names and imports a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"segwire.cli.{COMMANDS[cmd_name]}").command
        return command


@click.command(
    cls=LazyGroup,
    epilog="\b\nExamples:\n  segwire up --demo\n  segwire explain 19393572368547369350319949416899715727",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(version("segwire"), prog_name="segwire")
def cli() -> None:
    """Real-time audience-segment membership on Kafka.

    Receives the segment messages of Adobe Audience Manager, keeps who is in which segment and why, and publishes it.
    """


def main() -> None:
    """Run a command; an error meant for a person is printed without a traceback."""
    begin_process(sys.argv[1:])
    keep_logs_off_output()
    try:
        code = cli(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SegwireError as error:
        click.echo(f"segwire: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()

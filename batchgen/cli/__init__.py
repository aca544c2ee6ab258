"""The command line: one file per command; the only room that prints or exits.

Command modules import nothing but click at the top, so that ``--help`` and completion are quick.
"""

import sys
import traceback

import click

from batchgen import __version__
from batchgen.cli.init import init
from batchgen.cli.models import models
from batchgen.cli.plan import plan
from batchgen.cli.reconcile import reconcile
from batchgen.cli.run import run
from batchgen.cli.schema import schema
from batchgen.cli.serve import serve
from batchgen.cli.status import status
from batchgen.cli.verify import verify
from batchgen.cli.words import silence_broken
from batchgen.errors import BatchgenError, ExitCode, JobError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="batchgen")
def commands() -> None:
    """Turn one YAML job file into a labelled image dataset.

    Start with: batchgen init, then batchgen run job.yaml
    """


for command in (run, plan, status, verify, reconcile, serve, init, models, schema):
    commands.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code of the contract."""
    code = _run(arguments)
    silence_broken()
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        result = commands.main(arguments, prog_name="batchgen", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BatchgenError as error:
        click.echo(_explanation(error), err=True)
        return error.exit_code
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough; click leaves by itself then.
        return ExitCode.OK
    except Exception:  # noqa: BLE001  # the last place that can give it an exit code
        traceback.print_exc()
        click.echo("batchgen: bug: an internal error; the ledger is still consistent", err=True)
        return ExitCode.BUG
    return result if isinstance(result, int) else ExitCode.OK


def _explanation(error: BatchgenError) -> str:
    if not isinstance(error, JobError):
        return f"batchgen: {error.exit_code.word}: {error}"
    # The problems stand alone on their lines, as editors expect of file:line:column.
    mistakes = "1 mistake" if len(error.problems) == 1 else f"{len(error.problems)} mistakes"
    return f"{error}\nbatchgen: usage: {mistakes} to mend; nothing was sent"

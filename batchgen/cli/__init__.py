"""The command line: one file per command; the only room that prints or exits.

Everything that is printed goes through ``screen``; ``words``, ``progress``, ``preview``,
``origins`` and ``logs`` say how, ``folders`` checks the dataset that a command is given. Command
modules import nothing but click and the screen at the top, so that ``--help`` and completion are
quick.
"""

import re
import sys
from typing import Any

import click

from batchgen import __version__
from batchgen.api.key import KEY, KEY_FILE, learn_key
from batchgen.cli.doctor import doctor
from batchgen.cli.export import export
from batchgen.cli.init import init
from batchgen.cli.merge import merge
from batchgen.cli.models import models
from batchgen.cli.plan import plan
from batchgen.cli.reconcile import reconcile
from batchgen.cli.report import report
from batchgen.cli.run import run
from batchgen.cli.schema import schema
from batchgen.cli.screen import (
    complete_streams,
    guard_tracebacks,
    silence_broken,
    speak_json,
    tell,
    tell_bug,
    tell_problem,
)
from batchgen.cli.serve import serve
from batchgen.cli.status import status
from batchgen.cli.verify import verify
from batchgen.errors import BatchgenError, ExitCode, JobError
from batchgen.text import counted, plain

_NAMES_A_KEY = re.compile("key|token|secret")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="batchgen")
def commands() -> None:
    """Turn one YAML job file into a labelled image dataset.

    \b
      batchgen init             write a first job.yaml, to be changed
      batchgen plan job.yaml    what it would make, and for how much
      batchgen run job.yaml     make it; the same once more goes on
      batchgen status out/job   how far it is
    """


for command in (
    run,
    plan,
    status,
    report,
    verify,
    export,
    reconcile,
    merge,
    serve,
    init,
    models,
    schema,
    doctor,
):
    commands.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code of the contract."""
    complete_streams()
    code = _run(arguments)
    silence_broken()
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    speak_json(False)
    learn_key()
    guard_tracebacks()
    try:
        result = commands.main(arguments, prog_name="batchgen", standalone_mode=False)
    except click.ClickException as error:
        for line in _mistake(error).split("\n"):
            tell(line, "error", **_end(ExitCode.USAGE))
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BatchgenError as error:
        words = f"batchgen: {error.exit_code.word}: {_explanation(error)}"
        tell(words, "error", **_end(error.exit_code))
        return error.exit_code
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough; click leaves by itself then.
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  # the last place that can give it an exit code
        return _unexpected(error)
    return result if isinstance(result, int) else ExitCode.OK


def _end(code: ExitCode) -> dict[str, Any]:
    """What programs are told of an end that is no outcome of a run."""
    return {"exit_code": int(code), "class": code.word}


def _unexpected(error: Exception) -> ExitCode:
    if isinstance(error, OSError) and silence_broken():
        return ExitCode.STORAGE  # a result that could not be printed
    tell_bug(error)
    words = "batchgen: bug: an internal error; the ledger is still consistent"
    tell(words, "error", **_end(ExitCode.BUG))
    return ExitCode.BUG


def _explanation(error: BatchgenError) -> str:
    if not isinstance(error, JobError):
        return str(error)
    # The problems stand alone on their lines, as editors expect of file:line:column.
    for problem in error.problems:
        tell_problem(problem)
    return f"{counted(len(error.problems), 'mistake')} to mend; nothing was sent"


def _mistake(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    # A wrong word may have any character in it, and all is one sentence.
    return f"batchgen: usage: {plain(_sentence(error))}"


def _sentence(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption) and _NAMES_A_KEY.search(error.option_name):
        return (
            f"{error.option_name} is no option, because every user of this computer can read a "
            f"command line; put the key into {KEY}, or into a file that {KEY_FILE} names"
        )
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "batchgen"
    # Click lists choices on lines of their own.
    mistake = " ".join(error.format_message().split()).rstrip(".")
    return f"{mistake}{' ' if mistake.endswith('?') else '; '}{path} --help tells more"

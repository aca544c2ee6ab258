"""Help, version and start-up."""

import subprocess
import sys

import click
import pytest

from batchgen.cli import commands
from tests.support.cli import environment, run_batchgen

COMMANDS = ("run", "plan", "status", "report", "serve", "init", "models", "schema")
HEAVY = ("aiohttp", "aiofiles", "pydantic", "PIL", "tqdm", "yaml", "sqlite3", "asyncio")


def test_help_lists_the_commands(tmp_path):
    done = run_batchgen("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed.issuperset(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path, command):
    done = run_batchgen(command, "-h", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: batchgen {command} ")


def test_without_a_command_the_help_is_no_success(tmp_path):
    done = run_batchgen(cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == run_batchgen("--help", cwd=tmp_path).stdout


def test_help_shows_the_way_and_whole_sentences(tmp_path):
    said = run_batchgen("--help", cwd=tmp_path).stdout
    assert "\n    batchgen plan job.yaml    what it would make, and for how much\n" in said
    assert "..." not in said.partition("Commands:")[2]


def test_a_command_that_is_nearly_right_is_suggested(tmp_path):
    said = run_batchgen("plna", cwd=tmp_path).stderr
    assert said == (
        "batchgen: usage: No such command 'plna'. Did you mean 'plan'? batchgen --help tells more\n"
    )


def test_help_loads_nothing_heavy(tmp_path):
    code = (
        "import sys\n"
        "from batchgen.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--help"],
        cwd=tmp_path,
        # Measuring coverage loads modules of its own.
        env={k: v for k, v in environment(tmp_path).items() if not k.startswith("COV")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_one_of_the_package(tmp_path):
    from batchgen import __version__

    assert __version__ in run_batchgen("--version", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu"],
        ["run"],
        ["run", "job.yaml", "--nope"],
        ["run", "job.yaml", "--concurrency", "many"],
        ["run", "job.yaml", "--service", "elsewhere"],
        ["status"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(tmp_path, arguments):
    done = run_batchgen(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


@pytest.mark.parametrize("name", ["", *sorted(commands.commands)])
def test_help_reads_well_at_80_columns(name):
    command = commands.commands[name] if name else commands
    parent = click.Context(commands, info_name="batchgen")
    context = click.Context(
        command, parent=parent if name else None, info_name=name or "batchgen", terminal_width=80
    )
    text = command.get_help(context)
    assert max(map(len, text.splitlines())) <= 80
    # A summary that is cut short ends in dots.
    assert "..." not in text.replace("[ARGS]...", "").replace("]...", "")


def test_a_shell_that_asks_gets_the_options_that_begin_so(tmp_path):
    asked = {"COMP_WORDS": "batchgen run --if", "COMP_CWORD": "2"}
    env = {"_BATCHGEN_COMPLETE": "bash_complete", **asked}
    done = run_batchgen(cwd=tmp_path, env=env)
    assert (done.stdout, done.stderr) == ("plain,--if-locked\n", "")

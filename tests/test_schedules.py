"""The files in jobs/nightly are what their schedulers take, and start the command as it is."""

import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from batchgen.cli.run import run
from batchgen.errors import ExitCode
from batchgen.job.load import load_job

NIGHTLY = Path(__file__).parents[1] / "jobs" / "nightly"
KUBERNETES = ("cronjob.yaml", "indexed-job.yaml")
schedules = pytest.mark.schedules


def tool(name: str) -> str:
    """The path of a program, beside the interpreter or on the PATH; skips without it."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not here; pip install -e '.[schedules]', or systemd")
    return found


def check(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout + done.stderr


def text_of(name: str) -> str:
    return (NIGHTLY / name).read_text("utf-8")


def kubernetes(name: str) -> dict[str, object]:
    """The specification of the Job in a file."""
    first = next(yaml.safe_load_all(text_of(name)))["spec"]
    found: dict[str, object] = first.get("jobTemplate", {"spec": first})["spec"]
    return found


def arguments(name: str) -> list[str]:
    """What a schedule hands to ``batchgen run``."""
    if name in KUBERNETES:
        (container,) = kubernetes(name)["template"]["spec"]["containers"]  # type: ignore[index]
        return [str(word) for word in container["args"]][1:]
    line = next(s for s in text_of(name).splitlines() if "batchgen run " in s)
    return shlex.split(line.partition("batchgen run ")[2].partition("||")[0])


@schedules
@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes_takes_the_jobs(name):
    check(tool("kubernetes-validate"), "--strict", "--quiet", NIGHTLY / name)


@schedules
def test_github_takes_the_workflow():
    file = NIGHTLY / "github-actions.yaml"
    check(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", file)


@schedules
def test_systemd_takes_service_and_timer(tmp_path):
    names = ("batchgen-nightly.service", "batchgen-nightly.timer")
    for name in names:
        # It looks for the program, and for units that a unit names.
        here = re.sub(r"/srv/\S+/batchgen", sys.executable, text_of(name))
        (tmp_path / name).write_text(here)
    check(tool("systemd-analyze"), "verify", *(tmp_path / name for name in names))


@schedules
def test_the_container_file_is_without_fault():
    check(tool("hadolint"), NIGHTLY / "Containerfile")


@schedules
@pytest.mark.skipif(find_spec("cronsim") is None, reason="cronsim is not here: '.[schedules]'")
@pytest.mark.parametrize("name", ["crontab", "cronjob.yaml", "github-actions.yaml"])
def test_a_time_that_cron_knows_is_in_the_window(name):
    from cronsim import CronSim

    (when,) = re.findall(r'^(?:.*: ")?((?:[\d*,/-]+ ){4}[\d*,/-]+)', text_of(name), re.MULTILINE)
    start = next(CronSim(when, datetime(2026, 1, 1, 12, tzinfo=UTC)))
    assert (start.hour, start.minute) == (22, 0)


@pytest.mark.parametrize(
    "name", [*KUBERNETES, "crontab", "batchgen-nightly.service", "github-actions.yaml"]
)
def test_every_option_in_a_schedule_is_one(name):
    context = run.make_context("run", arguments(name))
    assert context.params["job_file"].name == "dataset.yaml"


def test_the_image_copies_only_what_there_is():
    root = NIGHTLY.parents[1]
    for line in re.findall(r"^COPY (.*) \S+$", text_of("Containerfile"), re.MULTILINE):
        assert all((root / name).exists() for name in line.split())


@pytest.mark.parametrize("name", KUBERNETES)
def test_a_pod_is_not_tried_again_for_what_would_end_alike(name):
    (rule,) = kubernetes(name)["podFailurePolicy"]["rules"]  # type: ignore[index]
    ends = set(ExitCode) - {ExitCode.OK, ExitCode.BUG, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    assert set(rule["onExitCodes"]["values"]) == {int(code) for code in ends}


def test_the_job_of_the_night_is_one_that_needs_no_answer():
    job = load_job(NIGHTLY / "dataset.yaml")
    assert job.warnings == ()
    assert (job.image_count(), job.pace.window) == (1000, "22:00-06:00")
    assert job.pace.budget_micros
    assert job.folder == NIGHTLY / "out" / "kitchen-nightly"

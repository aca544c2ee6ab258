"""The files of jobs/cluster are what their schedulers take, and start the command as it is."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from batchgen.cli.run import run
from tests.test_schedules import check, tool

SAMPLES = Path(__file__).parents[2] / "jobs" / "cluster"


def commands() -> list[list[str]]:
    """What each of them hands to ``batchgen run``."""
    lines = [yaml.safe_load((SAMPLES / "rayjob.yaml").read_text("utf-8"))["spec"]["entrypoint"]]
    for script in SAMPLES.glob("*.sh"):
        lines += [s for s in script.read_text("utf-8").splitlines() if "batchgen run " in s]
    return [shlex.split(line.partition("batchgen run ")[2]) for line in lines]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_command_line_takes_their_options(words):
    context = run.make_context("run", words)
    assert context.params["shard"] == "auto" or context.params["on"].startswith("ray://")


@pytest.mark.parametrize("script", sorted(SAMPLES.glob("*.sh")), ids=lambda path: path.name)
def test_the_shell_can_read_them(script: Path):
    subprocess.run(["bash", "-n", script], check=True)
    assert script.read_text("utf-8").startswith("#!/bin/bash\n# ")


@pytest.mark.schedules
def test_kubernetes_takes_the_pods_of_the_ray_job(tmp_path: Path):
    cluster = yaml.safe_load((SAMPLES / "rayjob.yaml").read_text("utf-8"))["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for number, group in enumerate(groups):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod{number}"}}
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump({**pod, **group["template"]}))
        check(tool("kubernetes-validate"), "--strict", "--quiet", file)

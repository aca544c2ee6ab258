"""What would spoil a night, each finding with its fix."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchgen.dataset.folder import DatasetFolder, append_lines
from batchgen.job.load import Pace, load_job
from batchgen.run.care import doctor
from batchgen.run.care.doctor import OK, WARNING, WRONG, Patient
from batchgen.run.terms.access import find_access
from tests.support.bench import Bench
from tests.support.cli import KEY, run_batchgen, write_job


@pytest.fixture
def pace(tmp_path: Path) -> Pace:
    return load_job(write_job(tmp_path / "job.yaml", ["a pear"])).pace


def test_a_key_that_others_may_read_is_wrong_and_never_shown(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o640)
    patient = Patient(root=tmp_path, environment={"WAVESPEED_API_KEY_FILE": str(file)})
    (check,) = doctor.check_key(patient)
    assert (check.verdict, check.fix) == (WRONG, f"run: chmod 600 {file}")
    file.chmod(0o600)
    (check,) = doctor.check_key(patient)
    assert (check.verdict, check.fix) == (OK, "")
    assert check.found == f"in {file}, mode 0600, for https://api.wavespeed.ai"
    (check,) = doctor.check_key(replace(patient, environment={}))
    assert check.fix == "to try things without a key, use --service local"
    assert list(doctor.check_key(replace(patient, environment={}, service="local"))) == []


@pytest.mark.parametrize(
    ("balance", "budget", "verdict"),
    [(0.0, None, WRONG), (3.0, None, OK), (3.0, 5_000_000, WARNING), (5.0, 5_000_000, OK)],
)
def test_an_account_has_to_pay_for_what_is_planned(pace, balance, budget, verdict):
    check = doctor._balance(balance, replace(pace, budget_micros=budget))
    assert (check.verdict, bool(check.fix)) == (verdict, verdict != OK)


@pytest.mark.parametrize(
    ("skew", "verdict", "found"),
    [
        (0.0, OK, "the same as the service's"),
        (-12.0, OK, "the service's is 12 s behind this one"),
        (600.0, WARNING, "the service's is 10 min ahead of this one"),
    ],
)
def test_a_clock_that_is_far_off_is_told(skew, verdict, found):
    assert (doctor._clock(skew).verdict, doctor._clock(skew).found) == (verdict, found)


async def test_the_service_tells_whether_it_takes_the_key_and_what_time_it_has(bench: Bench):
    other = {**bench.env, "WAVESPEED_API_KEY": "a-wrong-key-0815"}
    (check,) = await doctor.check_service(find_access("wavespeed", None, other))
    assert check.verdict == WRONG
    assert check.found.startswith("no answer: HTTP 401")
    bench.service.account(balance=7, behind=600)
    balance, clock = await doctor.check_service(find_access("wavespeed", None, bench.env))
    assert (balance.found, balance.verdict) == ("$7.00", OK)
    assert (clock.found, clock.verdict) == ("the service's is 10 min behind this one", WARNING)


def test_a_tier_is_guessed_from_what_past_runs_made(pace, tmp_path):
    patient = Patient(root=tmp_path / "out", pace=pace)
    assert "taken for bronze: 2 images a minute" in doctor.check_tier(patient).found
    assert "which" not in doctor.check_tier(patient).found
    folder = DatasetFolder(patient.root)
    folder.prepare()
    for made, wall in ((700, 600.0), (50, 1.0)):  # one of a second tells nothing
        run = {"run": str(made), "started_at": "then", "images_made": made, "wall_s": wall}
        append_lines(folder.runs, run)
    assert doctor.check_tier(patient).found.endswith("made 70 a minute, which silver allows")
    named = replace(patient, pace=replace(pace, tier="gold"))
    assert (doctor.check_tier(named).verdict, doctor.check_tier(named).fix) == (OK, "")


def test_a_folder_that_cannot_be_written_is_told_before_the_night(tmp_path):
    assert doctor.check_folder(tmp_path / "new" / "folder").verdict == OK
    assert list(tmp_path.iterdir()) == []
    assert doctor.check_folder(Path("/proc/self")).verdict == WRONG


def test_little_room_and_few_files_are_told(pace, tmp_path):
    check = doctor.check_disk(tmp_path, None, lambda _: 199_000_000)
    assert (check.verdict, check.found.split(",")[0]) == (WRONG, "199.0 MB free")
    assert doctor.check_disk(tmp_path, replace(pace, min_free=1), lambda _: 2).verdict == OK
    check = doctor.check_files(pace, 256)
    assert (check.verdict, check.fix) == (WARNING, "ulimit -n 1024 (LimitNOFILE= for systemd)")
    assert doctor.check_files(replace(pace, concurrency=8), 256).verdict == OK
    assert doctor.check_files(pace).verdict == OK


def test_a_window_is_told_with_the_time_it_is_judged_by(pace):
    now = datetime(2026, 11, 27, 23, tzinfo=UTC)
    assert list(doctor.check_window(pace, now)) == []
    (check,) = doctor.check_window(replace(pace, window="22:00-06:00"), now)
    assert check.found == "22:00-06:00, open for 7 h 0 min: it is 23:00 (UTC) here"


def test_the_command_says_each_finding_with_its_fix_and_costs_nothing(bench: Bench):
    bench.job(["a pear"], run={"min_free": "999999TB"})
    arguments = ("doctor", "job.yaml")
    done = run_batchgen(*arguments, cwd=bench.folder, env=bench.env)
    assert done.returncode == 2
    assert done.stderr == "batchgen: usage: 1 to mend before a run; 1 to think about\n"
    assert "\nok       balance   $" in done.stdout
    assert "\n                   → make room, give another disk" in done.stdout
    assert KEY not in done.stdout
    bench.job(["a pear"], run={"tier": "silver"})
    hook = {"BATCHGEN_PING_URL": "https://hc-ping.com/not-to-be-seen"}
    done = run_batchgen(*arguments, "--json", cwd=bench.folder, env={**bench.env, **hook})
    assert (done.returncode, done.stderr) == (0, "batchgen: ok: a run can begin\n")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert {check["verdict"] for check in checks.values()} == {"ok"}
    assert checks["notices"]["found"] == "a ping"
    assert "not-to-be-seen" not in done.stdout
    assert bench.service.counts()["received"] == 0
    assert not bench.dataset.exists()

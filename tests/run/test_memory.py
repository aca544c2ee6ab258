"""Memory that does not grow with the number of variants: planning, resuming, counting."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment, run_batchgen

FEW, MANY = 10_000, 100_000
MORE = 8  # MB; 90,000 variants of a hundred bytes each would be 9

# Everything is saved but the last variant. What a resume and a plan do with that, in one process.
RESUME = """
import resource, sqlite3
from pathlib import Path
from batchgen.dataset.folder import DatasetFolder
from batchgen.job.load import load_job
from batchgen.ledger.store import Ledger
from batchgen.run.terms.options import RunOptions
from batchgen.run.plan.planning import ToDo, settle_plan

job, folder = load_job("job.yaml"), DatasetFolder(Path("out"))
folder.prepare()
variants = job.variants
sql = (
    "INSERT INTO variants (key, state, revision, prompt_id, model, request, images_asked, attempts,"
    " polls) VALUES (?, 'saved', 1, 'p', 'm', '{}', 1, 1, 1)"
)
with Ledger(folder.ledger) as ledger:
    keys = variants[:-1].keys()
    with sqlite3.connect(folder.ledger) as db:
        db.executemany(sql, ((key,) for key in keys))
    db.close()
    settle_plan(ledger, job)
    to_do = ToDo(ledger=ledger, variants=variants, planned=len(variants),
                 options=RunOptions(), account="a", resubmit_uncertain=False)
    assert [entry.key for entry in to_do] == [variants[-1].key]
    ledger.set_meta(plan="of another form of the job")
    settle_plan(ledger, job)
    assert ledger.counts().total() == len(variants) - 1
    ledger.check()
    ledger.totals()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _job(folder: Path, variants: int) -> None:
    folder.mkdir()
    text = f"name: k\nprompts: [a, b]\nmatrix: {{seed: 0..{variants // 2 - 1}}}\n"
    (folder / "job.yaml").write_text(f"{text}run: {{max_variants: {variants}}}\n")


def _peak(folder: Path) -> int:
    """The most memory in MB that a resume takes."""
    done = subprocess.run(
        [sys.executable, "-c", RESUME],
        cwd=folder,
        env={k: v for k, v in environment(folder).items() if not k.startswith("COV")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_ten_times_as_many_variants_are_resumed_in_the_same_memory(tmp_path):
    peaks = []
    for number in (FEW, MANY):
        _job(tmp_path / str(number), number)
        peaks.append(_peak(tmp_path / str(number)))
    assert peaks[1] < peaks[0] + MORE


HEAVY = ("aiohttp", "PIL", "tqdm")
MAIN = f"""
import sys
from batchgen.cli import main
try: main(sys.argv[1:])
finally: print([name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize("command", [("plan", "job.yaml"), ("status", "out")])
def test_a_plan_and_a_status_load_nothing_of_the_network(tmp_path, command):
    _job(tmp_path / "k", 20)
    assert run_batchgen("plan", "job.yaml", cwd=tmp_path / "k").returncode == 0
    made = "from pathlib import Path; from batchgen.ledger.store import Ledger; "
    made += "p = Path('out/.batchgen'); p.mkdir(parents=True); Ledger(p / 'ledger.sqlite3').close()"
    code = f"{made}\n{MAIN}"
    assert _loaded(tmp_path, code, *command) == []


def test_a_finished_run_loads_nothing_of_the_network(tmp_path):
    _job(tmp_path / "k", 2)
    run = ("run", "job.yaml", "--service", "local", "--quiet")
    assert run_batchgen(*run, cwd=tmp_path / "k").returncode == 0
    assert _loaded(tmp_path, MAIN, *run) == []


def _loaded(folder: Path, code: str, *command: str) -> object:
    """What *code* says at its end, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=folder / "k",
        env={k: v for k, v in environment(folder).items() if not k.startswith("COV")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1].replace("'", '"'))

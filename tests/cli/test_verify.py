"""``batchgen verify`` as a command: its words, its exit codes, and who may run beside it."""

import json

import pytest

from tests.support.bench import Bench
from tests.support.cli import Done, run_batchgen


def verify(bench: Bench, *options: object) -> Done:
    return run_batchgen("verify", bench.dataset, *options, cwd=bench.folder, env=bench.env)


def test_a_sound_dataset_is_said_in_a_table_and_one_sentence(bench: Bench):
    bench.job(2)
    assert bench.run().returncode == 0
    done = verify(bench)
    assert done.returncode == 0
    assert done.stderr == "batchgen: ok: every image is as it was saved\n"
    words = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert words == {
        "images": "2 checked",
        "missing": "none",
        "damaged": "none",
        "manifest": "exact",
        "unknown": "none",
    }


def test_a_lost_file_is_named_and_the_way_to_mend_it_said(bench: Bench):
    bench.job(8)
    assert bench.run().returncode == 0
    names = [row["file_name"] for row in bench.rows()]
    for name in names[:6]:
        (bench.dataset / name).unlink()
    done = verify(bench)
    assert done.returncode == 3
    assert f"missing   6: {names[0]}" in done.stdout
    assert "…" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("batchgen: partial: ")
    assert "--repair" in line
    done = verify(bench, "--repair")
    assert done.returncode == 0
    assert "fetched   6 images again, for free" in done.stdout
    bench.check_whole(8)
    bench.check_billed_once(8)


def test_what_is_gone_for_good_is_said_with_the_option_that_buys_it(bench: Bench):
    bench.job(["a pear [created=old] [image=redirectx1] [image=410]"])
    assert bench.run().returncode == 0
    (row,) = bench.rows()
    (bench.dataset / row["file_name"]).unlink()
    done = verify(bench, "--repair")
    assert done.returncode == 3
    assert f"costly    1: {row['variant_key']}" in done.stdout
    assert "--resubmit-lost buys them again" in done.stderr
    assert bench.service.counts()["billed"] == 1
    assert bench.run("--resubmit-lost").returncode != 0
    assert bench.service.counts()["billed"] == 2


@pytest.mark.parametrize("options", [[], ["--repair"], ["--json"]], ids=str)
def test_without_a_dataset_it_is_a_mistake_of_usage(bench: Bench, options):
    done = verify(bench, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"batchgen: usage: expected a dataset at {bench.dataset}, but there is no such folder\n"
    )
    assert not bench.dataset.exists()


def test_while_a_run_goes_on_it_reads_but_repairs_nothing(bench: Bench):
    bench.job(4, run={"concurrency": 4})
    bench.service.hold(completion=2)
    with bench.start() as running:
        running.until_rows(2)
        running.until_counts(lambda c: c["billed"] == 4)
        done = verify(bench, "--json")
        assert (done.returncode, json.loads(done.stdout)["checked"]) == (0, 2)
        done = verify(bench, "--repair")
        assert (done.returncode, done.stdout) == (8, "")
        assert f"process {running.process.pid} on " in done.stderr
        bench.service.release()
        assert running.process.wait() == 0
    bench.check_whole(4)

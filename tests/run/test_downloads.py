"""Downloads that misbehave: no broken file gets a final name, and nothing is bought again."""

from tests.support.bench import Bench
from tests.support.cli import failures, summary

RECOVERED = {
    **{f"{word}x2": 3 for word in ("html", "empty", "cut", "unsized", "reset", "500", "503")},
    **{f"{word}x1": 2 for word in ("403", "404", "410", "hang", "stall")},
    "redirect": 2,
}


def test_a_download_that_fails_is_tried_again_with_fresh_addresses_where_needed(bench: Bench):
    bench.job([f"a pear [image={word}]" for word in RECOVERED], run={"timeouts": {"download": 1}})
    done = bench.run()
    assert done.returncode == 0, done.stderr
    assert summary(bench.dataset)["wall_s"] < 20  # without a deadline it would be 30 and more
    bench.check_whole(len(RECOVERED))
    counts = bench.service.counts()
    assert set(counts.by_prompt("received").values()) == {1}
    polls = counts.by_prompt("polls")
    assert {polls[f"a pear [image={word}x1]"] for word in ("403", "404", "410")} == {2}
    assert polls["a pear [image=htmlx2]"] == 1


def test_an_image_that_cannot_be_had_now_waits_for_the_next_run(bench: Bench):
    words = ("html", "empty", "cut", "unsized", "404", "500", "loop", "to-file")
    bench.job([*(f"a pear [image={word}]" for word in words), "a plum"])
    for _ in range(2):
        done = bench.run()
        assert done.returncode == 4, done.stderr
        assert bench.states() == {"completed": 8, "saved": 1}
        assert summary(bench.dataset)["pending"] == 8
        bench.check_whole(1)
    bench.check_billed_once(9)


def test_an_address_that_is_no_image_address_is_never_opened(bench: Bench):
    words = ("file", "relative", "numbers", "user")
    bench.job([f"a pear [outputs={word}]" for word in words])
    assert bench.run().returncode == 4
    assert bench.service.counts()["downloads"] == 0
    # What is no address at all is no image; the others may be the service's passing trouble.
    assert bench.states() == {"completed": 3, "failed": 1}
    assert bench.image_files() == []


def test_images_that_are_gone_after_seven_days_have_expired(bench: Bench):
    bench.job(["a pear [image=404][created=old]", "a plum [image=404]"])
    assert bench.run().returncode == 4
    (row,) = failures(bench.dataset)
    assert row["prompt"] == "a pear [image=404][created=old]"
    assert (row["state"], row["error_class"], row["paid"]) == ("expired", "expired", True)
    assert summary(bench.dataset)["expired"] == 1


def test_one_bad_image_of_several_does_not_lose_the_others(bench: Bench):
    bench.job(["a pear [image1=404x1]", "a plum [image2=cutx2]"], params={"num_images": 3})
    assert bench.run().returncode == 0
    bench.check_whole(6)


def test_the_key_is_sent_to_the_api_and_to_nothing_else(bench: Bench):
    bench.job(["a pear", "a plum [image=redirect]", "a fig [image=404x1]"])
    assert bench.run().returncode == 0
    counts = bench.service.counts()
    assert counts["downloads"] == 5
    assert counts["keys_on_images"] == 0

"""Image hosts that mean harm: the run ends, says what is missing, and gives nothing away."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.bench import QUICK, Bench
from tests.support.cli import summary
from tests.support.misdeeds import NO_IMAGES, NO_PLACES

UNSAFE = {
    **dict.fromkeys(["private", "metadata", "number", "nat64"], "on this machine or a private net"),
    **dict.fromkeys(["file", "ftp", "data", "javascript", "clear", "clear-443"], "to be https"),
    "clear-metadata": "to be https",
    "port": "with port 8443, expected 443",
}


def log(bench: Bench) -> str:
    return (bench.dataset / ".batchgen" / "run.log").read_text("utf-8")


def check_only_the_plum_is_had(bench: Bench, others: int) -> None:
    """Everything was bought once and is known by its id, nothing was given away."""
    bench.check_whole(1)
    bench.check_billed_once(others + 1)
    assert bench.states() == {"completed": others, "saved": 1}
    assert summary(bench.dataset)["pending"] == others
    counts = bench.service.counts()
    ids = {row[0] for row in bench.ask_ledger("SELECT prediction_id FROM variants")}
    assert ids == counts.ids
    for name in ("keys_on_images", "cookies_on_images", "trapped"):
        assert counts[name] == 0


@contextmanager
def trap() -> Iterator[socket.socket]:
    """A port of this machine to which nobody may come."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize("words", [list(UNSAFE)[:6], list(UNSAFE)[6:]], ids=str)
@pytest.mark.parametrize("way", ["outputs=", "image=to-"], ids=["given", "redirected"])
def test_no_image_is_fetched_from_an_unsafe_address(bench: Bench, words, way):
    assert UNSAFE.keys() == NO_PLACES.keys()
    prompts = [f"a pear [{way}{word}]" for word in words]
    bench.job([*prompts, "a plum"])
    for _ in range(2):
        done = bench.run()
        assert done.returncode == 4, done.stderr
        check_only_the_plum_is_had(bench, len(words))
    ids = {order["request"]["prompt"]: order["ids"][0] for order in bench.service.counts().orders}
    said = log(bench).splitlines()
    for word, prompt in zip(words, prompts, strict=True):
        about = [line for line in said if f"image 0 of {ids[prompt]}: " in line]
        assert about
        assert all(UNSAFE[word] in line for line in about)
    # The connections are refused here: not one was tried that had to be waited for.
    assert "did not come in time" not in log(bench)
    if way == "outputs=":
        assert bench.service.counts()["downloads"] == 1


def test_what_is_no_image_gets_no_final_name_whatever_it_is_called(bench: Bench):
    words = [*NO_IMAGES, "bomb"]
    bench.job([*(f"a pear [image={word}]" for word in words), "a plum"])
    for _ in range(2):
        assert bench.run().returncode == 4
        check_only_the_plum_is_had(bench, len(words))
    said = log(bench)
    for reason in ("got text", "start 47494638", "65536 × 65536", "goes on behind", "checksum"):
        assert reason in said
    assert "got bytes that start 1f8b0800" in said  # what is compressed is not unpacked


def test_a_body_without_an_end_is_cut_at_the_cap(bench: Bench):
    bench.job(["a pear [image=endless]", "a plum"])
    cap = 2**21
    done = bench.run(patch={**QUICK, "batchgen.api.download.MAX_IMAGE_BYTES": cap})
    assert done.returncode == 4
    check_only_the_plum_is_had(bench, 1)
    assert "an image of more than 2 MiB" in log(bench)
    counts = bench.service.counts()
    tries = counts.by_prompt("downloads")["a pear [image=endless]"]
    # What both ends of a connection hold back comes on top of the cap.
    assert tries * cap < counts["streamed"] < tries * (cap + 2**24)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("drip", "less than 1024 bytes a second"), ("flood", "does not speak proper HTTP")],
)
def test_a_host_that_wastes_time_is_given_up(bench: Bench, word, reason):
    bench.job([f"a pear [image={word}]", "a plum"])
    done = bench.run(patch={**QUICK, "batchgen.api.download.RATE_WINDOW": 0.2})
    assert done.returncode == 4
    check_only_the_plum_is_had(bench, 1)
    assert reason in log(bench)
    counts = bench.service.counts()
    assert counts["streamed"] < 2**24


def test_a_host_that_wastes_time_once_is_asked_again(bench: Bench):
    bench.job([f"a pear [image={word}x1]" for word in ("drip", "flood", "bomb", "vast")])
    done = bench.run(patch={**QUICK, "batchgen.api.download.RATE_WINDOW": 0.2})
    assert done.returncode == 0, done.stderr
    bench.check_whole(4)
    bench.check_billed_once(4)


def test_a_cookie_set_by_a_redirect_is_not_sent_back(bench: Bench):
    bench.job(["a pear [image=cookie]", "a plum [image=cookie]"])
    # A cookie jar takes nothing from a host that is a mere number.
    base = bench.service.base.replace("127.0.0.1", "localhost")
    assert bench.run(env={**bench.env, "WAVESPEED_BASE_URL": base}).returncode == 0
    bench.check_whole(2)
    counts = bench.service.counts()
    assert counts["downloads"] == 4
    assert counts["cookies_on_images"] == 0


def test_proxies_and_passwords_of_the_environment_are_not_used(bench: Bench):
    bench.job(["a pear", "a plum [image=redirect]"])
    (bench.folder / ".netrc").write_text("default login me password secret\n")
    (bench.folder / ".netrc").chmod(0o600)
    with trap() as listening:
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        names = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "WS", "WSS")]
        env = dict.fromkeys([*names, *map(str.lower, names)], proxy)
        assert bench.run(env={**bench.env, **env}).returncode == 0
    bench.check_whole(2)
    assert bench.service.counts()["keys_on_images"] == 0

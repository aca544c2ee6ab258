import asyncio
import json
import sys
import time

import pytest

from batchgen.errors import UsageError
from batchgen.local import LocalService, LocalSettings
from tests.local.conftest import MODEL


async def test_ids_and_pictures_survive_a_restart(start, clock, tmp_path):
    path = tmp_path / "state.jsonl"
    first = await start(state_file=path, latency=(10, 10))
    old = await first.submit(num_images=2)
    clock.advance(10)
    picture = (await first.raw("GET", (await first.result(old["id"]))["outputs"][1]))[2]
    young = await first.submit("another")
    gone = await first.submit("a third")
    await first.call("POST", "/api/v3/predictions/delete", {"ids": [gone["id"]]})
    await first.service.stop()

    second = await start(state_file=path, latency=(1, 1))
    assert second.base != first.base
    done = await second.result(old["id"])
    assert done["outputs"][1] == f"{second.base}/images/{old['id']}/1.png"
    assert (await second.raw("GET", done["outputs"][1]))[2] == picture
    assert (await second.result(young["id"]))["status"] == "created"
    clock.advance(9)
    assert (await second.result(young["id"]))["status"] == "processing"
    assert await second.result(gone["id"]) is None
    listed = await second.call("POST", "/api/v3/predictions", {"page": 1, "page_size": 9})
    assert [item["id"] for item in listed["data"]["items"]] == [young["id"], old["id"]]


async def test_the_limits_go_on_counting_after_a_restart(start, clock, tmp_path):
    path = tmp_path / "state.jsonl"
    first = await start(state_file=path, tier="bronze", latency=(100, 100))
    for _ in range(2):
        await first.submit()
    await first.service.stop()
    second = await start(state_file=path, tier="bronze", latency=(100, 100))
    assert (await second.call("POST", MODEL, {"prompt": "a"}))["code"] == 429
    clock.advance(60)
    waiting = await second.submit()
    clock.advance(40)
    assert (await second.result(waiting["id"]))["status"] == "created"


async def test_a_torn_last_line_is_dropped_and_the_file_goes_on(start, tmp_path):
    path = tmp_path / "state.jsonl"
    first = await start(state_file=path)
    kept = await first.submit()
    await first.submit()
    await first.service.stop()
    whole = path.read_bytes()
    for cut in (1, 40, 150):
        path.write_bytes(whole[:-cut])
        again = await start(state_file=path)
        new = await again.submit()
        await again.service.stop()
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [row["accepted"]["id"] for row in rows] == [kept["id"], new["id"]]


@pytest.mark.parametrize(
    "content", ["name: my job\n", '{"a": 1}\n', "[]\n", "no newline", "1\n2\n"]
)
async def test_another_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "job.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"job.yaml:1: not a line of a local service's state file"):
        await LocalService(LocalSettings(state_file=path)).start()
    assert path.read_text() == content


async def test_two_services_cannot_share_a_state_file(start, tmp_path):
    path = tmp_path / "state.jsonl"
    await start(state_file=path)
    with pytest.raises(UsageError, match="another local service uses it"):
        await start(state_file=path)


async def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        await LocalService(LocalSettings(state_file=tmp_path / "no" / "state")).start()


async def test_the_key_is_not_in_the_file(start, tmp_path):
    client = await start(state_file=tmp_path / "state")
    await client.submit()
    assert "key-1" not in (tmp_path / "state").read_text()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


async def test_a_full_disk_refuses_the_submit(start):
    client = await start()
    client.service._routes._state = _FullDisk()
    assert (await client.call("POST", MODEL, {"prompt": "a"}))["code"] == 500
    listed = await client.call("POST", "/api/v3/predictions", {"page": 1, "page_size": 9})
    assert listed["data"]["total"] == 0


class _FullDisk:
    def accept(self, prediction):
        from batchgen.errors import StorageError

        raise StorageError("no space left")

    def close(self):
        pass


_KILLED = """
import asyncio, sys
from pathlib import Path
from batchgen.local import LocalService, LocalSettings

async def main():
    service = LocalService(LocalSettings(latency=(0, 0), state_file=Path(sys.argv[1])))
    print(await service.start(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_an_answered_submit_survives_a_kill(start, tmp_path):
    path = tmp_path / "state.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _KILLED, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    client = await start()
    client.base = (await process.stdout.readline()).decode().strip()
    data = await client.submit()
    process.kill()
    await process.wait()
    again = await start(state_file=path)
    # Made at the real time, long before the clock of the new service.
    again.service._routes._clock = time.time
    assert (await again.result(data["id"]))["id"] == data["id"]

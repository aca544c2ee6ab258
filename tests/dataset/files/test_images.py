"""Image files: byte-exact under their final name, or not there at all."""

import asyncio
import errno
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from batchgen.dataset.files import images, placing, renaming
from batchgen.dataset.files.images import ImageStore
from batchgen.dataset.files.picture import Picture, PictureError
from batchgen.dataset.files.placing import Arrival, Names, StoredImage, place
from batchgen.dataset.folder import DatasetFolder
from batchgen.errors import StorageError
from tests.dataset.pictures import chunk, noisy, picture
from tests.ledger.made import full_disk

PNG = picture("PNG", (64, 48))
OTHER = picture("PNG", (32, 32))
LARGE = noisy()
NAME, FREE_NAME = "images/espresso/7_k1_0.png", "images/espresso/7_k1-whole_0.png"


@pytest.fixture(params=[images._HELD, 700], ids=["in memory", "streamed"], autouse=True)
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many bytes of an image stay in memory; a larger one is streamed to disk."""
    monkeypatch.setattr(images, "_HELD", request.param)
    return int(request.param)


def names(whole: bool) -> str:
    return f"images/espresso/7_k1{'-whole' if whole else ''}_0"


async def pieces(data: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def store(folder: DatasetFolder, chunks: AsyncIterator[bytes]) -> StoredImage:
    return await ImageStore(folder).store(chunks, part="k1_0", names=names)


def files(folder: DatasetFolder) -> dict[str, bytes]:
    """All files below the dataset, unfinished ones included."""
    found = (path for path in folder.root.rglob("*") if path.is_file())
    return {path.relative_to(folder.root).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("size", [1, 7, 65_536, 10_000_000])
@pytest.mark.parametrize("data", [PNG, picture("WEBP")], ids=["png", "webp"])
async def test_the_bytes_that_came_are_the_bytes_that_are_kept(folder, data, size):
    stored = await store(folder, pieces(data, size))
    assert files(folder) == {stored.file_name: data}
    assert stored.bytes == len(data)
    assert stored.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [65_536, 262_144, 300_001])
async def test_a_large_image_is_kept_byte_for_byte(folder, size):
    assert len(LARGE) > 3 * 262_144  # it comes in several pieces
    stored = await store(folder, pieces(LARGE, size))
    assert files(folder) == {stored.file_name: LARGE}
    assert (stored.bytes, stored.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())


async def test_the_receipt_says_what_the_bytes_are_whatever_the_name_says(folder):
    stored = await store(folder, pieces(picture("JPEG", (40, 30))))
    assert stored.file_name == "images/espresso/7_k1_0.jpg"
    assert stored.picture == Picture(media_type="image/jpeg", ending=".jpg", width=40, height=30)


async def test_the_same_file_under_the_final_name_is_this_image(folder):
    first = await store(folder, pieces(PNG))
    assert await store(folder, pieces(PNG)) == first
    assert files(folder) == {NAME: PNG}


async def test_a_different_file_keeps_its_place(folder):
    await store(folder, pieces(OTHER))
    stored = await store(folder, pieces(PNG))
    assert stored.file_name == FREE_NAME
    assert files(folder) == {NAME: OTHER, FREE_NAME: PNG}


async def test_the_receipt_never_names_a_file_with_other_bytes(folder):
    await store(folder, pieces(OTHER))
    await store(folder, pieces(LARGE))
    stored = await store(folder, pieces(PNG))
    kept = (folder.root / stored.file_name).read_bytes()
    assert kept == PNG
    assert hashlib.sha256(kept).hexdigest() == stored.sha256
    assert files(folder)[NAME] == OTHER


async def test_what_an_earlier_run_left_of_it_is_overwritten(folder):
    (folder.parts / "k1_0").write_bytes(b"x" * 100_000)
    await store(folder, pieces(PNG))
    assert files(folder) == {NAME: PNG}


class CutError(Exception):
    """The download broke off."""


async def cut(after: bytes) -> AsyncIterator[bytes]:
    if after:
        yield after
    raise CutError


@pytest.mark.parametrize("after", [b"", PNG[:50], PNG, bytes(600_000)])
async def test_a_download_that_breaks_off_leaves_nothing(folder, after):
    with pytest.raises(CutError):
        await store(folder, cut(after))
    assert files(folder) == {}


WHOLE = [picture(form) for form in ("PNG", "JPEG", "WEBP", "WEBP-lossless")]
CUT = [data[:length] for data in WHOLE for length in (13, 22, 40, len(data) // 2, len(data) - 1)]
ODD = [b"", b"<html>", bytes(600_000), PNG[:8] + chunk(b"IHDR", b"x"), PNG + b"x"]


@pytest.mark.parametrize("data", [*ODD, *CUT])
async def test_what_is_no_whole_image_leaves_nothing(folder, data):
    with pytest.raises(PictureError):
        await store(folder, pieces(data))
    assert files(folder) == {}


@pytest.mark.parametrize("size", [300_000, 700], ids=["much", "little"])
async def test_a_cancelled_download_leaves_nothing(folder, held, size):
    started = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield bytes(size)
        yield bytes(size)
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store(folder, stuck()))
    await started.wait()
    assert (folder.parts / "k1_0").exists() is (size * 2 > held)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(folder) == {}


async def test_what_is_larger_than_fits_in_memory_goes_to_disk_as_it_comes(folder, monkeypatch):
    monkeypatch.setattr(images, "_HELD", 100_000)
    sizes = []

    async def watched() -> AsyncIterator[bytes]:
        async for piece in pieces(LARGE, 60_000):
            part = folder.parts / "k1_0"
            sizes.append(part.stat().st_size if part.exists() else 0)
            yield piece

    await store(folder, watched())
    assert sizes[:4] == [0, 0, 120_000, 180_000]
    assert files(folder) == {NAME: LARGE}


async def test_what_is_no_image_is_not_even_written(folder, monkeypatch):
    monkeypatch.setattr(images, "_HELD", 4 * 2**20)
    folder.parts.rmdir()  # writing would fail
    with pytest.raises(PictureError):
        await store(folder, pieces(bytes(600_000)))


async def test_an_image_is_durable_before_its_name_and_its_name_before_the_receipt(
    folder, monkeypatch
):
    steps: list[str] = []
    fsync, replace, rename = os.fsync, os.replace, renaming.rename_new

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(f"sync {path.relative_to(folder.root)} {path.stat().st_size * path.is_file()}")
        fsync(descriptor)

    def named(source: Path, target: str, **more: int) -> None:
        steps.append(f"name {target} again")
        replace(source, target, **more)

    def newly_named(source: Path, target: str, within: int) -> bool:
        taken = rename(source, target, within)
        steps.extend([f"name {target}"] * taken)
        return taken

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named)
    monkeypatch.setattr(placing, "rename_new", newly_named)
    await store(folder, pieces(PNG))
    assert steps == [
        f"sync .batchgen/parts/k1_0 {len(PNG)}",
        "name 7_k1_0.png",
        "sync images/espresso 0",
        "sync images 0",
        "sync . 0",  # holds the new folder `images`
    ]
    steps.clear()
    await store(folder, pieces(PNG))
    assert steps[1:] == ["name 7_k1_0.png again", "sync images/espresso 0"]


async def test_a_disk_that_takes_few_bytes_at_a_time_gets_them_all(folder, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:1_000]))
    await store(folder, pieces(LARGE))
    assert files(folder) == {NAME: LARGE}


async def test_a_full_disk_is_a_storage_error_and_leaves_nothing(folder):
    with full_disk(1_000), pytest.raises(StorageError, match=r"^cannot write .*k1_0: File too l"):
        await store(folder, pieces(LARGE))
    assert files(folder) == {}


Damage = Callable[[DatasetFolder], object]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: folder.parts.rmdir(),
        lambda folder: (folder.root / "images").write_text("a file"),
    ],
    ids=["no folder for parts", "a file for the folder"],
)
async def test_a_folder_that_is_not_as_it_was_is_a_storage_error(folder, damage: Damage):
    damage(folder)
    before = files(folder)
    with pytest.raises(StorageError, match=r"^cannot "):
        await store(folder, pieces(PNG))
    assert files(folder) == before


async def test_a_large_image_that_cannot_be_written_is_a_storage_error(folder, monkeypatch):
    monkeypatch.setattr(images, "_HELD", 10)
    (folder.parts / "k1_0").mkdir()  # which cannot be removed as a file can, either
    with pytest.raises(StorageError, match=r"^cannot write .*k1_0: Is a directory"):
        await store(folder, pieces(PNG))


ODD_NAMES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("odd", ODD_NAMES)
async def test_whatever_else_has_the_final_name_keeps_it_and_is_not_read(folder, odd):
    (folder.root / NAME).parent.mkdir(parents=True)
    ODD_NAMES[odd](folder.root / NAME)
    kind = (folder.root / NAME).lstat().st_mode
    assert (await store(folder, pieces(PNG))).file_name == FREE_NAME
    assert (folder.root / NAME).lstat().st_mode == kind
    assert files(folder) == {FREE_NAME: PNG}


@pytest.mark.parametrize("name", ["images", "images/espresso"])
async def test_a_link_put_into_the_way_meanwhile_is_not_followed(folder, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder.root / name).parent.mkdir(exist_ok=True)
    (folder.root / name).symlink_to(elsewhere)
    with pytest.raises(StorageError, match=f"^cannot use .*{name}: expected a folder of its own"):
        await store(folder, pieces(PNG))
    (folder.parts / "k1_0").symlink_to(elsewhere / "k1_0")
    with pytest.raises(StorageError, match=r"^cannot write .*k1_0"):
        await store(folder, pieces(PNG))
    assert list(elsewhere.iterdir()) == []


def test_images_that_come_together_share_the_sync_of_their_folder(folder, monkeypatch):
    synced: list[str] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    arrivals = [arrival(folder, f"espresso/{n}", data) for n, data in enumerate([PNG, b"x", OTHER])]
    first, failed, last = place(folder.root, set(), arrivals)
    assert synced == ["espresso-0", "espresso-2", "espresso", "images", folder.root.name]
    assert isinstance(first, StoredImage)
    assert isinstance(last, StoredImage)
    assert files(folder) == {first.file_name: PNG, last.file_name: OTHER}
    assert isinstance(failed, PictureError)


def test_a_folder_that_cannot_be_synced_fails_all_that_came_into_it(folder, monkeypatch):
    fsync = os.fsync

    def broken(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "espresso":
            monkeypatch.setattr(os, "fsync", fsync)  # the system tells of it once
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", broken)
    arrivals = [arrival(folder, name, PNG) for name in ("espresso/a", "espresso/b", "mocha/c")]
    *failed, other = place(folder.root, set(), arrivals)
    assert [str(error) for error in failed] == [
        f"cannot write {folder.parts}/espresso-{name}: Input/output error" for name in "ab"
    ]
    assert isinstance(other, StoredImage)


def test_folders_that_two_threads_need_at_once_are_made_once_and_synced_by_both(
    folder, monkeypatch
):
    fresh: set[Names] = set()
    mkdir, synced = os.mkdir, []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def beaten(name: str, mode: int, dir_fd: int) -> None:
        """Another thread places an image in the same folder at this moment."""
        monkeypatch.setattr(os, "mkdir", mkdir)
        (other,) = place(folder.root, fresh, [arrival(folder, "espresso/b", OTHER)])
        assert isinstance(other, StoredImage)
        synced.clear()
        mkdir(name, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", beaten)
    monkeypatch.setattr(os, "fsync", counted)
    (stored,) = place(folder.root, fresh, [arrival(folder, "espresso/a", PNG)])
    assert isinstance(stored, StoredImage)
    assert synced == ["espresso", folder.root.name]
    assert fresh == set()
    fresh.add(("images", "espresso"))
    place(folder.root, fresh, [arrival(folder, "espresso/c", PNG)])
    assert synced[2:] == ["espresso-c", "espresso", "images"]


def test_of_two_images_that_want_one_name_at_the_same_time_none_is_lost(folder, monkeypatch):
    found: list[StoredImage] = []
    replace = os.replace

    def keep(image: Arrival) -> None:
        (stored,) = place(folder.root, set(), [image])
        assert isinstance(stored, StoredImage)
        found.append(stored)

    def other() -> None:
        keep(Arrival(part=part, data=OTHER, names=wanted))

    def beaten(old: Path, new: str, *, dst_dir_fd: int) -> None:
        """Between looking whether the name is free and taking it, another thread wants it."""
        monkeypatch.setattr(os, "replace", replace)
        thread.start()
        thread.join(0.2)  # it is done, or waits for us
        replace(old, new, dst_dir_fd=dst_dir_fd)

    def wanted(whole: bool) -> str:
        return f"images/espresso{'-w' if whole else ''}"

    part, thread = folder.parts / "other", threading.Thread(target=other)
    monkeypatch.setattr(os, "replace", beaten)
    monkeypatch.setattr(renaming, "_step", lambda: None)  # where it takes two steps
    keep(arrival(folder, "espresso", PNG))
    thread.join()
    assert {stored.file_name for stored in found} == {
        "images/espresso.png",
        "images/espresso-w.png",
    }
    for stored in found:
        kept = (folder.root / stored.file_name).read_bytes()
        assert hashlib.sha256(kept).hexdigest() == stored.sha256


def arrival(folder: DatasetFolder, name: str, data: bytes) -> Arrival:
    part = folder.parts / name.replace("/", "-")
    return Arrival(
        part=part, data=data, names=lambda whole: f"images/{name}{'-w' if whole else ''}"
    )

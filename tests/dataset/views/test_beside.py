"""What lies beside the images when a job asks for it."""

import hashlib
import json
import subprocess

import pytest
import yaml

from batchgen.dataset.exports.huggingface import write_views
from batchgen.dataset.folder import DatasetFolder
from batchgen.dataset.treatment import ALSO, Treatment, read_treatment
from tests.dataset.made import make_dataset, row


def asked(folder: DatasetFolder, **output: object) -> None:
    """Let the last run have had this ``output`` in its job."""
    folder.job.write_text(yaml.safe_dump({"output": output}))


@pytest.fixture
def made(tmp_path) -> DatasetFolder:
    """Four images with an axis of their own."""
    return make_dataset(tmp_path / "kit", [row(n, style=["oil", None][n % 2]) for n in range(4)])


def rows(folder: DatasetFolder) -> list[dict[str, str]]:
    return [json.loads(line) for line in folder.manifest_jsonl.read_text("utf-8").splitlines()]


def test_nothing_is_there_that_nobody_asked_for(made):
    write_views(made, "kit")
    own = {"README.md", "metadata.jsonl", "manifest.jsonl", "images", ".batchgen"}
    assert {path.name for path in made.root.iterdir()} == own
    assert {path.suffix for path in made.images.rglob("*.*")} == {".png"}


def test_captions_and_rows_stand_beside_their_image(made):
    asked(made, caption="{prompt}, {style} ({nothing})", also=["captions", "rows"])
    write_views(made, "kit")
    for image in rows(made):
        path = made.root / image["file_name"]
        text = f"{image['prompt']}, {image['style'] or ''} ()"
        assert path.with_suffix(".txt").read_bytes() == f"{text}\n".encode()
        assert json.loads(path.with_suffix(".json").read_bytes()) == image
    texts = [json.loads(x)["text"] for x in made.metadata.read_text("utf-8").splitlines()]
    assert len([text for text in texts if ", oil ()" in text]) == 2


def test_side_files_that_are_right_are_left_alone(made):
    asked(made, also=["captions"])
    write_views(made, "kit")
    first, second, *_ = sorted(made.images.rglob("*.txt"))
    before = first.stat().st_mtime_ns
    right = second.read_bytes()
    second.write_text("half")
    write_views(made, "kit")
    assert first.stat().st_mtime_ns == before
    assert second.read_bytes() == right
    assert not list(made.root.rglob(".*.new"))


def test_checksums_are_what_sha256sum_checks(made):
    asked(made, also=["checksums"])
    write_views(made, "kit")
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=made.root, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5), done.stderr


def test_the_description_names_the_file_and_its_columns(made):
    asked(made, also=["croissant"])
    write_views(made, "kit")
    told = json.loads((made.root / "croissant.json").read_bytes())
    (file,) = told["distribution"]
    assert file["sha256"] == hashlib.sha256(made.metadata.read_bytes()).hexdigest()
    fields = {field["name"]: field["dataType"] for field in told["recordSet"][0]["field"]}
    assert fields["text"] == "sc:Text"
    assert fields["seed"] == "sc:Integer"
    assert list(fields) == list(json.loads(made.metadata.read_text("utf-8").splitlines()[0]))


def test_without_images_there_is_nothing_to_describe(folder):
    folder.manifest_jsonl.touch()
    (folder.root / "croissant.json").touch()
    asked(folder, also=list(ALSO))
    write_views(folder, "kit")
    assert not (folder.root / "croissant.json").exists()
    assert (folder.root / "SHA256SUMS").read_bytes() == b""


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "output: 3", "a: [", "output: {also: {a: 1}}", "é\xff", "output: {nsfw: [drop]}",
        "output: {embed: !!bool perhaps}", "output: !!timestamp soon", "output: !!int ''",
    ],
)  # fmt: skip
def test_a_job_that_cannot_be_read_asks_for_nothing(folder, text):
    folder.job.write_bytes(text.encode("latin-1"))
    assert read_treatment(folder) == Treatment()


def test_a_job_of_nobody_asks_for_what_there_is(folder):
    asked(folder, also=["captions", "gold"], caption=[7])
    assert read_treatment(folder) == Treatment(also=frozenset({"captions"}))

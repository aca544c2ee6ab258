"""``requirements.lock`` holds every dependency at one version, by the hashes of its files."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
RENEW = "expected it to be renewed; CONTRIBUTING.md says how"


def locked() -> dict[NormalizedName, Requirement]:
    """What is locked, by name; a line goes on after a backslash."""
    lines = re.sub(r"\\\n", "", LOCK.read_text("utf-8")).splitlines()
    found = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        pinned, *hashes = re.split(r"\s+--hash=", line)
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), line
        requirement = Requirement(pinned)
        assert re.fullmatch(r"==[0-9][^*,]*", str(requirement.specifier)), line
        found[canonicalize_name(requirement.name)] = requirement
    return found


def asked_for() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


def version(requirement: Requirement) -> str:
    return str(requirement.specifier).removeprefix("==")


def test_the_lock_has_a_version_that_the_project_allows_of_every_dependency():
    found = locked()
    for wanted in asked_for():
        pinned = found.get(canonicalize_name(wanted.name))
        assert pinned, f"{wanted}: {RENEW}"
        assert wanted.specifier.contains(version(pinned)), f"{wanted}: {RENEW}"


def test_aiohttp_drops_every_credential_on_a_redirect_to_another_host():
    # Older releases kept doubled Authorization headers and grew without bound on chunked answers.
    assert tuple(map(int, version(locked()[canonicalize_name("aiohttp")]).split("."))) >= (3, 14, 3)


def test_the_lock_names_no_place_to_fetch_from():
    text = LOCK.read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted", text)

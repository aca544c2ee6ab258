"""The page in a real Chromium, opened from the disk as people do."""

import json
from pathlib import Path

import pytest

from batchgen.report import write_report
from tests.report.made import dataset, failure_row, image_row
from tests.support.browser import CHROMIUM, Page, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

HOSTILE = "</script><img src=x onerror=alert(1)><!-- {{ 7 * 7 }} \u2028 &amp;"
TILES = "document.querySelectorAll('#grid .tile').length"
FOUND = "document.getElementById('found').textContent"


def made(root: Path) -> str:
    rows = [
        image_row(root, number, prompt=HOSTILE if number == 3 else f"A pear, number {number}",
                  nsfw=number == 4)
        for number in range(300)
    ]  # fmt: skip
    failures = [failure_row(number, error=HOSTILE) for number in range(3)]
    (root / rows[8]["file_name"]).unlink()
    dataset(root, rows, failures)
    return write_report(root).page.as_uri()


async def choose(page: Page, name: str, text: str) -> None:
    """Choose an option of a filter as a person does, by what it says."""
    select = f"document.querySelector('[data-filter={name}]')"
    await page.value(
        f"{select}.value = [...{select}.options].find(o => o.text.startsWith({json.dumps(text)}))"
        f".value, {select}.dispatchEvent(new Event('change'))"
    )


async def test_people_open_filter_look_and_go_on(tmp_path):
    address = made(tmp_path)
    async with chromium() as page:
        await page.size(1200, 800)
        await page.open(address)
        assert await page.value("document.querySelectorAll('figure').length") == 5
        await open_images(page)
        await filter_and_search(page)
        await look_at_one(page)
        await see_the_matrix_and_the_failures(page)
        # The one file that is missing is asked for by nobody: the page knows.
        assert page.complaints == []
        assert {url.partition(":")[0] for url in page.requests} <= {"file", "data"}
        assert not [url for url in page.requests if "images/p0/8.png" in url]


async def open_images(page: Page) -> None:
    await page.value("document.querySelector('.tabs [data-view=images]').click()")
    await page.until(f"{TILES} > 20")
    assert await page.value(FOUND) == "303 of 303"
    # Only what is near the window exists, and all of it has loaded.
    assert await page.value(TILES) < 150
    pictures = "[...document.querySelectorAll('#grid img')]"
    await page.until(f"{pictures}.every(one => one.complete && one.naturalWidth > 0)")
    blurred = "getComputedStyle(document.querySelector('#grid .flagged img')).filter"
    assert "blur" in await page.value(blurred)
    await page.value("document.getElementById('reveal').click()")
    await page.until(f"{blurred} === 'none'")
    await page.value("document.getElementById('reveal').click()")
    await page.value("window.scrollTo(0, document.body.scrollHeight)")
    await page.until("document.querySelector('#grid .tile[aria-label*=\"p1, 149\"]')")
    await page.value("window.scrollTo(0, 0)")


async def filter_and_search(page: Page) -> None:
    await choose(page, "nsfw", "flagged")
    assert await page.value(FOUND) == "1 of 303"
    await choose(page, "nsfw", "any")
    await choose(page, "prompt_id", "p1")
    assert await page.value(FOUND) == "150 of 303"
    assert "prompt_id=p1" in await page.value("location.hash")
    await page.value("history.back()")
    await page.until(f"{FOUND} === '303 of 303'")
    await choose(page, "prompt_id", "p1")
    await page.press("/")
    await page.until("document.activeElement.id === 'search'")
    await page.tell("Input.insertText", text="ONERROR=alert")
    await page.until(f"{FOUND} === '1 of 303'")
    assert "</script><img" in await page.value("document.querySelector('#grid .tile').title")


async def look_at_one(page: Page) -> None:
    await page.value("document.querySelector('#grid .tile').focus()")
    await page.press("Enter", 13)
    await page.until("document.getElementById('viewer').open")
    assert await page.value("document.getElementById('words').textContent") == HOSTILE
    await page.until("document.getElementById('full').src.endsWith('images/p1/3.png')")
    await page.until("document.getElementById('full').naturalWidth === 48")
    command = await page.value("document.getElementById('command').value")
    assert command == "batchgen plan .batchgen/job.yaml --explain key0003"
    assert "id3" in await page.value("document.getElementById('details').textContent")
    await page.press("Escape", 27)
    await page.until("!document.getElementById('viewer').open")
    assert await page.value("document.activeElement.dataset.item") == "3"
    await page.value("document.getElementById('clear').click()")
    await page.until(f"{FOUND} === '303 of 303'")
    first = "document.querySelector('#grid .tile[tabindex=\"0\"]')"
    await page.value(f"{first}.focus()")
    before = await page.value("document.activeElement.getBoundingClientRect().left")
    await page.press("ArrowRight", 39)
    assert await page.value("document.activeElement.getBoundingClientRect().left") > before
    await page.press("ArrowDown", 40)
    await page.press("Enter", 13)
    await page.until("document.getElementById('viewer').open")
    position = "parseInt(document.getElementById('position').textContent)"
    at = await page.value(position)
    await page.press("ArrowRight", 39)
    assert await page.value(position) == at + 1
    await page.press("Escape", 27)


async def see_the_matrix_and_the_failures(page: Page) -> None:
    await page.value("document.querySelector('.tabs [data-view=matrix]').click()")
    await page.until("document.querySelectorAll('#cells .tile').length > 5")
    assert await page.value("document.querySelectorAll('#cells .cell').length") < 60
    await page.value("document.querySelector('.tabs [data-view=failures]').click()")
    reasons = "[...document.querySelectorAll('#reasons .why')].map(one => one.textContent)"
    await page.until(f"{reasons}.length === 3")
    assert await page.value(reasons) == [HOSTILE] * 3


@pytest.mark.parametrize("failed", [0, 2])
async def test_a_dataset_without_an_image_opens(tmp_path, failed):
    dataset(tmp_path, [], [failure_row(number) for number in range(failed)])
    async with chromium() as page:
        await page.size(390, 800, dark=True)
        for view in ("summary", "images", "matrix", "failures"):
            await page.open("about:blank")
            await page.open(f"{write_report(tmp_path).page.as_uri()}#{view}")
            assert await page.value("document.documentElement.scrollWidth") <= 390
        assert page.complaints == []

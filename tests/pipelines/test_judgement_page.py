"""The page of `overture judge` in a real browser: desktop and phone, hostile names, nothing from elsewhere."""

from pathlib import Path

import pytest
from hostile_pages import BACKWARDS, DESKTOP, LONG, PHONE, SCRIPT
from playwright.sync_api import Browser, ViewportSize
from talks import hashed_embed, said

from pipelines.judging import Row, Sides, judged, page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Of users who say hostile things to those who do not."""
    real = [said(f"r{n}", f"I like the {n % 9} best.", "Is it far?") for n in range(30)]
    hostile = (SCRIPT, BACKWARDS, LONG)
    synthetic = [said(f"s{n}", hostile[n % 3], "Is it far?") for n in range(30)]
    return judged(Sides(real, synthetic, False), hashed_embed, 0, lambda text: None)


def about(name: str) -> dict[str, object]:
    return {
        "synthetic": name,
        "reference": f"path:{name}",
        "split": "test",
        "seed": 7,
        "masked": True,
        "dialogues": {"real": 30, "synthetic": 30},
        "turns": {"real": 60, "synthetic": 60},
        "seconds": 1.5,
    }


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", [SCRIPT, BACKWARDS, LONG], ids=["script", "backwards", "long"])
def test_hostile_names_are_text_and_the_page_fits(
    tmp_path: Path, browser: Browser, rows: list[Row], viewport: ViewportSize, name: str
):
    shown = tmp_path / "judgement.html"
    shown.write_text(page(about(name), [*rows, rows[0]._replace(name=name, verdict=name)]))
    opened = browser.new_page(viewport=viewport)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    opened.on("request", lambda r: None if r.url == shown.as_uri() else complaints.append(r.url))
    opened.goto(shown.as_uri())
    assert opened.locator(".lead code").first.inner_text() == name
    assert opened.locator("img, script").count() == 0
    assert opened.locator("svg circle").first.is_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    names = opened.locator(".row:not(.axis) > :first-child")
    assert names.evaluate_all("all => Math.min(...all.map(e => e.offsetWidth))") > 100
    assert complaints == []
    opened.close()

"""The judging page in a real browser: trials clicked through, hostile text, the keyboard, a phone."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile_pages import BACKWARDS, DESKTOP, LONG, PHONE, SCRIPT
from human_samples import answered, serving
from playwright.sync_api import Browser, Page, ViewportSize, expect

from schemas.trial import Line, Trial

pytestmark = pytest.mark.browser


def trial(number: int, *said: str) -> Trial:
    words = said or (
        f"Hello {number}, I need a lamp.",
        "What kind of lamp?",
        "A small one, for reading.",
        "We have two.",
    )
    sides = [
        tuple(
            Line(speaker=("user", "assistant")[i % 2], text=f"{text}{mark}" if not said else text)
            for i, text in enumerate(words)
        )
        for mark in ("", " Thanks.")
    ]
    return Trial(id=f"t{number:012x}", left=sides[0], right=sides[1])


@contextmanager
def opened(
    browser: Browser, link: str, viewport: ViewportSize, touch: bool = False
) -> Generator[tuple[Page, list[str]]]:
    """The page, and what it complains of: console, errors, dialogs, requests that go elsewhere."""
    context = browser.new_context(viewport=viewport, has_touch=touch)  # pyright: ignore[reportArgumentType]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda r: None if r.url.startswith((link, "data:")) else complaints.append(r.url))
    page.goto(link)
    yield page, complaints
    context.close()


def begin(page: Page, name: str, total: int) -> None:
    page.fill("#name", name)
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_have_text(f"1 of {total}")


@pytest.mark.parametrize(("viewport", "touch"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone"])
def test_ten_trials_are_clicked_through(browser: Browser, tmp_path: Path, viewport: ViewportSize, touch: bool):
    with (
        serving(tmp_path, [trial(n) for n in range(10)]) as link,
        opened(browser, link, viewport, touch) as (page, said),
    ):
        begin(page, "Ada", 10)
        for number in range(10):
            expect(page.locator("#progress")).to_have_text(f"{number + 1} of 10")
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
            button = page.locator(f"[data-choice={('left', 'right', 'unsure')[number % 3]}]")
            button.tap() if touch else button.click()
        expect(page.locator("#end")).to_be_visible()
        assert said == []
    rows = answered(tmp_path)
    assert len({t for _, t, _ in rows}) == 10 and {r for r, _, _ in rows} == {"Ada"}
    assert [c for _, _, c in rows] == [("left", "right", "unsure")[n % 3] for n in range(10)]


def test_the_keyboard_answers_undoes_and_leaves_other_keys_alone(browser: Browser, tmp_path: Path):
    with serving(tmp_path, [trial(n) for n in range(5)]) as link, opened(browser, link, DESKTOP) as (page, said):
        begin(page, "Ben", 5)
        for number, key in enumerate(("1", "ArrowRight", "0", "x", "2")):
            page.keyboard.press(key)
            expect(page.locator("#progress")).to_have_text(f"{number + 2 - (number > 2)} of 5")
        last = answered(tmp_path)[-1]
        page.keyboard.press("u")
        expect(page.locator("#progress")).to_have_text("4 of 5")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#progress")).to_have_text("5 of 5")
        assert said == []
    rows = answered(tmp_path)
    assert [choice for _, _, choice in rows] == ["left", "right", "unsure", "left"]
    assert rows[-1][1] == last[1] and last[2] == "right"


def test_hostile_text_is_shown_as_text(browser: Browser, tmp_path: Path):
    trials = [trial(0, SCRIPT, BACKWARDS, LONG, "x")]
    for viewport in (DESKTOP, PHONE):
        with serving(tmp_path, trials) as link, opened(browser, link, viewport) as (page, said):
            begin(page, SCRIPT[: 30 + viewport["width"] % 7], 1)
            shown = page.locator("#left bdi").all_text_contents()
            assert shown == [SCRIPT, BACKWARDS, LONG, "x"]
            assert page.locator("#left img, #left script").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
            assert page.locator("#left bdi").nth(1).evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"
            assert said == []


def test_a_reload_goes_on_and_two_raters_do_not_meet(browser: Browser, tmp_path: Path):
    with serving(tmp_path, [trial(n) for n in range(3)]) as link:
        with opened(browser, link, DESKTOP) as (page, said):
            begin(page, "Ada", 3)
            page.keyboard.press("1")
            expect(page.locator("#progress")).to_have_text("2 of 3")
            page.reload()
            expect(page.locator("#progress")).to_have_text("2 of 3")
            assert said == []
        with opened(browser, link, DESKTOP) as (page, said):
            begin(page, "Ben", 3)
            assert said == []


def test_an_answer_that_could_not_be_saved_is_said_and_can_be_given_again(browser: Browser, tmp_path: Path):
    with serving(tmp_path, [trial(n) for n in range(2)]) as link, opened(browser, link, DESKTOP) as (page, _):
        begin(page, "Ada", 2)
        page.route("**/answer", lambda route: route.abort())
        page.keyboard.press("1")
        expect(page.locator("#trouble")).to_contain_text("Not saved")
        assert answered(tmp_path) == []
        page.unroute("**/answer")
        page.keyboard.press("1")
        expect(page.locator("#progress")).to_have_text("2 of 2")
        expect(page.locator("#trouble")).to_be_hidden()
    assert len(answered(tmp_path)) == 1


def test_the_user_stands_out_and_the_answers_stay_in_reach(browser: Browser, tmp_path: Path):
    long = trial(0, *[f"Message {n}. " * 30 for n in range(10)])
    with serving(tmp_path, [long]) as link, opened(browser, link, PHONE) as (page, _):
        begin(page, "Ada", 1)
        colours = page.eval_on_selector_all("#left bdi", "all => all.map(e => getComputedStyle(e).backgroundColor)")
        assert colours[0] != colours[1] and colours[0::2] == [colours[0]] * 5
        for button in page.locator("footer button").all():
            box = button.bounding_box()
            assert box is not None and box["y"] + box["height"] <= PHONE["height"] and box["height"] >= 44

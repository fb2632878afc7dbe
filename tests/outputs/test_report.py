import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from dialogue_samples import conversation, tutoring
from manifest_samples import full_manifest
from playwright.sync_api import Page, ViewportSize, sync_playwright

from outputs.licences import Source
from outputs.manifest import (
    LABEL_DISTANCES,
    Feasible,
    FunnelStep,
    HeadMarginal,
    Lacking,
    Manifest,
    Measure,
    Moved,
    PolicyPair,
    RewardSummary,
    Round,
    SelectionReward,
)
from outputs.report import DIALOGUES_SHOWN, render_report, to_read, write_report
from outputs.spent import EndpointUse, Spent, Tokens
from schemas.judgement import Interval
from schemas.record import Record

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BACKWARDS = "\u202eabc\u202d \u2067def \u05d0\u05d1"
LONG = "w" * 10_000
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
XSS = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}</style>"
VOID = {"meta", "img", "br", "link", "input"}


def records() -> list[Record]:
    return [
        record
        for n in range(0, 16, 4)
        for record in (
            tutoring(n),
            tutoring(n + 1, "reactive"),
            conversation(n + 2),
            conversation(n + 3, "reactive"),
        )
    ]


class Tags(HTMLParser):
    """Counts tags, collects attributes, and holds every tag to its end."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _hostile_head(x: str) -> HeadMarginal:
    corrected = Interval(0.3, 0.2, 0.4, 9)
    known = HeadMarginal(family=x, head=x, label=x, real=0.5, synthetic_before=0.4, synthetic_after=0.3)
    return known.model_copy(update={"after_corrected": corrected, "requested": 0.2, "note": x})


def _hostile_feasible(x: str) -> Feasible:
    lacking = (Lacking(head=x, label=x, turns=3, tolerances=2),)
    sizes = {"wanted": 2, "single": 1, "joint": 1, "effective": 1}
    return Feasible(family=x, status="infeasible_for_size", lacking=lacking, **sizes)


def hostile_manifest(x: str = XSS) -> Manifest:
    """Every text of a manifest is an attack."""
    return Manifest(
        recipe=x,
        pretty_name=x,
        command=x,
        status="complete",
        status_reason=x,
        target=1,
        published={x: 1},
        families=(x,),
        funnel=(
            FunnelStep(name=x, count=2, reasons={x: 1}),
            FunnelStep(name=x, count=1, family=x, policy=x),
        ),
        realism=(
            Measure(family=x, name=x, group=x, value=0.5, low=0.4, high=0.6, note=x),
            Measure(family=x, name=x, group=x, value=None, note=x),
            Measure(family=x, name=x, group=LABEL_DISTANCES, value=None, note=x),
        ),
        heads=(_hostile_head(x),),
        feasible=(_hostile_feasible(x),),
        rounds=(Round(number=1, family=x, groups=1, made=1, valid=1, matched=1, accepted=1, acceptance=1.0),),
        moved=(Moved(family=x, latent=x, value=x, fitted=0.1, drawn=0.2, status="moved", head=x, label=x),),
        divergence={x: 0.1},
        uncontrolled={x: (x,)},
        selection_reward=(SelectionReward(family=x, value=None, note=x),),
        rewards=(RewardSummary(name=x, policy=x, family=x, mean=None, none_reasons={x: 1}),),
        policies=(PolicyPair(family=x, measure=x, first=x, second=x, note=x),),
        none_rewards={x: {x: 1}},
        fingerprints={x: x},
        versions={x: x},
        sources=(Source(name=x, kind="model", licence=x, version=x, use=x, origin=x),),
        seconds={x: 1.0},
        tokens={x: Tokens()},
        spent=Spent(tokens=Tokens(calls=1), endpoints={x: EndpointUse(faults={x: 1})}),
        started=x,
        finished=x,
    )


def hostile_record(x: str = XSS) -> Record:
    record = tutoring(1)
    dialogue = record.dialogue
    scenario = dialogue.scenario
    facts = tuple(f.model_copy(update={"slot": x, "text": x, "value": x}) for f in scenario.facts)
    views = {**scenario.views, "teacher": scenario.views["teacher"].model_copy(update={"facts": facts})}
    changed = scenario.model_copy(
        update={"family": x, "domain": x, "goal": x, "views": views, "session_latents": {x: x}}
    )
    turns = tuple(
        t.model_copy(
            update={
                "role": x,
                "text": x,
                "intent_requested": x,
                "acts": (x,),
                "labels": {x: x},
                "answer": x,
                "facts_disclosed": (x, "f1"),
            }
        )
        for t in dialogue.turns
    )
    return record.model_copy(update={"dialogue": dialogue.model_copy(update={"scenario": changed, "turns": turns})})


def test_every_text_is_escaped():
    page = render_report(hostile_manifest(), [hostile_record()])
    tags = Tags(page)
    assert tags.seen.count("script") == 1
    assert "img" not in tags.seen
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert "<script>alert" not in page
    assert "{{ 7*7 }}" in page, "text is no template"


def test_the_page_needs_nothing_from_outside():
    page = render_report(full_manifest(), records())
    tags = Tags(page)
    assert not {"link", "img", "iframe"} & set(tags.seen)
    assert not [value for name, value in tags.attributes if name == "src"]
    assert all(value and value.startswith("#") for name, value in tags.attributes if name == "href")
    assert not re.search(r"@import|url\(", page)


def test_what_is_missing_is_shown_with_its_reason():
    page = render_report(full_manifest(), [])
    assert "missing: no reference" in page
    assert "no value: no verifier 6" in page
    assert "No dialogue was published." in page


def test_an_empty_manifest_makes_a_page_that_says_so():
    page = render_report(Manifest(recipe="r", status="interrupted", target=4), [])
    Tags(page)
    for words in (
        "Nothing was counted.",
        "Not measured",
        "Nothing was selected",
        "No reward was computed",
        "No group was played",
    ):
        assert words in page


def test_the_funnel_names_every_reason_with_its_count():
    page = render_report(full_manifest(), [])
    for reason in ("repeated message", "leaked fact", "distribution match", "sibling invalid"):
        assert f"− {reason}" in page


def test_the_servers_are_told_with_their_faults_and_what_was_asked_again():
    text = re.sub(r"<[^>]+>", " ", render_report(full_manifest(), []))
    flat = " ".join(text.split())
    assert "http://127.0.0.1:8000/v1 211 0.482 2 rate limit, 5 timeout 7 1" in flat
    assert "http://127.0.0.1:8001/v1 0 – none 0 0" in flat
    assert "all 211 48,219 30,112 (62%) 5,311 –" in flat
    assert "4,461 tokens for each published dialogue; 14 answers came from the journal" in flat


def test_no_cost_is_shown_where_no_price_is_known():
    page = render_report(full_manifest(tokens={"student": Tokens(prompt=9)}), [])
    assert ">cost</th>" not in page and "of cost" not in page
    assert ">cost</th>" in render_report(full_manifest(), [])


def test_dialogues_to_read_take_families_and_policies_in_turn():
    chosen = to_read(records())
    kinds = [(r.dialogue.scenario.family, r.dialogue.scenario.policy) for r in chosen]
    assert len(chosen) == DIALOGUES_SHOWN
    assert len(set(kinds[:4])) == 4
    assert to_read(list(reversed(records()))) == chosen
    assert to_read(records(), limit=3) == chosen[:3]
    assert to_read([]) == []


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text))
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("dialog", lambda dialog: (found.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: None if request.url.startswith("file:") else found.append(request.url))
    return found


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_opens_in_a_browser_without_a_complaint(
    tmp_path: Path, page: Page, complaints: list[str], viewport: ViewportSize
):
    write_report(tmp_path / "report.html", full_manifest(), records())
    page.set_viewport_size(viewport)
    page.goto((tmp_path / "report.html").as_uri())
    assert page.title() == "Quickstart dialogues: report"
    assert page.locator("article.dialogue").count() == DIALOGUES_SHOWN
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href") or "none").count() == 1
    for mark in page.locator("#selection details[open] circle").all():
        assert mark.is_visible()
    names = page.locator("#selection .row:not(.axis) > :first-child")
    assert names.count() > 30
    assert names.evaluate_all("all => Math.min(...all.filter(e => e.offsetWidth).map(e => e.offsetWidth))") > 100
    assert complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_text_is_shown_as_text(tmp_path: Path, page: Page, complaints: list[str], viewport: ViewportSize):
    page.set_viewport_size(viewport)
    for text in (XSS, BACKWARDS, LONG):
        write_report(tmp_path / "report.html", hostile_manifest(text), [hostile_record(text)])
        page.goto((tmp_path / "report.html").as_uri())
        assert page.locator(".bubble").first.inner_text() == text
        assert page.locator("#selection h3.family").text_content() == text.replace("_", " ")
        assert page.locator("#selection img, #selection script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert page.locator("#selection details[open] summary").first.is_visible()
    assert complaints == []


@pytest.mark.browser
def test_dialogues_are_filtered_by_family_and_policy(tmp_path: Path, page: Page, complaints: list[str]):
    write_report(tmp_path / "report.html", full_manifest(), records())
    page.goto((tmp_path / "report.html").as_uri())
    page.select_option("#pick-family", "tutoring")
    assert page.locator("article.dialogue:visible").count() == 6
    page.select_option("#pick-policy", "reactive")
    assert page.locator("article.dialogue:visible").count() == 3
    assert page.locator("#shown").inner_text() == "3 of 12 shown"
    assert complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_the_page_is_never_wider_than_the_window(tmp_path: Path, page: Page, width: int):
    wide = full_manifest(sources=(Source(name="n" * 200, kind="model", licence="MIT", version="v" * 300),))
    write_report(tmp_path / "report.html", wide, [conversation(1, text="x" * 500)])
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width

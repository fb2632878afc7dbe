"""What is read in an assistant's words, and what an assistant reads in the other's: hand-written messages."""

import pytest
from appraisal_cases import AppraisalCase, MiniLM, appraisal_cases, read

from generators.domains.outreach import load
from generators.domains.small_talk import REACTIONS, TOPICS
from generators.hearing import hear
from generators.latents.acts import Meant, meant_by
from generators.latents.appraisal import loose
from generators.latents.mind import Appraisal, State
from inference.weights import fetch
from schemas.contracts import Services
from schemas.errors import OvertureError

CASES = [c for c in appraisal_cases() if c.part == "patterns"]
REQUEST = Appraisal(asks_for_commitment=True)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.text[:40])
async def test_patterns_read_nothing_that_is_not_there(case: AppraisalCase):
    also = {"commits"} if "pressures" in case.does else set[str]()
    assert await read(case) <= set(case.does) | also


@pytest.mark.parametrize("case", [c for c in CASES if c.does], ids=lambda c: c.text[:40])
async def test_patterns_find_what_they_were_written_for(case: AppraisalCase):
    wanted = {kind for kind in case.does if ":" not in kind}
    assert wanted <= await read(case)


@pytest.fixture(scope="module")
def real() -> Services:
    try:
        return Services(chat={}, embed=MiniLM(fetch("all-minilm-l6-v2")))
    except OvertureError as error:
        pytest.skip(f"no weights: {error}")


@pytest.mark.real
async def test_most_of_what_is_said_in_words_that_nobody_foresaw_is_read(real: Services):
    right = wrong = missed = 0
    for case in [c for c in appraisal_cases() if c.part == "fresh"]:
        found, does = await read(case, real), set(case.does)
        right, wrong, missed = right + len(found & does), wrong + len(found - does), missed + len(does - found)
    assert right / (right + wrong) > 0.75 and right / (right + missed) > 0.6


@pytest.mark.real
@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("domain", ["charity", "camping", "volunteers"])
async def test_in_the_programs_own_words_nothing_else_is_read(domain: str, refused: bool, real: Services):
    data = load(domain)
    talk = [f"{q.rstrip('?')}?" for topic in TOPICS.values() for q in topic["questions"]]
    told = [
        a.text for a in (*data.arguments, *data.irrelevant, *(a for c in data.concerns.values() for a in c.answers))
    ]
    mind = State(cooperation=2, emotion=2, trust=2, concerns={}, severity={}, patience=4, refused=refused)
    for text in (data.hello, data.intro, *talk, *told, *REACTIONS, "Alright, take care, bye!", "Oh, nice."):
        assert await meant_by(*loose(text, data), data, mind, (), real) == Meant(), text


@pytest.mark.parametrize("domain", ["charity", "camping", "volunteers"])
def test_a_voiced_concern_is_known_by_its_words(domain: str):
    for name, concern in load(domain).concerns.items():
        assert {hear(words, domain, Appraisal()).concern for words in concern.voiced} == {name}


def test_a_hint_is_about_what_was_asked_or_about_nothing_that_has_a_name():
    hint = "been eating a lot of ramen lately lol"
    assert hear(hint, "charity", Appraisal()).concern is None
    assert hear(hint, "charity", Appraisal(asks_openly=True)).vague
    heard = hear(hint, "charity", Appraisal(asked=("need_money",)))
    assert (heard.concern, heard.manner) == ("need_money", "hinted")
    assert hear("no its fine", "charity", Appraisal(asked=("need_money",))).concern is None


@pytest.mark.parametrize(
    ("text", "refuses"), [("hmm, probably not", True), ("I don't think so, sorry", True), ("good to know", False)]
)
def test_a_bare_no_to_a_request_is_a_refusal(text: str, refuses: bool):
    assert hear(text, "volunteers", REQUEST).refuses is refuses
    assert not hear(text, "volunteers", Appraisal()).refuses

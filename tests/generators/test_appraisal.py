"""What is read in an assistant's words, and what an assistant reads in the other's: hand-written messages."""

import pytest
from appraisal_cases import AppraisalCase, appraisal_cases, read
from played import Embedder

from generators.domains.outreach import load
from generators.hearing import hear
from generators.latents.mind import Appraisal
from schemas.contracts import Services

CASES = appraisal_cases()
SERVICES = Services(chat={}, embed=Embedder())
REQUEST = Appraisal(asks_for_commitment=True)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.text[:40])
async def test_nothing_is_read_that_is_not_there(case: AppraisalCase):
    also = {"commits"} if "pressures" in case.does else set[str]()
    assert await read(case, SERVICES) <= set(case.does) | also


@pytest.mark.parametrize("case", [c for c in CASES if not c.fresh and c.does], ids=lambda c: c.text[:40])
async def test_patterns_find_what_they_were_written_for(case: AppraisalCase):
    wanted = {kind for kind in case.does if ":" not in kind}
    assert wanted <= await read(case, SERVICES)


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

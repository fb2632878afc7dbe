"""What is looked for before a costly search must never hide what the search would find."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from talks import talk

from filters import persona_drift, role_confusion, wording
from filters.copied_card import CopiedCard
from filters.wording import has_any, runs
from schemas.scenario import View

PATTERNS: list[tuple[re.Pattern[str], tuple[str, ...]]] = [
    (wording._BYE, wording._IN_A_BYE),
    (role_confusion._MODEL, role_confusion._IN_A_MODEL),
    (role_confusion._OFFER, role_confusion._IN_AN_OFFER),
    (role_confusion._SERVES, role_confusion._IN_SERVICE),
    (persona_drift._THIRD_PERSON, persona_drift._PERSONS),
]
WORDS = st.lists(st.sampled_from(["hate", "can't stand", "Don't", "i", "cats", "the", "3,000", "ok."]), max_size=14)


@pytest.mark.parametrize(("pattern", "parts"), PATTERNS, ids=["bye", "model", "offer", "service", "person"])
@given(data=st.data())
def test_whatever_a_pattern_finds_holds_one_of_its_parts(
    pattern: re.Pattern[str], parts: tuple[str, ...], data: st.DataObject
):
    found = pattern.search(data.draw(st.from_regex(pattern)))
    assert found is not None and (has_any(found[0], parts) or not found[0].isascii())


@example([["i", "can't stand"]], ["i", "can't stand"], 2)
@given(st.lists(WORDS, min_size=1, max_size=3), WORDS, st.integers(2, 4))
def test_a_card_read_out_is_found_wherever_it_stands(card: list[list[str]], said: list[str], span: int):
    texts = [" ".join(part) for part in card]
    private = {str(n): text for n, text in enumerate(texts[1:])}
    text = " ".join(said) or "well"
    view = View(role="user", brief=texts[0], private=private)
    copied = runs(text, span) & frozenset[tuple[str, ...]]().union(*(runs(part, span) for part in texts))
    found = list(CopiedCard(span=span).faults(talk(("user", text), views=[view])))
    assert [f.detail for f in found] == [" ".join(run) for run in sorted(copied)[:1]]

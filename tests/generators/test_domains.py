"""The six committed domains: enough cases, and words that neither ask where they must not nor give a secret away."""

from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from generators.domains import outreach, recommendation
from generators.domains.outreach import OutreachDomain
from generators.domains.recommendation import RecommendationDomain
from generators.latents.tagger import is_question
from generators.speakers.checks import content_words, coverage

CHOOSING = get_args(recommendation.Domain)
ASKING = get_args(outreach.Domain)
choosing = pytest.mark.parametrize("name", CHOOSING)
asking = pytest.mark.parametrize("name", ASKING)


def tells(words: str, secret: str) -> bool:
    """As much as would be taken to give it away (`generators.matching.told_early`)."""
    wanted = content_words(secret)
    return len(wanted & content_words(words)) >= max(2, 0.75 * len(wanted))


@choosing
def test_a_choice_has_forty_cases_and_every_value_is_somewhere(name: str):
    data = recommendation.load(name)
    assert data.name == name and len(data.cases) >= recommendation.CASES == 40
    wanted = {(slot, value) for case in data.cases for slot, value in case.wants.items()}
    for slot, found in data.slots.items():
        assert {item.has[slot] for item in data.items} == set(found.values)
        assert {v for s, v in wanted if s == slot} == set(found.values), slot


@choosing
def test_no_slot_is_wanted_so_often_that_a_fixed_question_pays(name: str):
    data = recommendation.load(name)
    for slot in data.slots:
        assert 0.3 <= sum(slot in case.wants for case in data.cases) / len(data.cases) <= 0.65, slot


@choosing
def test_openings_and_hints_carry_no_wanted_value(name: str):
    data = recommendation.load(name)
    for case in data.cases:
        for slot, value in case.wants.items():
            for words in filter(None, (case.opening, case.hinted.get(slot))):
                assert coverage(words, value) < 0.6, (case.id, words)
                assert not [p for p in data.slots[slot].values[value] if tells(words, p)], (case.id, words)


@choosing
def test_what_somebody_says_of_themselves_asks_nothing(name: str):
    data = recommendation.load(name)
    said = [p for slot in data.slots.values() for phrases in slot.values.values() for p in phrases]
    said += [a for beside in data.irrelevant.values() for a in beside.answers]
    said += [words for case in data.cases for words in (case.opening, *case.hinted.values())]
    assert not [words for words in said if is_question(words)]
    assert not [words for words in data.accepts if is_question(words)]


@choosing
def test_questions_are_questions_once_they_have_their_mark(name: str):
    data = recommendation.load(name)
    asks = [s.ask for s in (*data.slots.values(), *data.irrelevant.values())]
    assert len(set(asks)) == len(asks)
    assert all(is_question(f"{ask}?") and "?" not in ask for ask in asks)
    assert all(coverage(a, b) < 0.9 for a in asks for b in asks if a != b)  # each can be told from the others


@choosing
def test_a_phrase_means_one_value(name: str):
    data = recommendation.load(name)
    phrases = [p for slot in data.slots.values() for values in slot.values.values() for p in values]
    assert len(set(phrases)) == len(phrases)
    assert len({item.name.lower() for item in data.items}) == len(data.items)


@choosing
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"seen": ["no such item"]}, "do not fit its `wants`"),
        ({"hidden": "no such slot"}, "are no slots of its `wants`"),
        ({"wants": {"no such slot": "x", "nor this": "y"}}, "missing or unknown"),
    ],
)
def test_a_case_that_contradicts_its_items_is_refused(name: str, change: dict[str, Any], problem: str):
    data = recommendation.load(name).model_dump(mode="json")
    plain = {"first": None, "hinted": {}, "hidden": None, "seen": []}
    data["cases"][0] |= plain | change
    with pytest.raises(ValidationError, match=problem):
        RecommendationDomain.model_validate(yaml.safe_load(yaml.safe_dump(data)))


@asking
def test_an_outreach_has_forty_cases_and_every_concern_is_somebodys(name: str):
    data = outreach.load(name)
    assert data.name == name and len(data.cases) >= outreach.CASES == 40
    assert {c for case in data.cases for c in case.concerns} == set(data.concerns)
    assert is_question(data.ask) and is_question(data.hello)


@asking
def test_openings_and_hints_do_not_voice_a_concern(name: str):
    data = outreach.load(name)
    for case in data.cases:
        for concern in case.concerns:
            assert not [v for v in data.concerns[concern].voiced if tells(case.opening, v)], case.id
    for concern in data.concerns.values():
        for hint in concern.hinted:
            assert not is_question(hint), hint
            assert not [v for v in concern.voiced if tells(hint, v)], hint


@asking
def test_what_the_assistant_says_is_whole_plain_sentences_that_ask_nothing(name: str):
    data = outreach.load(name)
    answers = [a for concern in data.concerns.values() for a in concern.answers]
    for said in (*data.arguments, *data.irrelevant, *answers):
        assert said.text[0].isupper() and said.text[-1] in ".!" and not is_question(said.text), said.text
    assert all(is_question(f"{c.ask}?") and "?" not in c.ask for c in data.concerns.values())
    assert not [words for words in (*data.refuses, *data.leaves) if is_question(words)]


@asking
@pytest.mark.parametrize("bad", [{"no such concern": 1, "nor this": 2}, None])
def test_a_case_with_an_unknown_concern_or_severity_is_refused(name: str, bad: dict[str, int] | None):
    data = outreach.load(name).model_dump(mode="json")
    case = data["cases"][0]
    case["concerns"] = bad or dict.fromkeys(case["concerns"], 4)
    with pytest.raises(ValidationError, match="no such concerns" if bad else "are not 1, 2 or 3"):
        OutreachDomain.model_validate(data)

"""Made-up facts: right only for who was told, and with chance known."""

import re
from collections import Counter

import pytest

from generators.tasks.knowledge_base import CHOICES, Known, knowledge_base
from generators.tasks.words import NAMES

MANY = knowledge_base(200, 7)
_NAME = re.compile(r"(?<= )[A-Z][a-z]+")


def groups(facts: list[Known]) -> list[list[Known]]:
    return [facts[at : at + CHOICES] for at in range(0, len(facts), CHOICES)]


def relation(fact: Known) -> str:
    return _NAME.sub("", fact.question)


def test_a_fact_says_its_answer_and_its_question_does_not() -> None:
    for fact in MANY:
        assert fact.answer in fact.text and not any(choice in fact.question for choice in fact.choices)


def test_the_choices_of_a_question_are_the_answers_of_its_group_so_that_none_is_to_be_found_more_than_another() -> None:
    for group in groups(MANY):
        answers = {fact.answer for fact in group}
        assert len(answers) == CHOICES
        assert all(set(fact.choices) == answers and len(fact.choices) == CHOICES for fact in group)
        assert len({relation(fact) for fact in group}) == 1


def test_who_always_takes_one_place_is_right_a_quarter_of_the_time() -> None:
    places = Counter(fact.choices.index(fact.answer) for fact in MANY)
    assert all(0.2 < places[n] / len(MANY) < 0.3 for n in range(CHOICES))


def test_no_name_comes_twice_and_none_is_a_known_one() -> None:
    assert len({fact.answer for fact in MANY}) == len({fact.text for fact in MANY}) == len(MANY)
    assert len({fact.question for fact in MANY}) == len(MANY)
    assert not {word for fact in MANY for word in fact.answer.split()} & set(NAMES)


def test_alternating_groups_ask_alike() -> None:
    whole = groups(knowledge_base(16, 7))
    asked = [[relation(group[0]) for group in whole[half::2]] for half in (0, 1)]
    assert asked[0] == asked[1] and len(set(asked[0])) == 8


@pytest.mark.parametrize("groups_wanted", [1, 5])
def test_a_larger_base_begins_with_a_smaller_one_and_another_seed_shares_no_name(groups_wanted: int) -> None:
    some = knowledge_base(groups_wanted, 7)
    assert MANY[: len(some)] == some == knowledge_base(groups_wanted, 7)
    assert not {fact.answer for fact in some} & {fact.answer for fact in knowledge_base(200, 8)}

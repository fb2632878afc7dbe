"""The ledger: what was asked for, hinted at and told is a fold over the turns, and bounds what comes out now."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import case

from generators.families.recommendation import Recommendation
from generators.latents.session import SessionLatents
from generators.ledger import due, ledger, told, unasked, volunteering
from schemas.dialogue import Turn
from schemas.scenario import Disclosure, Fact, View

SESSION = SessionLatents.model_validate(case(Recommendation(), 1).session_latents)
IDS = ("a", "b", "c", "d")


def view(*how: Disclosure) -> View:
    facts = [
        Fact(id=i, holder="user", slot=f"slot {i}", value="v", text=f"i want {i}", disclose=h)
        for i, h in zip(IDS, how, strict=False)
    ]
    return View(role="user", brief="", facts=tuple(facts))


def person(**known: Any) -> SessionLatents:
    return SESSION.model_copy(update={"cell": "needed", "tells": 1, "cooperativeness": 1.0, **known})


def asks(*ids: str) -> Turn:
    return Turn(role="assistant", text="?", facts_asked=ids)


def tells(*ids: str, unasked: bool = False, text: str = "i do") -> Turn:
    return Turn(role="user", text=text, facts_disclosed=ids, facts_volunteered=ids if unasked else ())


HINTS = Turn(role="user", text="my feet hurt", labels={"facts_hinted": ["c"]})


def test_each_fact_keeps_the_first_turn_of_each_kind():
    turns = [asks("b", "a"), tells("a"), HINTS, asks("a", "c"), tells("c"), HINTS]
    entries = ledger(view("asked", "asked", "hinted"), turns)
    assert [(e.asked, e.hinted, e.told) for e in entries.values()] == [(0, None, 1), (0, None, None), (3, 2, 4)]
    assert told(view("asked", "asked", "hinted"), turns) == {"a", "c"}


def test_what_no_fact_of_this_role_is_leaves_the_ledger_alone():
    assert ledger(view("asked"), [asks("beside/x"), tells("z")])["a"][1:] == (None, None, None)


@given(st.lists(st.sampled_from(IDS), max_size=8), st.integers(1, 4))
def test_at_most_as_many_come_out_as_the_person_tells_and_the_rest_is_withheld(asked: list[str], most: int):
    now = due(view("asked", "asked", "hinted", "never"), [tells("b")], person(tells=most), asked)
    open_ones = [i for i in dict.fromkeys(asked) if i != "b"]
    assert [f.id for f in now.tell] == [i for i in open_ones if i != "d"][:most]
    assert {f.id for f in (*now.tell, *now.withheld)} == set(open_ones)
    assert not set(now.tell) & set(now.withheld)


def test_what_never_comes_out_is_withheld_however_often_it_is_asked_for():
    never = view("never")
    for turns in ([], [asks("a")], [asks("a"), tells(), asks("a")]):
        now = due(never, turns, person(tells=3), ["a"])
        assert now.tell == () and [f.id for f in now.withheld] == ["a"]
    assert unasked(never, [], person(), True, Random(0)) == ((), (), None)


def test_unasked_only_what_is_volunteered_is_told_and_only_what_is_hinted_is_hinted_at():
    facts = view("asked", "volunteered", "hinted", "never")
    for n in range(30):
        assert [f.id for f in unasked(facts, [], person(), True, Random(n)).tell] == ["b"]
        quiet = unasked(facts, [], person(), False, Random(n))
        assert quiet.tell == () and quiet.hint is not None and quiet.hint.id == "c"
        assert unasked(facts, [HINTS], person(), False, Random(n)).hint is None  # hinted at once
        assert unasked(facts, [], person(cooperativeness=0.0), False, Random(n)).hint is None


@pytest.mark.parametrize(
    ("turns", "wanted", "bits"),
    [
        ([tells("a", unasked=True)], {"slot a": 5}, (True, True, True, True)),
        ([tells("a", "b", unasked=True)], {"slot a": 5, "slot b": 5}, (False, True, True, True)),
        ([tells("a", unasked=True)], {"slot b": 5}, (False, True, False, True)),
        ([asks("b"), tells("b"), tells("a", unasked=True)], {"slot a": 1}, (False, True, False, True)),
        ([tells("z", unasked=True)], {"slot a": 5}, (False, False, False, True)),
        ([tells("a", unasked=True, text="well " * 40)], {"slot a": 5}, (True, True, True, False)),
    ],
    ids=["good", "more than needed", "beside the point", "too late", "not true", "too long"],
)
def test_what_is_brought_up_has_the_four_bits_of_grice(turns: list[Turn], wanted: dict[str, int], bits: tuple[bool]):
    found = volunteering(view("volunteered", "asked"), turns, wanted, {})[0]
    assert tuple(found["grice"][name] for name in ("quantity", "quality", "relation", "manner")) == bits


def test_what_was_used_says_when_and_whether_it_spared_a_question():
    later = Turn(role="assistant", text="?", labels={"question": "a"})
    turns = [tells("a", unasked=True), Turn(role="assistant", text="Take it.")]
    spared = volunteering(view("volunteered"), turns, {"slot a": 5}, {"a": 1})[0]
    assert (spared["fact"], spared["slot"], spared["turn"]) == ("a", "slot a", 0)
    assert (spared["used_later"], spared["preempted_turn"]) == (True, 1)
    asked = volunteering(view("volunteered"), [*turns, later], {"slot a": 5}, {"a": 1})[0]
    assert (asked["used_later"], asked["preempted_turn"]) == (True, None)
    assert volunteering(view("asked"), [asks("a"), tells("a")], {"slot a": 5}, {}) == []

"""Each kind of fault, in hand-written dialogues with it and without; and, by code alone, planted in real ones."""

import pytest
from fault_cases import HandCase, hand_cases
from fault_plants import CHATS, KINDS, TURNS, chats, planted
from talks import needs_corpora, talk

from filters.copied_card import CopiedCard
from filters.hallucinated_fact import HallucinatedFact
from filters.missing_stop import MissingStop
from pipelines.recipe_stages import builtin
from schemas.contracts import Detector, Filter
from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact, View

DETECTORS = [d() for d in builtin(Filter) if issubclass(d, Detector)]
CASES = hand_cases()


def kinds(dialogue: Dialogue) -> set[str]:
    return {fault.kind for d in DETECTORS for fault in d.faults(dialogue)}


def test_every_kind_has_a_detector_and_cases_of_both_sorts():
    found = {kind for d in DETECTORS for kind in d.kinds}
    assert found == {*KINDS, "template_turn"}  # what the speaker itself marked: test_template_turn.py
    assert {(c.kind, c.faulty) for c in CASES} == {(kind, faulty) for kind in KINDS for faulty in (True, False)}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.kind}-{'faulty' if c.faulty else 'near-miss'}")
def test_a_hand_written_fault_is_found_and_a_near_miss_is_not(case: HandCase):
    assert (case.kind in kinds(case.dialogue)) == case.faulty


def test_a_fault_belongs_to_the_turn_that_shows_it_and_what_follows_does_not_undo_it():
    for case in CASES:
        for d in DETECTORS:
            for fault in d.faults(case.dialogue):
                cut = case.dialogue.model_copy(update={"turns": case.dialogue.turns[: fault.turn + 1]})
                assert fault in list(d.faults(cut))


def test_a_detector_drops_by_its_kind_and_one_that_only_labels_drops_nothing():
    left = talk(("user", "ok bye"), ("assistant", "Bye!"), ("user", "i also play bass in a band"))
    verdict = MissingStop().judge(left)
    assert (verdict.keep, verdict.reason, verdict.detail) == (
        False,
        "missing_stop",
        "turn 2: i also play bass in a band",
    )
    assert MissingStop(drops=False).judge(left).keep
    fact = Fact(id="f", holder="user", slot="pets", value="a cat", text="i have a cat")
    invents = talk(("user", "i have 3 boats"), views=[View(role="user", brief="", facts=(fact,))])
    assert list(HallucinatedFact().faults(invents)) and HallucinatedFact().judge(invents).keep


def test_what_the_program_itself_says_is_made_up_by_nobody():
    fact = Fact(id="age", holder="user", slot="the age", value="12", text="he is 12")
    for labels, found in (({}, 1), ({"scripted": True}, 0)):
        turn = Turn(role="user", text="ok, put me down for 50 cents", labels=labels)
        said = talk(turn, views=[View(role="user", brief="", facts=(fact,))])
        assert len(list(HallucinatedFact().faults(said))) == found


def test_only_the_partner_is_held_to_its_card():
    views = [
        View(role=r, brief="You plan a long trip to the north with your two sisters.") for r in ("user", "assistant")
    ]
    words = "plan a long trip to the north with my sisters"
    assert not list(CopiedCard().faults(talk(("assistant", words), views=views)))
    assert [f.turn for f in CopiedCard().faults(talk(("user", words), views=views))] == [0]


@needs_corpora
def test_planted_faults_are_found_and_their_controls_are_left_alone():
    made = planted(each=8)
    dropping = {kind for d in DETECTORS if d.drops for kind in d.kinds}
    hits = [p.kind in kinds(p.faulty) for p in made if p.kind in dropping]
    alarms = [bool(kinds(p.control) & dropping) for p in made]
    assert sum(hits) / len(hits) >= 0.7
    assert sum(alarms) / len(alarms) <= 0.1


@needs_corpora
@pytest.mark.parametrize("name", CHATS)
def test_people_are_dropped_in_at_most_three_of_a_hundred_chats(name: str):
    talks = [d.model_copy(update={"turns": d.turns[:TURNS]}) for d in chats(name)]
    assert sum(any(not d.judge(t).keep for d in DETECTORS) for t in talks) <= 0.03 * len(talks)

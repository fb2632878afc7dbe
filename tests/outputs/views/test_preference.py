"""Which two things are compared, and when one of them counts as better."""

import pytest
from view_samples import of_turn, own, record, texts, view_rows

from schemas.judgement import RewardValue

OPENING = "How much are three?"


def pairs(*records):
    return view_rows("preference", records)


def candidates(*found: tuple[str, list[float]], turn: int = 1) -> RewardValue:
    parts = [
        {"text": text, "mr_samples": samples, "mr_mean": sum(samples) / len(samples), "mr_stderr": error(samples)}
        for text, samples in found
    ]
    return of_turn("multiturn_aware", turn, 0.5, candidates=parts)


def error(samples: list[float]) -> float | None:
    mean = sum(samples) / len(samples)
    spread = sum((s - mean) ** 2 for s in samples) / max(1, len(samples) - 1)
    return (spread / len(samples)) ** 0.5 if len(samples) > 1 else None


def test_the_sibling_that_reached_the_goal_is_chosen_where_they_part():
    asks = record(OPENING, "Of which size?", "Small ones.", "9", name="a", policy="proactive")
    guesses = record(OPENING, "12", "No.", "15", name="b", success=False, policy="reactive")
    (pair,) = pairs(guesses, asks)
    assert texts(pair["prompt"]) == [OPENING]
    assert (texts(pair["chosen"]), texts(pair["rejected"])) == (["Of which size?"], ["12"])
    assert (pair["score_chosen"], pair["score_rejected"], pair["margin"], pair["margin_stderr"]) == (1, 0, 1, None)
    assert (pair["reward"], pair["source"], pair["turn"]) == ("success", "siblings", 1)
    assert (pair["dialogue_id"], pair["rejected_id"]) == ("a", "b")
    assert (pair["policy_chosen"], pair["questions_chosen"], pair["questions_rejected"]) == ("proactive", 1, 0)


def test_siblings_are_compared_at_their_first_different_turn_alone():
    one = record(OPENING, "Which size?", "Small.", "9", name="a")
    other = record(OPENING, "Which size?", "Small.", "12", name="b", success=False)
    (pair,) = pairs(one, other)
    assert texts(pair["prompt"]) == [OPENING, "Which size?", "Small."]
    answered_otherwise = record(OPENING, "Which size?", "Big.", "12", name="b", success=False)
    assert pairs(one, answered_otherwise) == []


@pytest.mark.parametrize(
    "other",
    [
        {"group": "another"},
        {"public": "another form of the problem"},
        {"success": True},
        {"success": None},
        {"keep": False},
    ],
    ids=str,
)
def test_nothing_is_compared_across_cases_or_without_a_gap(other: dict):
    good = record(OPENING, "Which?", name="a")
    assert pairs(good, record(OPENING, "12", name="b", **{"success": False, **other})) == []


def test_what_follows_from_what_nobody_said_is_on_neither_side():
    good = record(OPENING, own("9", labels={"clairvoyant": True}), name="a")
    assert pairs(good, record(OPENING, "12", name="b", success=False)) == []


def test_a_return_by_turn_goes_before_success():
    quick = record(OPENING, "9", name="a", rewards=[of_turn("discounted_return", 1, 1.0)])
    slow = record(OPENING, "Which?", "x", "9", name="b", rewards=[of_turn("discounted_return", 1, 0.7)])
    (pair,) = pairs(slow, quick)
    assert texts(pair["chosen"]) == ["9"] and pair["margin"] == pytest.approx(0.3)
    assert (pair["questions_chosen"], pair["questions_rejected"]) == (0, 1)


def test_siblings_that_said_the_same_are_samples_of_it():
    good = [record(OPENING, "Which?", f"{n}", "9", name=f"a{n}", success=n > 0) for n in range(4)]
    bad = [record(OPENING, "12", f"{n}", "9", name=f"b{n}", success=n > 2) for n in range(4)]
    (pair,) = [p for p in pairs(*good, *bad) if p["turn"] == 1]
    assert (pair["score_chosen"], pair["score_rejected"], pair["n_chosen"]) == (0.75, 0.25, 4)
    assert pair["margin_stderr"] == pytest.approx((2 * 0.0625) ** 0.5)
    unclear = [r for r in good if r.dialogue.id < "a2"] + [r for r in bad if r.dialogue.id > "b1"]
    assert [p for p in pairs(*unclear) if p["turn"] == 1] == [], "a gap within its error is none"


def test_the_best_candidate_goes_with_the_worst_where_the_gap_exceeds_its_error():
    clear = candidates(("Guess: 12", [0.0, 0.2]), ("Which?", [0.9, 1.0]), ("Hm.", [0.5, 0.5]))
    (pair,) = pairs(record(OPENING, "Guess: 12", rewards=[clear]))
    assert (texts(pair["chosen"]), texts(pair["rejected"])) == (["Which?"], ["Guess: 12"])
    assert (pair["candidate_chosen"], pair["candidate_rejected"], pair["source"]) == (1, 0, "candidates")
    assert pair["margin_stderr"] == pytest.approx((0.05**2 + 0.1**2) ** 0.5)
    unclear = candidates(("a", [0.0, 1.0]), ("b", [0.9, 1.0]))
    assert pairs(record(OPENING, "a", rewards=[unclear])) == []


def test_parts_of_a_reward_without_candidates_are_passed_over():
    nothing = of_turn("multiturn_aware", 1, None)
    gone = of_turn(
        "multiturn_aware", 1, 1.0, candidates=[{"text": None, "mr_samples": [], "mr_mean": None, "mr_stderr": None}]
    )
    assert pairs(record(OPENING, "a", rewards=[nothing, gone])) == []

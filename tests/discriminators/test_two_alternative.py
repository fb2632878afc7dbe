"""What people's choices between a real and a synthetic dialogue amount to."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from discriminators.two_alternative import (
    FEW_RATERS,
    TwoAlternative,
    fooled_by_trial,
    needed_for_equivalence,
    needed_to_detect,
    two_alternative,
)
from schemas.trial import Answer, Choice, Key, Kind


def keys(tests: int = 60, catch: int = 8, controls: int = 10) -> list[Key]:
    kinds: list[Kind] = ["test"] * tests + ["catch"] * catch + ["control"] * controls
    return [
        Key(trial=f"t{i}", kind=kind, synthetic="left" if i % 2 else "right", left=f"l{i}", right=f"r{i}")
        for i, kind in enumerate(kinds)
    ]


def other(key: Key) -> Choice:
    return "right" if key.synthetic == "left" else "left"


def answers(fooled: np.ndarray, of: list[Key], *, catch: bool = True) -> list[Answer]:
    """`fooled`: [raters, tests] of 0 and 1; catch trials right, controls left and right in turn."""
    given: list[Answer] = []
    for rater, row in enumerate(fooled):
        left = iter(row)
        for number, key in enumerate(of):
            if key.kind == "test":
                choice = key.synthetic if next(left) else other(key)
            elif key.kind == "catch":
                choice = other(key) if catch else key.synthetic
            else:
                choice = "left" if (number + rater) % 2 else "right"
            given.append(Answer(rater=f"r{rater}", trial=key.trial, choice=choice, seconds=10.0 + number))
    return given


def drawn(rate: float, raters: int, seed: int = 0, tests: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).random((raters, tests)) < rate


def judged(rate: float, raters: int, tests: int = 60) -> TwoAlternative:
    of = keys(tests)
    return two_alternative(answers(drawn(rate, raters, tests=tests), of), of)


def test_the_judgements_each_claim_needs_are_those_of_the_tables():
    assert abs(needed_to_detect(0.6) - 152) <= 1
    assert abs(needed_for_equivalence(0.05) - 860) <= 5
    assert needed_to_detect(0.55) > 3.5 * needed_to_detect(0.6)


def test_with_so_many_judgements_a_binomial_test_has_the_power_it_should():
    n = needed_to_detect(0.6)
    critical = int(binom.ppf(0.95, n, 0.5)) + 1
    assert binom.sf(critical - 1, n, 0.6) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("rate", "raters", "tests", "verdict"),
    [
        (0.2, 10, 60, "detected"),
        (0.0, 6, 60, "detected"),
        (0.85, 10, 60, "reversed"),
        (0.5, 40, 400, "equivalent"),
        (0.45, 6, 20, "undecided"),
    ],
)
def test_the_verdict_is_in_words(rate: float, raters: int, tests: int, verdict: str):
    found = judged(rate, raters, tests)
    assert found.verdict == verdict
    assert f"{raters * tests} answers of {raters} raters to {tests} trials" in found.sentence


def test_a_small_difference_of_many_answers_is_both_detected_and_small():
    found = judged(0.475, 60, 400)
    assert found.verdict == "detected" and "by no more than 0.05" in found.sentence


def test_few_raters_speak_for_themselves_and_one_for_nobody_else():
    two = judged(0.2, 2)
    assert FEW_RATERS > 2 and "2 raters say little of others; of these alone: detected" in two.sentence
    assert two.these_raters.interval is not None and two.fool_rate.interval is not None
    width = [r.interval.high - r.interval.low for r in (two.these_raters, two.fool_rate) if r.interval]
    assert width[1] > width[0]
    one = judged(0.2, 1)
    assert one.verdict == "undecided"
    assert "one rater says nothing of others; of this one alone: detected" in one.sentence.lower()


def test_who_fails_the_catch_trials_is_left_out_and_counted():
    of = keys()
    fair = answers(drawn(0.1, 5), of)
    careless = [a.model_copy(update={"rater": "x"}) for a in answers(drawn(0.9, 1, 1), of, catch=False)]
    found = two_alternative([*fair, *careless], of)
    assert [r.name for r in found.raters if not r.kept] == ["x"]
    assert found.fool_rate == two_alternative(fair, of).fool_rate
    assert found.everybody.interval is not None and found.everybody.interval.n == 360
    alone = two_alternative(careless, of)
    assert (alone.verdict, alone.fool_rate.reason) == ("none", "no_rater_passed_the_catch_trials")


def test_a_catch_trial_that_could_not_be_told_is_not_right():
    of = keys(2, 4, 0)
    given = [Answer(rater="a", trial=k.trial, choice="unsure" if k.kind == "catch" else "left") for k in of]
    rater = two_alternative(given, of).raters[0]
    assert (rater.catch_right, rater.catch_answers, rater.kept) == (0, 4, False)


def test_cannot_tell_counts_half():
    of = keys(10, 0, 0)
    given = [Answer(rater="a", trial=k.trial, choice="unsure") for k in of]
    found = two_alternative(given, of)
    assert found.fool_rate.interval is not None and found.fool_rate.interval.value == 0.5
    assert (found.unsure, found.raters[0].left, found.raters[0].median_seconds) == (10, None, None)


def test_real_against_real_shows_a_bias_of_position_and_the_floor():
    of = keys(10, 0, 20)
    given = [Answer(rater=f"r{r}", trial=k.trial, choice="left") for r in range(6) for k in of]
    found = two_alternative(given, of)
    assert found.left.interval is not None and found.left.interval.low > 0.5
    assert found.floor.interval is not None and found.floor.interval.value == 0.5


def test_nothing_answered_is_none_with_a_reason():
    found = two_alternative([], keys())
    assert (found.verdict, found.fool_rate.interval, found.fool_rate.reason) == ("none", None, "no_answers")
    assert found.floor.interval is None and found.raters == ()


@pytest.mark.parametrize("raters", [1, 2, 6])
@pytest.mark.parametrize("tests", [1, 2])
def test_a_handful_of_answers_gives_finite_intervals(raters: int, tests: int):
    for rate in (0.0, 0.5, 1.0):
        found = judged(rate, raters, tests)
        for one in (found.fool_rate, found.these_raters, found.floor):
            assert one.interval is not None and all(map(math.isfinite, one.interval))
            assert 0 <= one.interval.low <= one.interval.value <= one.interval.high <= 1


def test_intervals_hold_the_truth_where_raters_and_trials_differ():
    generator = np.random.default_rng(5)
    of = keys(40, 0, 0)
    held, truth, draws = 0, 0.5, 150
    for _ in range(draws):
        logit = generator.normal(0, 0.6, (8, 1)) + generator.normal(0, 0.8, (1, 40))
        found = two_alternative(answers(generator.random((8, 40)) < 1 / (1 + np.exp(-logit)), of), of)
        assert found.fool_rate.interval is not None
        held += found.fool_rate.interval.low <= truth <= found.fool_rate.interval.high
    assert 0.90 <= held / draws <= 1.0


def test_answers_that_are_alike_are_worth_less():
    of = keys()
    same = np.repeat(drawn(0.5, 1), 8, axis=0)
    alike, apart = (two_alternative(answers(table, of), of).fool_rate.worth for table in (same, drawn(0.5, 8)))
    assert alike is not None and apart is not None
    assert alike < 70 < 200 < apart


def test_the_order_of_answers_changes_nothing():
    of = keys()
    given = answers(drawn(0.3, 4), of)
    assert two_alternative(given[::-1], of[::-1]).fool_rate == two_alternative(given, of).fool_rate


def test_each_trial_tells_how_often_it_fooled():
    of = keys(2, 1, 1)
    given = answers(np.array([[1, 0], [1, 0], [0, 0]]), of)
    assert fooled_by_trial(given, of) == {"t0": (3, pytest.approx(2 / 3)), "t1": (3, 0.0)}

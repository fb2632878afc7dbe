from collections import Counter
from functools import cache

import numpy as np
import pytest
from talks import hashed_embed, said

from discriminators.given import Given, fit_given
from discriminators.heads import remembered, turn_labels
from discriminators.user_turns import Sample
from schemas.judgement import UserTurn

QUESTION, STATEMENT = "Which day?", "It is open."
WORDS = {
    QUESTION: ("yes", "no thanks", "on friday please", "two of us, I think", "why do you ask?"),
    STATEMENT: ("i see", "wow great!", "what else?", "I hate it", "that is good to know, I want one"),
}


def users(count: int, asked: float, seed: int, skew: float = 0.0) -> list[Sample]:
    """Dialogues of two to nine turns; `asked`: share of questions. `skew`: share of answers that are the first."""
    generator = np.random.default_rng(seed)

    def dialogue(group: str) -> Sample:
        turns: list[UserTurn] = []
        for _ in range(generator.integers(2, 10)):
            prompt = QUESTION if generator.random() < asked else STATEMENT
            turn = answer(prompt, 0 if generator.random() < skew else int(generator.integers(5)))
            turns.append(after(turn, turns[-1]) if turns else turn)
        return Sample(group, tuple(turns))

    return [dialogue(f"{seed}-{i}") for i in range(count)]


@cache
def answer(prompt: str, word: int) -> UserTurn:
    return said("g", WORDS[prompt][word], prompt=prompt).turns[0]


def after(turn: UserTurn, before: UserTurn) -> UserTurn:
    known = remembered(before.labels, before.before)
    return turn._replace(labels=turn_labels(turn.text, known), before=known)


def mean_in_errors(given: Given, samples: list[Sample]) -> np.ndarray:
    """The mean residual of a turn, in standard errors by group."""
    found = np.array(list(given.residuals(samples)), dtype=float)
    return found.sum(axis=0) / np.maximum(np.sqrt((found**2).sum(axis=0)), 1e-9)


@pytest.fixture(scope="module")
def given() -> Given:
    return fit_given(users(800, asked=0.3, seed=0), hashed_embed, seed=0, components=5)


@pytest.mark.parametrize("asked", [0.1, 0.9])
def test_residuals_of_real_like_users_are_nothing_whatever_the_assistant_does(given: Given, asked: float):
    errors = mean_in_errors(given, users(300, asked, seed=1))
    assert np.abs(errors).max() < 4
    assert np.sqrt((errors**2).mean()) < 1.5


def test_residuals_name_what_users_do_too_often(given: Given):
    errors = dict(zip(given.names, mean_in_errors(given, users(300, 0.3, seed=2, skew=0.4)), strict=True))
    assert errors["opening=agrees"] > 8
    assert errors["length=4-6"] < -4


def test_residuals_are_sums_over_turns(given: Given):
    samples = users(20, 0.5, seed=3)
    whole = [Sample("all", tuple(turn for sample in samples for turn in sample.turns))]
    parts = np.sum(list(given.residuals(samples)), axis=0)
    assert next(given.residuals(whole)) == pytest.approx(parts, abs=1e-3)
    assert parts.dtype == np.float32
    assert parts.shape == (len(given.names),)


@pytest.fixture(scope="module")
def references() -> list[Given]:
    return [fit_given(users(300, 0.3, seed), hashed_embed, seed=0, components=0) for seed in range(10, 22)]


@pytest.mark.parametrize("asked", [0.3, 0.8])
def test_the_errors_are_what_one_reference_differs_from_another_at_any_mix_of_acts(
    references: list[Given], asked: float
):
    one, probe = references[0], users(200, asked, seed=5)
    turns = sum(len(sample.turns) for sample in probe)
    means = {name: list[float]() for name in one.names}
    for other in references:
        for name, total in zip(other.names, np.sum(list(other.residuals(probe)), axis=0), strict=True):
            means[name].append(total / turns)
    mix = Counter(turn.given for sample in probe for turn in sample.turns)
    errors = np.sqrt(sum(np.square(mix[act] / turns * error) for act, error in one.errors.items()))
    ratios = [np.std(means[n], ddof=1) / t for n, t in zip(one.names, errors, strict=True) if len(means[n]) == 12 and t]
    assert 0.6 < np.median(ratios) < 1.6


def test_turns_after_an_act_the_reference_lacks_add_nothing_and_are_counted(given: Given):
    (unknown,) = users(1, 0.5, seed=4)
    greeted = said("g", "Hello to you", prompt="Hello!")
    assert given.unknown(greeted.turns) == 1
    both = Sample("g", (*unknown.turns, *greeted.turns))
    assert next(given.residuals([both])) == pytest.approx(next(given.residuals([unknown])))


ALONE = Sample("alone", tuple(turn for sample in users(20, 0.5, seed=0) for turn in sample.turns))


@pytest.mark.parametrize("real", [[], [Sample("silent", ())], users(2, 0.5, seed=0), [ALONE]])
def test_from_next_to_nothing_nothing_is_fitted(real: list[Sample]):
    fitted = fit_given(real, hashed_embed, seed=0)
    assert fitted.acts == {}
    assert [r.shape for r in fitted.residuals(users(3, 0.5, seed=1))] == [(0,)] * 3


def test_the_same_seed_gives_the_same_residuals():
    one, other = (fit_given(users(60, 0.3, seed=0), hashed_embed, seed=3) for _ in range(2))
    sample = users(1, 0.5, seed=1)
    assert np.array_equal(next(one.residuals(sample)), next(other.residuals(sample)))

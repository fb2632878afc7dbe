"""Rational speech acts with a past: games worked out by hand, and what holds in any."""

from itertools import pairwise, product
from math import exp, log, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from rewards.crsa import Array, Game, entropy, gain, literal_listener, play, pragmatic_listener, speaker, updated

LETTERS, NUMBERS = ("AA", "AB", "BA"), ("12", "11", "21")
CARDS = [("AA", "12", 0), ("AB", "11", 0), ("AB", "12", 0), ("AA", "21", 1), ("BA", "11", 1), ("BA", "21", 1)]
"""Two cards, of which exactly one is A1: one side sees the letters, the other the numbers, both look for its place."""


def cards() -> Game:
    """The side of the letters says a place where it has an A."""
    joint = np.zeros((3, 3, 2))
    for letters, numbers, place in CARDS:
        joint[LETTERS.index(letters), NUMBERS.index(numbers), place] = 1 / 6
    return Game.of(joint, np.array([[letters[place] == "A" for letters in LETTERS] for place in (0, 1)], dtype=float))


def test_the_card_game_comes_out_as_worked_out_by_hand():
    game = cards()
    found = play(game)
    assert_allclose(found.speaker, [[0.5, 1, 0], [0.5, 0, 1]])
    where = found.listener[0]  # "the first": whoever sees 12 or 11 finds A1 there, whoever sees 21 must take the other
    assert_allclose(where, [[1, 0], [1, 0], [0, 1]])
    assert found.gains[-1] == pytest.approx(log(2) / 3)  # AA, a third of the time, may say either; all are understood
    assert_allclose(updated(game, found.speaker, 0), [0.5, 1, 0])


def test_the_roles_swap_and_what_was_said_is_remembered():
    first = cards()
    b_letters = updated(first, play(first).speaker, 0)
    numbers = np.array([[n[place] == "1" for n in NUMBERS] for place in (0, 1)], dtype=float)
    found = play(Game(first.joint.transpose(1, 0, 2), numbers, np.ones(3), b_letters, np.zeros(2)))
    assert_allclose(found.speaker[:, 0], [1, 0])  # 12
    assert_allclose(found.speaker[:, 1], [0.5, 0.5])  # 11: it is where the other has an A, whatever is said
    assert_allclose(found.speaker[:, 2], [0, 1])  # 21
    assert_allclose(found.listener[:, LETTERS.index("AB")], [[1, 0], [1, 0]])


def test_the_blue_square_of_the_textbook():
    """Three things, four words; a listener who is told "blue" expects the square, the circle had a better word."""
    joint = np.zeros((3, 1, 3))
    joint[range(3), 0, range(3)] = 1 / 3
    words = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]], dtype=float)  # blue green square circle
    found = play(Game.of(joint, words, alpha=1.0), most=1)
    assert_allclose(found.speaker[:, 0], [0.5, 0, 0.5, 0])
    assert_allclose(found.speaker[:, 1], [1 / 3, 0, 0, 2 / 3])
    assert_allclose(found.listener[0, 0], [3 / 5, 2 / 5, 0])


def test_the_circle_that_is_half_believed_in_draws_fewer_blues():
    """The same after something that a circle would have said half as often: 4/7 against 1/2 * 1/4."""
    joint = np.zeros((3, 1, 3))
    joint[range(3), 0, range(3)] = 1 / 3
    words = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]], dtype=float)
    game = Game.of(joint, words, alpha=1.0)._replace(b_s=np.array([1, 0.5, 1]))
    found = play(game, most=1)
    assert_allclose(found.speaker[[0, 2], 0], [4 / 7, 3 / 7])
    assert_allclose(found.speaker[[0, 3], 1], [1 / 4, 3 / 4])
    assert_allclose(found.listener[0, 0], [32 / 39, 7 / 39, 0])


def rsa(joint: Array, lexicon: Array, alpha: float, depth: int) -> tuple[Array, Array]:
    """By its definition, in loops, without any beliefs."""
    S, L, Y = joint.shape
    U = len(lexicon)
    said = np.array(lexicon)
    heard = np.zeros((U, L, Y))
    for _ in range(depth + 1):
        for u, m_l in product(range(U), range(L)):
            row = [sum(joint[s, m_l, y] * said[u, s] for s in range(S)) for y in range(Y)]
            heard[u, m_l] = [p / sum(row) if sum(row) else 0.0 for p in row]
        before, said = said, np.zeros((U, S))
        for s in range(S):
            weights = [
                exp(alpha * utility) if (utility := _utility(joint, heard, u, s)) > -1e300 else 0.0 for u in range(U)
            ]
            said[:, s] = [w / sum(weights) if sum(weights) else 0.0 for w in weights]
    return before, heard


def _utility(joint: Array, heard: Array, u: int, s: int) -> float:
    total = 0.0
    for m_l, y in product(range(joint.shape[1]), range(joint.shape[2])):
        if (p := joint[s, m_l, y] / joint[s].sum()) > 0:
            if heard[u, m_l, y] == 0:
                return float("-inf")
            total += p * log(heard[u, m_l, y])
    return total


@st.composite
def games(draw: st.DrawFn, beliefs: bool = True) -> Game:
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    s, others, y, u = (int(n) for n in rng.integers(2, 5, 4))
    joint = rng.random((s, others, y)) + 0.05
    lexicon = np.vstack([rng.random((u, s)), np.ones(s)])
    game = Game.of(joint / joint.sum(), lexicon, alpha=float(rng.uniform(0.5, 3)))
    if not beliefs:
        return game
    return game._replace(b_s=rng.random(s) + 0.1, b_l=rng.random(others) + 0.1, cost=rng.random(u + 1))


@settings(max_examples=40, deadline=None)
@given(games(beliefs=False), st.integers(1, 3))
def test_with_beliefs_of_1_it_is_rsa(game: Game, depth: int):
    found = play(game, tolerance=0, most=depth)
    said, heard = rsa(game.joint, game.lexicon, game.alpha, depth)
    assert_allclose(found.speaker, said, atol=1e-9)
    assert_allclose(found.listener, heard, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(games())
def test_the_gain_never_falls_from_one_iteration_to_the_next(game: Game):
    gains = play(game, tolerance=0, most=20).gains
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(gains))


@settings(max_examples=60, deadline=None)
@given(games())
def test_a_speaker_does_best_by_what_it_says(game: Game):
    """No other way to speak has a higher gain against the same listener, and no other reading against that speaker."""
    listener = literal_listener(game)
    said = speaker(game, listener)
    other = np.random.default_rng(0).dirichlet(np.ones(len(said)), said.shape[1]).T
    assert gain(game, said, listener) >= gain(game, other, listener) - 1e-9
    heard = pragmatic_listener(game, said)
    assert gain(game, said, heard) >= gain(game, said, listener) - 1e-9


@settings(max_examples=60, deadline=None)
@given(games())
def test_everything_is_a_distribution_and_hearing_leaves_no_more_open_on_average(game: Game):
    found = play(game)
    assert_allclose(found.speaker.sum(0), 1)
    assert_allclose(found.listener.sum(2), 1)
    weight = game.b_s[:, None, None] * game.joint
    for m_l in range(game.joint.shape[1]):
        said = found.speaker @ weight[:, m_l].sum(1)
        before = entropy(weight[:, m_l].sum(0))
        after = sum(p * entropy(row) for p, row in zip(said / said.sum(), found.listener[:, m_l], strict=True))
        assert after <= before + 1e-9


def test_who_has_nothing_true_to_say_says_nothing():
    joint = np.zeros((2, 1, 2))
    joint[0, 0, 0] = joint[1, 0, 1] = 0.5
    found = play(Game.of(joint, np.array([[1.0, 0.0]])))
    assert_allclose(found.speaker, [[1, 0]])
    assert_allclose(found.listener, [[[1, 0]]])


def test_entropy_is_in_bits_and_needs_no_normalised_weights():
    assert entropy(np.array([2.0, 2.0, 4.0])) == pytest.approx(1.5)
    assert entropy(np.ones(10)) == pytest.approx(log2(10))
    assert entropy(np.zeros(3)) == 0

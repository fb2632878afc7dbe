"""Collaborative rational speech acts (methods §9), exactly: what a listener makes of an utterance, by what a speaker
who wants to be understood would have said, given what both have come to believe of each other's private meanings.

Arrays: `joint` [s, l, y] is P(m_S, m_L, y); `lexicon` [u, s] is Lex(u, m_S) >= 0; `b_s` [s] and `b_l` [l] are the
unnormalised beliefs from the turns before, 1 at the start; a speaker is S(u | m_S) [u, s], a listener L(y | u, m_L)
[u, l, y]. Where nothing can be said, or nothing be found out, the row is 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Game(NamedTuple):
    """One turn: who speaks, before anything is said."""

    joint: Array
    lexicon: Array
    b_s: Array
    b_l: Array
    cost: Array
    """[u]"""
    alpha: float = 2.5
    """How much the speaker wants to be understood."""

    @classmethod
    def of(cls, joint: Array, lexicon: Array, alpha: float = 2.5) -> "Game":
        """Without a past or costs: RSA."""
        speakers, listeners, _ = joint.shape
        return cls(joint, lexicon, np.ones(speakers), np.ones(listeners), np.zeros(len(lexicon)), alpha)


class Played(NamedTuple):
    speaker: Array
    listener: Array
    gains: tuple[float, ...]
    """After each iteration."""


def literal_listener(game: Game) -> Array:
    """L_0(y | u, m_L) prop sum_mS B_S(m_S) P(m_S, m_L, y) Lex(u, m_S)"""
    return _over(np.einsum("s,sly,us->uly", game.b_s, game.joint, game.lexicon), 2)


def speaker(game: Game, listener: Array) -> Array:
    """S(u | m_S) prop exp(alpha sum_mL D(m_L | m_S) sum_y P(y | m_S, m_L) log L(y | u, m_L) - C(u)), D prop B_L P"""
    weight = _over(game.b_l * game.joint.sum(2), 1)[:, :, None] * _over(game.joint, 2)
    told = np.einsum("sly,uly->us", weight, _log(listener))
    lost = np.einsum("sly,uly->us", weight, (listener <= 0).astype(float)) > 0
    score = np.where(lost, -np.inf, game.alpha * told - game.cost[:, None])
    top = score.max(axis=0)
    return _over(np.exp(score - np.where(np.isfinite(top), top, 0.0)), 0)


def pragmatic_listener(game: Game, said: Array) -> Array:
    """L(y | u, m_L) prop sum_mS B_S(m_S) P(m_S, m_L, y) S(u | m_S)"""
    return _over(np.einsum("s,sly,us->uly", game.b_s, game.joint, said), 2)


def gain(game: Game, said: Array, listener: Array) -> float:
    """G = H_S(U | M_S) + alpha E[log L(Y | U, M_L)], in nats, both weighted by B_S B_L P.

    The method's code weights H by B_S P(m_S) alone, which is the same while B_L is 1; only with one weight for both do
    speaker and listener climb one G. Costs are subtracted, as the speaker subtracts them.
    """
    weight = game.b_s[:, None, None] * game.b_l[None, :, None] * game.joint
    own = (said * _log(said)).sum(0) + game.cost @ said
    understood = np.einsum("sly,us,uly->", weight, said, _log(listener))
    return float(game.alpha * understood - weight.sum((1, 2)) @ own)


def play(game: Game, tolerance: float = 1e-3, most: int = 100) -> Played:
    """Speaker and listener in turns, from the literal listener, until G changes by less than `tolerance` of itself."""
    listener = literal_listener(game)
    said = speaker(game, listener)
    gains: list[float] = []
    while len(gains) < most:
        said = speaker(game, listener)
        listener = pragmatic_listener(game, said)
        gains.append(gain(game, said, listener))
        if len(gains) > 1 and abs(gains[-1] - gains[-2]) <= tolerance * abs(gains[-2]):
            break
    return Played(said, listener, tuple(gains))


def updated(game: Game, said: Array, uttered: int) -> Array:
    """B_S <- B_S S(u_t | .)"""
    return game.b_s * said[uttered]


def entropy(p: Array) -> float:
    """Bits, of a distribution that may be unnormalised."""
    total = p.sum()
    shares = p[p > 0] / total if total > 0 else p[p > 0]
    return float(-(shares * np.log2(shares)).sum())


def _log(p: Array) -> Array:
    """0 where p is 0: what such terms are weighted with is 0, too."""
    return np.log(p, out=np.zeros_like(p), where=p > 0)


def _over(weights: Array, axis: int) -> Array:
    """Normalised along an axis; 0 where all is 0."""
    total = weights.sum(axis=axis, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)

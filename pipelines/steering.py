"""The closed loop: what selection lacked becomes the next round's latents (methods §26.3).

1. What does a latent do? Persons and intents are drawn by the program, so what dialogues with one value show beside the
   others is its effect: least squares of the residuals of users' turns (`discriminators.given`) on the turns spoken
   under each value, with errors by group. An effect counts only where it is shown (`_ALPHA`, over all of them).
2. How far is the pool from real users? The mean residual of a turn; what is within its own error is left alone.
3. Which latents bring it nearer? `min_q 1/2 |r + sum_k (q_k - p_k) e_k|^2`, where r is the mean residual of a turn
   under the fit, e_k the shown effect of value k, p the fit's shares, within sum KL(q || p) <= `bound`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np

from pipelines.steered import Steering
from schemas.contracts import Family
from schemas.identity import rng
from schemas.judgement import Interval, Judged

INTENT = "intent"
"""Stands for the latent of a turn beside those of a person."""
MOST = 20_000
"""Dialogues that effects are measured on."""
_DRAWS = 1000
"""Of the family, to know how often a value is drawn."""
_LEAST = 20
"""Groups with a value, and without it, from which on its effect is measured."""
_ALPHA = 0.05
_FARTHEST = 8.0
"""Most that a value's share is multiplied or divided by."""
_MOVES = 0.05
"""A share that changes by less than this part of it is left as fitted."""
_STEPS = 400
_STRENGTHS = np.geomspace(1e-5, 10, 25)

Status = Literal["moved", "not_needed", "no_effect", "too_few"]


class Cell(NamedTuple):
    """One value of a latent."""

    latent: str
    value: str
    fitted: float
    """Share of persons, or of intents, under the fit."""
    drawn: float
    """The same as it will be drawn."""
    feature: str
    """`head=label` that it changes most, for its error."""
    effect: Interval | None
    """By how much more of a user's turns show that label under the value. None where too few groups have it."""
    status: Status


class Steered(NamedTuple):
    steering: Steering
    cells: tuple[Cell, ...]
    divergence: float
    """sum KL(drawn || fitted), nats."""
    uncontrolled: tuple[str, ...]
    """Heads of which real users' labels are lacking, beyond chance, and which no latent moves."""


@dataclass(slots=True)
class Observed:
    """Of a family's valid dialogues, MOST at the most."""

    family: Family
    names: Sequence[str] = ()
    """Of the residuals."""
    groups: list[str] = field(default_factory=list[str])
    turns: list[int] = field(default_factory=list[int])
    """Of the user that have residuals."""
    residuals: list[np.ndarray] = field(default_factory=list[np.ndarray])
    traits: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    intents: list[Counter[str]] = field(default_factory=list[Counter[str]])

    def add(self, judged: Judged) -> None:
        if judged.residuals is None or len(self.groups) >= MOST:
            return
        dialogue, scenario = judged.dialogue, judged.dialogue.scenario
        self.groups.append(scenario.group_id)
        self.turns.append(sum(judged.answered.values()))
        self.residuals.append(judged.residuals)
        self.traits.append(self.family.traits(scenario))
        asked = (t.intent_requested for t in dialogue.turns if t.role == dialogue.partner)
        self.intents.append(Counter(i for i in asked if i in self.family.steerable))


class _Latent(NamedTuple):
    name: str
    values: tuple[str, ...]
    fitted: np.ndarray
    """[values]"""
    came: np.ndarray
    """[values]: shares of the turns seen, whatever steering they were drawn under."""
    effects: np.ndarray
    """[values, features]: of a turn, from the mean over values under the fit; 0 where none is shown."""
    found: list[tuple[str, Interval] | None]
    """By value: the label with the clearest effect."""


def steer(seen: Observed, before: Steering, seed: int, bound: float) -> Steered | None:
    """None where the dialogues have no residuals, or nothing can move. `before`: under which the newest were drawn."""
    heads = [n for n, name in enumerate(seen.names) if "=" in name]
    turns = np.array(seen.turns, float)
    if not heads or bound <= 0 or turns.sum() == 0:
        return None
    residuals = np.stack(seen.residuals)[:, heads].astype(float)
    names = [seen.names[n] for n in heads]
    _, groups = np.unique(seen.groups, return_inverse=True)
    fitted = _fitted(seen, before, seed)
    cells = sum(len(shares) for shares in fitted.values())
    z = NormalDist().inv_cdf(1 - _ALPHA / 2 / max(1, cells * len(names)))
    latents = [
        _measured(latent, tuple(shares), np.array(list(shares.values())), exposure, residuals, groups, names, z)
        for latent, shares in fitted.items()
        if len(shares) > 1
        for exposure in [_exposure(seen, latent, tuple(shares))]
    ]
    if not latents:
        return None
    mean, error = _mean(residuals, turns, groups)
    lacking = np.abs(mean) > 2 * error
    base = mean - sum(latent.came @ latent.effects for latent in latents)
    drawn = _shares(latents, np.where(lacking, base, base - mean), bound)
    return _told(latents, drawn, lacking, names)


def _fitted(seen: Observed, before: Steering, seed: int) -> dict[str, dict[str, float]]:
    """Latent -> value -> share under the fit: of persons by drawing some, of intents as they came, unweighted."""
    counts: dict[str, Counter[str]] = {}
    for n in range(_DRAWS):
        for latent, value in seen.family.traits(seen.family.sample(rng(seed, "fitted", n))).items():
            counts.setdefault(latent, Counter())[value] += 1
    found = {name: {v: n / c.total() for v, n in sorted(c.items())} for name, c in sorted(counts.items())}
    came = sum(seen.intents, Counter[str]())
    if came:
        plain = {name: n / before.intents.get(name, 1.0) for name, n in sorted(came.items())}
        found[INTENT] = {name: n / sum(plain.values()) for name, n in plain.items()}
    return found


def _exposure(seen: Observed, latent: str, values: Sequence[str]) -> np.ndarray:
    """[dialogues, values]: turns under each value."""
    if latent == INTENT:
        return np.array([[float(counts[v]) for v in values] for counts in seen.intents])
    has = np.array([[traits.get(latent) == v for v in values] for traits in seen.traits], float)
    return has * np.array(seen.turns, float)[:, None]


def _measured(
    latent: str,
    values: tuple[str, ...],
    fitted: np.ndarray,
    exposure: np.ndarray,
    residuals: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str],
    z: float,
) -> _Latent:
    """Least squares without intercept; contrasts of each value with the mean over the fit's shares, errors by group."""
    some = exposure.any(axis=0)
    inverse = np.linalg.pinv(exposure.T @ exposure)
    means = inverse @ exposure.T @ residuals
    left = residuals - exposure @ means
    shares = np.where(some, fitted, 0.0)
    shares = shares / shares.sum() if shares.any() else shares
    effects = np.zeros((len(values), len(names)))
    found: list[tuple[str, Interval] | None] = []
    for k in range(len(values)):
        having = len(np.unique(groups[exposure[:, k] > 0]))
        if min(having, len(np.unique(groups)) - having if latent != INTENT else having) < _LEAST:
            found.append(None)
            continue
        contrast = -shares.copy()
        contrast[k] += 1
        effect = contrast @ means
        scores = np.zeros((groups.max() + 1, len(names)))
        np.add.at(scores, groups, (exposure @ (inverse @ contrast))[:, None] * left)
        error = np.sqrt((scores**2).sum(axis=0)) + 1e-12
        effects[k] = np.where(np.abs(effect) > z * error, effect, 0.0)
        best = int(np.argmax(np.abs(effect) / error))
        e, s = float(effect[best]), z * float(error[best])
        found.append((names[best], Interval(e, e - s, e + s, having)))
    came = exposure.sum(axis=0) / max(1.0, exposure.sum())
    return _Latent(latent, values, fitted, came, effects, found)


def _mean(residuals: np.ndarray, turns: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a turn, and its standard error by groups (linearised)."""
    mean = residuals.sum(axis=0) / turns.sum()
    sums = np.zeros((groups.max() + 1, residuals.shape[1]))
    np.add.at(sums, groups, residuals - turns[:, None] * mean)
    return mean, np.sqrt((sums**2).sum(axis=0)) / turns.sum()


def _shares(latents: Sequence[_Latent], residual: np.ndarray, bound: float) -> list[np.ndarray]:
    """The shares of step 3 for each latent: the weakest pull towards the fit that stays within the bound."""
    fitted = [latent.fitted for latent in latents]
    for strength in _STRENGTHS:
        drawn = _pulled(latents, residual, float(strength))
        if sum(divergence(q, p) for q, p in zip(drawn, fitted, strict=True)) <= bound:
            return drawn
    return fitted


def _pulled(latents: Sequence[_Latent], residual: np.ndarray, strength: float) -> list[np.ndarray]:
    """Minimises `1/2 |r + sum q e|^2 + strength * KL(q || p)` by mirror descent, whose steps keep q on the simplex."""
    step = 1 / (strength + sum(float((latent.effects**2).sum(axis=1).max()) for latent in latents) + 1e-9)
    logs = [np.log(latent.fitted) for latent in latents]
    drawn = [latent.fitted for latent in latents]
    for _ in range(_STEPS):
        left = residual + sum(q @ latent.effects for q, latent in zip(drawn, latents, strict=True))
        for n, latent in enumerate(latents):
            slope = latent.effects @ left + strength * (np.log(drawn[n]) - logs[n])
            raised = np.log(drawn[n]) - step * (slope - slope.mean())
            raised = np.clip(raised, logs[n] - np.log(_FARTHEST), logs[n] + np.log(_FARTHEST))
            drawn[n] = np.exp(raised - np.logaddexp.reduce(raised))
    return drawn


def divergence(drawn: np.ndarray, fitted: np.ndarray) -> float:
    """KL(drawn || fitted), nats; both positive and summing to 1."""
    return float(max(0.0, (drawn * np.log(drawn / fitted)).sum()))


def _moves(drawn: np.ndarray, fitted: np.ndarray) -> bool:
    return bool(np.abs(drawn / fitted - 1).max() > _MOVES)


def _told(
    latents: Sequence[_Latent],
    drawn: Sequence[np.ndarray],
    lacking: np.ndarray,
    names: Sequence[str],
) -> Steered:
    weights: dict[str, dict[str, float]] = {}
    cells: list[Cell] = []
    for latent, shares in zip(latents, drawn, strict=True):
        ratio = shares / latent.fitted
        moved = _moves(shares, latent.fitted)
        if moved:
            weights[latent.name] = {v: round(float(r), 4) for v, r in zip(latent.values, ratio, strict=True)}
        for k, value in enumerate(latent.values):
            feature, effect = latent.found[k] or ("", None)
            shown = bool(latent.effects[k].any())
            status: Status = "too_few" if effect is None else "no_effect" if not shown else "not_needed"
            if moved and abs(ratio[k] - 1) > _MOVES:
                status = "moved"
            share = float(shares[k]) if moved else float(latent.fitted[k])
            cells.append(Cell(latent.name, value, float(latent.fitted[k]), share, feature, effect, status))
    intents = weights.pop(INTENT, {})
    total = sum(
        divergence(q, latent.fitted) for q, latent in zip(drawn, latents, strict=True) if _moves(q, latent.fitted)
    )
    reached = np.any([latent.effects.any(axis=0) for latent in latents], axis=0)
    heads = {name.split("=")[0] for name, lacks in zip(names, lacking, strict=True) if lacks}
    moved_heads = {name.split("=")[0] for name, moves in zip(names, reached, strict=True) if moves}
    return Steered(Steering(traits=weights, intents=intents), tuple(cells), total, tuple(sorted(heads - moved_heads)))

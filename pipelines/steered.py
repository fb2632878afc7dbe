"""What a closed loop asks of a round: whose persons and intents come more often, or less, than was fitted.

Only latents move. A scenario is still drawn by its family; a draw is kept as often as its person is wanted, so that
what belongs together in a person stays together.
"""

from collections.abc import Mapping
from math import prod
from random import Random

from pydantic import Field

from schemas.contracts import Family
from schemas.identity import rng
from schemas.scenario import Scenario, Value

TRIES = 64
"""Draws for one scenario at the most; the last one is taken whoever it is."""


class Steering(Value):
    """Weights relative to the fit: 1, or absent, as fitted."""

    traits: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Latent (`Family.traits`) -> value -> weight."""
    intents: dict[str, float] = Field(default_factory=dict)
    """Intent of a turn (`Family.steerable`) -> the factor of its probability wherever it can be drawn."""

    @property
    def idle(self) -> bool:
        return not (self.traits or self.intents)


AS_FITTED = Steering()


def sample(family: Family, seed: int, index: int, steering: Steering) -> Scenario:
    """Case number `index` of the family. `plan` keeps what it takes to draw it again: `draw`, and `intent_weights`."""
    case, draw = _kept(family, seed, index, steering)
    added: dict[str, object] = {"draw": draw} if draw else {}
    if steering.intents:
        added["intent_weights"] = steering.intents
    return case.model_copy(update={"plan": {**case.plan, **added}}) if added else case


def case_rng(seed: int, family: str, index: int, draw: int) -> Random:
    """What a case is drawn with; `draw`: how many draws were turned down before it."""
    return rng(seed, family, index, "draw", draw) if draw else rng(seed, family, index)


def _kept(family: Family, seed: int, index: int, steering: Steering) -> tuple[Scenario, int]:
    name = family.name()
    most = prod(max(weights.values()) for weights in steering.traits.values())
    for draw in range(TRIES):
        case = family.sample(case_rng(seed, name, index, draw))
        chance = weight(family.traits(case), steering) / most if steering.traits else 1.0
        if chance >= 1 or rng(seed, name, index, "kept", draw).random() < chance:
            return case, draw
    return case, TRIES - 1  # pyright: ignore[reportPossiblyUnboundVariable]


def weight(traits: Mapping[str, str], steering: Steering) -> float:
    return prod(weights.get(traits.get(latent, ""), 1.0) for latent, weights in steering.traits.items())

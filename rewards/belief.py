"""What each side could believe of the other after every utterance: exact, in a world that is counted (methods §9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from rewards.crsa import Array, Game, entropy, play, updated
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import DataError
from schemas.judgement import RewardValue
from schemas.world import Uttered, World

NAME = "belief"
MOST_MEANINGS = 64
MOST_UTTERANCES = 50


class Belief(Reward):
    """Of each turn in which something was said that the family counts: the bits that its listener knows of the outcome
    more than before the dialogue, H_P(Y | m_L) - H_L(Y | u_t, m_L, w_t); negative where it had to think again.

    `parts`: `belief_A_about_B` (A the learner, B the partner) and the reverse, by meaning; `belief_y_L` by outcome;
    `step_bits` since the turn before; `entropy` of the outcome; `common_ground_entropy` of all that both mean and look
    for, as an onlooker sees it. What is not counted (a hint, how something is put) tells nothing here.

    None where the family counts no world, where it is larger than 64 meanings a side or 50 utterances, and from where
    on somebody said what no meaning left would say.
    """

    alpha: float = Field(default=2.5, gt=0)
    """How much speakers want to be understood."""
    tolerance: float = Field(default=1e-3, gt=0)
    """Relative change of the gain at which speaker and listener stop."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        world, said = _read(dialogue)
        if world is None or not said or _too_large(world, said):
            reason = "no_counted_world" if world is None else "nothing_uttered" if not said else "world_too_large"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        minds = Minds(world, (dialogue.learner, dialogue.partner), self.alpha, self.tolerance)
        values: list[RewardValue] = []
        for place, utterances in said:
            heard = minds.hear(dialogue.turns[place].role, utterances)
            value, reason = (None, "said_what_nobody_means") if heard is None else (heard["bits"], None)
            values.append(
                RewardValue(name=NAME, scope="turn", turn=place, value=value, parts=heard or {}, reason=reason)
            )
        return values


class Minds:
    """What a dialogue has come to in a counted world. Sides: 0 the learner, 1 the partner."""

    def __init__(self, world: World, roles: tuple[str, str], alpha: float, tolerance: float):
        self._roles, self._outcomes = roles, world.outcomes
        self._alpha, self._tolerance = alpha, tolerance
        self._names = [world.meanings[role] for role in roles]
        self._means = [world.actual[role] for role in roles]
        self._joint = np.zeros((len(self._names[0]), len(self._names[1]), len(world.outcomes)))
        for a, b, y, p in world.prior:
            self._joint[a, b, y] = p
        self._beliefs = [np.ones(len(names)) for names in self._names]
        self._bits = [0.0, 0.0]
        """By listener."""
        self._lost = False

    def hear(self, role: str, utterances: Sequence[Uttered]) -> dict[str, Any] | None:
        """What is believed after a turn; None from where on it cannot be told."""
        s = self._roles.index(role)
        about = np.zeros(0)
        for uttered in utterances:
            about = self._heard(s, uttered)
            self._lost = self._lost or not about.sum() > 0 or not self._beliefs[s].sum() > 0
        return None if self._lost else self._parts(1 - s, about)

    def _heard(self, s: int, uttered: Uttered) -> Array:
        """L(y | u, m_L) [y] of the actual listener; updates what is believed of the speaker."""
        joint = self._joint if s == 0 else self._joint.transpose(1, 0, 2)
        lexicon = np.zeros((len(uttered.among), len(self._names[s])))
        for row, meanings in zip(lexicon, uttered.among.values(), strict=True):
            row[list(meanings)] = 1
        game = Game(joint, lexicon, self._beliefs[s], self._beliefs[1 - s], np.zeros(len(lexicon)), self._alpha)
        found, spoken = play(game, self._tolerance), list(uttered.among).index(uttered.says)
        belief = updated(game, found.speaker, spoken)
        self._beliefs[s] = belief / max(belief.max(), 1e-300)  # only ratios count, and long products would vanish
        return found.listener[spoken, self._means[1 - s]]

    def _parts(self, listener: int, about: Array) -> dict[str, Any]:
        a, b = self._beliefs
        pairs = self._joint.sum(2)
        prior = self._joint[self._means[0]] if listener == 0 else self._joint[:, self._means[1]]
        bits = entropy(prior.sum(0)) - entropy(about)
        step, self._bits[listener] = bits - self._bits[listener], bits
        return {
            "belief_A_about_B": _named(self._names[1], pairs[self._means[0]] * b),
            "belief_B_about_A": _named(self._names[0], pairs[:, self._means[1]] * a),
            "belief_y_L": _named(self._outcomes, about),
            "bits": bits,
            "step_bits": step,
            "entropy": entropy(about),
            "common_ground_entropy": entropy(self._joint * a[:, None, None] * b[None, :, None]),
        }


def _named(names: Sequence[str], weights: Array) -> dict[str, float]:
    """Probabilities, without those that are 0."""
    shares = weights / weights.sum()
    return {name: float(p) for name, p in zip(names, shares, strict=True) if p > 0}


def _read(dialogue: Dialogue) -> tuple[World | None, list[tuple[int, list[Uttered]]]]:
    """The world and what was said, by place of its turn. Raises DataError."""
    given = dialogue.scenario.plan.get("world")
    labelled = [(n, t.labels["uttered"]) for n, t in enumerate(dialogue.turns) if t.labels.get("uttered")]
    if given is None:
        return None, []
    try:
        world = World.model_validate(given)
        said = [(n, [Uttered.model_validate(u) for u in us]) for n, us in labelled]
    except ValidationError as error:
        field = "plan.world" if error.title == "World" else "turns.labels.uttered"
        raise _odd(dialogue, field, error.errors()[0]["msg"]) from None
    roles = (dialogue.learner, dialogue.partner)
    if set(world.meanings) != set(roles):
        raise _odd(dialogue, "plan.world.meanings", f"must be those of {' and '.join(roles)}")
    sizes = (*(len(world.meanings[role]) for role in roles), len(world.outcomes))
    if any(not 0 <= i < size for *places, _ in world.prior for i, size in zip(places, sizes, strict=True)):
        raise _odd(dialogue, "plan.world.prior", "names a meaning or an outcome that is not there")
    for place, uttered in said:
        role = dialogue.turns[place].role
        known = range(len(world.meanings.get(role, ())))
        if role not in roles or any(m not in known for u in uttered for meanings in u.among.values() for m in meanings):
            raise _odd(dialogue, f"turns[{place}].labels.uttered", "names a meaning that is not there")
    return world, said


def _odd(dialogue: Dialogue, field: str, what: str) -> DataError:
    return DataError(f"dialogue {dialogue.id}: {field}: {what}; see schemas/world.py")


def _too_large(world: World, said: Sequence[tuple[int, Sequence[Uttered]]]) -> bool:
    meanings = max(len(names) for names in world.meanings.values())
    return meanings > MOST_MEANINGS or any(len(u.among) > MOST_UTTERANCES for _, us in said for u in us)

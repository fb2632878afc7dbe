"""Who else the hidden side of a dialogue could be: other cases of the same base case, drawn from the family's prior
and weighted by how likely their program makes what the partner has done so far (methods §8).

Self-normalised importance sampling. A weight is the product, over the partner's turns, of the share of `DICE` seeds
with which the case's program makes the same move; what is compared is what a reader can see (`shown`). The learner's
moves tell nothing more where its policy goes by public words.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from schemas.contracts import Family, Services
from schemas.dialogue import Move, Turn
from schemas.identity import derive, rng
from schemas.scenario import Scenario

DICE = 8
"""Seeds of the program at each turn: what it draws from them is nothing a person is."""
PRIOR_DRAWS = 8_000
MOST = 200
"""Cases of one public side: what forty base cases find in all those draws, which take a few seconds."""
SHOWN = (
    "concern",
    "decided",
    "digresses",
    "facts_hinted",
    "goes_on",
    "hurried",
    "hurry",
    "known",
    "manner",
    "refuses",
    "stays",
    "trouble_part",
)
"""Labels of a partner's move that can be told from its words; others (what it costs, whether an item fits) cannot."""


class Public(NamedTuple):
    """What is known of a case before the first turn: its base case, and what everybody is given to read."""

    base_case_id: str
    text: str

    @classmethod
    def of(cls, family: Family, scenario: Scenario) -> "Public":
        return cls(scenario.base_case_id, scenario.views[family.learner].public)


def prior(family: Family, seed: int, draws: int = PRIOR_DRAWS) -> dict[Public, list[int]]:
    """Numbers of draws from a family's prior, the first `MOST` of each public side; `drawn` makes the case of one."""
    found: dict[Public, list[int]] = {}
    for number in range(draws):
        mine = found.setdefault(Public.of(family, drawn(family, seed, number)), [])
        if len(mine) < MOST:
            mine.append(number)
    return found


def drawn(family: Family, seed: int, number: int) -> Scenario:
    return family.sample(rng(seed, "prior", number))


def candidates(
    family: Family, public: Public, numbers: Sequence[int], case: Callable[[], Random], seed: int, variant: int = 0
) -> Iterator[Scenario]:
    """Cases with this public side, in this variant. `numbers`: of draws from the prior that have it; `case`: the stream
    that the true case was sampled from, for families that keep its text.
    """
    for n in range(MOST):
        other = family.another(case, rng(seed, "another", n))
        if other is None:
            yield from (family.vary(drawn(family, seed, number), variant) for number in numbers)
            return
        other = family.vary(other, variant)
        if Public.of(family, other) == public:
            yield other


@dataclass(frozen=True, slots=True)
class Weighed:
    """A case that could be the hidden one."""

    scenario: Scenario
    turns: tuple[Turn, ...]
    """The prefix, observed as this case's: whatever depended on the true hidden side is made anew."""
    weight: float


async def weigh(
    family: Family, scenario: Scenario, case: Scenario, turns: Sequence[Turn], services: Services
) -> Weighed | None:
    """`case` as the hidden side of the first turns of a dialogue of `scenario`; None: it cannot be."""
    if not _could_tell(case, scenario, turns):
        return None
    weight, done = 1.0, list[Turn]()
    for turn in turns:
        if turn.role == family.partner:
            weight *= _likelihood(family, case, done, turn)
            if not weight:
                return None
        done.append(await observed(family, case, done, turn, services))
    return Weighed(case, tuple(done), weight)


def effective(weights: Sequence[float]) -> float:
    """Kish's effective sample size, (sum w)^2 / sum w^2; 0 of none."""
    return sum(weights) ** 2 / sum(w * w for w in weights) if any(weights) else 0.0


async def observed(family: Family, scenario: Scenario, before: Sequence[Turn], turn: Turn, services: Services) -> Turn:
    """A turn as it would stand had its dialogue been one of `scenario`."""
    bare = turn.model_copy(update={"state": None, "belief": None, "answer_correct": None})
    return await family.observe(scenario, before, bare, services)


def _likelihood(family: Family, case: Scenario, before: Sequence[Turn], turn: Turn) -> float:
    seen = shown(turn.kind, turn.intent_requested, turn.facts_disclosed, turn.labels)
    hits = 0
    for n in range(DICE):
        step = family.next(case.model_copy(update={"seed": derive(case.seed, "dice", len(before), n)}), before)
        hits += isinstance(step, Move) and step.role == turn.role and _moved(step) == seen
    return hits / DICE


def _moved(move: Move) -> tuple[Any, ...]:
    return shown(move.kind, move.intent, move.fact_ids, move.labels)


def shown(kind: str, intent: str | None, told: Sequence[str], labels: dict[str, Any]) -> tuple[Any, ...]:
    """What a reader can tell of a move or of the turn it became."""
    return kind, intent, sorted(told), {name: labels[name] for name in SHOWN if labels.get(name)}


def _could_tell(case: Scenario, scenario: Scenario, turns: Sequence[Turn]) -> bool:
    """Whether a case holds every fact that has come out, with the same value where the goal takes it. Others may stand
    in other words: nothing depends on them.
    """
    held = {(role, fact.id): fact for role, view in case.views.items() for fact in view.facts}
    out = {(turn.role, i) for turn in turns for i in turn.facts_disclosed}
    said = {(role, fact.id): fact for role, view in scenario.views.items() for fact in view.facts}
    return all(at in held and (not held[at].required or held[at].value == said[at].value) for at in out)

"""What the learner could believe after each thing its partner said, as a judge reads it (methods §9: elsewhere than in
counted worlds, log judged beliefs). `rewards.belief` is the exact one: two names, so that no mean holds both.
"""

from collections.abc import Iterable, Mapping
from math import log2
from typing import Any, Literal, NamedTuple

from pydantic import Field

from rewards.needs import mind
from rewards.solving import drawn, not_drawn
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import JUDGE, ChatModel, Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.errors import ContentError
from schemas.identity import derive, stable_hash
from schemas.judgement import RewardValue

NAME = "judged_belief"
MOST_CHOICES = 64
_SAMPLING = Sampling(temperature=0.0, max_tokens=400)
_SYSTEM = (
    "You read a conversation. {about} Say how likely each of those listed seems to the {role}, who knows nothing but"
    " what was said: from 0, ruled out, to 100, certain. Where nothing speaks for one or another, give all the same."
)
_PROBLEM = "It is about a problem that has one right answer among those listed."
_WISH = "What the {learner} is after: {goal}. How the {partner} will decide in the end is one of those listed."
_AGREES, _NOT = "agrees", "does not agree"


class Question(NamedTuple):
    """What a listener may come to know."""

    of: Literal["answer", "decision"]
    about: str
    """For the judge."""
    choices: tuple[str, ...]
    right: frozenset[str] | None
    """None: nobody knows."""


class JudgedBelief(Reward):
    """Of each thing the partner said: the bits by which a judge finds the learner surer of what is to be found out
    than somebody who has heard nothing, log2(number of choices) - H(belief). That is (`of`) the `answer` where it is
    one of 2 to 64 that the scenario lists, or the `decision` of a partner who is asked for something: to agree or not.

    `parts`: `belief_y_L` by choice, normalised, and the judge's own numbers as `raw`; `right`, the belief in what is so
    (None of a decision that a fault cut off); `step_bits` since the turn before; `entropy`. None where the world is
    counted (`counted_world`: `belief` is exact there), nothing of the kind is to be found out (`no_choices`), nobody
    judges (`no_judge`), and of a turn where the judge gave no answer or ruled all out (`all_ruled_out`).
    """

    share: float = Field(default=1.0, gt=0, le=1)
    """Of the turns, drawn by chance; the same ones as a solver's rewards of this share."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        question = _question(dialogue)
        said = [n for n, t in enumerate(dialogue.turns) if t.role == dialogue.partner and t.kind == "utterance"]
        if isinstance(question, str) or not said or JUDGE not in services.chat:
            reason = question if isinstance(question, str) else "no_judge" if said else "nothing_uttered"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        found: list[RewardValue] = []
        before = 0.0
        for place in said:
            if not drawn(dialogue, place, self.share):
                found.append(not_drawn(NAME, place))
                continue
            value = await _value(dialogue, place, question, before, services.chat[JUDGE])
            before = before if value.value is None else value.value
            found.append(value)
        return found


def belief(weights: Mapping[str, float]) -> dict[str, float] | None:
    """Normalised; None where nothing is left."""
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total > 0 else None


def entropy(shares: Iterable[float]) -> float:
    """Bits."""
    return -sum(p * log2(p) for p in shares if p > 0) + 0.0


async def _value(dialogue: Dialogue, place: int, question: Question, before: float, judge: ChatModel) -> RewardValue:
    try:
        reply = await judge.ask(_request(dialogue, place, question))
    except ContentError as fault:
        return RewardValue(name=NAME, scope="turn", turn=place, value=None, reason=fault.reason)
    raw = {choice: float(reply.data[str(n)]) for n, choice in enumerate(question.choices, 1)}
    parts: dict[str, Any] = {"of": question.of, "raw": raw}
    value, reason, believed = None, "all_ruled_out", belief(raw)
    if believed is not None:
        left = entropy(believed.values())
        value, reason = log2(len(raw)) - left, None
        parts |= {
            "belief_y_L": believed,
            "right": _right(believed, question.right),
            "bits": value,
            "step_bits": value - before,
            "entropy": left,
        }
    grader = f"{reply.model} {stable_hash(_SYSTEM, question.of)} temperature={_SAMPLING.temperature}"
    return RewardValue(name=NAME, scope="turn", turn=place, value=value, parts=parts, grader=grader, reason=reason)


def _request(dialogue: Dialogue, place: int, question: Question) -> ChatRequest:
    """A number for each choice, by its own number in the list."""
    listed = [f"{n}. {choice}" for n, choice in enumerate(question.choices, 1)]
    system = _SYSTEM.format(about=question.about, role=dialogue.learner)
    heard = "\n".join(_lines(dialogue.turns[: place + 1]))
    messages = (Message("system", "\n".join([system, *listed])), Message("user", heard))
    names = [str(n) for n in range(1, len(question.choices) + 1)]
    schema = {
        "type": "object",
        "properties": {n: {"type": "integer", "minimum": 0, "maximum": 100} for n in names},
        "required": names,
        "additionalProperties": False,
    }
    seed = derive(dialogue.scenario.seed, place, NAME)
    return ChatRequest(CallKey(turn=place, step=NAME), messages, _SAMPLING, seed, json_schema=schema)


def _right(believed: Mapping[str, float], right: frozenset[str] | None) -> float | None:
    return None if right is None else sum(p for choice, p in believed.items() if choice in right)


def _question(dialogue: Dialogue) -> Question | str:
    """What is to be found out, or why nothing is."""
    scenario, verifier = dialogue.scenario, dialogue.scenario.verifier
    if scenario.plan.get("world") is not None:
        return "counted_world"
    choices = tuple(dict.fromkeys(str(choice) for choice in scenario.plan.get("choices") or ()))
    if verifier is not None and verifier.kind == "choice" and 2 <= len(choices) <= MOST_CHOICES:
        return Question("answer", _PROBLEM, choices, frozenset(c for c in choices if verifier.check(c)))
    if (end := mind(dialogue, dialogue.turns)) is not None:
        about = _WISH.format(learner=dialogue.learner, goal=scenario.goal, partner=dialogue.partner)
        right = frozenset({_AGREES if end["decision"] == "accept" else _NOT})
        return Question("decision", about, (_AGREES, _NOT), None if dialogue.ending.reason == "fault" else right)
    return "no_choices"


def _lines(turns: Iterable[Turn]) -> list[str]:
    return [f"{t.role.capitalize()}: {t.text}" for t in turns if t.kind == "utterance" and t.text]

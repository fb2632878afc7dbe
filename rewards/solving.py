"""A fresh solver, the generic role `solver`: one structured call an attempt at a problem, seeded by what it is for."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import SOLVER, Services
from schemas.dialogue import Dialogue
from schemas.errors import ContentError
from schemas.identity import derive, stable_hash
from schemas.judgement import RewardValue
from schemas.scenario import Verifier

_SAMPLING = Sampling(temperature=0.7, max_tokens=120)
_SCHEMA = {
    "type": "object",
    "properties": {
        "work": {"type": "string", "minLength": 1, "maxLength": 200},
        "answer": {"type": "string", "minLength": 1, "maxLength": 60},
    },
    "required": ["work", "answer"],
    "additionalProperties": False,
}
FORMS = {
    "number": "a number alone",
    "date": "a date as year-month-day",
    "set": "names separated by commas",
    "choice": "one or two words",
    "text": "a few words",
}
"""How an answer should look, by the verifier's kind; of a program no solver is asked."""


class Solved(NamedTuple):
    """Of the attempts that gave an answer."""

    hits: int
    tried: int
    grader: str
    """Model, prompt hash and sampling; empty where no attempt gave an answer."""
    answers: tuple[str, ...]

    @property
    def rate(self) -> float | None:
        return self.hits / self.tried if self.tried else None

    @property
    def variance(self) -> float:
        """Of the rate, where there is one."""
        return self.hits * (self.tried - self.hits) / self.tried**3

    def reaches(self, needed: int, n: int) -> bool | None:
        """Whether at least so many of n attempts are right; None where too many gave no answer to tell."""
        if self.hits >= needed:
            return True
        return False if self.tried - self.hits > n - needed else None


class Task(NamedTuple):
    """What a solver is shown, for which turn of a dialogue."""

    place: int
    name: str
    """Of the test, in snake_case: part of the calls' key and of their seeds."""
    messages: tuple[Message, ...]

    @classmethod
    def of(cls, place: int, name: str, system: str, *parts: str) -> "Task":
        return cls(place, name, (Message("system", system), Message("user", "\n".join(parts))))


def untestable(dialogue: Dialogue, services: Services) -> str | None:
    """Why no solver can say anything of a dialogue; None where one can."""
    if SOLVER not in services.chat:
        return "no_solver"
    verifier = dialogue.scenario.verifier
    if verifier is None or verifier.kind not in FORMS:
        return "no_verifier"
    return "no_answer" if dialogue.scenario.session_latents.get("initiative") == "hopeless" else None


def unteaching(dialogue: Dialogue, services: Services) -> str | None:
    """Why no solver can say what the partner's turns give away or are good for; None where one can."""
    reason = untestable(dialogue, services)
    view = dialogue.scenario.views.get(dialogue.partner)
    return reason or (None if view is not None and view.private.get("answer") else "partner_knows_no_answer")


def lessons(dialogue: Dialogue) -> Sequence[int]:
    """Places of what the partner said, the problem aside, before the learner was right."""
    public = {view.public for view in dialogue.scenario.views.values()}
    right = next((n for n, t in enumerate(dialogue.turns) if t.answer_correct), len(dialogue.turns))
    said = enumerate(dialogue.turns[:right])
    return [n for n, t in said if t.role == dialogue.partner and t.kind == "utterance" and t.text not in public]


def drawn(dialogue: Dialogue, place: int, share: float) -> bool:
    """Whether the turn is of the share that a solver is asked about: the same turns for every reward."""
    return derive(dialogue.scenario.seed, "solver", place) / 2**63 < share


def not_drawn(name: str, place: int) -> RewardValue:
    return RewardValue(name=name, scope="turn", turn=place, value=None, reason="not_drawn")


async def solve(
    task: Task, verifier: Verifier, seed: int, services: Services, n: int, needed: int | None = None
) -> Solved:
    """`n` attempts, each right by the verifier or not. `needed`: no more than it takes to know whether so many of the n
    are right. An attempt that gives no answer counts for neither.
    """
    found = Solved(0, 0, "", ())
    async for reply in attempts(task, _SCHEMA, seed, services, n):
        answer = str(reply.data["answer"])
        hits = found.hits + verifier.check(answer)
        found = Solved(hits, found.tried + 1, _grader(task, reply), (*found.answers, answer))
        if needed is not None and found.reaches(needed, n) is not None:
            break
    return found


async def attempts(
    task: Task, schema: dict[str, Any], seed: int, services: Services, n: int
) -> AsyncIterator[ChatReply]:
    """The replies to `n` calls, one after the other, without those that are none of the schema's."""
    for attempt in range(n):
        key = CallKey(turn=task.place, step=f"solver/{task.name}", attempt=attempt)
        drawn = derive(seed, key.turn, key.step, attempt)
        request = ChatRequest(key, task.messages, _SAMPLING, drawn, json_schema=schema)
        try:
            reply = await services.chat[SOLVER].ask(request)
        except ContentError:
            continue
        yield reply


def _grader(task: Task, reply: ChatReply) -> str:
    prompt = stable_hash([[m.role, m.content] for m in task.messages])
    return f"{reply.model} {prompt} temperature={_SAMPLING.temperature}"

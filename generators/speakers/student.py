"""The student of a tutoring dialogue: asks for what is missing, answers with working and answer apart, or explains
its answer.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from generators.latents.tagger import is_question
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from generators.tasks.problem import mentions
from schemas.chat import ChatReply, Sampling
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.scenario import View

_FORM = ("answer_kind", "choices")
"""What a move says of the form of its answer; no label."""


class Student(PromptedSpeaker):
    """Asks in one sentence; answers as `{say, answer}` under a schema, so that the answer never has to be parsed out
    of prose.
    """

    system: str = (
        "{brief} You text with your tutor about a problem. Text one short sentence: what the note in brackets says."
    )
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="A box of eggs weighs 2 kilos. How heavy are all the boxes?",
            note="ask: how many boxes there are?",
            message="How many boxes are there?",
            intent="ask",
        ),
        Demonstration(
            heard="There are 6 of them, and the rest is in the shed. How many bottles are left?",
            note="ask: how many bottles Ben breaks?",
            message="How many bottles does Ben break?",
            intent="ask",
        ),
        Demonstration(
            heard="Sure, there are 6 boxes.",
            note="work it out in one short sentence, answer with a number",
            message='{"say": "6 boxes of 2 kilos weigh 12 kilos.", "answer": "12"}',
            intent="answer",
        ),
        Demonstration(
            heard="Not quite. What did you do first?",
            note="say in one short sentence how you got 8",
            message="I added the 6 boxes and the 2 kilos.",
            intent="explain",
        ),
    )
    sampling: Sampling = Sampling(temperature=0.4, min_p=0.1, max_tokens=70)
    """The longest answer is a sentence of 110 characters and its answer, as JSON; a program takes `program_tokens`."""
    program_tokens: int = Field(default=500, ge=1)
    """Most tokens of an answer that is a program."""

    def shown(self, spoken: Sequence[Turn], move: Move) -> Sequence[Turn]:
        """Where the history is short, a question is phrased from the note alone: with the whole problem before it a
        small model answers instead. An answer needs the problem, which was said first, and the latest messages.
        """
        if self.history is None:
            return spoken
        if move.intent == "ask":
            return spoken[-1:]
        return [*spoken[:1], *spoken[1:][-self.history :]]

    def answer_schema(self, view: View, move: Move) -> dict[str, Any] | None:
        if move.intent != "answer":
            return None
        return _schema(move.labels["answer_kind"], tuple(move.labels["choices"] or ()))

    def sampled(self, move: Move) -> Sampling:
        if move.labels.get("answer_kind") != "python":
            return self.sampling
        return self.sampling.model_copy(update={"max_tokens": self.program_tokens})

    def text(self, reply: ChatReply, move: Move) -> str:
        if move.intent != "answer":
            return super().text(reply, move)
        said, answer = str(reply.data["say"]).strip(), str(reply.data["answer"]).strip()
        said = said if said.endswith((".", "!", "?")) else f"{said}."
        if move.labels["answer_kind"] == "python":
            return f"{said}\n```python\n{answer}\n```"
        claimed = (
            mentions(said, answer) and "misconception" not in move.labels
        )  # of a wrong one it may be a given alone
        return said if claimed else f"{said} So my answer is {answer}."

    def known(self, reply: ChatReply, move: Move) -> dict[str, Any]:
        return {"answer": str(reply.data["answer"]).strip()} if move.intent == "answer" else {}

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        if move.intent == "ask" and not is_question(turn.text or ""):
            raise InvalidOutput(f"asked for a question, got {turn.text!r}", "intent_not_met")
        decision = {
            "decision": move.intent,
            "acts": (move.intent,),
            "intent_detected": move.intent,
            "labels": {name: value for name, value in turn.labels.items() if name not in _FORM},
        }
        return turn.model_copy(update=decision)


class _Worked(BaseModel):
    """An answer: the working comes first, so that the answer follows from it."""

    model_config = ConfigDict(extra="forbid")

    say: Annotated[str, Field(min_length=5, max_length=110)]


@lru_cache(256)
def _schema(kind: str, choices: tuple[str, ...]) -> dict[str, Any]:
    return create_model("Answer", __base__=_Worked, answer=_answer(kind, choices)).model_json_schema()


def _answer(kind: str, choices: tuple[str, ...]) -> Any:
    if choices:
        return Literal[choices]
    match kind:
        case "python":
            return Annotated[str, Field(min_length=1, max_length=1500)]
        case "number":
            return Annotated[str, Field(pattern=r"^-?[0-9]{1,7}(\.[0-9]{1,3})?$")]
        case "date":
            return Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
        case _:
            return Annotated[str, Field(min_length=1, max_length=60)]

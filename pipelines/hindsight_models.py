"""Models in `overture hindsight`: a judge that says what an expert's turn asks for and how well a question goes for it,
and the model whose next question is graded.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.hindsight_logs import Go, Log
from pipelines.hindsight_reading import Reading
from pipelines.hindsight_rows import PROGRAM, STOP, Candidate, Cut, Micro, known_grade
from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import JUDGE, ChatModel
from schemas.errors import ContentError
from schemas.identity import derive, stable_hash

ASKER = "asker"
"""Under which the model is asked whose questions are graded."""
_ATTEMPTS = 2
"""Of one answer; the second is sampled, since a greedy one would be the first again."""
_SECOND = 0.7
_MOST_SLOTS = 4
_READ = (
    "An expert talks with somebody. First the expert asks, or examines, to learn about the case; then the expert tells "
    "findings and what to do. You read one message of the expert. `does`: asks, tells, or other (a greeting, a "
    "courtesy, a check whether something was understood, a matter of form). `asked`: what it asks about the case, in a "
    "few words each, with what the answer says of it; nothing that was answered vaguely. Empty if it asks nothing."
)
_READ_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "does": {"enum": ["asks", "tells", "other"]},
        "asked": {
            "type": "array",
            "maxItems": _MOST_SLOTS,
            "items": {
                "type": "object",
                "properties": {
                    "slot": {"type": "string", "minLength": 1, "maxLength": 60},
                    "value": {"type": "string", "minLength": 1, "maxLength": 80},
                },
                "required": ["slot", "value"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["does", "asked"],
    "additionalProperties": False,
}
_EVIDENCE: Mapping[str, int] = {"asks": 1, "tells": -1, "other": 0}
_GRADE = (
    "You are shown what an expert still had to find out about a case, and a question. Say how well the question goes "
    "for it: precise (it asks for one of these things), near (it asks for something close to one of them), or neither."
)
_GRADE_SCHEMA: dict[str, Any] = {"type": "string", "enum": ["precise", "near", "neither"]}
_VALUES: Mapping[str, float] = {"precise": 1.0, "near": 0.5, "neither": 0.0}
_ASK = (
    "You are the expert in the conversation below. You ask, to learn about the case, before you tell anything. Say the "
    f"one question you need most next, and nothing else. When you know enough, say {STOP} and nothing else."
)
_READING = Sampling(temperature=0.0, max_tokens=220)
_GRADING = Sampling(temperature=0.0, max_tokens=8)
_ASKING = Sampling(temperature=0.7, max_tokens=60)


class Asker(NamedTuple):
    """The models of one dialogue, every call through the journal."""

    chat: Mapping[str, ChatModel]
    """By role: the judge, the model whose questions are graded."""
    judge: str | None
    """The judge's model; None where there is none."""
    seed: int
    lost: Counter[str]
    """Of all dialogues: which calls gave no answer, and why."""

    @property
    def extractor(self) -> str:
        return PROGRAM if self.judge is None else f"{self.judge} {stable_hash(_READ)[:16]} temperature=0"

    async def read(self, log: Log, goes: Sequence[Go]) -> list[Reading | None]:
        return [await self._read(log, go) for go in goes]

    async def _read(self, log: Log, go: Go) -> Reading | None:
        before = next((s.text for s in reversed(log.said) if s.turn < go.turn), "")
        shown = [f"Before: {before}"] if before else []
        shown += [f"Expert: {go.text}", f"Answer: {go.reply or '(none)'}"]
        messages = (Message("system", _READ), Message("user", "\n".join(shown)))
        reply = await self._answer(CallKey(go.turn, "hindsight/read"), messages, _READING, _READ_SCHEMA)
        if isinstance(reply, str):
            return None
        asked = tuple((str(a["slot"]), str(a["value"])) for a in reply.data["asked"])
        evidence = _EVIDENCE[reply.data["does"]]
        return Reading(evidence, asked if evidence > 0 else ())

    async def grade(self, cut: Cut, candidate: Candidate) -> Micro:
        if (known := known_grade(cut, candidate)) is not None:
            return known
        listed = [f"- {slot}" for slot in dict.fromkeys(a.slot for a in cut.info or ())]
        shown = "\n".join(["Still to find out:", *listed, "", f"Question: {candidate.text}"])
        messages = (Message("system", _GRADE), Message("user", shown))
        key = CallKey(cut.go.turn, f"hindsight/grade/{candidate.source}")
        reply = await self._answer(key, messages, _GRADING, _GRADE_SCHEMA)
        if isinstance(reply, str):
            return Micro(None, JUDGE, reply)
        return Micro(_VALUES[reply.data], f"{reply.model} {stable_hash(_GRADE)[:16]} temperature=0")

    async def propose(self, cut: Cut) -> Candidate:
        """What the model would say, seeing what was said before."""
        lines = [f"{'Expert' if s.expert else 'Other'}: {s.text}" for s in cut.log.said if s.turn < cut.go.turn]
        shown = "\n".join([*(lines or ["(The conversation begins.)"]), "Expert:"])
        messages = (Message("system", _ASK), Message("user", shown))
        key = CallKey(cut.go.turn, "hindsight/propose")
        request = ChatRequest(key, messages, _ASKING, derive(self.seed, cut.cid, "propose"), stop=("\n",))
        try:
            reply = await self.chat[ASKER].ask(request)
        except ContentError as fault:
            self.lost[f"question {fault.reason}"] += 1
            return Candidate("model", None, None, fault.reason)
        said = reply.text.strip()
        if not said:
            return Candidate("model", None, None, "empty")
        return Candidate("model", said, "stop" if said.strip(" .*!") == STOP else "continue")

    async def _answer(
        self, key: CallKey, messages: tuple[Message, ...], sampling: Sampling, schema: dict[str, Any]
    ) -> ChatReply | str:
        """The reason instead, where no attempt gave an answer of the schema."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            drawn = sampling if not attempt else sampling.model_copy(update={"temperature": _SECOND})
            at = CallKey(key.turn, key.step, attempt)
            seed = derive(self.seed, at.turn, at.step, attempt)
            try:
                return await self.chat[JUDGE].ask(ChatRequest(at, messages, drawn, seed, json_schema=schema))
            except ContentError as fault:
                reason = fault.reason
        self.lost[f"{key.step.split('/')[1]} {reason}"] += 1
        return reason

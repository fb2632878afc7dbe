"""The services a dialogue is played with: every call through the journal, every prompt kept for the leak scan."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import orjson

from inference.client import Connections, HttpChatModel, HttpEmbedder, request_hash
from pipelines.journal import Answer, Journal, Place
from schemas.chat import ChatReply, ChatRequest, EndpointSpec, Sampling
from schemas.contracts import Services
from schemas.errors import ContentError, ContextOverflow, InvalidOutput
from schemas.identity import stable_hash


@dataclass(frozen=True, slots=True)
class RoleModel:
    """One role's model, resolved: picklable, so that it travels to any worker."""

    endpoint: EndpointSpec
    sampling: Mapping[str, float | int] = field(default_factory=dict[str, float | int])
    """What is sampled differently than the speakers say."""


@dataclass(slots=True)
class Usage:
    """What a worker has asked for so far."""

    calls: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0

    def add(self, reply: ChatReply) -> None:
        self.calls += 1
        self.prompt_tokens += reply.prompt_tokens
        self.cached_tokens += reply.cached_tokens
        self.completion_tokens += reply.completion_tokens
        self.prefill_ms += reply.prefill_ms or 0.0
        self.decode_ms += reply.decode_ms or 0.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered request: which role read it, before which turn."""

    role: str
    turn: int
    text: str


@dataclass(slots=True)
class DialogueCalls:
    """The journalled calls of one dialogue."""

    journal: Journal
    dialogue_id: str
    usage: Usage
    prompts: list[Prompt] = field(default_factory=list[Prompt])
    answered: Mapping[Place, Answer] = field(init=False)

    def __post_init__(self) -> None:
        self.answered = self.journal.answers(self.dialogue_id)

    def recall(self, place: Place, request: str) -> bytes | None:
        """The journalled answer to this very request; None when there is none."""
        found = self.answered.get(place)
        return found.answer if found is not None and found.request == request else None

    async def keep(self, place: Place, request: str, answer: bytes) -> None:
        await self.journal.put(self.dialogue_id, place, Answer(request, answer))


@dataclass(frozen=True, slots=True)
class JournalledChat:
    """A role's ChatModel whose answers, unusable ones included, are asked for once.

    Raises ContextOverflow or InvalidOutput for an unusable one, be it new or journalled.
    """

    role: str
    model: HttpChatModel
    name: str
    sampling: Mapping[str, float | int]
    calls: DialogueCalls

    async def ask(self, request: ChatRequest) -> ChatReply:
        if self.sampling:
            request = replace(
                request, sampling=Sampling.model_validate({**request.sampling.model_dump(), **self.sampling})
            )
        self.calls.prompts.append(Prompt(self.role, request.key.turn, "\n".join(m.content for m in request.messages)))
        hashed = request_hash(request, self.name)
        place = Place("", request.key.turn, request.key.step, request.key.attempt)
        known = self.calls.recall(place, hashed)
        if known is not None:
            self.calls.usage.replayed += 1
            return _decoded(known)
        try:
            reply = await self.model.ask(request)
        except ContentError as fault:
            await self.calls.keep(place, hashed, _encoded_fault(fault))
            raise
        self.calls.usage.add(reply)
        await self.calls.keep(place, hashed, orjson.dumps(asdict(reply)))
        return reply


@dataclass(frozen=True, slots=True)
class JournalledEmbedder:
    """An Embedder whose vectors are asked for once a dialogue."""

    model: HttpEmbedder
    name: str
    calls: DialogueCalls

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return await self.model.embed(texts)
        hashed = stable_hash(self.name, list(texts))
        place = Place("", -1, f"embed/{hashed[:16]}", 0)
        known = self.calls.recall(place, hashed)
        if known is None:
            vectors = (await self.model.embed(texts)).astype(np.float32)
            await self.calls.keep(place, hashed, vectors.tobytes())
            return vectors
        return np.frombuffer(known, np.float32).reshape(len(texts), -1)


def services_of(
    calls: DialogueCalls, connections: Connections, roles: Mapping[str, RoleModel], embedder: EndpointSpec
) -> Services:
    chat = {
        role: JournalledChat(role, connections.chat(m.endpoint), m.endpoint.model, m.sampling, calls)
        for role, m in roles.items()
    }
    return Services(chat=chat, embed=JournalledEmbedder(connections.embedder(embedder), embedder.model, calls))


def _encoded_fault(fault: ContentError) -> bytes:
    return orjson.dumps({"fault": type(fault).__name__, "message": str(fault), "reason": fault.reason})


def _decoded(answer: bytes) -> ChatReply:
    data: dict[str, Any] = orjson.loads(answer)
    if "fault" not in data:
        return ChatReply(**data)
    if data["fault"] == "ContextOverflow":
        raise ContextOverflow(data["message"])
    raise InvalidOutput(data["message"], data["reason"])

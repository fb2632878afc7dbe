"""The services a dialogue is played with: every call through the journal, every prompt kept for the leak scan."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import InitVar, asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from inference.client import Connections, HttpChatModel, Prepared
from inference.pool import Pool
from pipelines.confined import passes
from pipelines.journal import Answer, Journal, Place
from schemas.chat import Candidate, ChatReply, ChatRequest, EndpointSpec, Message, Sampling, Weighed
from schemas.contracts import JUDGE, KNOWS_BOTH, SOLVER, Services, by_code
from schemas.errors import ContentError, ContextOverflow, InvalidOutput, Unanswered
from schemas.identity import stable_hash
from schemas.scenario import Checked, Verifier

if TYPE_CHECKING:
    import numpy as np

PROGRAMS = 2
"""That a worker has run at a time, of those that models wrote."""
_NO_DIALOGUE = ""
_FAULTS: Mapping[str, type[ContextOverflow] | type[Unanswered]] = {
    "ContextOverflow": ContextOverflow,
    "Unanswered": Unanswered,
}


@dataclass(frozen=True, slots=True)
class RoleModel:
    """One role's model, resolved: picklable, so that it travels to any worker."""

    endpoints: tuple[EndpointSpec, ...]
    sampling: Mapping[str, float | int] = field(default_factory=dict[str, float | int])
    """What is sampled differently than the speakers say."""
    endpoints_file: str | None = None
    """Lists the endpoints of this model, and is read again while a worker runs."""

    @property
    def model(self) -> str:
        return self.endpoints[0].model


@dataclass(slots=True)
class Usage:
    """What one role has asked for so far."""

    calls: int = 0
    replayed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    seconds: float = 0.0
    """That its answers were waited for, in queues too."""

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
    messages: tuple[Message, ...]


@dataclass(slots=True)
class DialogueCalls:
    """The journalled calls of one dialogue, or of a branch of it."""

    journal: Journal
    dialogue_id: str
    usage: Mapping[str, Usage]
    """By role; of the whole worker."""
    known: InitVar[Mapping[Place, Answer] | None] = None
    """What was answered before; None: the journal is asked."""
    labels: dict[str, Usage] = field(default_factory=dict[str, Usage])
    """By reward; of the whole worker."""
    reward: str | None = None
    """That the calls are for now; None: for the dialogue itself."""
    branch: str = ""
    prompts: list[Prompt] = field(default_factory=list[Prompt])
    held: dict[str, int] = field(default_factory=dict[str, int])
    """Tokens of each role's last context, which its endpoint has cached."""
    took: Usage = field(default_factory=Usage)
    """Calls and tokens of this dialogue or branch, journalled ones included."""
    answered: Mapping[Place, Answer] = field(init=False)

    def __post_init__(self, known: Mapping[Place, Answer] | None) -> None:
        self.answered = self.journal.answers(self.dialogue_id) if known is None else known

    def branched(self, path: str) -> "DialogueCalls":
        """Those of a branch, which are for the same reward."""
        return replace(self, known=self.answered, branch=path, prompts=[], held={}, took=Usage())

    def place(self, turn: int, step: str, attempt: int = 0) -> Place:
        return Place(self.branch, turn, step, attempt)

    def counted(self, role: str) -> list[Usage]:
        """Where an answer to this role's request is counted."""
        found = [self.usage[role]]
        return found if self.reward is None else [*found, self.labels.setdefault(self.reward, Usage())]

    def recall(self, place: Place, request: str) -> bytes | None:
        """The journalled answer to this very request; None when there is none."""
        found = self.answered.get(place)
        return found.answer if found is not None and found.request == request else None

    async def keep(self, place: Place, request: str, answer: bytes) -> None:
        await self.journal.put(self.dialogue_id, place, Answer(request, answer))


class Answering(Protocol):
    """Who answers a role's requests in one dialogue: a `Conversation` with a model, or a person."""

    def prepare(self, request: ChatRequest) -> Prepared: ...

    async def send(self, prepared: Prepared) -> ChatReply: ...


@dataclass(frozen=True, slots=True)
class JournalledChat:
    """A role's ChatModel whose answers, unusable ones included, are asked for once.

    Raises ContextOverflow, InvalidOutput or Unanswered for an unusable one, be it new or journalled.
    """

    role: str
    model: Answering
    sampling: Mapping[str, float | int]
    calls: DialogueCalls

    async def ask(self, request: ChatRequest) -> ChatReply:
        if self.sampling:
            request = replace(
                request, sampling=Sampling.model_validate({**request.sampling.model_dump(), **self.sampling})
            )
        # else it is shown more than one side, and comes back to no context
        speaks = self.role not in (JUDGE, SOLVER) and not request.key.step.startswith(KNOWS_BOTH)
        if speaks:
            self.calls.prompts.append(Prompt(self.role, request.key.turn, request.messages))
        asked = self.model.prepare(request)
        place = self.calls.place(request.key.turn, request.key.step, request.key.attempt)
        known = self.calls.recall(place, asked.hash)
        reply = await self._sent(asked, place) if known is None else self._replayed(known)
        self.calls.took.add(reply)
        if speaks and known is None:
            self.calls.held[self.role] = reply.prompt_tokens + reply.completion_tokens
        return reply

    def _replayed(self, known: bytes) -> ChatReply:
        for usage in self.calls.counted(self.role):
            usage.replayed += 1
        return _decoded(known)

    async def _sent(self, asked: Prepared, place: Place) -> ChatReply:
        counted, began = self.calls.counted(self.role), time.monotonic()
        try:
            reply = await self.model.send(asked)
        except ContentError as fault:
            if fault.reply is not None:
                _count(counted, fault.reply, began)
            await self.calls.keep(place, asked.hash, _encoded_fault(fault))
            raise
        _count(counted, reply, began)
        await self.calls.keep(place, asked.hash, orjson.dumps(reply))
        return reply


class Embedding(Protocol):
    """What makes vectors of a model's name, or has made them."""

    @property
    def model(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> "np.ndarray": ...


class Phrases:
    """Vectors of texts that many dialogues compare with: asked for once a worker, and journalled under no dialogue."""

    def __init__(self, model: Embedding, journal: Journal):
        self._model = model
        self._calls = DialogueCalls(journal, _NO_DIALOGUE, {})
        self._known: dict[str, np.ndarray] = {}
        self._asking = asyncio.Lock()

    async def vectors(self, texts: Sequence[str]) -> "np.ndarray":
        """float32 [len(texts), dim]; `texts` must not be empty."""
        import numpy as np

        if any(text not in self._known for text in texts):
            async with self._asking:
                await self._ask([text for text in dict.fromkeys(texts) if text not in self._known])
        return np.stack([self._known[text] for text in texts])

    async def _ask(self, texts: Sequence[str]) -> None:
        import numpy as np

        hashes = {text: stable_hash(self._model.model, text) for text in texts}
        places = {text: Place("", -1, f"phrase/{hashed[:16]}", 0) for text, hashed in hashes.items()}
        for text, place in places.items():
            if (known := self._calls.recall(place, hashes[text])) is not None:
                self._known[text] = np.frombuffer(known, np.float32)
        if missing := [text for text in texts if text not in self._known]:
            found = dict(zip(missing, (await self._model.embed(missing)).astype(np.float32), strict=True))
            await asyncio.gather(*(self._calls.keep(places[t], hashes[t], v.tobytes()) for t, v in found.items()))
            self._known |= found


@dataclass(frozen=True, slots=True)
class JournalledEmbedder:
    """An Embedder whose vectors are asked for once a dialogue."""

    model: Embedding
    calls: DialogueCalls
    known: Phrases

    async def embed(self, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np  # 12 MB that a worker needs only where something is embedded

        if not texts:
            return await self.model.embed(texts)
        hashed = stable_hash(self.model.model, list(texts))
        place = self.calls.place(-1, f"embed/{hashed[:16]}")
        known = self.calls.recall(place, hashed)
        if known is None:
            vectors = (await self.model.embed(texts)).astype(np.float32)
            await self.calls.keep(place, hashed, vectors.tobytes())
            return vectors
        return np.frombuffer(known, np.float32).reshape(len(texts), -1)

    async def phrases(self, texts: Sequence[str]) -> "np.ndarray":
        return await self.known.vectors(texts) if texts else await self.embed(texts)


@dataclass(frozen=True, slots=True)
class JournalledVerify:
    """Programs are run once: what one did in its time another machine, or another hour, need not see again."""

    calls: DialogueCalls
    running: asyncio.Semaphore

    async def __call__(self, verifier: Verifier, answer: str, turn: int) -> Checked:
        if verifier.kind != "python":
            return await by_code(verifier, answer, turn)
        place, hashed = self.calls.place(turn, "verify"), stable_hash(answer, verifier.tests)
        known = self.calls.recall(place, hashed)
        if known is not None:
            return Checked(*orjson.loads(known))
        async with self.running:
            checked = await asyncio.to_thread(passes, answer, verifier.tests)
        await self.calls.keep(place, hashed, orjson.dumps(tuple(checked)))
        return checked


class Models:
    """The models of a worker's roles, over the connections of its loop."""

    def __init__(self, connections: Connections, roles: Mapping[str, RoleModel], embedder: EndpointSpec):
        self.usage = {role: Usage() for role in roles}
        self.labels: dict[str, Usage] = {}
        """Of them what rewards asked for, by reward."""
        self._chat: dict[str, HttpChatModel] = {}
        for role, model in roles.items():
            self._chat[role] = connections.chat(*model.endpoints)
            if model.endpoints_file is not None:
                connections.follow(self._chat[role].pool, model.endpoints_file, model.endpoints[0])
        self._roles = roles
        self._embedder = connections.embedder(embedder)
        self._phrases: Phrases | None = None
        self._running = asyncio.Semaphore(PROGRAMS)

    def told(self) -> dict[str, dict[str, Any]]:
        """What was asked so far, as `Counts` has it."""
        return {
            "usage": {role: asdict(usage) for role, usage in self.usage.items()},
            "labels": {reward: asdict(usage) for reward, usage in self.labels.items()},
        }

    def pools(self, casts: Iterable[Collection[str]]) -> dict[Pool, int]:
        """That dialogues with these roles are played on, each with the most roles of one dialogue that it serves."""
        found: Counter[Pool] = Counter()
        for cast in casts:
            found |= Counter(self._chat[role].pool for role in cast)
        return dict(found)

    def services(self, calls: DialogueCalls, order: int) -> Services:
        """Of one dialogue. `order`: the lowest gets the next free permit."""
        chat = {
            role: JournalledChat(role, model.conversation(calls.dialogue_id, order), self._roles[role].sampling, calls)
            for role, model in self._chat.items()
        }
        self._phrases = self._phrases or Phrases(self._embedder, calls.journal)
        embed = JournalledEmbedder(self._embedder, calls, self._phrases)
        return Services(chat=chat, embed=embed, verify=JournalledVerify(calls, self._running))

    def held(self, calls: DialogueCalls) -> dict[Pool, int]:
        """Tokens of a dialogue's last contexts, by the pool that has them cached."""
        found: dict[Pool, int] = {}
        for role, tokens in calls.held.items():
            pool = self._chat[role].pool
            found[pool] = found.get(pool, 0) + tokens
        return found


def _count(counted: Iterable[Usage], reply: ChatReply, began: float) -> None:
    for usage in counted:
        usage.add(reply)
        usage.seconds += time.monotonic() - began


def _encoded_fault(fault: ContentError) -> bytes:
    return orjson.dumps({"fault": type(fault).__name__, "message": str(fault), "reason": fault.reason})


def _decoded(answer: bytes) -> ChatReply:
    data: dict[str, Any] = orjson.loads(answer)
    if "fault" not in data:
        others = tuple(Candidate(**other) for other in data.pop("others"))
        tokens = tuple(Weighed(**token) for token in data.pop("tokens", ()))
        return ChatReply(**data, others=others, tokens=tokens)
    if data["fault"] in _FAULTS:
        raise _FAULTS[data["fault"]](data["message"])
    raise InvalidOutput(data["message"], data["reason"])

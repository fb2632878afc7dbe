"""Services that answer from the journal alone, and those that ask for what it lacks."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from inference.client import Connections, Prepared, Transcript, prepared
from pipelines.engines import EMBEDDER
from pipelines.journal import Journal
from pipelines.pool import Counts
from pipelines.recipe import Recipe
from pipelines.services import (
    PROGRAMS,
    DialogueCalls,
    JournalledChat,
    JournalledEmbedder,
    JournalledVerify,
    Models,
    Phrases,
    RoleModel,
    Usage,
)
from schemas.chat import ChatReply, ChatRequest, EndpointSpec
from schemas.contracts import Embedder, Services

if TYPE_CHECKING:
    import numpy as np


class NotAsked(Exception):
    """An answer that no journal holds; `role`: whose."""

    def __init__(self, role: str):
        super().__init__(role)
        self.role = role


@dataclass(frozen=True, slots=True)
class Recorded:
    """A role's model that has said all it will say."""

    role: str
    model: str

    def prepare(self, request: ChatRequest) -> Prepared:
        return prepared(request, self.model, Transcript())

    async def send(self, prepared: Prepared) -> ChatReply:
        raise NotAsked(self.role)


@dataclass(frozen=True, slots=True)
class RecordedEmbedder:
    model: str

    async def embed(self, texts: Sequence[str]) -> "np.ndarray":
        raise NotAsked(EMBEDDER)


class NoEmbedder:
    """For rewards that ask no model."""

    async def embed(self, texts: Sequence[str]) -> "np.ndarray":
        raise NotAsked(EMBEDDER)

    phrases = embed


class Replay:
    """Every role of a recipe, from the journal; without a recipe there is no role."""

    def __init__(self, recipe: Recipe | None, journal: Journal | None):
        self._recipe, self.journal = recipe, journal
        self._running = asyncio.Semaphore(PROGRAMS)
        self.usage: dict[str, Usage] = {} if recipe is None else {role: Usage() for role in recipe.roles}
        if recipe is not None and journal is not None:
            self._embedder = RecordedEmbedder(str(recipe.embedder.identity["model"]))
            self._phrases = Phrases(self._embedder, journal)

    def calls(self, dialogue_id: str) -> DialogueCalls | None:
        """None without a journal."""
        return None if self.journal is None else DialogueCalls(self.journal, dialogue_id, self.usage)

    def services(self, calls: DialogueCalls | None, order: int = 0) -> Services:
        """NotAsked is raised where it asks for what is not there."""
        if self._recipe is None or calls is None:
            return Services(chat={}, embed=NoEmbedder())
        models = {role: self._recipe.models[name] for role, name in self._recipe.roles.items()}
        chat = {
            role: JournalledChat(role, Recorded(role, str(model.identity["model"])), dict(model.sampling), calls)
            for role, model in models.items()
        }
        embed: Embedder = JournalledEmbedder(self._embedder, calls, self._phrases)
        return Services(chat=chat, embed=embed, verify=JournalledVerify(calls, self._running))


class Asked:
    """As the replay, but these roles and the embedder are asked for what it lacks."""

    def __init__(self, replay: Replay, roles: Mapping[str, RoleModel], embedder: EndpointSpec):
        self._replay, self._roles, self._embedder = replay, roles, embedder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._connections = await self._stack.enter_async_context(Connections())
        self._models = Models(self._connections, self._roles, self._embedder)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def counts(self) -> Counts:
        """Answers so far."""
        told = self._models.told()
        return Counts(usage=told["usage"], labels=told["labels"], endpoints=self._connections.told())

    def calls(self, dialogue_id: str) -> DialogueCalls | None:
        calls = self._replay.calls(dialogue_id)
        live = self._models
        usage = {**self._replay.usage, **live.usage}
        return calls and replace(calls, known=calls.answered, usage=usage, labels=live.labels)

    def services(self, calls: DialogueCalls | None, order: int) -> Services:
        replayed = self._replay.services(calls)
        if calls is None:
            return replayed
        live = self._models.services(calls, order)
        return replace(live, chat={**replayed.chat, **live.chat})

"""A function as the model: whole dialogues played without a server."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from scripted_players import obey
from talks import hashed_embed

from generators.play import play
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Dialogue
from schemas.identity import rng
from schemas.scenario import Policy, Scenario

Says = Callable[[ChatRequest], "str | dict[str, Any]"]


class Model:
    """Answers by `says`, and keeps what it was asked."""

    def __init__(self, says: Says):
        self._says = says
        self.requests: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> ChatReply:
        self.requests.append(request)
        said = self._says(request)
        data = None if isinstance(said, str) else said
        text = said if isinstance(said, str) else orjson.dumps(said).decode()
        return ChatReply(text, "function", "stop", prompt_tokens=7, completion_tokens=3, data=data)


class Embedder:
    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        return hashed_embed(texts)

    phrases = embed


def services(says: Says, *roles: str) -> Services:
    model = Model(says)
    return Services(chat=dict.fromkeys(roles, model), embed=Embedder())


def requests(of: Services) -> list[ChatRequest]:
    return [
        r for model in {id(m): m for m in of.chat.values()}.values() if isinstance(model, Model) for r in model.requests
    ]


def obeys(request: ChatRequest) -> str | dict[str, Any]:
    """Does what the note in brackets says."""
    body: dict[str, Any] = {
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "seed": request.seed,
    }
    if request.json_schema is not None:
        body["response_format"] = {"json_schema": {"schema": request.json_schema}}
    return obey(body)


def note(request: ChatRequest) -> str:
    """This turn's instruction: what stands in the last brackets."""
    return request.messages[-1].content.rpartition("[")[2].removesuffix("]")


def case(family: Family, seed: int = 0, policy: Policy = "proactive", **changes: Any) -> Scenario:
    named = {"seed": seed, "policy": policy, "dialogue_id": f"d{seed}", "group_id": f"g{seed}"}
    return family.sample(rng(seed)).model_copy(update={**named, **changes})


async def played(
    family: Family, scenario: Scenario, says: Says = obeys, speakers: Mapping[str, Speaker] | None = None
) -> tuple[Dialogue, list[ChatRequest]]:
    """The dialogue and every request it took."""
    given = services(says, *family.speakers)
    return await play(family, speakers or family.speakers, scenario, given), requests(given)

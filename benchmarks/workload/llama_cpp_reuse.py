"""How much of what a real llama.cpp server is sent it has to read: SmolLM2-135M, two-party dialogues."""

import asyncio
import json
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import dinner
from drive import Ours, Work

from inference.llama_cpp import LlamaServer, LlamaSettings
from inference.weights import fetch
from outputs.store import read_records
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import Services
from schemas.record import Record

MODEL = "smollm2-135m-instruct"


class _Asked(Exception):
    """Carries a prompt out of the speaker that renders it."""


class _Catch:
    async def ask(self, request: ChatRequest) -> ChatReply:
        raise _Asked([{"role": m.role, "content": m.content} for m in request.messages])


class _NoEmbedder:
    async def embed(self, texts: Any) -> Any:
        raise NotImplementedError

    phrases = embed


def prompts(record: Record) -> list[list[dict[str, str]]]:
    """The messages of every request a dialogue took, rendered again by its own speakers."""
    dialogue, found = record.dialogue, []
    services = Services(chat=dict.fromkeys(("user", "assistant"), _Catch()), embed=_NoEmbedder())
    for n in range(len(dialogue.turns)):
        move = dinner.Dinner().next(dialogue.scenario, dialogue.turns[:n])
        view = dialogue.scenario.views[dialogue.turns[n].role]
        try:
            asyncio.run(dinner.Guest().speak(view, dialogue.turns[:n], move, 0, services))  # pyright: ignore[reportArgumentType]
        except _Asked as asked:
            found.append(asked.args[0])
    return found


def measured(slots: int, dialogues: int = 24) -> tuple[int, int]:
    """(prompt tokens the server evaluated, nodes of the token trie of all prompts sent)."""
    settings = LlamaSettings(slots=slots, context=1024)
    with (
        LlamaServer(fetch(MODEL, lambda *_: None), "scripted", settings) as server,
        tempfile.TemporaryDirectory() as name,
    ):
        (spec,) = server.endpoints
        url = spec.base_url
        work = Work(dialogues, in_flight=spec.max_in_flight, contexts=spec.contexts)
        taken = Ours([url], work, Path(name)).wait()
        usage = taken.told["usage"].values()
        evaluated = sum(int(u["prompt_tokens"] - u["cached_tokens"]) for u in usage)
        trie: dict[int, Any] = {}
        nodes = 0
        for record in read_records(sorted((Path(name) / "shards").glob("*.parquet"))):
            for messages in prompts(record):
                at = trie
                for token in _tokens(url, messages):
                    nodes += token not in at
                    at = at.setdefault(token, {})
        return evaluated, nodes


def _tokens(url: str, messages: list[dict[str, str]]) -> list[int]:
    prompt = _post(f"{url}/apply-template", {"messages": messages})["prompt"]
    return _post(f"{url}/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"]


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)

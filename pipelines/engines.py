"""The servers of a run: found where `overture serve` keeps them up, else started once, shared by all workers, stopped
by us.
"""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from inference.addresses import read_endpoints
from inference.catalogue import WEIGHTS
from inference.client import BlockingEmbedder
from inference.embedding_cache import CachedEmbed
from inference.embedding_server import EmbeddingServer, started_when_asked
from inference.llama_cpp import LlamaServer, LlamaSettings
from inference.remote import RemoteServers
from inference.vllm import VllmServers, VllmSettings
from inference.weights import fetch
from pipelines.recipe import Recipe
from pipelines.recipe_models import Embedding, LlamaCpp, Model, Remote, Vllm
from pipelines.services import RoleModel
from pipelines.serving import find, server_key, weights_settings
from pipelines.watching import Waiting
from schemas.chat import EndpointSpec
from schemas.contracts import EmbedTexts
from schemas.identity import stable_hash

READY_S = 15.0
"""A server that is ours to reach, not to start, gets this long to answer."""

EMBEDDER = "the embedder"
"""Beside the models' names."""

Server = EmbeddingServer | LlamaServer | RemoteServers | VllmServers


@dataclass(frozen=True, slots=True)
class Engines:
    """Where each role is asked; what workers get."""

    roles: dict[str, RoleModel]
    embedder: EndpointSpec
    check: Callable[[], None]
    """Raises when a server of ours is gone."""
    embedder_name: str | None = None
    """Under which its vectors are kept on disk; None: they are not."""

    def embed(self) -> EmbedTexts:
        """For code outside an event loop."""
        return remembering(BlockingEmbedder(self.embedder), self.embedder_name)


def remembering(embed: EmbedTexts, name: str | None) -> EmbedTexts:
    """With the cache on disk where the embedder has a name for it."""
    tell = Console(stderr=True, soft_wrap=True).print
    return embed if name is None else CachedEmbed(embed, name, partial(tell, markup=False, highlight=False))


@contextmanager
def local_embedder(
    name: str = "all-minilm-l6-v2", watched: Callable[[EmbedTexts], EmbedTexts] = lambda embed: embed
) -> Generator[EmbedTexts]:
    """With the cache on disk: weights are fetched and a server is started for the first text that is not in it.

    `watched`: put around what is asked for those.
    """
    with started_when_asked(lambda: EmbeddingServer(fetch(name, lambda *_: None), name)) as embed:
        yield remembering(watched(embed), name)


@contextmanager
def engines(recipe: Recipe, logs: Path, watch: Waiting) -> Generator[Engines]:
    """Fetches weights, starts or reaches every server the recipe's roles need. Raises ServerError and DataError
    kinds.
    """
    with ExitStack() as stack:
        embedder = stack.enter_context(embedder_server(recipe.embedder, logs, watch))
        servers = {
            name: stack.enter_context(model_server(name, recipe.models[name], logs, watch))
            for name in sorted(set(recipe.roles.values()))
        }
        roles = {
            role: RoleModel(servers[name].endpoints, dict(recipe.models[name].sampling), _listed(recipe.models[name]))
            for role, name in recipe.roles.items()
        }

        def check() -> None:
            for server in (*servers.values(), embedder):
                server.check()

        yield Engines(roles, embedder.endpoints[0], check, _vectors_of(recipe.embedder))


def _vectors_of(embedder: Embedding) -> str | None:
    """What tells its vectors from those of every other: the verified weights of the catalogue, or a folder as it is
    now. None for a remote one: what answers at an address may be another model tomorrow.
    """
    if embedder.use != "local":
        return None
    if embedder.weights in WEIGHTS:
        return embedder.weights
    files = sorted(path for path in Path(embedder.weights).resolve().rglob("*") if path.is_file())
    return stable_hash([(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files])


def model_key(model: Model) -> str | None:
    """Under which a server of this model is found; None: it is not ours to start."""
    if isinstance(model, Remote):
        return None
    if isinstance(model, Vllm):
        return server_key("vllm", model.model_dump(mode="json", exclude={"sampling", "price", "ready_s"}))
    return server_key("llama_cpp", {**weights_settings(model.weights), **asdict(_llama_settings(model))})


def embedder_key(embedder: Embedding) -> str | None:
    """As `model_key`."""
    return server_key("embedder", weights_settings(embedder.weights)) if embedder.use == "local" else None


def model_server(name: str, model: Model, logs: Path, watch: Waiting) -> Server:
    """To be entered. Where one is kept up already, that one."""
    return _found(model_key(model)) or _server(name, model, logs, watch)


def embedder_server(embedder: Embedding, logs: Path, watch: Waiting) -> EmbeddingServer | RemoteServers:
    """As `model_server`."""
    return _found(embedder_key(embedder)) or _embedder(embedder, logs, watch)


def _found(key: str | None) -> RemoteServers | None:
    endpoints = None if key is None else find(key)
    return None if endpoints is None else RemoteServers(endpoints, ready_s=READY_S)


def _llama_settings(model: LlamaCpp) -> LlamaSettings:
    return LlamaSettings(slots=model.slots, context=model.context, threads=model.threads or os.cpu_count() or 2)


def _server(name: str, model: Model, logs: Path, watch: Waiting) -> LlamaServer | RemoteServers | VllmServers:
    if isinstance(model, Vllm):
        fields: dict[str, Any] = model.model_dump(exclude={"use", "sampling", "price"})
        fields["served_model_name"] = str(model.identity["model"])
        return VllmServers(VllmSettings(**fields), log=logs / f"{name}.log", progress=partial(watch.starting, name))
    if isinstance(model, LlamaCpp):
        weights, known_as = fetch(model.weights, watch.fetching), str(model.identity["model"])
        return LlamaServer(weights, known_as, _llama_settings(model), log=logs / f"{name}.log")
    listed = _listed(model)
    endpoints = [
        EndpointSpec(
            base_url=url,
            model=model.model,
            api_key_env=model.api_key_env,
            max_in_flight=model.max_in_flight,
            transport=model.transport,
        )
        for url in (model.base_url if listed is None else read_endpoints(Path(listed)))
    ]
    return RemoteServers(endpoints, ready_s=READY_S)


def _listed(model: Model) -> str | None:
    """The file that lists its endpoints, if one does."""
    return str(Path(model.endpoints_file).absolute()) if isinstance(model, Remote) and model.endpoints_file else None


def _embedder(embedder: Embedding, logs: Path, watch: Waiting) -> EmbeddingServer | RemoteServers:
    if embedder.use == "local":
        return EmbeddingServer(
            fetch(embedder.weights, watch.fetching),
            str(embedder.identity["model"]),
            threads=1,
            log=logs / "embedder.log",
        )
    endpoint = EndpointSpec(base_url=embedder.base_url, model=embedder.model, api_key_env=embedder.api_key_env)
    return RemoteServers([endpoint], ready_s=READY_S)

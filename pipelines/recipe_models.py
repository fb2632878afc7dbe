"""The models of a recipe: the embedded engine or any OpenAI-compatible server; and its embedder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from inference.addresses import read_endpoints
from inference.catalogue import WEIGHTS
from pipelines.recipe_errors import fault, in_words, shown
from schemas.chat import Sampling
from schemas.errors import InputError, did_you_mean

Count = Annotated[int, Field(strict=True, ge=1)]
Amount = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]

_ENGINE_WEIGHTS = sorted(n for n, w in WEIGHTS.items() if w.files[0].path.endswith(".gguf"))
_EMBEDDER_WEIGHTS = sorted(n for n, w in WEIGHTS.items() if w.folder)
_LEAST_PROMPT = 128
"""Tokens a prompt needs at the least."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _weights(given: str, names: list[str], wanted: str) -> str:
    if given in names:
        return given
    path = Path(given).expanduser()
    if not ("/" in given or path.suffix or path.exists()) or given in WEIGHTS:
        raise fault(f"no weights '{given}' of {wanted} in the catalogue{did_you_mean(given, names)} (or give a path)")
    if not (path.is_dir() if names is _EMBEDDER_WEIGHTS else path.is_file()):
        raise fault(f"no such file: {given}; give the path of {wanted}, or one of {', '.join(names)}")
    return given


def _engine_weights(given: str) -> str:
    return _weights(given, _ENGINE_WEIGHTS, "a GGUF language model")


def _embedder_weights(given: str) -> str:
    return _weights(given, _EMBEDDER_WEIGHTS, "a sentence-transformers folder")


def _base_url(given: str) -> str:
    url = urlsplit(given.strip())
    try:
        port = url.port
    except ValueError:
        port = 0
    if url.username or url.password or url.query:
        raise fault("holds a user, password or query; keep keys out of the recipe: `api_key_env: NAME_OF_A_VARIABLE`")
    if url.scheme not in ("http", "https") or not url.hostname or port == 0 or re.search(r"\s", given.strip()):
        raise fault(f"{shown(given, ())} is not an http(s) URL; write one like http://127.0.0.1:8000/v1")
    return given.strip().rstrip("/")


def _base_urls(given: Any) -> Any:
    """One URL, or a list of them."""
    if isinstance(given, str):
        return (_base_url(given),)
    if not isinstance(given, list | tuple):
        return given
    for place, url in enumerate(cast("list[Any]", given)):
        if not isinstance(url, str):
            raise fault(f"should be an http(s) URL, not {shown(url, ())}", place)
    return tuple(map(_base_url, cast("list[str]", given)))


def _env_name(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", given) or given.startswith(("sk_", "hf_")):
        raise fault("is not the name of an environment variable; export the key and give the name, as OPENAI_API_KEY")
    return given


_RANGES = {
    "temperature": (lambda x: 0 <= x <= 5, "from 0 to 5"),
    "top_p": (lambda x: 0 < x <= 1, "above 0, at most 1"),
    "min_p": (lambda x: 0 <= x < 1, "from 0 to below 1"),
    "repetition_penalty": (lambda x: 0 < x <= 5, "above 0, at most 5"),
    "max_tokens": (lambda x: x >= 1, "at least 1"),
}


def _sampling(given: Any) -> Any:
    """Only the keys that were given, checked as a `Sampling`."""
    if given is None:
        return {}
    try:
        whole = Sampling.model_validate(given)
    except ValidationError as error:
        raise in_words(error, Sampling) from None
    values: dict[str, float | int] = {
        k: getattr(whole, k) for k in Sampling.model_fields if k in whole.model_fields_set
    }
    for key, value in values.items():
        holds, range_text = _RANGES[key]
        if not holds(value):
            raise fault(f"should be {range_text}, not {value}", key)
    return values


Url = Annotated[str, AfterValidator(_base_url)]
ModelName = Annotated[str, Field(min_length=1)]
EnvName = Annotated[str, AfterValidator(_env_name)]
Overrides = Annotated[dict[str, float | int], BeforeValidator(_sampling)]


def _file_name(weights: str) -> str:
    return Path(weights).name if "/" in weights else weights


class LlamaCpp(Part):
    """The embedded engine."""

    use: Literal["llama_cpp"] = "llama_cpp"
    weights: Annotated[str, AfterValidator(_engine_weights)] = "qwen2.5-coder-1.5b-instruct"
    """A name of the catalogue, or the path of a GGUF file."""
    slots: Annotated[Count, Field(le=256)] = 4
    """Requests decoded together; the server keeps the contexts of twice as many."""
    context: Annotated[Count, Field(ge=256, le=1_048_576)] = 1024
    """Tokens a slot holds, prompt and answer together."""
    threads: Annotated[Count, Field(le=1024)] | None = None
    """null: one a core; with several such models in a recipe, the cores divided by their number."""
    sampling: Overrides = {}
    """What is sampled differently than the speakers say; the keys of `schemas.chat.Sampling`."""
    price: None = None

    @model_validator(mode="after")
    def _answers_fit(self) -> "LlamaCpp":
        most = self.context - _LEAST_PROMPT
        if self.sampling.get("max_tokens", 0) > most:
            raise fault(
                f"leaves no room for a prompt in a context of {self.context}; at most {most}", "sampling", "max_tokens"
            )
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """What of it decides a text."""
        return {"model": _file_name(self.weights), "sampling": self.sampling}


class Price(Part):
    """What a million tokens cost, in whatever currency the sums are wanted."""

    prompt: Amount
    completion: Amount
    cached: Amount | None = None
    """Prompt tokens taken from a prefix cache; null: as much as others."""


class Remote(Part):
    """OpenAI-compatible servers of one model (`vllm serve ...`): one, several, or a file that lists them."""

    use: Literal["remote"] = "remote"
    base_url: Annotated[tuple[str, ...], BeforeValidator(_base_urls)] = ()
    """One URL or a list: the endpoints that serve the model."""
    endpoints_file: str | None = None
    """Instead of base_url: a file with one base URL a line, read again while a run goes on, so that endpoints join and
    leave.
    """
    model: ModelName
    """The name the servers give it."""
    api_key_env: EnvName | None = None
    """Name of the environment variable that holds the key."""
    max_in_flight: Count = 1024
    """Ceiling of a worker's requests at one endpoint; below it the limit is found by measurement."""
    transport: Literal["http", "openai"] = "http"
    """openai: through that package, for vendors it knows best; 15 times the CPU a request."""
    sampling: Overrides = {}
    """What is sampled differently than the speakers say; the keys of `schemas.chat.Sampling`."""
    price: Price | None = None
    """Of a million tokens; the manifest then tells what a run has cost."""

    @model_validator(mode="after")
    def _somewhere(self) -> "Remote":
        if bool(self.base_url) == (self.endpoints_file is not None):
            problem = "are both given" if self.base_url else "are both missing"
            raise fault(
                f"base_url and endpoints_file {problem}; give one of them, as `base_url: http://127.0.0.1:8000`"
            )
        if self.endpoints_file is not None:
            try:
                read_endpoints(Path(self.endpoints_file))
            except InputError as error:
                raise fault(str(error), "endpoints_file") from None
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """What of it decides a text."""
        return {"model": self.model, "sampling": self.sampling}


class Vllm(Part):
    """vLLM servers of our own, started for the run on this machine's GPUs; needs `pip install overture[vllm]`."""

    use: Literal["vllm"] = "vllm"
    model: ModelName
    """A model hub's name, or the path of a folder."""
    served_model_name: ModelName | None = None
    """The name it is asked by, and the dataset knows; null: `model`."""
    replicas: Count = 1
    """Independent servers; the GPUs are cut among them."""
    tensor_parallel: Count = 1
    """GPUs that share one copy of the model."""
    data_parallel: Count = 1
    """Copies behind one server: for mixtures of experts; otherwise take replicas."""
    gpus: tuple[str, ...] | None = None
    """Ids as in CUDA_VISIBLE_DEVICES; null: all there are."""
    context: Annotated[Count, Field(ge=256)] | None = None
    """Tokens, prompt and answer together; null: what the model was made for."""
    dtype: str = "auto"
    args: tuple[str, ...] = ()
    """Further arguments of `vllm serve`, passed through."""
    env: dict[str, str] = {}
    """Further environment of the servers; no keys here."""
    command: Path | None = None
    """Path of the `vllm` command; null: the one on the path."""
    max_in_flight: Count = 1024
    """Ceiling of a worker's requests at one replica; below it the limit is found by measurement."""
    ready_s: Amount = 1800.0
    """How long loading may take."""
    sampling: Overrides = {}
    """What is sampled differently than the speakers say; the keys of `schemas.chat.Sampling`."""
    price: Price | None = None
    """Of a million tokens; the manifest then tells what a run has cost."""

    @property
    def identity(self) -> dict[str, Any]:
        """What of it decides a text."""
        name = self.served_model_name or self.model
        return {"model": Path(name).name if Path(name).is_absolute() else name, "sampling": self.sampling}


class LocalEmbedder(Part):
    """sentence-transformers on this machine's CPU."""

    use: Literal["local"] = "local"
    weights: Annotated[str, AfterValidator(_embedder_weights)] = "all-minilm-l6-v2"
    """A name of the catalogue, or the path of a folder."""

    @property
    def identity(self) -> dict[str, Any]:
        """What of it decides a text: messages are checked by embedding, and asked again."""
        return {"model": _file_name(self.weights)}


class RemoteEmbedder(Part):
    """Any OpenAI-compatible embeddings endpoint."""

    use: Literal["remote"] = "remote"
    base_url: Url
    model: ModelName
    """The name the server gives it."""
    api_key_env: EnvName | None = None
    """Name of the environment variable that holds the key."""

    @property
    def identity(self) -> dict[str, Any]:
        """What of it decides a text: messages are checked by embedding, and asked again."""
        return {"model": self.model}


def _one_of(value: Any, kinds: Mapping[str, type[Part]]) -> Any:
    """`value` as the class its `use` names (default: the first), so that messages speak of that class alone."""
    if isinstance(value, Part):
        return value
    if not isinstance(value, Mapping):
        raise fault(f"should be a mapping with `use:` one of {', '.join(kinds)}, not {shown(value, ())}")
    fields = cast(Mapping[str, Any], value)
    use = fields.get("use")
    if use is None and not {"base_url", "endpoints_file"} & fields.keys():
        use = next(iter(kinds))
    if use is None:
        raise fault(f"is missing; one of {', '.join(kinds)}", "use")
    if not isinstance(use, str) or use not in kinds:
        raise fault(f"{shown(use, ())} is not a choice{did_you_mean(str(use), kinds)}", "use")
    try:
        return kinds[use].model_validate(fields)
    except ValidationError as error:
        raise in_words(error, kinds[use]) from None


def _model(value: Any) -> Any:
    return _one_of(value, {"llama_cpp": LlamaCpp, "remote": Remote, "vllm": Vllm})


def _embedder(value: Any) -> Any:
    return _one_of(value, {"local": LocalEmbedder, "remote": RemoteEmbedder})


Model = Annotated[LlamaCpp | Remote | Vllm, BeforeValidator(_model)]
Embedding = Annotated[LocalEmbedder | RemoteEmbedder, BeforeValidator(_embedder)]

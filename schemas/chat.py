"""How a model is asked: requests and replies, free of any server's particulars."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

ChatRole = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    role: ChatRole
    content: str


class Sampling(BaseModel):
    """What decides a text besides the prompt. Sent in full: a server's own defaults never apply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    """1 is off; vLLM's `repetition_penalty`, llama.cpp's `repeat_penalty`."""
    max_tokens: int = 35
    """Most tokens one answer may have."""


@dataclass(frozen=True, slots=True)
class CallKey:
    """Where in a dialogue a call belongs; with the dialogue id and the branch path it is the journal's key."""

    turn: int
    step: str = "say"
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class ChatRequest:
    key: CallKey
    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    """The answer must be one JSON value of this schema; the reply's `data` then holds it, validated once."""
    logprobs: bool = False
    n: int = 1
    """Answers wanted from this one prefix."""
    weigh_last: int = 0
    """Above 0 nothing is to be said: the last message, the assistant's, is what was said, and the reply's `tokens` tell
    so many of the likeliest tokens in the place of each of its own, where the server can.
    """


@dataclass(frozen=True, slots=True)
class Weighed:
    """One token of what was said, and what else the model might have said in its place."""

    text: str
    id: str
    """In the model's vocabulary."""
    likely: dict[str, float]
    """Token id -> log-probability (nats): of the likeliest, and of the token itself."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer of several to the same request."""

    text: str
    finish_reason: str
    """`stop` or `length`."""
    logprob: float | None = None


@dataclass(frozen=True, slots=True)
class ChatReply:
    text: str
    model: str
    finish_reason: str
    """`stop` or `length`."""
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Prompt tokens the server took from its prefix cache."""
    data: Any = None
    logprob: float | None = None
    """Sum of the answer's token log-probabilities (nats); None when not asked for or not given."""
    prefill_ms: float | None = None
    decode_ms: float | None = None
    """Server-side times where the server tells them (llama.cpp's `timings`); never stored in the data."""
    others: tuple[Candidate, ...] = ()
    """The second and later answers, where `n` were wanted; `completion_tokens` counts all."""
    tokens: tuple[Weighed, ...] = ()
    """Of the last message, where its weights were wanted (`weigh_last`); empty where the server tells none."""


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One model as the recipe names it, resolved: where it is asked and under which name."""

    base_url: str
    model: str
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; the key itself is never stored."""
    max_in_flight: int = 1024
    """Ceiling of one process's requests in flight; below it the limit is found by measurement."""
    contexts: int = 0
    """Slots of a llama.cpp server of ours, each of which keeps one conversation's context; 0: the server decides."""
    transport: Literal["http", "openai"] = "http"
    headers: dict[str, str] = field(default_factory=dict)

"""What a run used up: tokens, requests, time."""

from pydantic import Field

from schemas.scenario import Value


class Tokens(Value):
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    """Prompt tokens a prefix cache saved."""
    calls: int = 0
    """Answers of a server."""
    replayed: int = 0
    """Answers taken from the journal; their tokens were counted when they were asked for."""
    seconds: float = 0.0
    """That answers were waited for, one added to the other: many are asked for at a time."""
    cost: float | None = None
    """None: no price is known."""

    @property
    def cached_share(self) -> float | None:
        return self.cached / self.prompt if self.prompt else None


class EndpointUse(Value):
    """What was asked of one endpoint."""

    sent: int = 0
    """Attempts."""
    answered: int = 0
    faults: dict[str, int] = Field(default_factory=dict)
    """Attempts that met one, by kind."""
    retries: int = 0
    """Attempts whose fault another attempt may mend."""
    cancelled: int = 0
    """Attempts given up on our side."""
    set_aside: int = 0
    """Times nobody was sent there any more, until it served its model again."""
    mean_s: float | None = None
    """Seconds an answered attempt took."""


class Spent(Value):
    """What the run has asked of its servers, over all its invocations."""

    invocations: int = 0
    tokens: Tokens = Tokens()
    """Of all roles. Cost: None unless every role that was asked has a price."""
    tokens_an_accepted: float | None = None
    """Prompted and generated tokens for each dialogue accepted."""
    cost_an_accepted: float | None = None
    labels: dict[str, Tokens] = Field(default_factory=dict)
    """By reward that asks models: of `tokens`, what its labels took."""
    endpoints: dict[str, EndpointUse] = Field(default_factory=dict)
    """By address."""
    worker_peak_mb: float | None = None
    """Memory of the largest worker."""
    loop_lag_p99_ms: float | None = None
    """How late the event loop of the slowest worker was."""

    @property
    def faults(self) -> dict[str, int]:
        """Of all endpoints, by kind."""
        kinds = sorted({kind for e in self.endpoints.values() for kind in e.faults})
        return {kind: sum(e.faults.get(kind, 0) for e in self.endpoints.values()) for kind in kinds}

    @property
    def retries(self) -> int:
        return sum(e.retries for e in self.endpoints.values())

    @property
    def set_aside(self) -> int:
        return sum(e.set_aside for e in self.endpoints.values())

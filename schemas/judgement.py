"""What was found about a dialogue: verdicts, realism, rewards."""

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from pydantic import Field

from schemas.dialogue import Dialogue
from schemas.scenario import Value

if TYPE_CHECKING:  # a worker does not need it
    import numpy as np

Z = 1.959964
"""Standard deviations of a normal distribution to either side that hold 95%."""


class Verdict(Value):
    """Keep or drop, always with a reason; kept dialogues carry `ok` or why nothing was decided."""

    keep: bool
    reason: str = "ok"
    """snake_case, says what is wrong: `too_few_turns`."""
    detail: str | None = None
    by: str | None = None
    """Import path of the stage that decided; set by the run."""


KEEP = Verdict(keep=True)


class Fault(Value):
    """What is wrong with one turn, as a detector sees it."""

    turn: int
    """Position in the dialogue."""
    kind: str
    """snake_case; one of its detector's `kinds`."""
    detail: str = ""


class RewardValue(Value):
    """A named number with its parts, its grader and its reason. `value` is None, with a reason, when there is none."""

    name: str
    scope: Literal["dialogue", "turn", "branch"] = "dialogue"
    turn: int | None = None
    value: float | None
    n: int | None = None
    """Samples behind the value, for an estimate."""
    stderr: float | None = None
    parts: dict[str, Any] = Field(default_factory=dict)
    grader: str = "program"
    """Model + prompt hash + sampling of whoever graded; `program` for deterministic code."""
    reason: str | None = None


class Realism(Value):
    """How discriminators scored a dialogue's partner side: log-odds of being real (natural log), clipped, out of
    fold.
    """

    scores: dict[str, float] = Field(default_factory=dict)
    """By discriminator name."""
    combined: float | None = None
    """Log-odds by all discriminators together; None with a reason."""
    reason: str | None = None


class Selection(Value):
    logw: float | None = None
    """Log density ratio real/synthetic that selection used."""
    pi: float | None = None
    """Inclusion probability."""
    keep: bool
    reason: str = "ok"


class UserTurn(NamedTuple):
    """One utterance of the partner (who is exported as the user), as realism sees it."""

    text: str
    """Normalised; never empty."""
    given: str
    """The act of what it answers; see `discriminators.learner_acts`."""
    labels: Mapping[str, str]
    """Head -> label, of this turn and of what the same user said before. A head that says nothing here is absent."""
    before: Mapping[str, str]
    """The labels of the user's turn before, and how much was told by then; empty for the first."""


class Judged(NamedTuple):
    """A valid dialogue with everything known before selection."""

    dialogue: Dialogue
    realism: Realism
    labels: dict[str, str]
    """Head name -> most frequent label of the partner's turns."""
    residuals: "np.ndarray | None" = None
    """float32 [features]: over the partner's turns, the sum of what they are less what real people's turns are on
    average given the act they answer. Sums over real-like users are 0 in expectation, whatever the learner did. None
    without a reference.
    """
    answered: Mapping[str, int] = {}
    """Act of the learner -> turns of the partner that answer it. Never matched to anything real: what selection must
    leave as the pool has it.
    """


class Interval(NamedTuple):
    """A figure with its 95% interval and the number of independent units behind it."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of_share(cls, share: float, n: int) -> Self:
        """Wilson's interval of a share of `n` independent trials (n >= 1)."""
        middle, half = share + Z * Z / (2 * n), Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        whole = 1 + Z * Z / n
        return cls(share, max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole), n)

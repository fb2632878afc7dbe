"""What was found about a dialogue: verdicts, realism, rewards."""

from collections.abc import Iterator, Mapping
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


SURE = 2.0
"""Standard errors that a mean may be off before it is called unbalanced: with one, a dimension that no choice moves, as
one that follows from others, would be called that by chance once in three.
"""


class Feasibility(NamedTuple):
    """The sizes, in dialogues, up to which a pool can be matched, and what stood in the way."""

    wanted: int
    single: int
    """With only one dimension balanced, the hardest."""
    joint: int
    """With all of them balanced."""
    effective: int
    """Effective sample size of the density ratios: beyond about as many, embeddings cannot be matched."""
    excess: "np.ndarray"
    """float64 [features]: the sum of the residuals over what was kept in expectation: turns too many, or, where it is
    negative, too few. Of the best choice of the wanted size.
    """
    tolerances: "np.ndarray"
    """float64 [features]: `excess` over what sampling and the reference leave unknown; beyond SURE: not balanced."""

    @property
    def status(self) -> Literal["ok", "infeasible_for_size"]:
        return "ok" if self.wanted <= min(self.joint, self.effective) else "infeasible_for_size"

    @property
    def lacking(self) -> dict[int, float]:
        """Feature -> turns that what was kept has too few of, beyond chance: what to generate more of. A head's last
        label is no feature: it lacks what all others of its head have too many.
        """
        return {i: -float(self.excess[i]) for i, t in enumerate(self.tolerances.tolist()) if t < -SURE}


class Choice(NamedTuple):
    """What a selector decides."""

    each: Iterator[tuple[str, Selection]]
    """(dialogue_id, selection) of every row, whatever their order."""
    feasibility: Feasibility | None = None
    """What the pool could give; None of selectors that match nothing, and where there was too little to match."""


class UserTurn(NamedTuple):
    """One utterance of the partner (who is exported as the user), as realism sees it."""

    text: str
    """Normalised; never empty."""
    given: str
    """The act of what it answers; see `discriminators.learner_acts`."""
    labels: Mapping[str, str]
    """Head -> label, of this turn and of what the same user said before. A head that says nothing here is absent."""
    before: Mapping[str, str]
    """The labels of the user's turn before, how much was told by then and in how many turns; empty for the first."""


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


def shown(found: Interval | None, digits: int = 2) -> str:
    """`0.53 [0.36, 0.69]`, or a dash where there is no figure."""
    return "-" if found is None else f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"

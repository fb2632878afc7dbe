"""The run manifest, `manifest.json`: what was made, what was lost and why, with which models, at what cost, how real.

Card and report are rendered from it. A figure that does not exist is None with a note that says why, never 0.
"""

from pathlib import Path
from typing import Literal

import orjson
from pydantic import Field, ValidationError

from outputs.files import write_text
from outputs.licences import Source, Terms, terms
from outputs.spent import Spent, Tokens
from schemas.errors import DataError
from schemas.judgement import Interval
from schemas.scenario import Value
from schemas.table import VERSION

LABEL_DISTANCES = "label distance given the assistant's act (total variation)"
"""The group of those measures that say how far a head's labels are from real ones."""


class FunnelStep(Value):
    """How many dialogues reached a step, and why those of the step before did not."""

    name: str
    """In order: made, valid, selected, published."""
    count: int
    reasons: dict[str, int] = Field(default_factory=dict)
    """Dialogues of the step before that were dropped on the way here, by reason."""
    family: str | None = None
    """None: all families."""
    policy: str | None = None
    """None: all policies."""


class Measure(Value):
    """One realism figure of the published dialogues, beside the same figure of real against real."""

    family: str
    name: str
    group: str = "realism"
    """Measures of one group share a unit, a chart and an axis."""
    value: float | None
    low: float | None = None
    """95% interval, as all intervals here."""
    high: float | None = None
    n: int = 0
    """Independent units (dialogues, or groups of siblings) behind the value."""
    floor_value: float | None = None
    """The same measure between two disjoint sets of real dialogues of equal size."""
    floor_low: float | None = None
    floor_high: float | None = None
    """Without a `floor_value`: an upper bound of real against real (a 95th percentile)."""
    before: Interval | None = None
    """The same measure before selection: of everything that could have been published."""
    note: str = ""
    """What it means; for a missing value why it is missing (`no_reference`)."""


class HeadMarginal(Value):
    """The share of one label on the user turns of real dialogues, of all valid synthetic ones and of published ones, as
    if the assistants of all had acted like the published ones.
    """

    family: str
    head: str
    label: str
    real: float | None
    synthetic_before: float | None
    """Before selection."""
    synthetic_after: float | None
    """After selection: what was published."""
    n_real: int = 0
    """Independent units (dialogues, or groups of siblings), as the others."""
    n_before: int = 0
    n_after: int = 0
    matched: bool = True
    """Selection worked on this head; False: it was held out and only reported."""
    before_low: float | None = None
    before_high: float | None = None
    after_low: float | None = None
    after_high: float | None = None
    floor_low: float | None = None
    """Between `floor_low` and `floor_high` lies the share of another real sample, 95 times of 100."""
    floor_high: float | None = None
    real_corrected: Interval | None = None
    """With the tagger's errors, as hand labels show them, taken out (methods §26.6). Its value is rough."""
    after_corrected: Interval | None = None
    requested: float | None = None
    """Share of the published turns that were asked to be so."""
    note: str = ""
    """How the head was corrected, or why it was not."""


class Lacking(Value):
    """A label that a choice of the wanted size has on too few turns: what to generate more of."""

    head: str
    label: str
    turns: float
    """Too few, over all dialogues wanted."""
    tolerances: float
    """`turns` in units of what sampling leaves unknown."""


class Feasible(Value):
    """Whether a family's pool could give the wanted number of dialogues as real people's are (methods §26.3)."""

    family: str
    wanted: int
    """Dialogues, as all sizes here."""
    single: int
    """The most that could be had with one label balanced, the hardest."""
    joint: int
    """With all of them balanced."""
    effective: int
    """Effective sample size of the density ratios: beyond about as many, embeddings cannot be matched."""
    status: Literal["ok", "infeasible_for_size"]
    lacking: tuple[Lacking, ...] = ()


class Round(Value):
    """What one round of playing added to a family's pool."""

    number: int
    """From 1."""
    family: str
    groups: int
    """Played in the round."""
    made: int
    """Dialogues of the round, as `valid`."""
    valid: int
    matched: int
    """Dialogues of the pool so far that can be kept at the tolerance."""
    accepted: int
    """Dialogues of the pool so far that the selection keeps."""
    acceptance: float | None
    """What the round added to `matched`, over what it made; None where it made nothing."""


class Moved(Value):
    """A latent's value that was drawn more or less often than it was fitted, or why it was not."""

    family: str
    latent: str
    value: str
    fitted: float
    """Share under the fit."""
    drawn: float
    """Share in the newest round."""
    detected: Interval | None = None
    """Measured effect of the value on the share of its label."""
    status: Literal["moved", "no_effect", "not_needed", "at_the_bound", "too_few"]
    head: str
    label: str


class SelectionReward(Value):
    """Partial correlation of inclusion with success given the labels: selection should not choose by reward (§26.5)."""

    family: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Groups."""
    note: str = ""
    """For a missing value why it is missing."""


class RewardSummary(Value):
    """One reward over the dialogues of one family and policy. Missing values are in no average."""

    name: str
    policy: str
    family: str
    mean: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Dialogues with a value."""
    edges: tuple[float, ...] = ()
    """Of the histogram: one more than `counts`; empty without one."""
    counts: tuple[int, ...] = ()
    none_reasons: dict[str, int] = Field(default_factory=dict)


class PolicyPair(Value):
    """A figure of the same groups under two policies, paired by group."""

    family: str
    measure: str = "turns"
    first: str = "reactive"
    first_mean: float | None = None
    second: str = "proactive"
    second_mean: float | None = None
    difference: float | None = None
    """Mean over groups of second minus first."""
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Groups with both."""
    note: str = ""


class FaultCount(Value):
    """Faults of one kind, as the detectors count them: on turns as first made, and on what was published."""

    kind: str
    first: int
    """Turns that showed it when they were first made."""
    first_n: int
    """Dialogues made."""
    kept: int
    """Turns of published dialogues that show it."""
    kept_n: int
    """Dialogues published."""

    @property
    def first_per_100(self) -> float | None:
        return 100 * self.first / self.first_n if self.first_n else None

    @property
    def kept_per_100(self) -> float | None:
        return 100 * self.kept / self.kept_n if self.kept_n else None


class Shortcut(Value):
    """How often one line of code, learned on other base cases, tells which side of a row was chosen, or its label."""

    feature: Literal["length", "question_marks", "policy", "first_word"]
    value: float | None
    """Share of the published rows, a tie counting half; of labels the mean of both classes'. .5 is chance."""
    low: float | None = None
    high: float | None = None
    before: float | None = None
    """The same of all rows, before any was left out."""
    n: int = 0
    """Rows."""
    units: int = 0
    """Base cases."""
    reason: str = ""
    """Why there is no value."""


class ViewSummary(Value):
    """What became of a dataset view when it was written."""

    name: str
    rows: dict[str, int] = Field(default_factory=dict)
    """By split; splits without rows are absent."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """Rows left out so that no shortcut tells who wins, by reason."""
    less_asking: Interval | None = None
    """Share of the pairs in which the side with fewer question marks wins; None of a view without pairs. n: base
    cases.
    """
    shortcuts: tuple[Shortcut, ...] = ()
    reason: str = ""
    """Why there are no rows."""


class Manifest(Value):
    recipe: str
    pretty_name: str = ""
    """Title of card and report; empty: made from the recipe's name."""
    command: str = ""
    """Makes the run again."""
    status: Literal["complete", "short", "interrupted"]
    status_reason: str = ""
    """Which budget ended a short run, in words."""
    target: int
    published: dict[str, int] = Field(default_factory=dict)
    """Rows by split."""
    seed: int = 0
    families: tuple[str, ...] = ()
    funnel: tuple[FunnelStep, ...] = ()
    realism: tuple[Measure, ...] = ()
    heads: tuple[HeadMarginal, ...] = ()
    feasible: tuple[Feasible, ...] = ()
    """At the final selection. A family that nothing was matched for is absent."""
    rounds: tuple[Round, ...] = ()
    moved: tuple[Moved, ...] = ()
    divergence: dict[str, float] = Field(default_factory=dict)
    """Family -> nats of KL divergence, of the latents as drawn in the newest round from the fit."""
    divergence_bound: float | None = None
    """What it may be at the most."""
    uncontrolled: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Family -> heads of which real users' labels are lacking, beyond chance, and which no latent moves."""
    selection_reward: tuple[SelectionReward, ...] = ()
    rewards: tuple[RewardSummary, ...] = ()
    policies: tuple[PolicyPair, ...] = ()
    faults: tuple[FaultCount, ...] = ()
    """By kind; kinds that never showed are absent."""
    none_rewards: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Reward -> reason -> how many values are missing for it, over all dialogues."""
    fingerprints: dict[str, str] = Field(default_factory=dict)
    """generation, selection, rewards."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of Overture and of the libraries that decide a result."""
    table_version: int = VERSION
    views: tuple[ViewSummary, ...] = ()
    """Of every view that is published where it has rows."""
    sources: tuple[Source, ...] = ()
    licence: str = "apache-2.0"
    """The publisher's, as a dataset hub spells it; what went in may ask for a stricter one (`terms`)."""
    limits: tuple[str, ...] = ()
    """What the dialogues must not be taken for, beyond what every card says."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """Wall time by phase."""
    tokens: dict[str, Tokens] = Field(default_factory=dict)
    """By model or role."""
    spent: Spent = Spent()
    started: str = ""
    """ISO 8601, as `finished`."""
    finished: str = ""

    @property
    def title(self) -> str:
        return self.pretty_name or f"{self.recipe.replace('_', ' ').replace('-', ' ')} dialogues".capitalize()

    @property
    def terms(self) -> Terms:
        """Under which the dialogues may be passed on."""
        return terms(self.sources, self.licence)

    @property
    def accepted(self) -> int:
        return sum(self.published.values())

    @property
    def totals(self) -> tuple[FunnelStep, ...]:
        """The funnel over all families and policies."""
        return tuple(s for s in self.funnel if s.family is None and s.policy is None)


def write_manifest(path: Path, manifest: Manifest) -> None:
    data = orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_text(path, data.decode())


def read_manifest(path: Path) -> Manifest:
    """Raises DataError for a file that is missing or no manifest of this version."""
    if not path.is_file():
        raise DataError(f"{path}: no manifest; give a run directory that has published")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(f"{path}: {where}: {first['msg']}; resume the run to write the manifest again") from error

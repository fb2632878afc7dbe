"""What a forecast says of one cut, and its row: public words, how it ended, and the rates of those who rolled on."""

from math import sqrt
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from schemas.dialogue import Dialogue
from schemas.judgement import Interval
from schemas.record import Record, messages
from schemas.table import MESSAGE

LEAST_EFFECTIVE = 5.0
"""Effective cases that could be the hidden one: of fewer no rate is told."""
TOO_FEW = "too_few_matching"
ALL_FAULTS = "all_rollouts_failed"
NO_BASE_RATE = "no_train_dialogues"

Abstain = Literal["yes", "no", "undecided"]

_RATE = [
    ("p", pa.float64()),
    ("n", pa.int32()),
    ("stderr", pa.float64()),
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("faults", pa.int32()),
    ("reason", pa.string()),
]
FORECASTS = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("group_id", pa.string()),
        ("base_case_id", pa.string()),
        ("split", pa.string()),
        ("family", pa.string()),
        ("domain", pa.string()),
        ("policy", pa.string()),
        ("cut_turn", pa.int32()),
        ("messages", pa.list_(MESSAGE)),
        ("outcome", pa.bool_()),
        ("outcome_base_rate", pa.float64()),
        ("base_rate_n", pa.int32()),
        ("mc_privileged", pa.struct(_RATE)),
        ("mc_public", pa.struct([*_RATE, ("ess", pa.float64()), ("candidates", pa.int32())])),
        ("forecast_p", pa.float64()),
        ("brier", pa.float64()),
        ("abstain_gold", pa.string()),
        ("reason", pa.string()),
    ]
)


class Rate(NamedTuple):
    """Of rollouts: how many succeeded of those that ended without a fault."""

    hits: int
    n: int
    faults: int
    ess: float | None = None
    """Of the cases they were drawn from; None: there is one."""
    candidates: int = 0
    """Cases that were weighed."""

    @property
    def p(self) -> float | None:
        return self.hits / self.n if self.reason is None else None

    @property
    def reason(self) -> str | None:
        """Why there is no rate."""
        if self.ess is not None and self.ess < LEAST_EFFECTIVE:
            return TOO_FEW
        return None if self.n else ALL_FAULTS

    @property
    def interval(self) -> Interval | None:
        """Wilson's, at the effective number: rollouts of one case tell of that case alone, so that the variance is at
        most p(1 - p)(1 / n + 1 / ess).
        """
        if self.p is None:
            return None
        return Interval.of_share(self.p, self.n if self.ess is None else max(1, int(1 / (1 / self.n + 1 / self.ess))))

    def told(self) -> dict[str, Any]:
        p, interval = self.p, self.interval
        return {
            "p": p,
            "n": self.n,
            "stderr": None if p is None else sqrt(p * (1 - p) / self.n),
            "low": interval and interval.low,
            "high": interval and interval.high,
            "faults": self.faults,
            "reason": self.reason,
        }


class BaseRate(NamedTuple):
    """Of the same family and policy, in the train split."""

    hits: int = 0
    n: int = 0

    @property
    def p(self) -> float | None:
        return self.hits / self.n if self.n else None


class Cut(NamedTuple):
    record: Record
    turn: int
    """How many turns are seen."""

    @property
    def seen(self) -> Dialogue:
        """The public part of it is all that a forecaster reads."""
        return self.record.dialogue.model_copy(update={"turns": self.record.dialogue.turns[: self.turn]})


def abstention(interval: Interval | None, threshold: float) -> Abstain | None:
    """What to answer to whether it will be so; `undecided` where the interval straddles the threshold."""
    if interval is None:
        return None
    return "yes" if interval.low > threshold else "no" if interval.high < threshold else "undecided"


def forecast_row(cut: Cut, base: BaseRate, privileged: Rate, public: Rate, threshold: float) -> dict[str, Any]:
    scenario, outcome = cut.record.dialogue.scenario, bool(cut.record.dialogue.outcome["success"])
    reasons = [public.reason, None if base.n else NO_BASE_RATE]
    return {
        "dialogue_id": scenario.dialogue_id,
        "group_id": scenario.group_id,
        "base_case_id": scenario.base_case_id,
        "split": cut.record.split,
        "family": scenario.family,
        "domain": scenario.domain,
        "policy": scenario.policy,
        "cut_turn": cut.turn,
        "messages": messages(cut.seen),
        "outcome": outcome,
        "outcome_base_rate": base.p,
        "base_rate_n": base.n,
        "mc_privileged": privileged.told(),
        "mc_public": public.told() | {"ess": public.ess, "candidates": public.candidates},
        "forecast_p": public.p,
        "brier": None if public.p is None else (public.p - outcome) ** 2,
        "abstain_gold": abstention(public.interval, threshold),
        "reason": ", ".join(r for r in reasons if r) or None,
    }

"""How well the end was foreseen from a turn (methods §8), from the rows that `overture forecast` wrote."""

from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import DataError
from schemas.judgement import RewardValue

_READ = ("dialogue_id", "cut_turn", "outcome", "outcome_base_rate", "mc_privileged", "mc_public", "abstain_gold")


class Forecast(Reward):
    """Of each turn after which a dialogue was cut: the share of public rollouts from there that succeed, a target for
    who forecasts, with its standard error. It scores no turn of the learner's.

    Parts: `brier` = (p - y)^2, `base_rate`, `skill` = 1 - brier / the base rate's (None where that is 0),
    `abstain_gold` (yes, no, undecided) and `privileged`, the rate with the dialogue's own hidden side. Skill is of a
    pool: the mean of single skills is not the skill, `overture forecast` prints that one.

    None: `no_forecasts` without rows, `not_cut`, or the row's own reason.
    """

    rows: Path | None = None
    """The Parquet file of `overture forecast`."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        if self.rows is None:
            return [_missing("no_forecasts")]
        found = _forecasts(self.rows).get(dialogue.id)
        return [_value(row) for row in found] if found else [_missing("not_cut")]


def _missing(reason: str) -> RewardValue:
    return RewardValue(name="forecast", scope="turn", value=None, reason=reason)


def _value(row: dict[str, Any]) -> RewardValue:
    public, base, outcome = row["mc_public"], row["outcome_base_rate"], row["outcome"]
    p = public["p"]
    brier = None if p is None else (p - outcome) ** 2
    worst = None if base is None else (base - outcome) ** 2
    return RewardValue(
        name="forecast",
        scope="turn",
        turn=row["cut_turn"] - 1,
        value=p,
        n=public["n"],
        stderr=public["stderr"],
        parts={
            "brier": brier,
            "base_rate": base,
            "skill": None if brier is None or not worst else 1 - brier / worst,
            "abstain_gold": row["abstain_gold"],
            "privileged": row["mc_privileged"]["p"],
        },
        reason=None if p is not None else public["reason"],
    )


@cache
def _forecasts(path: Path) -> dict[str, list[dict[str, Any]]]:
    """By dialogue id."""
    try:
        rows = pq.read_table(path, columns=list(_READ)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        why = str(error).partition("\n")[0]
        raise DataError(f"{path}: holds no forecasts ({why}); give the file that `overture forecast` wrote") from None
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["dialogue_id"], []).append(row)
    return found

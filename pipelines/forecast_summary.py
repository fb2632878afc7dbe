"""What a forecast came to, by family, printed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.calibration import BINS, bootstrapped, brier, brier_skill, expected_calibration_error
from schemas.identity import derive
from schemas.judgement import shown

LEAST_A_BIN = 10
"""Forecasts in each bin of a calibration error; of fewer it is noise."""
_COLUMNS = ("family", "forecast", "cuts", "Brier", "base rate's", "skill, 95%", "ECE", "base cases")


def print_summary(rows: Sequence[Mapping[str, Any]], lost: Mapping[str, int], console: Console) -> None:
    """`rows`: of forecasts; `lost`: dialogues that were not cut, by reason."""
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for family in sorted({str(row["family"]) for row in rows}):
        mine = [row for row in rows if row["family"] == family]
        for kind in ("mc_public", "mc_privileged"):
            table.add_row(family, kind, *_figures(mine, kind))
    console.print(table, highlight=False)
    golds = Counter(str(row["abstain_gold"]) for row in rows)
    told = ", ".join(f"{golds[gold]} {gold}" for gold in ("yes", "no", "undecided") if golds[gold])
    console.print(f"abstain_gold: {told or 'none'}", highlight=False, soft_wrap=True)
    reasons = Counter(str(row["reason"]) for row in rows if row["reason"])
    for what, counts in (("rows without a forecast or a base rate", reasons), ("dialogues not cut", lost)):
        if counts:
            told = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))
            console.print(f"{what}: {told}", markup=False, highlight=False, soft_wrap=True)


def _figures(rows: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, ...]:
    """Of the rows that have both rates: what is compared is compared on the same cuts."""
    both = [row for row in rows if row[kind]["p"] is not None and row["outcome_base_rate"] is not None]
    if not both:
        return ("0", *["-"] * 5)
    p, y, base = (
        np.array(values, float)
        for values in zip(*((r[kind]["p"], r["outcome"], r["outcome_base_rate"]) for r in both), strict=True)
    )
    cases = [str(row["base_case_id"]) for row in both]
    skill = bootstrapped(lambda i: brier_skill(p[i], y[i], base[i]), cases, derive(0, "skill"))
    ece = f"{expected_calibration_error(p, y):.3f}" if len(both) >= BINS * LEAST_A_BIN else "-"
    figures = (f"{brier(p, y):.3f}", f"{brier(base, y):.3f}", shown(skill, 3), ece)
    return (str(len(both)), *figures, str(len(set(cases))))

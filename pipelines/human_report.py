"""What people's judgements come to: `report.json`, `report.html` and a table."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from discriminators.two_alternative import (
    CATCH_BAR,
    Rate,
    TwoAlternative,
    fooled_by_trial,
    needed_for_equivalence,
    needed_to_detect,
    two_alternative,
)
from outputs.charts import Axis, Span, span
from outputs.files import write_text
from outputs.render import plain
from outputs.templates import render
from schemas.judgement import Interval
from schemas.trial import Answer, Key

WIDTH = 160
"""Of the tables where no terminal says its own."""


class Row(NamedTuple):
    name: str
    rate: Rate
    note: str


def write_report(
    folder: Path, answers: Sequence[Answer], keys: Sequence[Key], about: Mapping[str, Any], delta: float
) -> TwoAlternative:
    """`about`: what the page and the JSON tell of the trials, with `settings` and `shortcuts`."""
    found = two_alternative(answers, keys, delta)
    needs = {"detect_60_percent": needed_to_detect(0.6), "equivalence": needed_for_equivalence(delta)}
    told = {**about, **asdict(found), "needed": needs, "trials": _by_trial(answers, keys, found)}
    option = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    write_text(folder / "report.json", orjson.dumps(told, option=option, default=_named).decode())
    axis = Axis(0.0, 1.0, 0.25)
    rows = [(row, _placed(axis, row.rate)) for row in _rows(found)]
    floor = _placed(axis, found.floor)
    drawn = {"rows": rows, "axis": axis, "floor": floor}
    page = render("human_report.html.j2", found=found, about=about, needs=needs, bar=CATCH_BAR, **drawn)
    write_text(folder / "report.html", page)
    _print(found, needs, Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False))
    Console(highlight=False, markup=False, soft_wrap=True).print(
        f"Wrote {folder / 'report.json'} and {folder / 'report.html'}"
    )
    return found


def _rows(found: TwoAlternative) -> list[Row]:
    out = sum(not r.kept for r in found.raters)
    rows = [
        Row("synthetic taken for real", found.fool_rate, "all raters above the bar; .5 is a coin"),
        Row("the same, of these very raters", found.these_raters, "clustered by trial alone"),
        Row("floor: real against real", found.floor, "the side drawn beforehand; .5 is expected"),
        Row("left of real against real", found.left, "away from .5: a bias of position"),
    ]
    if out:
        note = f"with the {out} left out for their catch trials"
        rows.insert(2, Row("the same, of everybody", found.everybody, note))
    return rows


def _by_trial(answers: Sequence[Answer], keys: Sequence[Key], found: TwoAlternative) -> list[dict[str, Any]]:
    """The synthetic dialogues that were found out most often first."""
    kept = {rater.name for rater in found.raters if rater.kept}
    shares = fooled_by_trial([a for a in answers if a.rater in kept], keys)
    rows = [
        {
            "trial": key.trial,
            "synthetic": key.left if key.synthetic == "left" else key.right,
            "real": key.right if key.synthetic == "left" else key.left,
            "answers": shares[key.trial][0],
            "fooled": shares[key.trial][1],
        }
        for key in keys
        if key.trial in shares
    ]
    return sorted(rows, key=lambda row: (row["fooled"], row["trial"]))


def _placed(axis: Axis, rate: Rate) -> Span | None:
    return None if rate.interval is None else span(axis, rate.interval.value, rate.interval.low, rate.interval.high)


def _named(value: object) -> object:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()  # pyright: ignore[reportAttributeAccessIssue]
    raise TypeError(type(value).__name__)


def _print(found: TwoAlternative, needs: Mapping[str, int], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "share", "95%", "answers", "raters", "worth"):
        table.add_column(name, justify="left" if not name else "right")
    for row in _rows(found):
        table.add_row(row.name, *_cells(row.rate))
    console.print(table)
    raters = Table(box=None, pad_edge=False)
    for name in ("rater", "answers", "catch trials", "fooled", "left", "cannot tell", "median s", ""):
        raters.add_column(name, justify="left" if name == "rater" else "right")
    for r in found.raters:
        left_out = "" if r.kept else "left out"
        catch = f"{r.catch_right} of {r.catch_answers}"
        shares = [_number(value) for value in (r.fool_rate, r.left)]
        rest = (str(r.unsure), _number(r.median_seconds), left_out)
        raters.add_row(escape(plain(r.name)), str(r.answers), catch, *shares, *rest)
    console.print(raters)
    out = sum(not r.kept for r in found.raters)
    text = f"{out} of {len(found.raters)} raters left out: fewer than {CATCH_BAR:.0%} of their catch trials right. "
    detect, equal = needs.values()
    need = f"Needed, independent: {detect} to detect 60%, {equal} for equivalence within {found.delta:g}."
    console.print(text + need, soft_wrap=True, markup=False)
    console.print(found.sentence, style="bold", soft_wrap=True, markup=False)


def _cells(rate: Rate) -> tuple[str, str, str, str, str]:
    if rate.interval is None:
        return "missing", (rate.reason or "").replace("_", " "), "0", "0", ""
    i: Interval = rate.interval
    worth = "" if rate.worth is None else f"{rate.worth:.0f}"
    return f"{i.value:.2f}", f"[{i.low:.2f}, {i.high:.2f}]", str(i.n), str(rate.raters), worth


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value <= 1 else f"{value:.1f}"

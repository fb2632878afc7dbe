"""`overture judge --synthetic A --reference B`: can users be told from real ones, given what they answer?

Prints what was found and writes it as JSON and as a page. Only the reference's test split is looked at: nothing was
fitted or selected with it.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from discriminators.crossfit import bounded
from discriminators.domains import like_domains
from discriminators.heads import MATCHED, REPORTED_ONLY
from discriminators.learner_acts import ACTS
from discriminators.standardised import head_points
from discriminators.two_sample.c2st import NEEDED, Held, c2st
from discriminators.two_sample.diversity import Diversity, phrase_overlap, vendi_ratio
from discriminators.two_sample.energy import energy
from discriminators.two_sample.heads import head_distance, holm
from discriminators.two_sample.mmd import mmd
from discriminators.two_sample.points import Both, Compared, Points, side_by_side
from discriminators.two_sample.wording import wording
from discriminators.user_turns import Sample
from inference.weights import cache_folder, fetch
from outputs.charts import Axis, Span, axis_over, span
from outputs.files import write_text
from outputs.templates import render
from pipelines.dialogue_files import read_dialogues
from pipelines.display import Say
from pipelines.engines import local_embedder
from pipelines.progress import Progress
from pipelines.reference import load_reference
from schemas.contracts import EmbedTexts
from schemas.errors import DataError, InputError
from schemas.identity import derive
from schemas.judgement import Interval

SIDE = 1000
"""Dialogues a side at the most: kernels compare every turn with every other."""
READ = 2000
"""Characters of a turn that are looked at; encoders read no more."""
LEVEL = 0.05
WIDTH = 150
_MMD = "MMD squared (0: alike)"
_ENERGY = "Energy distance (0: alike)"
_ACCURACY = "Accuracy of a classifier on unseen turns (.5: chance)"
_HEADS = "Labels given the act: total variation (0: alike)"
_DIVERSITY = "Vendi score over that of as many real turns (1: as varied)"
_PHRASES = "Phrases that others say, too, less the same of real turns (0: as often)"
_ALIKE = {_MMD: 0.0, _ENERGY: 0.0, _ACCURACY: 0.5, _HEADS: 0.0, _DIVERSITY: 1.0, _PHRASES: 0.0}
"""In the order of the page: where sides are that are alike."""


class Row(NamedTuple):
    """One number with all that stands beside it."""

    panel: str
    name: str
    found: Interval | None
    floor: tuple[float, float] | None
    """Real against real: 95% lie within."""
    p: float | None
    p_holm: float | None
    """Corrected for the number of tests of its kind: labels are one kind, distances and classifiers the other."""
    verdict: str


class Sides(NamedTuple):
    """The user turns of both."""

    real: Sequence[Sample]
    synthetic: Sequence[Sample]
    masked: bool
    """The sides talk about different things: content words were taken out of both."""

    @property
    def texts(self) -> list[str]:
        """Real ones first."""
        return [t.text[:READ] for side in (self.real, self.synthetic) for s in side for t in s.turns]

    def points(self, features: np.ndarray) -> tuple[Points, Points]:
        """`features`: one row for each of `texts`."""
        real = _points(self.real, features)
        return real, _points(self.synthetic, features[len(real.given) :])


def _points(samples: Sequence[Sample], features: np.ndarray) -> Points:
    names = {group: n for n, group in enumerate(dict.fromkeys(s.group for s in samples))}
    groups = [names[s.group] for s in samples for _ in s.turns]
    given = [ACTS.index(t.given) for s in samples for t in s.turns]
    return Points(features[: len(given)], np.array(groups, dtype=int), np.array(given, dtype=int))


def compare(synthetic: Path, reference: str, out: Path, seed: int) -> int:
    """Writes `judgement.json` and `judgement.html` into `out`."""
    began = time.monotonic()
    with Progress("judging") as progress, local_embedder(watched=progress.embedding) as embed:
        progress.begins("reading dialogues")
        sides = _read(synthetic, reference, seed)
        rows = judged(sides, embed, seed, progress.begins)
    about = {
        "synthetic": str(synthetic),
        "reference": reference,
        "split": "test",
        "seed": seed,
        "masked": sides.masked,
        "dialogues": {"real": len(sides.real), "synthetic": len(sides.synthetic)},
        "turns": {n: sum(len(s.turns) for s in side) for n, side in zip(("real", "synthetic"), sides[:2], strict=True)},
        "seconds": round(time.monotonic() - began, 1),
    }
    data = {"about": about, "rows": [_plain(row) for row in rows], "needed": NEEDED}
    write_text(out / "judgement.json", orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
    write_text(out / "judgement.html", page(about, rows))
    _print(rows)
    told = f"\n{about['seconds']:.0f} s. Wrote {out / 'judgement.json'} and {out / 'judgement.html'}"
    Console().print(told, markup=False, highlight=False, soft_wrap=True)
    return 0


def page(about: Mapping[str, object], rows: Sequence[Row]) -> str:
    return render("judgement.html.j2", about=about, panels=_panels(rows), needed=NEEDED)


def _read(path: Path, spec: str, seed: int) -> Sides:
    """Raises DataError."""
    kept = (r.dialogue for r in read_dialogues(path) if r.selection is None or r.selection.keep)
    dialogues = list(islice(kept, 10 * SIDE))
    if not dialogues:
        raise DataError(f"{path}: holds no dialogue that was kept; give a file that has some")
    lengths = [len(d.turns) for d in dialogues]
    reference = load_reference(spec, cache_folder(), fetch=lambda name: fetch(name, lambda *_: None).parent)
    real = [Sample.of(d) for d in reference.beginnings("test", lengths, derive(seed, "test"))]
    synthetic = bounded([Sample.of(d) for d in dialogues], SIDE, seed)
    real = bounded(real, SIDE, seed)
    masked = not like_domains(real, synthetic, seed)
    if masked:
        real, synthetic = ([sample.masked() for sample in side] for side in (real, synthetic))
    return Sides(real, synthetic, masked)


def judged(sides: Sides, embed: EmbedTexts, seed: int, say: Say) -> list[Row]:
    """Every test. `embed`: rows of unit length."""
    texts = sides.texts
    if not texts:
        raise InputError("--synthetic and --reference: no user says a word in either; give dialogues with user turns")
    say(f"embedding {len(texts)} turns")
    rows: list[Row] = []
    meaning = sides.points(np.asarray(embed(texts), dtype=np.float32))
    for name, points in (("meaning", meaning), ("wording", sides.points(wording(texts, seed=derive(seed, "svd"))))):
        say(f"comparing {name}")
        both, drawn = side_by_side(*points), derive(seed, name)
        rows += _distances(name, both, drawn)
        rows.append(_accuracy(name, c2st(*points, drawn)))
    say("comparing labels")
    heads = [h for h in (*MATCHED, *REPORTED_ONLY) if h not in REPORTED_ONLY or not sides.masked]
    found = [(h, head_distance(*head_points(sides.real, sides.synthetic, h), derive(seed, "head", h))) for h in heads]
    rows = _corrected(rows) + _corrected([_row(_HEADS, head, compared) for head, compared in found])
    say("comparing variety")
    rows.append(_varied(_DIVERSITY, "meaning", vendi_ratio(*meaning, derive(seed, "vendi"))))
    overlap = phrase_overlap(*sides.points(np.arange(len(texts))), texts, derive(seed, "phrases"))
    rows.append(_varied(_PHRASES, "three words", overlap))
    return sorted(rows, key=lambda row: list(_ALIKE).index(row.panel))


def _distances(name: str, both: Both, seed: int) -> list[Row]:
    return [_row(_MMD, name, mmd(both, seed)), _row(_ENERGY, name, energy(both, seed))]


def _row(panel: str, name: str, compared: Compared) -> Row:
    """Its verdict is put in when all p-values of its kind are there."""
    known = compared.value is not None and compared.floor is not None
    low = min(0.0, compared.floor or 0.0)
    return Row(
        panel,
        name,
        compared.value,
        (low, compared.floor) if known and compared.floor is not None else None,
        compared.p,
        None,
        compared.reason or (f"{compared.left_out} turns left out" if compared.left_out else ""),
    )


def _accuracy(name: str, held: Held) -> Row:
    row = _row(_ACCURACY, name, held.compared)
    if held.upper is None:
        return row
    floor = None if held.compared.floor is None else (0.5, max(0.5, held.compared.floor))
    shown = f"at most {held.upper:.0%} is shown; {held.tested} dialogues tested"
    return row._replace(floor=floor, verdict="; ".join(filter(None, (shown, row.verdict))))


def _corrected(rows: Sequence[Row]) -> list[Row]:
    known = iter(holm([row.p for row in rows if row.p is not None]))
    found: list[Row] = []
    for row in rows:
        if row.p is None:
            found.append(row._replace(verdict=f"not tested: {row.verdict}"))
            continue
        p = next(known)
        says = "differs" if p < LEVEL else "no difference found"
        found.append(row._replace(p_holm=p, verdict="; ".join(filter(None, (says, row.verdict)))))
    return found


def _varied(panel: str, name: str, found: Diversity) -> Row:
    if found.value is None or found.floor is None:
        return Row(panel, name, None, None, None, None, f"not tested: {found.reason}")
    inside = found.floor.low <= found.value.value <= found.floor.high
    says = "as real halves differ" if inside else "beyond how real halves differ"
    floor = found.floor.low, found.floor.high
    return Row(panel, name, found.value, floor, None, None, f"{says}; {found.turns} turns each time")


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures on one axis, each with its place and that of its floor."""

    title: str
    axis: Axis
    rows: list[tuple[Row, Span | None, Span | None]]


def _panels(rows: Sequence[Row]) -> list[Panel]:
    panels: list[Panel] = []
    for title in dict.fromkeys(row.panel for row in rows):
        some = [row for row in rows if row.panel == title]
        marks = [v for row in some for v in (*(row.found or ())[:3], *(row.floor or ()))]
        axis = axis_over(marks, _ALIKE[title])
        panels.append(Panel(title, axis, [(row, _place(axis, row), _floor(axis, row)) for row in some]))
    return panels


def _place(axis: Axis, row: Row) -> Span | None:
    return span(axis, *row.found[:3]) if row.found is not None else None


def _floor(axis: Axis, row: Row) -> Span | None:
    return span(axis, row.floor[1], *row.floor) if row.floor is not None else None


def _plain(row: Row) -> dict[str, object]:
    found = row.found._asdict() if row.found is not None else None
    return {**row._asdict(), "found": found}


def _print(rows: Sequence[Row]) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "of", "value", "95%", "n", "real vs real", "p", "p (Holm)", "verdict"):
        table.add_column(column, overflow="fold")
    for row in rows:
        value = ("-", "-", "0") if row.found is None else _cells(row.found)
        floor = "-" if row.floor is None else f"{row.floor[0]:.3g} to {row.floor[1]:.3g}"
        table.add_row(row.panel, row.name, *value, floor, _p(row.p), _p(row.p_holm), row.verdict.replace("_", " "))
    console.print(table, highlight=False, markup=False)


def _cells(found: Interval) -> tuple[str, str, str]:
    return f"{found.value:.3g}", f"{found.low:.3g} to {found.high:.3g}", f"{found.n:,}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

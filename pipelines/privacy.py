"""`overture privacy`: personal data in every text of dialogues, counted and on request masked; what judges flagged."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
from rich.console import Console

from filters.personal_data import HOME, KINDS, REGIONS, Kind, find, masked
from outputs.files import atomic_file
from outputs.manifest import Manifest
from pipelines.derived import Given, claim, given, rewrite
from pipelines.progress import Progress
from pipelines.row_texts import rewritten, rows, texts
from schemas.errors import DataError, InputError
from schemas.judgement import Interval
from schemas.table import SCHEMA

OUT = Console(highlight=False, markup=False, soft_wrap=True)
UNSAFE = "unsafe"
"""The construct of `recipes/graders/unsafe.yaml`."""
NOT_FOUND = "names, addresses in words and dates of birth have no form of their own and are not looked for"


@dataclass(frozen=True, slots=True)
class Order:
    path: Path
    mask: bool = False
    out: Path | None = None
    found: Path | None = None
    regions: tuple[str, ...] = HOME


class Place(NamedTuple):
    """Where personal data stands; never the data itself."""

    dialogue_id: str
    where: str
    """As `turns[2].text`."""
    kind: Kind
    start: int
    end: int


@dataclass(slots=True)
class Seen:
    dialogues: int = 0
    cases: set[str] = field(default_factory=set[str])
    finds: Counter[Kind] = field(default_factory=Counter[Kind])
    of_dialogues: Counter[Kind] = field(default_factory=Counter[Kind])
    spoken: Counter[Kind] = field(default_factory=Counter[Kind])
    """Finds in what somebody says; the others are in private columns."""
    of_cases: dict[Kind, set[str]] = field(default_factory=dict[Kind, set[str]])
    judged: Counter[str] = field(default_factory=Counter[str])
    """Answers of who judged whether a dialogue is unsafe, or why there is none."""
    uncalibrated: int = 0

    def add(self, row: Mapping[str, Any], places: list[Place]) -> None:
        self.dialogues += 1
        self.cases.add(row["base_case_id"])
        for place in places:
            self.finds[place.kind] += 1
            self.spoken[place.kind] += place.where.startswith("turns[") and place.where.endswith("].text")
            self.of_cases.setdefault(place.kind, set()).add(row["base_case_id"])
        self.of_dialogues.update({place.kind for place in places})
        for reward in row["rewards"] or ():
            if reward["name"] == UNSAFE:
                parts = orjson.loads(reward["parts"])
                self.judged[parts.get("label") or f"none ({reward['reason']})"] += 1
                self.uncalibrated += parts.get("calibrated") is False

    def _share(self, cases: set[str]) -> str:
        share = Interval.of_share(len(cases) / len(self.cases), len(self.cases))
        interval = f"{share.value:.1%}, 95% interval {share.low:.1%} to {share.high:.1%}"
        return f"{len(cases)} of {len(self.cases)} base cases ({interval})"

    def told(self) -> Iterator[str]:
        for kind in KINDS:
            if not self.finds[kind]:
                continue
            hidden = self.finds[kind] - self.spoken[kind]
            yield (
                f"{self.finds[kind]:6d} {_plain(kind)}, {hidden} of them in private columns; in "
                f"{self.of_dialogues[kind]} of {self.dialogues} dialogues, {self._share(self.of_cases[kind])}"
            )
        if none := [_plain(kind) for kind in KINDS if not self.finds[kind]]:
            yield f"No {', '.join(none)} in {self.dialogues} dialogues, {self._share(set())}."
        yield f"By pattern: {NOT_FOUND}."
        if not self.judged:
            yield "Unsafe content: nobody judged it; overture score --grader recipes/graders/unsafe.yaml does."
            return
        answers = ", ".join(f"{n} {answer}" for answer, n in sorted(self.judged.items()))
        doubt = "; nobody has shown that this judge agrees with people" if self.uncalibrated else ""
        yield f"Unsafe content, as judged: {answers}{doubt}."


def privacy(order: Order) -> int:
    if order.mask != (order.out is not None):
        raise InputError("privacy: --mask and --out DIR go together; one of them is missing")
    if unknown := [region for region in order.regions if region not in REGIONS]:
        raise InputError(f"--region '{unknown[0]}' is no country; give its two letters, as US or DE")
    runs = given([order.path]) if order.mask else []
    seen = Seen()
    with ExitStack() as stack:
        if runs and order.out:
            claim(order.out, _command(order), runs)
        file = stack.enter_context(atomic_file(order.found)) if order.found else None
        progress = stack.enter_context(Progress("looking"))
        for row in progress.counting(rows(order.path), "dialogues looked at"):
            places = list(_places(row, order.regions))
            seen.add(row, places)
            if file:
                file.writelines(orjson.dumps(p._asdict(), option=orjson.OPT_APPEND_NEWLINE) for p in places)
    if not seen.dialogues:
        raise DataError(f"{order.path}: holds no dialogue; give a file that has some")
    OUT.print("\n".join(seen.told()))
    if runs and order.out:
        gone: Counter[Kind] = Counter()
        rewrite(
            runs[0], order.out, lambda t: _masked(t, gone, order.regions), lambda _: _manifest(order, runs[0], gone)
        )
        OUT.print(f"Masked {gone.total()} in dialogues, rejected ones and branches. Wrote {order.out}")
    return 0


def _plain(kind: Kind) -> str:
    return kind.replace("_", " ")


def _command(order: Order) -> str:
    regions = "" if order.regions == HOME else "".join(f" --region {region}" for region in order.regions)
    return f"overture privacy {order.path} --mask{regions} --out {order.out}"


def _places(row: Mapping[str, Any], regions: tuple[str, ...]) -> Iterator[Place]:
    """`messages` repeat what turns say."""
    for where, text in texts(row):
        if not where.startswith("messages["):
            for kind, start, end in find(text, regions=regions):
                yield Place(row["dialogue_id"], where, kind, start, end)


def _masked(table: pa.Table, gone: Counter[Kind], regions: tuple[str, ...]) -> pa.Table:
    def change(where: str, text: str) -> str:
        while found := find(text, regions=regions):  # what stood too close to another is found once that is masked
            if not where.startswith("messages["):
                gone.update(f.kind for f in found)
            text = masked(text, found)
        return text

    return pa.Table.from_pylist([rewritten(row, change) for row in table.to_pylist()], schema=SCHEMA)


def _manifest(order: Order, run: Given, gone: Counter[Kind]) -> Manifest:
    counts = ", ".join(f"{gone[kind]} {_plain(kind)}" for kind in KINDS if gone[kind]) or "none found"
    told = f"Personal data with a form of its own is masked as [email] and so on ({counts}); {NOT_FOUND}."
    return run.manifest.model_copy(update={"command": _command(order), "limits": (*run.manifest.limits, told)})

"""Exports: dialogues and views of them in the files that trainers read. Private parts leave only when asked for by
name.

One pass over the rows, some hundreds at a time; one file a split. Beside them lies `.overture-export.json`, which says
what they were made from: a repeated export keeps the files that are there whole and makes the others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from outputs.arrow import pc
from outputs.columns import PRIVATE
from outputs.exports import shapes
from outputs.exports.files import ExportedFile, Sink, read_state, write_state
from outputs.exports.lines import collabllm, jsonl
from outputs.exports.place import Place
from outputs.publish import split_of
from outputs.views.registry import VIEWS
from schemas.errors import DataError, InputError, did_you_mean
from schemas.identity import stable_hash
from schemas.record import Record

VERSION = 1
"""Raised when a format changes: files of another version are made again."""

Row = dict[str, Any]


class ViewFormat(NamedTuple):
    """Rows of a view, reshaped."""

    view: str
    shape: Callable[[pa.Table, Counter[str]], pa.Table | list[Row]]
    """A table becomes Parquet, a list JSON lines; what it leaves out it counts by reason."""
    kind: Literal["parquet", "jsonl"] = "parquet"
    stem: str = "{split}"
    whole: bool = False
    """It wants all rows of a dialogue at once."""
    mixes: bool = False
    """Its rows tell their split, so that one file may hold several."""


class LineFormat(NamedTuple):
    """Lines made of whole dialogues."""

    lines: Callable[[Record, frozenset[str]], Iterable[Row]]
    needs: frozenset[str] = frozenset()
    """Private columns that it cannot do without, to be named."""
    mixes: bool = False
    kind: Literal["jsonl"] = "jsonl"
    stem: str = "{split}"


FORMATS: dict[str, ViewFormat | LineFormat] = {
    "trl-sft": ViewFormat("sft", shapes.trl_sft),
    "trl-dpo": ViewFormat("preference", shapes.trl_dpo),
    "trl-kto": ViewFormat("unpaired", shapes.trl_kto),
    "trl-grpo": ViewFormat("prompts", shapes.trl_grpo),
    "trl-reward": ViewFormat("preference", shapes.trl_reward),
    "trl-prm": ViewFormat("stepwise", shapes.trl_prm),
    "verl-rl": ViewFormat("prompts", shapes.verl_rl, stem="rl_{split}"),
    "verl-sft": ViewFormat("sft", shapes.verl_sft, stem="sft_{split}", whole=True),
    "collabllm": LineFormat(collabllm, needs=frozenset({"facts"})),
    "sharegpt": ViewFormat("sft", shapes.sharegpt, "jsonl", whole=True),
    "openai": ViewFormat("sft", shapes.openai, "jsonl", whole=True),
    "jsonl": LineFormat(jsonl, mixes=True),
}
"""Beside these, every view by its own name: its rows as they are, in JSON lines."""


@dataclass(frozen=True, slots=True)
class Source:
    tables: Callable[[str], Iterator[pa.Table]]
    """Rows of the view of that name, each with its `split`."""
    records: Callable[[], Iterator[Record]]
    fingerprint: str
    """Of all that rows come from."""


@dataclass(frozen=True, slots=True)
class Order:
    format: str
    private: frozenset[str] = frozenset()
    """Columns of `outputs.columns.PRIVATE` and private views to let out."""
    split: str | None = None
    """None: all."""


class Exported(NamedTuple):
    files: dict[str, int]
    """Name -> rows."""
    left_out: dict[str, int]
    """Rows or dialogues by the reason why they are in no file."""
    kept: frozenset[str] = frozenset()
    """Files among them that lay there already."""


def format_of(name: str) -> ViewFormat | LineFormat:
    """Raises InputError for an unknown one."""
    if name not in FORMATS and name not in VIEWS:
        raise InputError(f"export: no format '{name}'{did_you_mean(name, [*FORMATS, *VIEWS])}")
    return FORMATS.get(name) or ViewFormat(name, shapes.as_it_is, "jsonl", mixes=True)


def may_let_out(found: ViewFormat | LineFormat) -> frozenset[str]:
    """What private parts the format can hold: columns, or the view that it is made of."""
    if isinstance(found, LineFormat):
        return found.needs or PRIVATE
    return frozenset({found.view} if VIEWS[found.view].private else ())


def _allowed(order: Order) -> ViewFormat | LineFormat:
    """Raises InputError unless exactly what the format lets out was named."""
    found = format_of(order.format)
    may = may_let_out(found)
    must = found.needs if isinstance(found, LineFormat) else may
    if lacking := sorted(must - order.private):
        named = " ".join(f"--private {name}" for name in lacking)
        raise InputError(f"export: {order.format} holds what one side knew alone; add {named} to let it out")
    for name in sorted(order.private - may):
        told = did_you_mean(name, may) if may else "; leave --private out, or use --format jsonl"
        raise InputError(f"export: {order.format} holds no private '{name}'{told}")
    return found


def export(order: Order, source: Source, place: Place) -> Exported:
    """Writes a file for each split that has rows. Equal rows are equal bytes. Killed at any moment, no half file lies
    there, and the same call makes what is missing. Raises DataError where there is nothing to write.
    """
    found = _allowed(order)
    state = read_state(place, stable_hash(VERSION, order.format, *sorted(order.private), source.fingerprint))
    if state.has(order.split):
        kept = {name: file.rows for name, file in state.files.items() if order.split in (None, file.split)}
        return Exported(kept, state.left_out, frozenset(kept))
    lost = Counter[str]()
    sinks: dict[str, Sink] = {}
    splits: dict[str, str] = {}
    with ExitStack() as stack:
        for split, rows in _shaped(found, order, source, lost):
            name = f"{found.stem.format(split=split)}.{found.kind}"
            splits[name] = split
            if name in state.files:
                continue
            if name not in sinks:
                sinks[name] = stack.enter_context(Sink(place.stage(name), found.kind))
            sinks[name].add(rows)
    if not splits:
        raise DataError(_nothing(found, order, lost))
    for name, sink in sinks.items():
        file = ExportedFile(split=splits[name], rows=sink.rows, bytes=sink.path.stat().st_size)
        place.put(sink.path, name)
        state = state.model_copy(update={"files": {**state.files, name: file}})
        write_state(place, state)
    if order.split is None:
        write_state(place, state.model_copy(update={"whole": True, "left_out": dict(lost)}))
    return Exported({name: state.files[name].rows for name in splits}, dict(lost), frozenset(splits) - frozenset(sinks))


def export_file(order: Order, source: Source, place: Place, name: str) -> Exported:
    """One file of that name. Raises DataError as `export`, and InputError where it would mix splits that nothing in the
    rows tells apart.
    """
    found = _allowed(order)
    lost = Counter[str]()
    seen: set[str] = set()
    with Sink(place.stage(name), found.kind) as sink:
        for split, rows in _shaped(found, order, source, lost):
            seen.add(split)
            if len(seen) > 1 and not found.mixes:
                mixed = " and ".join(sorted(seen))
                raise InputError(f"export: --out {name}: one file would mix {mixed}; add --split, or give a folder")
            sink.add(rows)
    if not seen:
        sink.path.unlink()
        raise DataError(_nothing(found, order, lost))
    place.put(sink.path, name)
    return Exported({name: sink.rows}, dict(lost))


def _nothing(found: ViewFormat | LineFormat, order: Order, lost: Counter[str]) -> str:
    of = f"the view '{found.view}'" if isinstance(found, ViewFormat) else "the dialogues"
    why = ", ".join(f"{n} {reason}" for reason, n in lost.most_common()) or "no rows"
    where = f" in {order.split}" if order.split else ""
    return f"export: nothing to write as {order.format}: {of} gave {why}{where}; the card of a run says why"


def _shaped(
    found: ViewFormat | LineFormat, order: Order, source: Source, lost: Counter[str]
) -> Iterator[tuple[str, pa.Table | list[Row]]]:
    """(split, rows), never without rows."""
    if isinstance(found, LineFormat):
        for record in source.records():
            split = record.split or split_of(record.dialogue.scenario.base_case_id)
            if order.split in (None, split) and (lines := list(found.lines(record, order.private))):
                yield split, lines
        return
    tables = source.tables(found.view)
    for table in _whole(tables) if found.whole else tables:
        for split in dict.fromkeys(table["split"].to_pylist()):
            if order.split not in (None, split):
                continue
            rows = found.shape(table.filter(pc.equal(table["split"], split)).combine_chunks(), lost)
            if len(rows):
                yield split, rows


def _whole(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut anew between two dialogues."""
    held: pa.Table | None = None
    for table in tables:
        table = table if held is None else pa.concat_tables([held, table])
        ids = table["dialogue_id"].to_pylist()
        cut = next((row for row in range(len(ids) - 1, 0, -1) if ids[row] != ids[row - 1]), 0)
        if cut:
            yield table.slice(0, cut)
        held = table.slice(cut)
    if held is not None and held.num_rows:
        yield held

"""What `overture push` sends of a run: its card, its dialogues without private columns, its views. Nothing else leaves.

Dialogues that were dropped stay behind (some for what they give away), and so do rollouts, which nothing judged.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from outputs.card import DataFile, configs_of, write_card
from outputs.columns import PRIVATE
from outputs.configs import reduced
from outputs.croissant import write_croissant
from outputs.files import storage_errors
from outputs.manifest import Manifest, read_manifest
from outputs.parquet import part_writer
from outputs.store import count_rows, read_dialogue_tables, read_records
from schemas.errors import DataError, InputError, did_you_mean

PARTS = "rewards.parts"
"""What rewards were computed from: it may quote a hidden answer."""
NAMES = PRIVATE | {PARTS}
"""What stays behind unless it is named."""
FOLDERS = ("data", "views")


class Leaving(NamedTuple):
    files: dict[str, Path]
    """By path in the repository."""
    configs: dict[str, list[DataFile]]
    columns: tuple[str, ...]
    """Of the dialogues."""
    named: tuple[str, ...]
    """Private columns among them."""
    manifest: Manifest


def stage(run_dir: Path, work: Path, named: frozenset[str]) -> Leaving:
    """Puts what would leave into `work`, an empty directory. `named`: of `NAMES`. Raises InputError and DataError."""
    for name in sorted(named - NAMES):
        raise InputError(f"push: --private: no private column '{name}'{did_you_mean(name, NAMES)}")
    manifest = read_manifest(run_dir / "manifest.json")
    if not manifest.accepted:
        raise DataError(f"{run_dir}: nothing was published in this run, so there is nothing to push")
    without = NAMES - named
    schema = reduced(without)
    data = sorted((run_dir / "data").glob("*.parquet"))
    for file in data:
        with part_writer(work / "data" / file.name, schema) as writer:
            for table in read_dialogue_tables(file):
                writer.add(_stripped(table, schema))
    for file in sorted(run_dir.glob("views/*/*.parquet")):
        place = work / file.relative_to(run_dir)
        with storage_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file.resolve())
    configs = configs_of(work)
    write_card(work, manifest, next(read_records(data), None), without)
    write_croissant(work, manifest, configs, without)
    files = {path.relative_to(work).as_posix(): path for path in sorted(work.rglob("*")) if path.is_file()}
    return Leaving(files, configs, tuple(schema.names), tuple(sorted(named)), manifest)


def _stripped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    table = table.select(schema.names)
    wanted = schema.field("rewards").type
    if wanted == table.schema.field("rewards").type:
        return table.cast(schema)
    rewards = table["rewards"].combine_chunks()
    names = [child.name for child in wanted.value_type]
    given = rewards.values
    values = pa.StructArray.from_arrays(
        [given.field(name) for name in names], fields=list(wanted.value_type), mask=given.is_null()
    )
    lists = pa.ListArray.from_arrays(rewards.offsets, values, type=wanted, mask=rewards.is_null())
    return table.set_column(table.schema.get_field_index("rewards"), schema.field("rewards"), lists).cast(schema)


def told(leaving: Leaving) -> Iterator[str]:
    """What leaves, in lines."""
    width = max(map(len, leaving.files))
    for name, path in leaving.files.items():
        rows = f"{count_rows(path):>12,} rows" if path.suffix == ".parquet" else ""
        yield f"  {name:<{width}} {path.stat().st_size:>14,} bytes{rows}"
    yield "Configs: " + "; ".join(
        f"{config} ({', '.join(f'{file.split} {file.rows}' for file in files)})"
        for config, files in leaving.configs.items()
    )
    yield f"Columns of the dialogues: {', '.join(leaving.columns)}"
    yield f"Private columns: {', '.join(leaving.named) or 'none'}"
    yield f"Licence: {leaving.manifest.terms.licence}"
    for source in leaving.manifest.sources:
        yield f"  {source.kind} {source.name}: {source.licence}"

"""The dataset card, `README.md` of a run: it lets `datasets.load_dataset` load the directory and says what is in it."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from outputs.configs import config, limits
from outputs.files import write_text
from outputs.manifest import Manifest
from outputs.publish import SPLITS
from outputs.store import count_rows
from outputs.templates import render
from outputs.views.registry import PUBLISHED
from schemas.record import Record

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class DataFile(NamedTuple):
    split: str
    glob: str
    rows: int


def write_card(run_dir: Path, manifest: Manifest, example: Record | None = None, without: Collection[str] = ()) -> None:
    """Writes `README.md`. `example`: one published dialogue to show. `without`: columns that a copy lacks."""
    write_text(run_dir / "README.md", render_card(manifest, configs_of(run_dir), example, without))


def configs_of(run_dir: Path) -> dict[str, list[DataFile]]:
    """Dataset configs and their splits that have rows, from the files: a split without rows does not load."""
    found = {
        "dialogues": [_data_file(run_dir, split, f"data/{split}-*.parquet") for split in SPLITS],
        **{
            name: [_data_file(run_dir, split, f"views/{name}/{split}-*.parquet") for split in SPLITS]
            for name in PUBLISHED
        },
        "rejected": [_data_file(run_dir, "rejected", "rejected/part-*.parquet")],
        "branches": [_data_file(run_dir, "branches", "branches/part-*.parquet")],
    }
    kept = {config: [file for file in files if file.rows] for config, files in found.items()}
    return {config: files for config, files in kept.items() if files}


def render_card(
    manifest: Manifest,
    configs: dict[str, list[DataFile]],
    example: Record | None = None,
    without: Collection[str] = (),
) -> str:
    rows = sum(file.rows for file in configs.get("dialogues", []))
    return render(
        "card.md.j2",
        manifest=manifest,
        configs=configs,
        rows=rows,
        size=size_category(rows),
        documented=[config(name, without) for name in configs],
        views={view.name: view for view in manifest.views},
        limits=limits(manifest),
        terms=manifest.terms,
        example=example,
        families=", ".join(manifest.families),
    )


def size_category(rows: int) -> str:
    """As dataset hubs spell it."""
    return next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")


def _data_file(run_dir: Path, split: str, glob: str) -> DataFile:
    return DataFile(split, glob, sum(count_rows(path) for path in sorted(run_dir.glob(glob))))

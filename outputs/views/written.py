"""The views of a run, `views/<name>/<split>-*.parquet`, made anew from its `data/`.

Most are written as the dialogues are read. Of those that must have no shortcuts the rows wait in files, and memory
holds some 100 bytes a row: who is left out depends on all of them.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from shutil import rmtree

import pyarrow as pa

from outputs.files import fresh_directory, replace_directory, storage_errors
from outputs.manifest import ViewSummary
from outputs.parquet import PartWriter, part_writer
from outputs.publish import ROWS_A_PART, SPLITS, Split
from outputs.store import count_rows
from outputs.views.groups import in_groups
from outputs.views.public import leaves, public
from outputs.views.reading import Seen, filtered
from outputs.views.registry import PUBLISHED, VIEWS
from outputs.views.view import DatasetView


def write_views(run_dir: Path) -> tuple[ViewSummary, ...]:
    """Equal `data/` is equal bytes. Killed at any moment, calling it again repairs it. A view without rows has no
    directory.
    """
    work = fresh_directory(run_dir / "views.tmp")
    written = [_Written(VIEWS[name], work) for name in PUBLISHED]
    for split in SPLITS:
        for place, tables in groupby(_parts(run_dir, split, work), key=itemgetter(0)):
            with ExitStack() as stack:
                for _, dialogues in tables:
                    for view in written:
                        view.add(dialogues, split, place, stack)
    summaries = tuple(view.finish() for view in written)
    with storage_errors(work):
        rmtree(work / "waiting", ignore_errors=True)
    replace_directory(work, run_dir / "views")
    with storage_errors(run_dir):
        if not any((run_dir / "views").iterdir()):
            (run_dir / "views").rmdir()
    return summaries


class _Written:
    """One view on its way to disk."""

    def __init__(self, view: DatasetView, work: Path):
        self._view = view
        self._folder = work / view.name
        self._waits = work / "waiting" / view.name
        self._seen = Seen(view)
        self._files: dict[str, PartWriter] = {}
        self._rows: Counter[str] = Counter()
        self._places: list[tuple[Split, str, int]] = []
        """Of each file: its split, its name, its rows."""

    def add(self, dialogues: pa.Table, split: Split, place: str, stack: ExitStack) -> None:
        rows = self._view.rows(dialogues)
        if not rows.num_rows:
            return
        if place not in self._files:
            folder = self._folder if self._view.features is None else self._waits
            self._files = {place: stack.enter_context(part_writer(folder / place, self._view.schema))}
            self._places.append((split, place, 0))
        self._files[place].add(rows)
        self._seen.add(rows)
        self._places[-1] = (split, place, self._places[-1][2] + rows.num_rows)

    def finish(self) -> ViewSummary:
        if self._view.features is None:
            for split, _, rows in self._places:
                self._rows[split] += rows
            return ViewSummary(name=self._view.name, rows={**self._rows}, reason="" if self._rows else "no_rows")
        chosen, start = self._seen.chosen(), 0
        for split, place, rows in self._places:
            keep = chosen.keep[start : start + rows]
            start += rows
            if keep.any():
                self._rows[split] += int(keep.sum())
                with part_writer(self._folder / place, self._view.schema) as writer:
                    for table in filtered(self._waits / place, keep):
                        writer.add(table)
        return ViewSummary(
            name=self._view.name,
            rows={**self._rows},
            dropped=dict(chosen.dropped),
            less_asking=chosen.less_asking,
            shortcuts=chosen.shortcuts,
            reason=chosen.reason,
        )


def _parts(run_dir: Path, split: Split, work: Path) -> Iterator[tuple[str, pa.Table]]:
    """Dialogues in whole groups, with all that views need, and the file that their rows go to."""
    files = sorted((run_dir / "data").glob(f"{split}-*.parquet"))
    parts = -(-sum(count_rows(path) for path in files) // ROWS_A_PART)
    needs = frozenset(need for name in PUBLISHED for need in VIEWS[name].needs)
    done = 0
    for table in in_groups(files, leaves(needs), work):
        yield f"{split}-{done // ROWS_A_PART:05d}-of-{parts:05d}.parquet", public(table, needs)
        done += table.num_rows

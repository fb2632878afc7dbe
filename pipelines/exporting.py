"""`overture export`: from dialogues anywhere to files that trainers read."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console

from outputs import hub
from outputs.exports import place
from outputs.exports.export import Exported, Source, export, export_file, format_of, may_let_out
from outputs.exports.export import Order as Wanted
from outputs.views.reading import view_tables
from pipelines.dialogue_files import parquet_files, read_dialogues
from schemas.errors import InputError, did_you_mean
from schemas.identity import stable_hash

OUT = Console(highlight=False, markup=False, soft_wrap=True)
ALL = "all"
_SPLITS = ("train", "validation", "test")


class Order(NamedTuple):
    """The command line."""

    path: Path
    format: str
    out: str | None = None
    private: Sequence[str] = ()
    split: str | None = None


def run(order: Order) -> int:
    found = format_of(order.format)
    named = may_let_out(found) if ALL in order.private else frozenset(order.private)
    if order.split is not None and order.split not in _SPLITS:
        raise InputError(f"export: --split: no split '{order.split}'{did_you_mean(order.split, _SPLITS)}")
    wanted = Wanted(order.format, named, order.split)
    out = order.out or f"exports/{order.path.resolve().stem}/{order.format}"
    with TemporaryDirectory(prefix="overture-export-") as work:
        source = Source(
            tables=lambda view: view_tables(view, order.path, Path(work)),
            records=lambda: read_dialogues(order.path),
            fingerprint=_fingerprint(order.path),
        )
        if _names_a_file(out, found.kind):
            folder, name = _parted(out)
            with _opened(folder) as there:
                made = export_file(wanted, source, there, name)
        else:
            with _opened(out) as there:
                made = export(wanted, source, there)
    OUT.print(_told(made, "dialogues" if order.format == "jsonl" else "rows", out))
    return 0


def _names_a_file(out: str, kind: str) -> bool:
    suffix = PurePosixPath(out).suffix.removeprefix(".")
    if suffix in ("parquet", "jsonl") and suffix != kind:
        raise InputError(f"export: --out {out}: this format is written as .{kind}; name such a file, or a folder")
    return suffix == kind


def _opened(out: str) -> AbstractContextManager[place.Place]:
    return hub.hub_place(out) if out.startswith(hub.URL) else place.opened(out)


def _parted(out: str) -> tuple[str, str]:
    """Folder and name of a file, by path or URL."""
    folder, slash, name = out.rpartition("/")
    return folder or slash or ".", name


def _fingerprint(path: Path) -> str:
    """Of all Parquet that rows could come from."""
    views = sorted(path.glob("views/*/*.parquet")) + sorted(path.glob("branches/*.parquet")) if path.is_dir() else []
    digests: list[str] = []
    for file in [*parquet_files(path), *views]:
        with file.open("rb") as opened:
            digests.append(file_digest(opened, "sha256").hexdigest())
    return stable_hash(*digests)


def _told(made: Exported, what: str, out: str) -> str:
    marks = dict.fromkeys(made.kept, " (there already)")
    each = ", ".join(f"{name} {rows}{marks.get(name, '')}" for name, rows in sorted(made.files.items()))
    gone = f" Left out: {', '.join(f'{n} {reason}' for reason, n in made.left_out.items())}." if made.left_out else ""
    return f"{sum(made.files.values())} {what}: {each}.{gone} Wrote {out}"

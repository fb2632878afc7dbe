"""`overture push`: a run to the hub, or a look at what would leave."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console

from outputs.hub import repo_of, send
from outputs.push import FOLDERS, NAMES, stage, told

OUT = Console(highlight=False, markup=False, soft_wrap=True)
ALL = "all"


class Order(NamedTuple):
    """The command line."""

    run: Path
    repo: str
    public: bool = False
    dry_run: bool = False
    private: Sequence[str] = ()


def run(order: Order) -> int:
    repo = repo_of(order.repo)
    named = NAMES if ALL in order.private else frozenset(order.private)
    with TemporaryDirectory(prefix="overture-push-") as work:
        leaving = stage(order.run, Path(work), named)
        seen = "public" if order.public else "private"
        OUT.print(f"To the {seen} dataset {repo}:")
        OUT.print("\n".join(told(leaving)))
        if order.dry_run:
            OUT.print("Nothing was sent.")
            return 0
        OUT.print(f"Published: {send(repo, leaving.files, order.public, FOLDERS)}")
    return 0

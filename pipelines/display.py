"""What a person sees while a run goes on, and at its end."""

import sys
import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from outputs.manifest import Manifest, Measure
from outputs.store import dialogue_files, read_records
from outputs.view import render_dialogue
from pipelines.pool import Counts
from pipelines.recipe import Recipe
from pipelines.rundir import RunDir

LINE_EVERY_S = 10.0


class Display:
    """Live on a terminal, a line now and then elsewhere. A context manager."""

    def __init__(self, recipe: Recipe, console: Console | None = None):
        self._console = console or Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._fetching = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=self._console
        )
        self._live = Live(Group(self._fetching, self._bar), console=self._console, refresh_per_second=4, transient=True)
        self._task = self._bar.add_task(recipe.name, total=recipe.target, note="", start=False)
        self._fetch_tasks: dict[str, int] = {}
        self._round = ""
        self._began = time.monotonic()
        self._last_line = 0.0
        self._planned = recipe.target
        self._accepted = 0

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False)

    def fetching(self, name: str, done: int, total: int) -> None:
        if name not in self._fetch_tasks:
            self._fetch_tasks[name] = int(self._fetching.add_task(f"fetching {name}", total=total))
            if not self._console.is_terminal:
                self.say(f"fetching {name} ({total / 1e6:.0f} MB)")
        self._fetching.update(self._fetch_tasks[name], completed=done, total=total)  # pyright: ignore[reportArgumentType]
        if done >= total:
            self._fetching.update(self._fetch_tasks[name], visible=False)  # pyright: ignore[reportArgumentType]

    def round(self, number: int, planned: int, accepted: int) -> None:
        self._round, self._planned, self._accepted = f"round {number + 1}", planned, accepted
        self._began = time.monotonic()
        self._bar.start_task(self._task)
        self._bar.update(self._task, description=self._round, completed=0, total=planned)
        if not self._console.is_terminal:
            self.say(f"{self._round}: {planned} dialogues to play, {accepted} accepted so far")

    def counts(self, counts: Counts) -> None:
        elapsed = max(time.monotonic() - self._began, 1e-3)
        speed = counts.total("completion_tokens") / elapsed
        note = (
            f"{counts.turns} turns, {speed:.0f} tokens/s, {counts.valid} valid of {counts.dialogues}, "
            f"{self._accepted} accepted before"
        )
        self._bar.update(self._task, completed=counts.dialogues, note=note)
        if not self._console.is_terminal and time.monotonic() - self._last_line > LINE_EVERY_S:
            self._last_line = time.monotonic()
            left = elapsed / counts.dialogues * (self._planned - counts.dialogues) if counts.dialogues else None
            eta = "" if left is None else f", about {left:.0f} s to go"
            self.say(f"{self._round}: {counts.dialogues}/{self._planned} dialogues, {note}{eta}")


def summary(run: RunDir, manifest: Manifest, play: dict[str, float], slots: int, console: Console) -> None:
    """Accepted and made, why the rest was dropped, realism, where things lie, and one whole dialogue."""
    totals = {s.name: s for s in manifest.totals}
    made = totals["made"].count
    table = Table(title=f"{manifest.recipe}: {manifest.status}", title_justify="left", show_header=False)
    table.add_row("accepted / made", f"{manifest.accepted} / {made} (target {manifest.target})")
    if manifest.status_reason:
        table.add_row("short because", manifest.status_reason)
    reasons = sorted(totals["published"].reasons.items(), key=lambda x: -x[1])
    table.add_row("dropped", "\n".join(f"{n} {reason}" for reason, n in reasons) or "none")
    for pair in manifest.policies:
        if pair.difference is not None:
            table.add_row(
                f"turns, {pair.family}",
                f"{pair.first} {pair.first_mean:.1f}, {pair.second} {pair.second_mean:.1f}"
                f" ({_interval(pair.difference, pair.low, pair.high)}, {pair.n} pairs)",
            )
    wall = play.get("wall_s", 0.0)
    if wall:
        whole = wall * 1000 * slots
        prefill, decode = play.get("prefill_ms", 0.0) / whole, play.get("decode_ms", 0.0) / whole
        rest = max(0.0, 1 - prefill - decode)
        table.add_row("model slots' time", f"prefill {prefill:.0%}, decoding {decode:.0%}, the rest {rest:.0%}")
    seconds = ", ".join(f"{name} {s:.0f} s" for name, s in manifest.seconds.items())
    table.add_row("time", seconds)
    table.add_row("dataset", f"{run.path} ({', '.join(f'{k} {v}' for k, v in manifest.published.items()) or 'empty'})")
    table.add_row("card, report", f"{run.card}\n{run.report}")
    console.print(table)
    console.print(_realism(manifest))
    example = next(read_records(dialogue_files(run.path)), None) if manifest.accepted else None
    if example is not None:
        console.print(render_dialogue(example))


def _realism(manifest: Manifest) -> Table:
    table = Table(title="realism (95% intervals; the floor is real against real)", title_justify="left")
    for column in ("family", "measure", "value", "floor", "n"):
        table.add_column(column)
    for m in manifest.realism:
        table.add_row(m.family, m.name, _measure(m), _floor(m), str(m.n))
    return table


def _measure(m: Measure) -> str:
    return m.note if m.value is None else _interval(m.value, m.low, m.high)


def _floor(m: Measure) -> str:
    if m.floor_value is not None:
        return _interval(m.floor_value, m.floor_low, m.floor_high)
    return f"≤ {m.floor_high:.2f}" if m.floor_high is not None else "-"


def _interval(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"

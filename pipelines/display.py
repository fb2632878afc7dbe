"""What a person sees while a run goes on, and at its end."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from outputs.manifest import Manifest, Measure
from outputs.render import render_dialogue
from outputs.spent import Spent
from outputs.store import dialogue_files, read_records
from pipelines.pool import Counts
from pipelines.recipe import Recipe
from pipelines.rundir import RunDir
from pipelines.watching import Asides, Speed, cached_share, shown

LINE_EVERY_S = 10.0
ENDPOINTS_EVERY_S = 30.0
TABLE_EVERY_S = 0.25
ENDPOINTS_SHOWN = 16
"""More have no room on a terminal: those set aside and the busiest are shown."""


Say = Callable[[str], None]


def teller(doing: str, console: Console, stack: ExitStack) -> Say:
    """A line that changes on a terminal, lines elsewhere."""
    if not console.is_terminal:
        return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)
    status = stack.enter_context(console.status(doing))
    return lambda text: status.update(Text(text))


class Display:
    """Live on a terminal, a line now and then elsewhere. A context manager."""

    def __init__(self, recipe: Recipe, console: Console | None = None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
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
        self._live = Live(self._view(None), console=self._console, refresh_per_second=4, transient=True)
        self._task = self._bar.add_task(recipe.name, total=recipe.target, note="", start=False)
        self._fetch_tasks: dict[str, int] = {}
        self._round = ""
        self._began = self._clock()
        self._last_line = self._last_endpoints = -math.inf
        self._asides = Asides()
        self._speeds: dict[str, Speed] = {}
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
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def fetching(self, name: str, done: int, total: int) -> None:
        if name not in self._fetch_tasks:
            self._fetch_tasks[name] = int(self._fetching.add_task(f"fetching {name}", total=total))
            if not self._console.is_terminal:
                self.say(f"fetching {name} ({total / 1e6:.0f} MB)")
        self._fetching.update(self._fetch_tasks[name], completed=done, total=total)  # pyright: ignore[reportArgumentType]
        if done >= total:
            self._fetching.update(self._fetch_tasks[name], visible=False)  # pyright: ignore[reportArgumentType]

    def starting(self, name: str, seconds: float, line: str) -> None:
        note = f"starting {name}: {seconds:.0f} s, {line}"
        if self._console.is_terminal:
            self._bar.update(self._task, description=note[: self._console.width - 4])
        elif self._clock() - self._last_line > LINE_EVERY_S:
            self._last_line = self._clock()
            self.say(note)

    def round(self, number: int, planned: int, accepted: int) -> None:
        self._round, self._planned, self._accepted = f"round {number + 1}", planned, accepted
        self._began = self._last_endpoints = self._clock()
        self._asides, self._speeds = Asides(), {}
        self._bar.start_task(self._task)
        self._bar.update(self._task, description=self._round, completed=0, total=planned)
        if not self._console.is_terminal:
            self.say(f"{self._round}: {planned} dialogues to play, {accepted} accepted so far")

    def counts(self, counts: Counts) -> None:
        elapsed = max(self._clock() - self._began, 1e-3)
        speed = counts.total("completion_tokens") / elapsed
        note = (
            f"{counts.turns} turns, {speed:.0f} tokens/s, {counts.valid} valid of {counts.dialogues}, "
            f"{self._accepted} accepted before"
        )
        self._bar.update(self._task, completed=counts.dialogues, note=note)
        if not self._console.is_terminal and self._clock() - self._last_line > LINE_EVERY_S:
            self._last_line = self._clock()
            left = elapsed / counts.dialogues * (self._planned - counts.dialogues) if counts.dialogues else None
            eta = "" if left is None else f", about {left:.0f} s to go"
            self.say(f"{self._round}: {counts.dialogues}/{self._planned} dialogues, {note}{eta}")
        self._endpoints(counts.endpoints)

    def _endpoints(self, endpoints: Mapping[str, Mapping[str, Any]]) -> None:
        now = self._clock()
        speeds = {
            name: self._speeds.setdefault(name, Speed()).at(now, told.get("completion_tokens", 0))
            for name, told in endpoints.items()
        }
        for change in self._asides.changes(endpoints):
            what = "is back" if change.why is None else f"is set aside: {change.why}"
            self.say(f"{self._round}: {shown(change.endpoint)} {what}")
        if now - self._last_endpoints < (TABLE_EVERY_S if self._console.is_terminal else ENDPOINTS_EVERY_S):
            return
        self._last_endpoints = now
        if self._console.is_terminal:
            self._live.update(self._view(_endpoint_table(endpoints, speeds)))
            return
        for name, told in sorted(endpoints.items()):
            self.say(f"{self._round}: {shown(name)}: {_endpoint_line(told, speeds[name])}")

    def _view(self, endpoints: Table | None) -> Group:
        return Group(self._fetching, self._bar, *([] if endpoints is None else [endpoints]))


def _endpoint_table(endpoints: Mapping[str, Mapping[str, Any]], speeds: Mapping[str, float]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("endpoint", no_wrap=True)
    for column in ("in flight", "limit", "waiting", "tokens/s", "cached"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("faults", overflow="fold")
    busiest = sorted(endpoints.items(), key=lambda x: (x[1].get("aside") is None, -x[1].get("in_flight", 0), x[0]))
    for name, told in sorted(busiest[:ENDPOINTS_SHOWN]):
        table.add_row(
            Text(shown(name)),
            str(told.get("in_flight", 0)),
            str(told.get("limit", 0)),
            str(told.get("waiting", 0)),
            f"{speeds[name]:.0f}",
            _percent(cached_share(told)),
            Text(_troubles(told)),
        )
    if len(endpoints) > ENDPOINTS_SHOWN:
        table.add_row(f"and {len(endpoints) - ENDPOINTS_SHOWN} more")
    return table


def _endpoint_line(told: Mapping[str, Any], speed: float) -> str:
    """What a row of the table shows, in words."""
    load = f"{told.get('in_flight', 0)} in flight of {told.get('limit', 0)}, {told.get('waiting', 0)} waiting"
    cached = f"{_percent(cached_share(told))} of prompts cached"
    return f"{load}, {speed:.0f} tokens/s, {cached}, {_troubles(told) or 'no faults'}"


def _troubles(told: Mapping[str, Any]) -> str:
    faults = _faults(told.get("faults", {}))
    if (why := told.get("aside")) is None:
        return faults
    return f"set aside: {why}" + (f" ({faults})" if faults else "")


def _faults(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted(kinds.items()))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


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
    if play.get("prefill_ms") or play.get("decode_ms"):  # only llama.cpp tells
        whole = max(play["wall_s"], 1e-3) * 1000 * slots
        prefill, decode = play["prefill_ms"] / whole, play["decode_ms"] / whole
        rest = max(0.0, 1 - prefill - decode)
        table.add_row("model slots' time", f"prefill {prefill:.0%}, decoding {decode:.0%}, the rest {rest:.0%}")
    for name, value in _spent(manifest.spent):
        table.add_row(name, value)
    seconds = ", ".join(f"{name} {s:.0f} s" for name, s in manifest.seconds.items())
    table.add_row("time", seconds)
    table.add_row("dataset", f"{run.path} ({', '.join(f'{k} {v}' for k, v in manifest.published.items()) or 'empty'})")
    table.add_row("card, report", f"{run.card}\n{run.report}")
    console.print(table)
    console.print(_realism(manifest))
    example = next(read_records(dialogue_files(run.path)), None) if manifest.accepted else None
    if example is not None:
        console.print(render_dialogue(example))


def _spent(spent: Spent) -> list[tuple[str, str]]:
    """Tokens always; faults and cost where there are any."""
    tokens = spent.tokens
    cached = "" if tokens.cached_share is None else f" ({tokens.cached_share:.0%} cached)"
    each = "" if spent.tokens_an_accepted is None else f"; {spent.tokens_an_accepted:,.0f} an accepted dialogue"
    rows = [("tokens", f"{tokens.prompt:,} read{cached}, {tokens.completion:,} written{each}")]
    if spent.faults:
        aside = f"; set aside {spent.set_aside} times" if spent.set_aside else ""
        rows.append(("faults", f"{_faults(spent.faults)}; asked again {spent.retries} times{aside}"))
    if tokens.cost is not None:
        each = "" if spent.cost_an_accepted is None else f"; {spent.cost_an_accepted:.4g} an accepted dialogue"
        rows.append(("cost", f"{tokens.cost:,.4g}{each}"))
    return rows


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

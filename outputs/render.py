"""One dialogue, printed readably."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from schemas.dialogue import Dialogue, Turn
from schemas.record import Record

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: object) -> str:
    """Without control characters: a model's words must not steer the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def render_dialogue(record: Record) -> RenderableType:
    """One whole dialogue: what it is, its turns with their labels, how it ended and what it was worth."""
    dialogue, scenario = record.dialogue, record.dialogue.scenario
    width = max((len(plain(t.role)) for t in dialogue.turns), default=0)
    parts: list[RenderableType] = [
        Text.assemble(
            (plain(f"{scenario.family} · {scenario.policy} {dialogue.learner}"), "bold"),
            (plain(f"  {scenario.domain} · {dialogue.id[:8]}"), "dim"),
        ),
        Text(plain(scenario.goal), style="italic dim"),
        Text(),
    ]
    for turn in dialogue.turns:
        parts.append(_said(turn, dialogue, width))
        if labels := _labels(turn):
            parts.append(Padding(Text(labels, style="dim"), (0, 0, 0, width + 2)))
    parts += [Text(), _ending(record)]
    return Group(*parts)


def _said(turn: Turn, dialogue: Dialogue, width: int) -> RenderableType:
    colour = "cyan" if turn.role == dialogue.learner else "green"
    match turn.kind:
        case "utterance":
            words = Text(plain(turn.text))
        case "silence":
            words = Text("(silent)", style="dim italic")
        case "event":
            words = Text(f"[{plain(turn.text)}]", style="dim italic")
    return _hanging(Text(plain(turn.role).rjust(width), style=f"bold {colour}"), words, width + 2)


def _hanging(name: Text, words: Text, indent: int) -> RenderableType:
    """The name, and beside it the words, wrapped under themselves."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=indent - 2, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(name, words)
    return grid


def _labels(turn: Turn) -> str:
    wanted, found = turn.intent_requested, turn.intent_detected
    said = [f"{wanted} → {found}" if wanted and found and wanted != found else wanted or found or ""]
    said += [f"{verb} {', '.join(ids)}" for verb, ids in _facts(turn) if ids]
    said += list(turn.acts)
    if turn.answer is not None:
        said.append(f"answer {turn.answer}" + {True: " (right)", False: " (wrong)", None: ""}[turn.answer_correct])
    said += [f"fault {fault['kind']}" for fault in turn.labels.get("faults", ())]
    flat = {name: value for name, value in turn.labels.items() if value and not _nested(value)}
    said += [name if value is True else f"{name}={value}" for name, value in flat.items()]
    return plain(" · ".join(part for part in said if part))


def _nested(value: Any) -> bool:
    """What was weighed or appraised: for who reads the row, not the dialogue."""
    return isinstance(value, dict) or (isinstance(value, list | tuple) and any(isinstance(v, dict) for v in value))


def _facts(turn: Turn) -> Iterable[tuple[str, tuple[str, ...]]]:
    return (
        ("asks", turn.facts_asked),
        ("discloses", turn.facts_disclosed),
        ("volunteers", turn.facts_volunteered),
    )


def _ending(record: Record) -> Text:
    ending = record.dialogue.ending
    line = Text.assemble(("ended: ", "dim"), plain(ending.reason))
    for reward in record.rewards:
        if reward.scope == "dialogue":
            value = f"missing ({reward.reason})" if reward.value is None else f"{reward.value:.3g}"
            line.append(f"  {plain(reward.name)} ", "dim").append(plain(value))
    if record.selection is not None and not record.selection.keep:
        line.append(f"  dropped: {plain(record.selection.reason)}", "red")
    return line

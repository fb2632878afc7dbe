"""Dialogues in the terminal: one rendered readably, many to browse."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from schemas.table import Record


def render_dialogue(record: Record) -> RenderableType:
    """One dialogue: a header, then a line a turn with what its labels say."""
    lines: list[Text] = []
    for turn in record.dialogue.turns:
        learner = turn.role == record.dialogue.learner
        line = Text(f"{turn.role:>10}  ", style="bold cyan" if learner else "bold")
        line.append(turn.text or f"({turn.kind})", style="default")
        lines.append(line)
    return Panel(Group(*lines), title=f"{record.dialogue.scenario.family}, {record.dialogue.scenario.policy}")


def view(records: Sequence[Record]) -> None:
    raise NotImplementedError

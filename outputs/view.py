"""Dialogues in a terminal: one printed readably, or many to browse."""

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Footer, Header, Input, OptionList, Static
from textual.widgets.option_list import Option

from schemas.dialogue import Dialogue, Turn
from schemas.table import Record

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
    said += [name if value is True else f"{name}={value}" for name, value in turn.labels.items() if value]
    return plain(" · ".join(part for part in said if part))


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


class DialogueBrowser(App[None]):
    """A list of dialogues on the left, the chosen one on the right."""

    TITLE = "overture"
    CSS = """
    #dialogues { width: 34; height: 100%; }
    #page { padding: 1 2; }
    #search { display: none; dock: bottom; }
    #search.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "next"),
        Binding("k", "move(-1)", "previous"),
        Binding("f", "next_family", "family"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("escape", "clear", "clear", show=False),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, records: Sequence[Record]):
        super().__init__()
        self.records = records
        self.family: str | None = None
        self.words = ""
        self.shown: list[Record] = []

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            yield OptionList(id="dialogues")
            with VerticalScroll(id="page", can_focus=False), Vertical():
                yield Static(id="dialogue")
        yield Input(placeholder="words in a dialogue", id="search")
        yield Footer()

    def on_mount(self) -> None:
        self._list()
        self.query_one("#dialogues", OptionList).focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#dialogue", Static).update(render_dialogue(self.shown[event.option_index]))
        self.query_one("#page", VerticalScroll).scroll_home(animate=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.words = event.value.strip().lower()
        self._close_search()
        self._list()

    def action_move(self, step: int) -> None:
        listed = self.query_one("#dialogues", OptionList)
        if step > 0:
            listed.action_cursor_down()
        else:
            listed.action_cursor_up()

    def action_next_family(self) -> None:
        """All, then each family in turn."""
        families: list[str | None] = [None, *sorted({r.dialogue.scenario.family for r in self.records})]
        self.family = families[(families.index(self.family) + 1) % len(families)]
        self._list()

    def action_search(self) -> None:
        search = self.query_one("#search", Input)
        search.add_class("open")
        search.focus()

    def action_clear(self) -> None:
        self.family, self.words = None, ""
        self._close_search()
        self._list()

    def _close_search(self) -> None:
        search = self.query_one("#search", Input)
        search.value = ""
        search.remove_class("open")
        self.query_one("#dialogues", OptionList).focus()

    def _list(self) -> None:
        self.shown = [r for r in self.records if self._matches(r)]
        listed = self.query_one("#dialogues", OptionList)
        listed.clear_options()
        listed.add_options([Option(_title(r)) for r in self.shown])
        self.sub_title = " · ".join(
            part for part in (f"{len(self.shown)} of {len(self.records)}", self.family, self.words) if part
        )
        if self.shown:
            listed.highlighted = 0
        else:
            self.query_one("#dialogue", Static).update(Text("No dialogue matches; escape shows all.", style="dim"))

    def _matches(self, record: Record) -> bool:
        return self.family in (None, record.dialogue.scenario.family) and (
            not self.words or any(self.words in text.lower() for text in record.dialogue.texts())
        )


def _title(record: Record) -> Text:
    scenario = record.dialogue.scenario
    return Text.assemble(
        plain(f"{scenario.family} · {scenario.policy}"),
        (plain(f"\n  {record.dialogue.id[:8]} {record.dialogue.ending.reason}"), "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )


def view(records: Sequence[Record]) -> None:
    """Browses until `q`. Needs a terminal."""
    DialogueBrowser(records).run()

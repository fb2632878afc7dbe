"""Dialogues in a terminal, many to browse."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Footer, Header, Input, OptionList, Static
from textual.widgets.option_list import Option

from outputs.render import plain, render_dialogue
from schemas.record import Record


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

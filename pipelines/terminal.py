"""A person at a terminal: what they are shown, and how their lines become answers."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from generators.speakers.chat_user import TYPING
from generators.speakers.external import GO_ON, YOU_BEGIN, history
from inference.client import Prepared, request_hash
from outputs.render import plain
from schemas.chat import ChatReply, ChatRequest, Message
from schemas.contracts import Family
from schemas.dialogue import Dialogue, Move
from schemas.errors import InvalidOutput
from schemas.scenario import Disclosure, Scenario, View

LEFT = "left"
"""Why a turn has no words: the person has quit."""
NAME = "person"
"""Where a model's name stands."""
_HELP = "Type a message, then Enter. /quit ends the dialogue; Ctrl-C or Ctrl-D leaves it unfinished, to go on later."
_WHEN: dict[Disclosure, str] = {
    "asked": "when asked",
    "hinted": "hint at it first",
    "volunteered": "unasked",
    "never": "never say it",
}


class Terminal:
    """Answers the requests of one seat by asking for a line."""

    model = NAME

    def __init__(self, console: Console, seat: str, other: str):
        self._console = console
        self._seat = seat
        self._other = other
        self._shown = 0
        """Messages of the talk that stand on the screen."""
        self._learns = False
        self._rule = ""
        """What holds for the whole dialogue, told once."""

    def prepare(self, request: ChatRequest) -> Prepared:
        return Prepared(request, request_hash(request, NAME), b"")

    async def send(self, prepared: Prepared) -> ChatReply:
        """Waits for the person, and lets all else wait, too. Raises InvalidOutput when they quit, KeyboardInterrupt
        when they leave.
        """
        *talk, note = prepared.request.messages[1:]
        self._show(talk)
        hint = note.content.removeprefix("[").removesuffix("]")
        if hint and hint != self._rule:
            self.say(f"  {'note' if self._learns else 'you might'}: {hint}", "dim")
        self._rule = hint if self._learns else ""
        while not (line := self._line()) or line.startswith("/"):
            if line == "/quit":
                raise InvalidOutput(f"the {self._seat} has quit", LEFT)
            self.say("  There is no such command; /quit ends the dialogue." if line else "  Say something.", "dim")
        self._shown = len(talk) + 1
        words = len(line.split())
        return ChatReply(line, NAME, "stop", prompt_tokens=0, completion_tokens=words)

    def introduce(self, family: Family, scenario: Scenario, goes_on: bool) -> None:
        self._learns = self._seat == family.learner
        side = {family.learner: "learner", family.partner: "partner"}.get(self._seat, "third party")
        self.say(f"{family.name()}, case {scenario.index}: you are the {self._seat} (the {side}).", "bold")
        self.say(_HELP, "dim")
        if goes_on:
            self.say("An unfinished session goes on; --new begins another.", "dim")
        first = family.next(scenario, ())
        posed = isinstance(first, Move) and first.verbatim is not None
        for line in _about(scenario.views[self._seat], posed):
            self.say(line)
        self.say("")

    def rest(self, dialogue: Dialogue) -> None:
        """What was said after the person's last line."""
        talk = history(self._seat, dialogue.turns)
        self._show(talk if dialogue.turns and dialogue.turns[-1].role != self._seat else talk[:-1])

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _show(self, talk: Sequence[Message]) -> None:
        for place, message in enumerate(talk[self._shown :], self._shown + 1):
            if message.content in (YOU_BEGIN, GO_ON):
                self.say(message.content if place == len(talk) else "", "dim")
            else:
                own = message.role == "assistant"
                name = (f"{self._seat if own else self._other}: ", f"bold {'cyan' if own else 'green'}")
                words = "\n".join(map(plain, message.content.split("\n")))
                self._console.print(Text.assemble(name, words))
        self._shown = max(self._shown, len(talk))

    def _line(self) -> str:
        if sys.stdin.isatty():
            try:
                line = input(f"{self._seat}: ")
            except (EOFError, KeyboardInterrupt):
                self.say("")  # what comes next begins a line of its own
                raise KeyboardInterrupt from None
        else:
            line = sys.stdin.readline()
            if not line:
                raise KeyboardInterrupt
            self.say(f"{self._seat}: {plain(line.strip())}")
        return plain(line.strip()).encode("utf-8", "replace").decode()


def _about(view: View, posed: bool) -> list[str]:
    """The seat in words. `posed`: the public text is the first message."""
    lines = [plain(view.brief)]
    if view.public and not posed:
        lines.append(plain(view.public))
    if view.facts:
        lines += ["What you know:", *(f"  - {plain(f.text)} ({_WHEN[f.disclose]})" for f in view.facts)]
    for name, text in view.private.items():
        if name != TYPING:
            lines += [f"Your {name}:", *(f"  {plain(line)}" for line in text.splitlines())]
    return lines

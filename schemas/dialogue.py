"""A dialogue: its turns, and why it ended. The prefix is the state: whatever a simulation knows is a fold over
scenario and turns.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field

from schemas.scenario import Scenario, Value, View

TurnKind = Literal["utterance", "silence", "event"]


class Move(Value):
    """Who acts now, and with which intent; decided by the program, put into words by a speaker."""

    role: str
    kind: TurnKind = "utterance"
    intent: str = "say"
    """The turn intent: a name of the family's taxonomy."""
    instruction: str = ""
    """This turn's one instruction, in words for a prompt."""
    fact_ids: tuple[str, ...] = ()
    """Facts that may come out in this turn."""
    verbatim: str | None = None
    """The program already has the words (a problem's text): said as they stand, no model is asked."""
    fallback: str | None = None
    """What a simulated partner says, in the program's words, when its model finds none that pass; a learner has none.
    """
    tail: str = ""
    """The program's words that stand behind the speaker's as they are: ", you?"."""
    remake: int = 0
    """How often this turn has been made before and was found faulty."""
    labels: dict[str, Any] = Field(default_factory=dict)
    """Labels the program knows before the words exist (topic, topic_shift, bridge)."""

    @property
    def plain(self) -> str | None:
        """What is said, in the program's words; None where it has none."""
        words = self.verbatim or self.fallback
        return f"{words.rstrip('.')}{self.tail}" if words and self.tail else words


class Turn(Value):
    """An utterance, a silence or an event, with its labels. Who-knows-what follows from the fact ids alone."""

    role: str
    kind: TurnKind = "utterance"
    text: str | None = None
    """None exactly when the turn is a silence."""
    intent_requested: str | None = None
    intent_detected: str | None = None
    facts_asked: tuple[str, ...] = ()
    facts_disclosed: tuple[str, ...] = ()
    facts_volunteered: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    answer: str | None = None
    """A learner's answer to a verifiable problem, as given."""
    answer_correct: bool | None = None
    labels: dict[str, Any] = Field(default_factory=dict)
    """Family labels of this turn (topic, topic_shift, bridge, volunteered, ...), its `faults` (kind and detail of each)
    and, one an attempt, the kinds it was `remade` for; JSON-able.
    """
    thought: str | None = None
    state: dict[str, Any] | None = None
    belief: dict[str, Any] | None = None
    decision: str | None = None
    """speak, silent, ask, answer, stop: what the speaker chose to do, where it chose."""
    model: str | None = None
    """None for what no model said."""
    prompt_hash: str | None = None
    temperature: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprob: float | None = None


class Ending(Value):
    """Why a dialogue stopped."""

    reason: str
    """goal_reached, closed_by_learner, closed_by_partner, gave_up, max_turns, fault, external; window, of a
    rollout that was to go no further.
    """
    by: str | None = None
    """The role that ended it; None when nobody did."""
    detail: str | None = None
    """For a fault: the content fault's reason."""


class Origin(Value):
    """Set on candidates and rollouts: the dialogue, turn and candidate number they branch from."""

    dialogue_id: str
    turn: int
    candidate: int


class Dialogue(Value):
    scenario: Scenario
    turns: tuple[Turn, ...]
    ending: Ending
    learner: str
    partner: str
    outcome: dict[str, Any] = Field(default_factory=dict)
    """What was reached (success, answer, wishes met); JSON-able; empty when the family has no outcome."""
    origin: Origin | None = None

    @property
    def id(self) -> str:
        return self.scenario.dialogue_id

    def texts(self, role: str | None = None) -> list[str]:
        """Utterances in order, of one role or of all."""
        return [t.text for t in self.turns if t.text is not None and t.kind == "utterance" and role in (None, t.role)]


class Said(NamedTuple):
    """An utterance, with what was there when it was said."""

    place: int
    """Of its turn in the dialogue."""
    turn: Turn
    text: str
    """As meant: before typing noise where the row has that."""
    view: View
    """Of who says it."""
    partner: bool
    """Whether the simulated partner says it."""
    before: tuple[Turn, ...]
    mine: "tuple[Said, ...]"
    """What the same role said before."""


class Listener:
    """Hears a dialogue turn by turn."""

    def __init__(self, scenario: Scenario, partner: str):
        self._scenario = scenario
        self._partner = partner
        self._turns: tuple[Turn, ...] = ()
        self._said: dict[str, tuple[Said, ...]] = {}

    def hear(self, turn: Turn) -> Said | None:
        """As the next one. None: it says nothing, or reads out what everybody was given (a problem's text)."""
        if turn.kind != "utterance" or not turn.text:
            return None
        view = self._scenario.views.get(turn.role) or View(role=turn.role, brief="")
        if turn.text == view.public:
            return None
        mine = self._said.get(turn.role, ())
        return Said(len(self._turns), turn, meant(turn), view, turn.role == self._partner, self._turns, mine)

    def keep(self, turn: Turn) -> None:
        """It has happened: what comes next has it before it."""
        if said := self.hear(turn):
            self._said[turn.role] = (*said.mine, said)
        self._turns = (*self._turns, turn)


def listened(dialogue: Dialogue) -> Iterator[Said]:
    """What was said in a dialogue, in order."""
    listener = Listener(dialogue.scenario, dialogue.partner)
    for turn in dialogue.turns:
        if said := listener.hear(turn):
            yield said
        listener.keep(turn)


def meant(turn: Turn) -> str:
    clean = turn.labels.get("clean")
    return clean if isinstance(clean, str) else turn.text or ""

"""What the mind of somebody who is asked for something is made of (methods §19, §21), what one message did to it as
read from its text, and what it is proposed to change.
"""

from typing import Literal

from pydantic import Field

from schemas.scenario import Value

Status = Literal["hidden", "hinted", "voiced", "resolved"]
Decision = Literal["open", "accept", "reject", "hangup"]

OPENLY = "openly"
"""Among what was asked: a question for whatever holds them back."""
READY = 3
"""Cooperation from which a request may be accepted."""
SEVERE = 3
"""Severity that has to be settled first."""


class Traits(Value):
    """What is fixed for one mind beside its concerns."""

    hurried: bool = False
    """Has no time for questions."""
    likes: dict[str, float] = Field(default_factory=dict)
    """Topic (request, argument, concern, talk) -> preference in [0, 1]."""


class State(Value):
    cooperation: int = Field(ge=0, le=4)
    emotion: int = Field(ge=0, le=3)
    trust: int = Field(ge=0, le=5)
    concerns: dict[str, Status]
    severity: dict[str, int]
    patience: int = Field(ge=0)
    """Messages that bring nothing, before they leave."""
    decision: Decision = "open"
    never: bool = False
    """Accepts whatever happens not."""
    satisfaction: float = 0.5
    """With what the talk is about, in [0, 1]."""
    cooperative: bool = True
    """Whether their last message kept to the matter."""
    digressing: bool = False
    """Their last message was about something they would rather talk about."""
    wonders: bool = False
    """Their last message asked what it is about: an argument is an answer."""
    refused: bool = False
    """An explicit refusal stands; a concern that is settled takes it back, unless `never`."""
    pushes: int = 0
    """Pushes after a refusal."""
    civility_fault: bool = False
    """Two of them."""
    low: int = 0
    """Messages in a row after which cooperation was 1 or less; a mere hello does not count."""
    heard: int = 0
    """Messages of the assistant."""
    requests: int = 0
    said: tuple[str, ...] = ()
    """Ids of answers, arguments and the like that were said."""
    asked: tuple[str, ...] = ()
    """Concerns that were asked about, and `OPENLY`, as often as they were."""
    waiting: dict[str, int] = Field(default_factory=dict)
    """Voiced concern -> messages since that missed it."""

    def those(self, *statuses: Status) -> list[str]:
        """Concerns of these statuses, in order."""
        return [name for name, status in self.concerns.items() if status in statuses]

    @property
    def unsettled(self) -> list[str]:
        """What keeps them from accepting."""
        return [n for n, status in self.concerns.items() if self.severity[n] >= SEVERE and status != "resolved"]


class Appraisal(Value):
    """What one message of the assistant did, from its text."""

    addressed: tuple[str, ...] = ()
    """Ids of the answers it carries."""
    settles: tuple[str, ...] = ()
    """The concerns they answer."""
    asked: tuple[str, ...] = ()
    """Concerns it asks about."""
    asks_openly: bool = False
    asks_for_commitment: bool = False
    argued: tuple[str, ...] = ()
    """Ids of new arguments."""
    irrelevant: tuple[str, ...] = ()
    """Ids of what is beside the point."""
    repeated: bool = False
    """All it says was said before."""
    flatters: bool = False
    pressures: bool = False
    """After a refusal."""
    promises: bool = False
    """Something that is not in its facts."""
    injects: bool = False
    """Tells them what to say, or to ignore what they know."""
    stuffs: bool = False
    """Words without sentences."""
    dumps: bool = False
    """Lists many things."""
    answered_question: bool = True
    """Met every concern that was voiced, and what was asked; true where nothing was."""
    follows: bool = False
    """Takes up what they would rather talk about."""
    chats: bool = False
    """Asks about something else."""
    closes: bool = False
    """Takes leave."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What never pays."""
        names = ("repeated", "flatters", "pressures", "promises", "injects", "stuffs", "dumps")
        return tuple(name for name in names if getattr(self, name))

    @property
    def acts(self) -> bool:
        """Does anything for the goal."""
        said = self.addressed or self.argued or self.irrelevant or self.asked
        return bool(said or self.asks_openly or self.asks_for_commitment or self.faults)


class Deltas(Value):
    """A proposed change; `apply` holds it to its caps."""

    cooperation: int = 0
    emotion: int = 0
    trust: int = 0
    patience: int = 0
    resolves: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    """Voiced concerns it left where they were."""
    says: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    requests: bool = False
    pushes: bool = False
    """After a refusal, with nothing that would change it."""
    faulty: bool = False
    greets: bool = False
    """A hello and no more."""
    pleases: float = 0.5
    """Their preference for what it is about, in [0, 1]."""

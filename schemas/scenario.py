"""One sampled case: goal, facts, session latents, each role's private view, verifier."""

import re
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Policy = Literal["reactive", "proactive", "privileged", "external"]
Disclosure = Literal["asked", "hinted", "volunteered", "never"]


class Value(BaseModel):
    """Frozen data that enters or is stored; unknown fields are errors, and so are numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fact(Value):
    id: str
    holder: str
    """The role that knows it."""
    slot: str
    """What it is about, in public words ("the price of one pencil")."""
    value: str
    text: str
    """The whole fact as a sentence its holder may say."""
    required: bool = True
    """Needed to reach the goal."""
    disclose: Disclosure = "asked"
    """When it may come out."""


class Checked(NamedTuple):
    correct: bool
    reason: str = "ok"
    """Why it is not correct."""


class Verifier(Value):
    """Decides whether an answer is right, by code alone."""

    kind: Literal["number", "choice", "set", "date", "text", "python"]
    answer: str
    """For `set`: the elements joined by commas; order does not count. For `python`: a program that passes."""
    tolerance: float = 0.0
    """Absolute, for `number`."""
    tests: str = ""
    """For `python`: statements that raise where a program is wrong; they run after it, in its namespace."""

    def check(self, answer: str | None) -> bool:
        """Whether the answer is right; never for `python`, whose answers `Services.verify` runs."""
        if answer is None:
            return False
        match self.kind:
            case "python":
                raise ValueError("a program is run, by Services.verify")
            case "number":
                given, wanted = parse_number(answer), parse_number(self.answer)
                return given is not None and wanted is not None and abs(given - wanted) <= Fraction(self.tolerance)
            case "set":
                return _elements(answer) == _elements(self.answer)
            case "choice" | "date" | "text":
                return _plain(answer) == _plain(self.answer)


def parse_number(text: str) -> Fraction | None:
    """The number in `text` if it holds exactly one: `$1,200.50`, `3/4`, `-2 km`; else None."""
    found = re.findall(r"(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?", text.replace("−", "-"))
    if len(found) != 1:
        return None
    try:
        return Fraction(re.sub(r"[\s$,]", "", found[0]))
    except (ValueError, ZeroDivisionError):
        return None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def _elements(text: str) -> frozenset[str]:
    return frozenset(p for p in (_plain(e) for e in re.split(r",|;|\band\b", text.strip("{}[]() "))) if p)


class View(Value):
    """What one role may know. The other side's facts are physically absent."""

    role: str
    brief: str
    """Who this role is and what it wants, in words for a prompt."""
    public: str = ""
    """What everybody sees (a problem's text)."""
    facts: tuple[Fact, ...] = ()
    """Only facts this role holds."""
    private: dict[str, str] = Field(default_factory=dict)
    """Further private knowledge of this role, by name (a solution, a plan)."""


class Scenario(Value):
    """Everything fixed before the first turn. Siblings share all but `policy`, `sibling` and `dialogue_id`; several
    samples of one policy differ in `seed`, too.
    """

    family: str
    domain: str
    base_case_id: str
    """What this case was derived from: the unit of train/validation/test splits."""
    seed: int
    """Every draw of the dialogue derives from it; the same for siblings of different policies."""
    goal: str
    views: dict[str, View]
    """By role. The roles that speak are its keys."""
    session_latents: dict[str, Any] = Field(default_factory=dict)
    verifier: Verifier | None = None
    plan: dict[str, Any] = Field(default_factory=dict)
    """What the family's program drew for this case (a topic path, gaps, budgets); JSON-able; never shown whole to a
    speaker.
    """
    max_turns: int = 8
    index: int = 0
    scenario_id: str = ""
    group_id: str = ""
    dialogue_id: str = ""
    policy: Policy = "proactive"
    sibling: int = 0

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(fact for view in self.views.values() for fact in view.facts)

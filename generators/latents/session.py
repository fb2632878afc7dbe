"""Session latents: what is fixed for one simulated person (methods §1, §5, §19). Every draw is a label.

Three layers: background and traits may be seen by others; concerns and what is hidden may not. How a person types and
how much they tell at once are drawn from what was fitted on a reference; what no reference shows (patience,
cooperativeness, expertise, influence) is declared here, uniform unless a domain's case says otherwise.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, Literal

from generators.latents.fitted import FittedLatents, Person
from schemas.scenario import Value

Cell = Literal["needed", "given", "hurry", "refuses", "useless", "impossible"]
"""Whether initiative helps: needed; everything is given at once; the person is in a hurry; they refuse it; what could
be offered is of no use to them; nothing can succeed.
"""
Initiative = Literal["needed", "needless", "unwelcome", "hopeless"]
INITIATIVE: Mapping[Cell, Initiative] = {
    "needed": "needed",
    "given": "needless",
    "useless": "needless",
    "hurry": "unwelcome",
    "refuses": "unwelcome",
    "impossible": "hopeless",
}
CELLS: Mapping[Cell, float] = {
    "needed": 0.62,
    "given": 0.08,
    "useless": 0.06,
    "hurry": 0.07,
    "refuses": 0.07,
    "impossible": 0.10,
}
"""Shares: 28% of the scenarios make initiative needless or unwelcome, 10% allow no success."""

Expertise = Literal["novice", "some", "expert"]


class SessionLatents(Value):
    """Of one simulated person in one dialogue."""

    cell: Cell
    initiative: Initiative
    background: str
    """Layer 1, in public words."""
    person: Person
    """How they type and how much: one real partner's habits."""
    tells: int
    """Most facts they tell in one message."""
    patience: int
    """Messages of the other side that bring them nothing before they leave."""
    cooperativeness: float
    """In [0, 1]: how likely they give a reason or a hint unasked."""
    expertise: Expertise
    influence: float
    """In [0, 1]: how likely they take something other than what they wanted (methods §5)."""
    concerns: tuple[str, ...] = ()
    """Layer 3: names of what they worry about and do not say."""

    def label(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def traits(latents: Mapping[str, Any]) -> dict[str, str]:
    """What of a person, as `label` stores them, may be drawn more or less often: latent -> one of few values. Not the
    cell: it says what initiative is worth, which nothing may select on.
    """
    person = Person.model_validate(latents["person"])
    return {
        "words": "few" if person.words < 6 else "some" if person.words < 12 else "many",
        "casing": person.typing().casing,
        "final_stop": "rare" if person.no_final_stop > 0.5 else "usual",
        "questions": "few" if person.questions < 0.2 else "some" if person.questions < 0.4 else "many",
        "double_text": "never" if person.double_text == 0 else "sometimes",
        "typos": "none" if person.typos == 0 else "some",
        "polite": "never" if person.polite == 0 else "sometimes" if person.polite < 0.3 else "often",
        "tells": str(latents["tells"]),
        "cooperativeness": ("low", "middle", "high")[min(2, int((latents["cooperativeness"] - 0.1) / 0.27))],
    }


def draw_session(
    rng: Random, fitted: FittedLatents, background: str, cells: Mapping[Cell, float] = CELLS, **declared: Any
) -> SessionLatents:
    """One person. `declared`: fields a domain's case fixes."""
    cell = rng.choices(list(cells), list(cells.values()))[0]
    drawn: dict[str, Any] = {
        "cell": cell,
        "initiative": INITIATIVE[cell],
        "background": background,
        "person": rng.choice(fitted.people),
        "tells": int(rng.choices(list(fitted.tells), list(fitted.tells.values()))[0]),
        "patience": rng.randint(2, 4),
        "cooperativeness": round(rng.uniform(0.1, 0.9), 2),
        "expertise": rng.choice(("novice", "some", "some", "expert")),
        "influence": round(rng.uniform(0.0, 0.6), 2),
    }
    session = SessionLatents.model_validate(drawn | declared)
    return session.model_copy(update={"patience": 1}) if cell == "hurry" else session

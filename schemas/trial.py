"""Two dialogues side by side, and what a person made of them: which of the two has a real user?"""

from typing import Literal

from pydantic import Field

from schemas.scenario import Value

Side = Literal["left", "right"]
Choice = Literal["left", "right", "unsure"]
"""The side whose user was taken for a real person."""
Kind = Literal["test", "catch", "control"]

QUESTION = "In which of the two is the USER a real person?"


class Line(Value):
    speaker: Literal["user", "assistant", "other"]
    text: str


class Trial(Value):
    """What raters see. Nothing in it tells the sides apart but the words."""

    id: str
    left: tuple[Line, ...]
    right: tuple[Line, ...]


class Key(Value):
    """What raters must not see."""

    trial: str
    kind: Kind
    """`test`: real against synthetic. `catch`: real against a dialogue whose user talks past everything. `control`:
    real against real.
    """
    synthetic: Side
    """In a catch trial the broken side; in a control, where both are real, a side drawn to stand in its place."""
    left: str
    """Dialogue id; so for `right`."""
    right: str


class Answer(Value):
    """Of one rater to one trial."""

    rater: str = Field(min_length=1, max_length=64)
    trial: str
    choice: Choice
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """From when the trial was shown."""

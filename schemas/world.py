"""A world small enough to be counted (methods §9): what two sides may privately mean, what is to be found out, and what
was said out of what could have been. Families write both, rewards read them.
"""

from math import isclose
from typing import Self

from pydantic import model_validator

from schemas.scenario import Value


class World(Value):
    """In `Scenario.plan["world"]`."""

    outcomes: tuple[str, ...]
    """What is to be found out, by name."""
    meanings: dict[str, tuple[str, ...]]
    """Role -> what it may privately mean, by name; a role that knows nothing has one."""
    prior: tuple[tuple[int, int, int, float], ...]
    """Meaning of the learner, of the partner, outcome and their probability, where it is above 0; sums to 1."""
    actual: dict[str, int]
    """Role -> what it means."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len(self.meanings) != 2 or self.actual.keys() != self.meanings.keys():
            raise ValueError("`meanings` and `actual` must have the same two roles")
        if odd := [role for role, m in self.actual.items() if not 0 <= m < len(self.meanings[role])]:
            raise ValueError(f"`actual` of {odd} is no place in its `meanings`")
        if not isclose(sum(p for *_, p in self.prior), 1) or any(p <= 0 for *_, p in self.prior):
            raise ValueError("`prior` must be above 0 and sum to 1")
        return self


class Uttered(Value):
    """One of `Turn.labels["uttered"]`, in their order."""

    says: str
    among: dict[str, tuple[int, ...]]
    """What could be said there -> the meanings of the speaker that it is true of."""

    @model_validator(mode="after")
    def _among(self) -> Self:
        if self.says not in self.among:
            raise ValueError(f"`says` {self.says!r} is not in `among`")
        return self

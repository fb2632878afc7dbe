"""What a model says of a turn or a dialogue by a grader (methods §27), where people have said whether to believe it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from rewards.grading import Grader, read_grader
from rewards.solving import drawn, not_drawn
from schemas.contracts import JUDGE, Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.errors import DataError
from schemas.judgement import RewardValue

_WHOLE = -1
"""Where the calls about a whole dialogue stand in the journal."""


class Judged(Reward):
    """The mean value of the model's answers, under the grader's construct: one a turn of the side it judges, or one of
    the dialogue. `parts`: the answers, their most frequent, and the mean as `score` even where it may not be a value.

    None: `uncalibrated` where the grader was not shown to agree with people with this model and prompt, `no_order`
    where its choices have no values, `no_judge` without the role, or why the model gave no answer.
    """

    grader: Path | None = None
    """A grader file; without one every value is None."""
    allow_uncalibrated: bool = False
    """Whether the values of a grader count of which nobody knows how far people agree with it."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the turns, drawn by chance; the same ones as a solver's rewards of this share."""

    @field_validator("grader")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and path.expanduser().exists():  # that it is there is checked of all stages alike
            try:
                read_grader(path.expanduser())
            except DataError as error:
                raise ValueError(str(error)) from None
        return path

    @property
    def label(self) -> str:
        return "judged" if self.grader is None else read_grader(self.grader.expanduser()).judges

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        if self.grader is None:
            return [RewardValue(name=self.label, value=None, reason="no_grader")]
        grader = read_grader(self.grader.expanduser())
        if JUDGE not in services.chat:
            return [RewardValue(name=grader.judges, scope=grader.scope, value=None, reason="no_judge")]
        return [
            await self._value(grader, dialogue, place, services)
            if place == _WHOLE or drawn(dialogue, place, self.share)
            else not_drawn(grader.judges, place)
            for place in _places(grader, dialogue)
        ]

    async def _value(self, grader: Grader, dialogue: Dialogue, place: int, services: Services) -> RewardValue:
        if place == _WHOLE:
            lines, text = [], "\n".join(_lines(dialogue.turns))
        else:
            *lines, text = _lines(dialogue.turns[: place + 1])
        graded = await grader.grade(lines, text, place, dialogue.scenario.seed, services)
        known = graded.model is not None and grader.calibrated(graded.model)
        if graded.label is None:
            reason = graded.missing[-1]
        elif graded.score is None:
            reason = "no_order"
        else:
            reason = None if known or self.allow_uncalibrated else "uncalibrated"
        parts: dict[str, Any] = {**graded._asdict(), "calibrated": known, "version": grader.version}
        del parts["model"]
        return RewardValue(
            name=grader.judges,
            scope=grader.scope,
            turn=None if place == _WHOLE else place,
            value=graded.score if reason is None else None,
            n=len(graded.answers),
            parts=parts,
            grader=f"{grader.judges} v{grader.version} {graded.model or 'nobody'} {grader.prompt_hash}"
            f" temperature={grader.temperature:g} repeats={grader.repeats}",
            reason=reason,
        )


def _places(grader: Grader, dialogue: Dialogue) -> Iterator[int]:
    """Of the turns to judge: what the side said but for what it read out to everybody (a problem's text)."""
    if grader.scope == "dialogue":
        yield _WHOLE
        return
    side = dialogue.learner if grader.of == "learner" else dialogue.partner
    public = {view.public for view in dialogue.scenario.views.values()}
    for place, turn in enumerate(dialogue.turns):
        if turn.role == side and turn.kind == "utterance" and turn.text and turn.text not in public:
            yield place


def _lines(turns: Iterable[Turn]) -> list[str]:
    return [f"{t.role.capitalize()}: {t.text}" for t in turns if t.kind == "utterance"]

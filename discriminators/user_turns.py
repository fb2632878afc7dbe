"""What realism looks at: the user's turns, each with the act of the learner that it answers.

The law of matching (methods §26.5): what users do is compared given what the assistant did, and the assistant's turns
themselves are never described. So a turn's labels follow from its own words and from what the same user said before.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

from discriminators.cues import masked
from discriminators.features import normalised
from discriminators.heads import ENDS, remembered, turn_labels
from discriminators.learner_acts import SELF, START, act_of
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import UserTurn

_READ = 10_000
"""Characters of an utterance that are looked at."""
_CUT = frozenset(("max_turns", "fault"))
"""Endings that nobody chose."""
_GOES_ON = "goes_on"
"""Of a beginning after which the user speaks again."""


class Sample(NamedTuple):
    """The user's side of one dialogue, and what it must not be separated from."""

    group: str
    turns: tuple[UserTurn, ...]

    @classmethod
    def of(cls, dialogue: Dialogue) -> Self:
        return cls(dialogue.scenario.group_id, tuple(user_turns(dialogue)))

    def masked(self) -> Self:
        """Without what the turns are about; their labels stay those of the whole words."""
        return self._replace(turns=tuple(turn._replace(text=masked(turn.text)) for turn in self.turns))


def user_turns(dialogue: Dialogue) -> Iterator[UserTurn]:
    """In order. Utterances that are markup alone, or the problem read out as it was given, are none.

    Consecutive utterances of the user are turns of their own; the second answers `self`. The head `ends` is only there
    where a user could decide it: not of learners that hurry things up, nor where a dialogue was cut.
    """
    heard: list[str] = []
    before: dict[str, str] = {}
    said = [(turn.role == dialogue.partner, text) for turn in dialogue.turns if (text := _said(dialogue, turn))]
    last = max((place for place, (own, _) in enumerate(said) if own), default=-1)
    may_end, cut = _may_end(dialogue), _cut(dialogue)
    if dialogue.ending.detail == _GOES_ON:
        last = len(said)
    for place, (own, text) in enumerate(said):
        if not own:
            heard.append(text)
            continue
        given = act_of(heard) if heard else SELF if before else START
        labels = turn_labels(text, before)
        if may_end and (place < last or not cut):
            labels[ENDS] = "ends" if place == last and _closed(said[place + 1 :]) else "goes_on"
        yield UserTurn(text, given, labels, before)
        heard.clear()
        before = remembered(labels, before)


def _said(dialogue: Dialogue, turn: Turn) -> str:
    """Normalised; empty where nothing was said, or what everybody was given was read out."""
    view = dialogue.scenario.views.get(turn.role)
    if turn.kind != "utterance" or not turn.text or (view is not None and turn.text == view.public):
        return ""
    return normalised(turn.text[:_READ])


def _may_end(dialogue: Dialogue) -> bool:
    """Whether `ends` may be asked: how soon users leave depends on how soon they are served, which proactive learners
    change. So it is asked of people's dialogues and of reactive siblings, for whose groups it counts.
    """
    return dialogue.scenario.policy in ("reactive", "external")


def _cut(dialogue: Dialogue) -> bool:
    return dialogue.ending.reason in _CUT or dialogue.ending.detail == "window"


def _closed(after: list[tuple[bool, str]]) -> bool:
    """Whether what follows the user's last turn is nothing, or the other side's farewell."""
    return not after or act_of([text for _, text in after]) == "closing"

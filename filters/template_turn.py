"""A simulated person's turn in the program's own words, because the model found none that passed. It is true to the
latents and reads like a form: such dialogues are kept beside the dataset and teach nothing.
"""

from collections.abc import Iterator
from typing import ClassVar

from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.judgement import Fault


class TemplateTurn(Detector):
    """Drops dialogues in which a template stands in for a partner's words."""

    kinds: ClassVar[tuple[str, ...]] = ("template_turn",)

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        for n, turn in enumerate(dialogue.turns[since:], since):
            if turn.role == dialogue.partner and "fallback" in turn.labels:
                yield Fault(turn=n, kind="template_turn", detail=str(turn.labels["fallback"]))

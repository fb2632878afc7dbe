"""A simulated person's turn in the program's own words, because the model found none that passed. It is true to the
latents and reads like a form: such dialogues are kept beside the dataset and teach nothing.
"""

from typing import ClassVar

from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault


class TemplateTurn(Detector):
    """Drops dialogues in which a template stands in for a partner's words."""

    kinds: ClassVar[tuple[str, ...]] = ("template_turn",)

    def fault(self, said: Said) -> Fault | None:
        why = said.turn.labels.get("fallback")
        return Fault(turn=said.place, kind="template_turn", detail=str(why)) if why is not None else None

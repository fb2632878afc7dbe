"""Every dataset view by its name, in the order of the card."""

from collections.abc import Mapping

from outputs.views.distillation import DISTILLATION
from outputs.views.hindsight import HINDSIGHT_VIEW
from outputs.views.preference import PREFERENCE
from outputs.views.prompts import PROMPTS
from outputs.views.sft import SFT, SFT_PRIMED
from outputs.views.silence import SILENCE
from outputs.views.stepwise import STEPWISE
from outputs.views.thoughts import THOUGHTS
from outputs.views.turns import TURNS_VIEW
from outputs.views.unpaired import UNPAIRED
from outputs.views.view import DatasetView

_PUBLIC = (TURNS_VIEW, SFT, SFT_PRIMED, PREFERENCE, UNPAIRED, PROMPTS, STEPWISE, SILENCE, HINDSIGHT_VIEW)
_ALL = (*_PUBLIC, DISTILLATION, THOUGHTS)
VIEWS: Mapping[str, DatasetView] = {view.name: view for view in _ALL}
PUBLISHED = tuple(view.name for view in _PUBLIC)
"""Configs, where they have rows."""

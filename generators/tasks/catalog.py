"""Every built-in problem template."""

from generators.tasks import algebra, logic, sets_dates, units_rates, word_arithmetic
from generators.tasks.problem import Template
from schemas.errors import DataError, did_you_mean

ALL: tuple[Template, ...] = (
    *word_arithmetic.TEMPLATES,
    *units_rates.TEMPLATES,
    *logic.TEMPLATES,
    *sets_dates.TEMPLATES,
    *algebra.TEMPLATES,
)

_BY_ID = {template.id: template for template in ALL}


def by_id(template_id: str) -> Template:
    if template_id not in _BY_ID:
        raise DataError(f"no problem template '{template_id}'{did_you_mean(template_id, _BY_ID)}")
    return _BY_ID[template_id]

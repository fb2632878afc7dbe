"""The only place that renders templates. HTML is escaped always; Markdown cells by the filters below."""

import html
import re
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(template: str, **context: Any) -> str:
    """One of the `.j2` files beside this module. A name the context lacks is an error."""
    return _ENVIRONMENT.get_template(template).render(**context)


def cell(text: object) -> str:
    """Text for Markdown prose and tables: one line, no markup of its own."""
    flat = " ".join(html.escape(str(text), quote=False).split())
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", flat)


def quoted(value: object) -> str:
    """A YAML scalar or flow list."""
    return orjson.dumps(value).decode()


def code(text: object) -> str:
    """Text inside a fenced block, which it cannot close."""
    return str(text).replace("```", "'''")


def percent(share: float | None) -> str:
    return "missing" if share is None else f"{100 * share:.0f}%"


def number(value: float | None) -> str:
    """Three significant digits, thousands apart; None is `missing`."""
    if value is None:
        return "missing"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def words(name: str) -> str:
    """A snake_case name as words."""
    return name.replace("_", " ")


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=lambda name: name is None or not name.endswith(".md.j2"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters.update(
    cell=cell, quoted=quoted, code=code, percent=percent, number=number, duration=duration, words=words
)

"""The page on which people judge: the same for every trial; what it shows comes as JSON and is set as text."""

import base64
import hashlib

from outputs.templates import render
from schemas.trial import QUESTION


def page() -> tuple[str, str]:
    """The page, and the Content-Security-Policy it is to be sent with: nothing from elsewhere, no other script."""
    script, style = render("human.js.j2"), render("human.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return render("human.html.j2", script=script, style=style, question=QUESTION), policy


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

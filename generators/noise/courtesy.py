"""Thanks, please and sorry, as often as a person says them (methods §24.1: simulated users are far off here)."""

import re
from random import Random

_SAID = re.compile(r"\b(please|thanks?|thank you|thx|sorry|appreciate|pardon)\b", re.IGNORECASE)
_WANTS = re.compile(r"\?|\b(need|want|looking|find|recommend|suggest|help|tell|give|show)\b", re.IGNORECASE)
"""A request that only says how things are ("my neighbours are so loud") has no room for a please."""
_WAYS: dict[str, tuple[str, ...]] = {
    "request": ("{text} please", "{text}, please"),
    "accept": ("{text}, thanks", "{text}, thank you", "thanks, {text}"),
    "decline": ("sorry, {text}", "{text}, sorry", "{text}, thanks"),
    "object": ("sorry, {text}", "sorry but {text}"),
    "bye": ("thanks, {text}", "{text}, thanks", "ok thank you, {text}"),
}
"""By what a message does; others have no room, but what the program has people say has thanks in it now and then."""


def courteous(text: str, intent: str | None, share: float, draws: Random) -> str:
    """The message, with such a word now and then. `share`: of a person's messages that have one."""
    ways = _WAYS.get(intent or "", ())
    if intent == "request" and not _WANTS.search(text):
        return text
    if not ways or _SAID.search(text) or draws.random() >= share:
        return text
    body = text.rstrip(".!?…")
    end, way = text[len(body) :], draws.choice(ways)
    inner = body if way.startswith("{text}") or re.match(r"I\b", body) else body[:1].lower() + body[1:]
    return way.format(text=inner) + end

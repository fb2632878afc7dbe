"""What users do, in words, where a head found a label on their turns."""

from collections.abc import Mapping

_DOING: Mapping[str, Mapping[str, str]] = {
    "act": {
        "greeting": "greet",
        "closing": "take leave",
        "thanking": "thank",
        "refusal": "refuse at once",
        "agreement": "agree",
        "request": "request something",
        "reaction": "only react",
        "question": "ask",
        "statement": "state something",
    },
    "sentiment": {"positive": "sound pleased", "negative": "sound displeased", "neutral": "sound neutral"},
    "question": {"asks": "only ask", "tells_and_asks": "tell something and ask", "none": "ask nothing"},
    "politeness": {"none": "use no polite word", "one": "use one polite word", "more": "use several polite words"},
    "typing": {"chat": "spell as in a chat", "exclaims": "exclaim", "plain": "write plainly"},
    "pushback": {"refuses": "refuse", "corrects": "correct what was said", "none": "neither refuse nor correct"},
    "person": {
        "self": "speak of themselves alone",
        "other": "speak of the other alone",
        "both": "speak of themselves and the other",
        "none": "speak of neither side",
    },
    "wish": {"wishes": "say what they want", "none": "say nothing of what they want"},
    "disclosure": {
        "nothing": "tell nothing of themselves",
        "one": "tell one thing of themselves",
        "several": "tell several things of themselves",
    },
    "ends": {"ends": "end the dialogue", "goes_on": "go on"},
}
_CHANGE = "_change"


def doing(head: str, label: str) -> str:
    """What "users ..." do. A head or label it does not know is named."""
    if head.endswith(_CHANGE):
        return f"{doing(head.removesuffix(_CHANGE), label)} after what they said before"
    if head == "length":
        return f"write {label} words"
    if head == "opening":
        return f"open with {label.replace('_', ' ')}"
    return _DOING.get(head, {}).get(label) or f"show {head} = {label}"

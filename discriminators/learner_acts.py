"""What the learner did that a user's turn answers: what every comparison of users is given.

Eight acts, told by cues from the words alone, so that they mean the same in real and synthetic text of any family. They
are conditions and never targets: nothing measures, matches or judges their shares.
"""

import re
from collections.abc import Sequence

from discriminators.cues import Cue, Line, is_question, sentences

START, SELF = "start", "self"
ACTS = (START, SELF, "greeting", "closing", "offer", "told_and_asked", "question", "statement")
"""`start`: nobody has said anything yet. `self`: the user spoke last. `told_and_asked`: a question beside something
told."""

_GREETING = re.compile(
    r"^(?:oh |well |ok(?:ay)?,? )?(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening)|welcome)\b"
)
_OPENER = re.compile(
    r"how(?: are|'s| is) (?:you|it|your|everything)\b[^.!?]*|how (?:can|may|could) i (?:help|assist|be)\b[^.!?]*"
    r"|what (?:can|may) i (?:do|help)\b[^.!?]*|what's up|what (?:brings you|seems to be)\b[^.!?]*|how do you do"
    r"|(?:i'm|i am|this is|my name is) \w+(?: and)?|nice to (?:meet|see|talk)\b[^.!?]*"
)
_CLOSING = Cue(
    "goodbye bye see take goodnight night gotta talk ttyl have welcome pleasure glad happy enjoy talking chatting"
    " meeting",
    r"\b(?:good ?bye|bye(?: bye)?|see (?:you|ya)|take care|good ?night|gotta go|talk (?:later|soon)|ttyl"
    r"|have (?:a|an|yourself a) (?:\w+ )?(?:\w+ )?(?:day|night|evening|one|trip|time|weekend|meal|stay|flight)"
    r"|(?:you're|you are|your) (?:very |most )?welcome|my pleasure|(?:glad|happy) (?:i could|to) (?:help|be of|assist)"
    r"|enjoy (?:your|the|it)|(?:nice|great|good|lovely) (?:talking|chatting|meeting) (?:to|with)?)\b",
)
_OFFER = Cue(
    "would want wish need shall should may can could might about why suggest recommend advise propose offer tried"
    " considered thought seen heard read let free if found there",
    r"\b(?:would you (?:like|be interested|prefer|care)|(?:do|did) you (?:want|wish|need) (?:me|to|any|a|us)"
    r"|(?:shall|should|may) (?:i|we)|(?:can|could) i (?:get|book|offer|suggest|recommend|interest)"
    r"|can i help you (?:find|with)"
    r"|want me to|how about|what about|why (?:don't|not) (?:you|we|try)"
    r"|(?:i|we)(?:'d|'ll| would| can| could| might|'d like to| would like to)?"
    r" (?:also |really |highly |strongly |definitely )*(?:suggest|recommend|advise|propose|offer)"
    r"|you (?:could|might|may|should|can) (?:also |always |just )?(?:try|want to|like|consider|enjoy|check|look|use|go)"
    r"|have you (?:ever )?(?:tried|considered|thought about|thought of|seen|heard of|read)|let's|feel free"
    r"|let me (?:suggest|recommend)|if you(?:'d)? (?:like|want|wish|need|prefer)"
    r"|(?:i|we) (?:could|can) (?:also )?(?:book|find|check|send|help|show)"
    r"|i found (?:a|an|one|\d+)|there(?:'s| is) (?:a|an|also) )\b",
)
_AFFIRMED = 4
"""Words from which a sentence beside a question tells something: "i see", "ok great" do not."""


def act_of(texts: Sequence[str]) -> str:
    """The act of what others said since the user's last turn. `texts`: normalised, at least one."""
    line = Line.of(" ".join(texts))
    greeted = _GREETING.match(line.text)
    if greeted and len(_OPENER.sub(" ", line.text[greeted.end() :]).split()) <= _AFFIRMED:
        return "greeting"
    parts = [part for text in texts for part in sentences(text)]
    asked = [part for part in parts if is_question(part)]
    if not asked and _CLOSING.found(line):
        return "closing"
    if _OFFER.found(line):
        return "offer"
    if not asked:
        return "statement"
    told = any(len(part.split()) >= _AFFIRMED for part in parts if part not in asked)
    return "told_and_asked" if told else "question"

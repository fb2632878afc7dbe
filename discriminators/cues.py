"""Cues: what one normalised line says it is. The same on both sides, and what they miss they miss on both.

A pattern of many words takes microseconds a line and mostly finds nothing. So a line is split into its words once, and
a pattern is searched only where one of the words that it cannot do without is among them.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

_SENTENCE = re.compile(r"(?<=[.!?]) ")
_THING = ("thing", "things")
_NUMERAL = re.compile(r"\d[\d,.:/]*\d|\d")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


class Line(NamedTuple):
    """A normalised text, read once for all cues."""

    text: str
    words: list[str]
    """As `words` finds them."""
    parts: frozenset[str]
    """The words, and the parts between their apostrophes: all letters that can stand between two word boundaries."""

    @classmethod
    def of(cls, text: str) -> "Line":
        found = words(text)
        parts = frozenset(found)
        if "'" in text:
            parts = parts.union(*[word.split("'") for word in parts if "'" in word])
        return cls(text, found, parts)


class Cue:
    """A pattern, and the words of which each of its matches holds one whole (`needs`) or as the beginning of a word
    (`stems`).
    """

    def __init__(self, needs: str, pattern: str, *, stems: str = ""):
        self.pattern = re.compile(pattern)
        self._needs = frozenset(needs.split())
        self._stems = tuple(stems.split())

    def possible(self, line: Line) -> bool:
        if not self._needs.isdisjoint(line.parts):
            return True
        return bool(self._stems) and any(map(line.text.__contains__, self._stems))

    def found(self, line: Line) -> bool:
        if self._needs.isdisjoint(line.parts) and not (self._stems and self.possible(line)):
            return False
        return self.pattern.search(line.text) is not None


_QUESTION_START = re.compile(
    r"^(?:(?:and|so|but|well|ok|okay|oh|hey|hi|yeah)[, ]+)*"
    r"(what|why|how|who|where|when|which|whose|do|does|did|is|are|was|were|can|could|would|will|should|have|has)"
    r" (you|i|we|they|he|she|it|the|that|this|there|your|my|about|is|are|do|does|did|many|much|kind|was|were|would"
    r"|can)\b"
)
_POLITE = Cue(
    "please thank thanks thx sorry apologies excuse appreciate could would pardon welcome pleasure kindly",
    r"\b(please|thanks?|thank you|thx|sorry|apologies|excuse me|appreciate|could you|would you|pardon|you're welcome"
    r"|my pleasure|kindly)\b",
)
_ACTS: Mapping[str, Cue] = {
    "greeting": Cue(
        "hi hello hey hiya howdy good", r"^(hi|hello|hey|hiya|howdy|good (morning|afternoon|evening))\b(?!.*\?)"
    ),
    "closing": Cue(
        "bye goodbye see night care have gotta talk",
        r"\b(bye|goodbye|see (you|ya)|good night|take care|have a (good|nice|great)|gotta go|talk later)\b",
    ),
    "thanking": Cue("thank thanks thx", r"^(ok(ay)?,? |great,? |oh,? )?(thanks?|thank you|thx)\b"),
    "refusal": Cue(
        "no nope nah not don disagree never rather",
        r"^(no|nope|nah|not really|i don't (think|want)|i disagree|never mind|i'd rather not)\b",
    ),
    "agreement": Cue(
        "yes yeah yep yup ya sure ok okay right true exactly definitely absolutely of agreed agree same me got sounds",
        r"^(yes|yeah|yep|yup|ya|sure|ok|okay|right|true|exactly|definitely|absolutely|of course|agreed"
        r"|i agree|for sure|same|me too|got it|sounds good)\b",
    ),
    "request": Cue(
        "want need like looking you please me",
        r"\b(i (want|need|would like)|i'd like|i'm looking for|can you|could you|please|tell me|let me"
        r"|help me|show me|find me)\b",
    ),
    "reaction": Cue(
        "wow oh ah lol cool nice awesome great good interesting really yay omg damn that",
        r"^(wow|oh|ah|(ha){2,}h?|lol|cool|nice|awesome|great|good|interesting|really|hmm+|aw+|yay|omg|damn"
        r"|that's)\b",
        stems="haha hmm aw",
    ),
}
ACT_ORDER = (*_ACTS, "question", "statement")

AGREES = re.compile(
    r"^(?:oh |ah |well |haha |hmm )?,? ?(?:yes+|yea+h*|yeh|yep|yup|ya|sure|ok|okay|k|right|true|exactly|definitely"
    r"|absolutely|certainly|totally|of course|agreed|i agree|for sure|indeed|sounds (?:good|great)|that works|deal)\b"
)
REFUSES = Cue(
    "not no never nevermind t wont cant cannot dont refuse pass none nope nah",
    r"\b(?:rather not|no,? thanks?|no thank you|not (?:interested|comfortable|willing)|no way|never ?mind"
    r"|i (?:won'?t|refuse|will not)|i (?:can'?t|cannot) (?:do|tell|give|share|say|accept|agree|help|donate)"
    r"|i (?:don'?t|do not|really don'?t) (?:want|wish|care|feel like|think so)|i'?ll pass|not going to|not gonna"
    r"|not right now|not today|none of your)\b|^(?:nope|nah|not really)\b",
)
CORRECTS = Cue(
    "not t didnt wrong incorrect meant said asked already mistaken misread forgot missed actually no",
    r"\b(?:(?:that|it|this)(?:'?s| is| was) (?:not (?:what|right|correct|true|it)|wrong|incorrect)"
    r"|(?:what|the one) i (?:meant|said|asked)|i meant|(?:isn't|wasn't|not) what i|as i said|like i said"
    r"|i(?:'ve)? already (?:said|told|gave|asked|answered)|i didn'?t (?:say|mean|ask)"
    r"|you(?:'re| are) (?:wrong|mistaken)|you (?:misunder\w+|misread|forgot|got (?:it|that) wrong|missed))\b"
    r"|^(?:(?:no|wait|well),? )?actually\b|^no,? (?:i said|i mean|not (?:that|the|this))\b",
    stems="misunder",
)
WISH = Cue(
    "want need prefer wish looking searching hoping trying like love rather you please me must has have should least"
    " most more less budget only long",
    r"\b(?:i(?:'m| am| was)? (?:(?:really|just|also|only|do|would|still) )*(?:want|need|prefer|wish|looking|searching"
    r"|hoping|trying to|like to|love to)|i'?d (?:like|love|prefer|rather|need)|can you|could you|would you|please"
    r"|help me|(?:it )?(?:must|has to|have to|should) (?:be|have)|at (?:least|most)|no more than|(?:less|more) than"
    r"|budget|cheap\w*|only if|as long as)\b",
    stems="cheap",
)
_CHATTY = Cue(
    "lol lool lmao rofl omg idk btw tbh imo jk thx pls plz u ur r ya yall cuz coz gonna wanna gotta kinda dunno lemme"
    " yeah yep yup nope nah hmm um umm uh uhh aww wow dont didnt doesnt isnt wasnt cant couldnt wouldnt wont ive im"
    " thats whats youre havent",
    r"\b(?:loo?l|lmao|rofl|omg|idk|btw|tbh|imo|jk|thx|pls|plz|u|ur|r|ya|yall|cuz|coz|gonna|wanna|gotta|kinda|dunno|lemme"
    r"|yeah|yep|yup|nope|nah|haha\w*|hehe\w*|hmm|umm?|uhh?|aww|wow|dont|didnt|doesnt|isnt|wasnt|cant|couldnt|wouldnt"
    r"|wont|ive|im|thats|whats|youre|havent)\b",
    stems="haha hehe",
)
_EMOJI = "\U0001f300-\U0001faff☀-➿"
_CHAT_MARK = re.compile(rf"[.!?:;{_EMOJI}](?:(?<=[.!?])[.!?]|(?<=[:;])-?[()dp]|(?<=[{_EMOJI}]))")
"""All of its matches begin with a character of one set: looking for one is fast, trying alternatives is not."""
_THRICE = re.compile(r"(\w)\1\1")
"""A letter three times in a row: "sooo"."""
_I = Cue("i me my mine we our us im ive", r"\b(?:i|me|my|mine|we|our|us|im|ive)\b")
_YOU = Cue("you your yours u ur", r"\b(?:you|your|yours|u|ur)\b")
_NUMBER = Cue(
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty hundred thousand"
    " million monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight",
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|hundred|thousand|million|monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow|tonight)\b",
)
_DIGITS = re.compile(r"\d[\d,.:/]*")
_TOLD = Cue(
    "want need prefer like love hate enjoy have had work live study went looking from rather my",
    r"\b(?:i(?:'m| am)? (?:(?:really|just|also|only|do|would|usually|always|never|don't|actually) )*(?:want|need|prefer"
    r"|like|love|hate|enjoy|have|had|work|live|study|went|looking for|from)|i'd (?:like|love|prefer|rather)"
    r"|my (?:favou?rite )?\w+(?: \w+)? (?:is|are|was))\b(?P<told>[^.!?]*)",
)


def _vocabularies(name: str) -> Mapping[str, frozenset[str]]:
    held: dict[str, str] = orjson.loads(Path(__file__).with_name(name).read_bytes())
    return {label: frozenset(words.split()) for label, words in held.items()}


_WORDS = _vocabularies("words.json")
"""`common`: words of every kind of talk, in at least 15 of 22 corpora and in none of them far more often."""
_COMMON, _FLIPS = _WORDS["common"], _WORDS["flips"]
_OPENINGS = _vocabularies("openings.json")
_TOPICS = _vocabularies("topics.json")
_TOPIC_OF = {word: name for name, held in _TOPICS.items() for word in held}
_TOPICAL = frozenset(_TOPIC_OF)
_RANK = {name: n for n, name in enumerate(_TOPICS)}
_OPENING_OF = {word: name for name, held in reversed([*_OPENINGS.items()]) for word in held}
_LIKING, _DISLIKING = _WORDS["positive"], _WORDS["negative"]
_VALUE_OF = {word: (word in _LIKING) - (word in _DISLIKING) for word in _LIKING | _DISLIKING}
_VALUED = frozenset(_VALUE_OF)


def sentences(line: str) -> list[str]:
    """`line`: normalised, so that spaces are single ones."""
    return _SENTENCE.split(line) if ". " in line or "? " in line or "! " in line else [line] if line else []


def words(text: str) -> list[str]:
    """Runs of the letters a to z, with their inner apostrophes."""
    return _WORD.findall(text)


def content(said: Iterable[str]) -> frozenset[str]:
    """Those that are about something."""
    return frozenset([word for word in said if len(word) > 2 and word not in _COMMON])


def masked(line: str) -> str:
    """Without what it is about: every word that is not common to all kinds of talk is a thing (or two, or done)."""
    return _NUMERAL.sub("0", _WORD.sub(_mask, line))


def _mask(word: re.Match[str]) -> str:
    said = word[0]
    if len(said) <= 2 or said in _COMMON:
        return said
    return "doing" if said.endswith("ing") else "did" if said.endswith("ed") else _THING[said.endswith("s")]


def is_question(line: str) -> bool:
    return "?" in line or _QUESTION_START.match(line) is not None


def polite_marks(line: Line) -> int:
    return len(_POLITE.pattern.findall(line.text)) if _POLITE.possible(line) else 0


def act(line: Line) -> str:
    """What it mostly does."""
    if is_question(line.text):
        return "question"
    return next((name for name, cue in _ACTS.items() if cue.found(line)), "statement")


def sentiment(line: Line) -> int:
    """Words of liking less words of disliking; after "not" and its like they count the other way round."""
    if _VALUED.isdisjoint(line.parts):
        return 0
    score, since = 0, 3
    for word in line.words:
        since = 0 if word in _FLIPS else since + 1
        value = _VALUE_OF.get(word, 0)
        score += -value if 1 <= since <= 2 else value
    return score


def chatty(line: Line) -> bool:
    """Spelt as in a chat: "lol", "u", "dont", "sooo", "!!", a face."""
    return _CHATTY.found(line) or bool(_CHAT_MARK.search(line.text) or _THRICE.search(line.text))


def persons(line: Line) -> tuple[bool, bool]:
    """Whether it speaks of the speaker, and of the one spoken to."""
    return _I.found(line), _YOU.found(line)


def told(line: Line) -> frozenset[str]:
    """What it tells of its speaker: numbers and days, and the content of wishes, likes and belongings."""
    found = frozenset[str](_DIGITS.findall(line.text))
    if _NUMBER.possible(line):
        found = found.union(_NUMBER.pattern.findall(line.text))
    if _TOLD.possible(line):
        found = found.union(*[content(words(match["told"])) for match in _TOLD.pattern.finditer(line.text)])
    return found


def opening(line: Line) -> str:
    """What kind of word it begins with."""
    if AGREES.match(line.text):
        return "agrees"
    return _OPENING_OF.get(line.words[0], "other") if line.words else "other"


def topic(line: Line) -> str:
    """The topic with most of its words said; the first of the list wins a tie."""
    if _TOPICAL.isdisjoint(line.parts):
        return "other"
    hits = [_TOPIC_OF[word] for word in line.words if word in _TOPIC_OF]
    return max(hits, key=lambda name: (hits.count(name), -_RANK[name]), default="other")

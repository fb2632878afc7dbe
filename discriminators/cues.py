"""Cues: what one normalised line says it is. The same on both sides, and what they miss they miss on both."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import orjson

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")
_THING = ("thing", "things")
_NUMERAL = re.compile(r"\d[\d,.:/]*\d|\d")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_QUESTION_START = re.compile(
    r"^(?:(?:and|so|but|well|ok|okay|oh|hey|hi|yeah)[, ]+)*"
    r"(what|why|how|who|where|when|which|whose|do|does|did|is|are|was|were|can|could|would|will|should|have|has)"
    r" (you|i|we|they|he|she|it|the|that|this|there|your|my|about|is|are|do|does|did|many|much|kind|was|were|would"
    r"|can)\b"
)
_POLITE = re.compile(
    r"\b(please|thanks?|thank you|thx|sorry|apologies|excuse me|appreciate|could you|would you|pardon|you're welcome"
    r"|my pleasure|kindly)\b"
)
_ACTS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(cues)
    for name, cues in {
        "greeting": r"^(hi|hello|hey|hiya|howdy|good (morning|afternoon|evening))\b(?!.*\?)",
        "closing": r"\b(bye|goodbye|see (you|ya)|good night|take care|have a (good|nice|great)|gotta go|talk later)\b",
        "thanking": r"^(ok(ay)?,? |great,? |oh,? )?(thanks?|thank you|thx)\b",
        "refusal": r"^(no|nope|nah|not really|i don't (think|want)|i disagree|never mind|i'd rather not)\b",
        "agreement": r"^(yes|yeah|yep|yup|ya|sure|ok|okay|right|true|exactly|definitely|absolutely|of course|agreed"
        r"|i agree|for sure|same|me too|got it|sounds good)\b",
        "request": r"\b(i (want|need|would like)|i'd like|i'm looking for|can you|could you|please|tell me|let me"
        r"|help me|show me|find me)\b",
        "reaction": r"^(wow|oh|ah|(ha){2,}h?|lol|cool|nice|awesome|great|good|interesting|really|hmm+|aw+|yay|omg|damn"
        r"|that's)\b",
    }.items()
}
ACT_ORDER = (*_ACTS, "question", "statement")

AGREES = re.compile(
    r"^(?:oh |ah |well |haha |hmm )?,? ?(?:yes+|yea+h*|yeh|yep|yup|ya|sure|ok|okay|k|right|true|exactly|definitely"
    r"|absolutely|certainly|totally|of course|agreed|i agree|for sure|indeed|sounds (?:good|great)|that works|deal)\b"
)
REFUSES = re.compile(
    r"\b(?:rather not|no,? thanks?|no thank you|not (?:interested|comfortable|willing)|no way|never ?mind"
    r"|i (?:won'?t|refuse|will not)|i (?:can'?t|cannot) (?:do|tell|give|share|say|accept|agree|help|donate)"
    r"|i (?:don'?t|do not|really don'?t) (?:want|wish|care|feel like|think so)|i'?ll pass|not going to|not gonna"
    r"|not right now|not today|none of your)\b|^(?:nope|nah|not really)\b"
)
CORRECTS = re.compile(
    r"\b(?:(?:that|it|this)(?:'?s| is| was) (?:not (?:what|right|correct|true|it)|wrong|incorrect)"
    r"|(?:what|the one) i (?:meant|said|asked)|i meant|(?:isn't|wasn't|not) what i|as i said|like i said"
    r"|i(?:'ve)? already (?:said|told|gave|asked|answered)|i didn'?t (?:say|mean|ask)"
    r"|you(?:'re| are) (?:wrong|mistaken)|you (?:misunder\w+|misread|forgot|got (?:it|that) wrong|missed))\b"
    r"|^(?:(?:no|wait|well),? )?actually\b|^no,? (?:i said|i mean|not (?:that|the|this))\b"
)
WISH = re.compile(
    r"\b(?:i(?:'m| am| was)? (?:(?:really|just|also|only|do|would|still) )*(?:want|need|prefer|wish|looking|searching"
    r"|hoping|trying to|like to|love to)|i'?d (?:like|love|prefer|rather|need)|can you|could you|would you|please"
    r"|help me|(?:it )?(?:must|has to|have to|should) (?:be|have)|at (?:least|most)|no more than|(?:less|more) than"
    r"|budget|cheap\w*|only if|as long as)\b"
)
_CHAT = re.compile(
    r"\b(?:lo+l|lmao|rofl|omg|idk|btw|tbh|imo|jk|thx|pls|plz|u|ur|r|ya|yall|cuz|coz|gonna|wanna|gotta|kinda|dunno|lemme"
    r"|yeah|yep|yup|nope|nah|haha\w*|hehe\w*|hmm+|umm*|uhh*|aww+|wow|dont|didnt|doesnt|isnt|wasnt|cant|couldnt|wouldnt"
    r"|wont|ive|im|thats|whats|youre|havent)\b|(\w)\1\1|[.!?]{2,}|[:;]-?[()dp]|[\U0001f300-\U0001faff☀-➿]"
)
_I, _YOU = re.compile(r"\b(?:i|me|my|mine|we|our|us|im|ive)\b"), re.compile(r"\b(?:you|your|yours|u|ur)\b")
_NUMBER = re.compile(
    r"\d[\d,.:/]*|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|hundred|thousand|million|monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow|tonight)\b"
)
_TOLD = re.compile(
    r"\b(?:i(?:'m| am)? (?:(?:really|just|also|only|do|would|usually|always|never|don't|actually) )*(?:want|need|prefer"
    r"|like|love|hate|enjoy|have|had|work|live|study|went|looking for|from)|i'd (?:like|love|prefer|rather)"
    r"|my (?:favou?rite )?\w+(?: \w+)? (?:is|are|was))\b(?P<told>[^.!?]*)"
)


def _vocabularies(name: str) -> Mapping[str, frozenset[str]]:
    held: dict[str, str] = orjson.loads(Path(__file__).with_name(name).read_bytes())
    return {label: frozenset(words.split()) for label, words in held.items()}


_WORDS = _vocabularies("words.json")
"""`common`: words of every kind of talk, in at least 15 of 22 corpora and in none of them far more often."""
_OPENINGS = _vocabularies("openings.json")
_TOPICS = _vocabularies("topics.json")
_TOPIC_OF = {word: name for name, held in _TOPICS.items() for word in held}


def sentences(line: str) -> list[str]:
    return [part for part in _SENTENCE.split(line) if part]


def words(line: str) -> list[str]:
    return _WORD.findall(line)


@lru_cache(4096)
def content(line: str) -> frozenset[str]:
    """Words about something."""
    return frozenset(word for word in words(line) if len(word) > 2 and word not in _WORDS["common"])


def masked(line: str) -> str:
    """Without what it is about: every word that is not common to all kinds of talk is a thing (or two, or done)."""
    return _NUMERAL.sub("0", _WORD.sub(_mask, line))


def _mask(word: re.Match[str]) -> str:
    said = word[0]
    if len(said) <= 2 or said in _WORDS["common"]:
        return said
    return "doing" if said.endswith("ing") else "did" if said.endswith("ed") else _THING[said.endswith("s")]


def is_question(line: str) -> bool:
    return "?" in line or _QUESTION_START.match(line) is not None


def polite_marks(line: str) -> int:
    return len(_POLITE.findall(line))


def act(line: str) -> str:
    """What it mostly does."""
    if is_question(line):
        return "question"
    return next((name for name, pattern in _ACTS.items() if pattern.search(line)), "statement")


def sentiment(line: str) -> int:
    """Words of liking less words of disliking; after "not" and its like they count the other way round."""
    score, since = 0, 3
    for word in words(line):
        since = 0 if word in _WORDS["flips"] else since + 1
        value = (word in _WORDS["positive"]) - (word in _WORDS["negative"])
        score += -value if 1 <= since <= 2 else value
    return score


def chatty(line: str) -> bool:
    """Spelt as in a chat: "lol", "u", "dont", "sooo", "!!", a face."""
    return _CHAT.search(line) is not None


def persons(line: str) -> tuple[bool, bool]:
    """Whether it speaks of the speaker, and of the one spoken to."""
    return _I.search(line) is not None, _YOU.search(line) is not None


@lru_cache(4096)
def told(line: str) -> frozenset[str]:
    """What it tells of its speaker: numbers and days, and the content of wishes, likes and belongings."""
    own = (match["told"] for match in _TOLD.finditer(line))
    return frozenset(_NUMBER.findall(line)).union(*(content(part) for part in own))


def opening(line: str) -> str:
    """What kind of word it begins with."""
    if AGREES.match(line):
        return "agrees"
    first = (words(line) or [""])[0]
    return next((name for name, starts in _OPENINGS.items() if first in starts), "other")


def topic(line: str) -> str:
    """The topic with most of its words said; the first of the list wins a tie."""
    hits = Counter(_TOPIC_OF[word] for word in words(line) if word in _TOPIC_OF)
    return max(_TOPICS, key=lambda name: hits[name]) if hits else "other"

"""What words say, by code alone: contents, numbers, for or against. What the fault detectors share."""

import re
from collections.abc import Iterable
from functools import lru_cache

from schemas.dialogue import Turn
from schemas.scenario import Fact

_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the i im ive id ill you youre he she it its we they me my mine your his her our their this that"
        " these those is are was were be been being am do does did have has had having to of in on at for with and"
        " or but so if then than as by from up out about just really very can could would will should there here"
        " what how when who which where why too also some any all lot get got gotta well oh ok yes yeah let us like"
        " love enjoy want",
    )
)
_NEGATORS = frozenset(
    re.findall(
        r"\w+",
        "no not never none nothing without neither nor cannot dont cant wont didnt isnt havent hasnt wasnt arent"
        " doesnt couldnt wouldnt hadnt aint",
    )
)
_AGAINST = frozenset(["hate", "hates", "hated", "dislike", "dislikes", "disliked", "despise", "loathe", "avoid"])
_EMPTY = _STOP | _NEGATORS | _AGAINST
_WORDS_OF_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_NUMBERS = {word: str(n) for n, word in enumerate(_WORDS_OF_NUMBERS, start=2)} | {
    "fifteen": "15",
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "hundred": "100",
    "thousand": "1000",
}
_HATES = re.compile(r"\b(?:can'?t|cannot|couldn'?t) stand\b")
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_HYPOTHETICAL = re.compile(r"\b(if|wish|would|used to|yet|anymore|any more|lately|until|before|instead)\b", re.I)
_SELF = re.compile(r"\b(i|im|ive|i'\w+|my|mine|we|our)\b", re.I)
_VAGUE = frozenset(
    re.findall(
        r"\w+",
        "know think thought mean say said seen see saw need one thing stuff work go going gone went do done make take"
        " good great nice much many time try lot way feel look find guess sure people",
    )
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE = re.compile(r"(?<=[.!?])\s+|[,;:]\s+|\s+(?:but|because|though|although|and|so)\s+", re.I)


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[str, ...]:
    """Lower case, apostrophes dropped: "Don't" is `dont`."""
    plain = text.lower().replace("’", "'")
    if " stand" in plain:
        plain = _HATES.sub("hate", plain)
    found: list[str] = _TOKEN.findall(plain)
    return tuple(t.replace("'", "") for t in found) if "'" in plain else tuple(found)


@lru_cache(maxsize=1024)
def content(text: str) -> frozenset[str]:
    """Stemmed words that carry something, and numbers in digits; without what is for or against."""
    return frozenset(_NUMBERS.get(t) or _stem(t) for t in tokens(text) if t not in _EMPTY)


@lru_cache(maxsize=1024)
def telling(text: str) -> frozenset[str]:
    """Its content without the words that every other sentence holds."""
    return frozenset(w for t in tokens(text) if t not in _VAGUE for w in content(t))


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    for suffix in ("ing", "ies", "ed", "es", "s", "y", "e"):
        if len(word) - len(suffix) >= 3 and word.endswith(suffix):
            return word[: -len(suffix)]
    return word


def coverage(text: str, wanted: str) -> float:
    """Share of the wanted content that the text carries, in [0, 1]; 1 of nothing."""
    words = content(wanted)
    return len(words & content(text)) / len(words) if words else 1.0


@lru_cache(maxsize=1024)
def numbers(text: str) -> frozenset[str]:
    """In digits, without separators of thousands; "one" is a pronoun too often."""
    found = (_NUMBERS.get(t) or (t if t[0].isdigit() else "") for t in tokens(text))
    return frozenset(re.sub(r",(?=\d{3})", "", n).removesuffix(".0").removesuffix(".00") for n in found if n)


@lru_cache(maxsize=1024)
def clauses(text: str) -> tuple[str, ...]:
    """Parts that state one thing each; questions are none."""
    parts = (part for s in _SENTENCE.split(text) if not s.rstrip().endswith("?") for part in _CLAUSE.split(s))
    return tuple(p.strip() for p in parts if p and p.strip())


@lru_cache(maxsize=1024)
def against(clause: str) -> bool:
    """Whether it denies or dislikes; two denials cancel out. A "no" that answers is none."""
    words = tokens(
        re.sub(
            r"^\W*(?:(?:oh|ah|aw|ugh|well|haha|lol)\W+)?(no|nah|nope)\b(?=\W*[,.!]|\s+(?:i|my|we)\b)",
            "",
            clause,
            flags=re.I,
        )
    )
    denied = sum(w in _NEGATORS or w in _AGAINST for w in words)
    return denied % 2 == 1


@lru_cache(maxsize=1024)
def states_of_self(clause: str) -> bool:
    """A plain statement about the speaker: neither past, nor wished, nor conditional."""
    return of_self(clause) and not _HYPOTHETICAL.search(clause)


def of_self(text: str) -> bool:
    return bool(_SELF.search(text))


def opposes(clause: str, fact: str) -> bool:
    """Whether a clause says of the same thing the opposite of what a fact says."""
    if not states_of_self(clause):
        return False
    for said in clauses(fact):
        about = telling(said)
        shared = len(about & content(clause))
        brief = len(tokens(said)) <= 5 and len(tokens(clause)) <= 6
        same = shared == len(about) if len(about) == 2 or (brief and about) else shared >= max(3, 0.75 * len(about))
        if same and against(said) != against(clause):
            return True
    return False


_ONE_OF_ITS_KIND = re.compile(r"\b(is|am|im|was|are|live|lives|born|work|from|called|named|cost|costs|for)$")


def other_value(clause: str, fact: Fact) -> str | None:
    """The value a clause gives instead of the fact's; None when it gives none."""
    told = numbers(fact.value) or numbers(fact.text)
    here = numbers(clause)
    frame = content(fact.text) - content(fact.value) if fact.value != fact.text else content(fact.text) - told
    frame = frozenset(w for w in frame or content(fact.slot) if not w[0].isdigit())
    if told and here:
        shared = len(frame & content(clause))
        alike = [n for n in sorted(here) if len(frame) > 1 or any(len(n) == len(t) for t in told)]
        if frame and shared >= max(min(2, len(frame)), 0.6 * len(frame)) and not told & here and alike:
            return alike[0]
        return None
    return _named_instead(clause, fact) if fact.value != fact.text else None


def _named_instead(clause: str, fact: Fact) -> str | None:
    """The word that stands where "I live in Paris" has its city, behind words that take one value."""
    value, text, said = tokens(fact.value), tokens(fact.text), tokens(clause)
    start = next((i for i in range(len(text)) if value and text[i : i + len(value)] == value), 0)
    lead = text[max(0, start - 3) : start]
    if len(lead) < 2 or not any(_ONE_OF_ITS_KIND.search(word) for word in lead):
        return None
    for i in range(len(said) - len(lead)):
        follower = said[i + len(lead)]
        if said[i : i + len(lead)] == lead and follower not in _STOP and follower not in _NEGATORS:
            return None if content(fact.value) & content(clause) else follower
    return None


def carries(text: str, fact: Fact, asked: str = "") -> bool:
    """Whether words give a fact away: most of its content, or its value beside a word of what it is about. `asked`:
    the question they answer.
    """
    text = " ".join(s for s in _SENTENCE.split(text) if not s.endswith("?") or _SELF.search(s))
    words, said = telling(fact.text), content(text)
    if fact.value == fact.text or len(words) >= 4:
        share = len(words & said) / len(words) if len(words) >= 2 else 0.0
        if share >= (0.75 if len(words) >= 4 else 1.0):
            return True
    value = content(fact.value)
    if fact.value == fact.text or not value or not value <= said:
        return False
    about = (content(fact.text) | content(fact.slot)) - value
    if not about or (_distinctive(fact.value) and fact.value.lower() in text.lower() and fact.value[:4] in text):
        return True
    return _beside(text, value, about) if numbers(fact.value) else bool(about & content(f"{text} {asked}"))


def _beside(text: str, value: frozenset[str], about: frozenset[str]) -> bool:
    """Whether a number stands within three words of what it counts."""
    words = [content(t) for t in tokens(text)]
    places = [i for i, w in enumerate(words) if w & value]
    return any(w & about for i in places for w in words[max(0, i - 3) : i + 3])


def _distinctive(value: str) -> bool:
    """A name, an address, a long number: nobody says it by chance."""
    return sum(c.isdigit() for c in value) >= 3 or (value[:1].isupper() and len(value) >= 4)


def heard_question(before: Iterable[Turn], role: str) -> str:
    """What others asked since `role` last spoke, as text; empty when nothing."""
    said: list[str] = []
    for turn in reversed(tuple(before)):
        if turn.role == role:
            break
        said += [s for s in _SENTENCE.split(turn.text or "") if s.endswith("?")]
    return " ".join(reversed(said))


def out_before(before: Iterable[Turn]) -> set[str]:
    """Ids of the facts the labels say are out."""
    return {i for t in before for i in (*t.facts_disclosed, *t.facts_volunteered)}


@lru_cache(maxsize=256)
def runs(text: str, size: int) -> frozenset[tuple[str, ...]]:
    """Runs of `size` tokens."""
    words = tokens(text)
    return frozenset(words[i : i + size] for i in range(len(words) - size + 1))


_BYE = re.compile(
    r"\b(?:good ?bye|bye+)\b(?! to)"
    r"|(?<!you )\b(?:g?otta|got to|have to|need to|must) (?:go|run|head out|leave)(?: now)?(?=\W*(?:$|[.!,]|bye))"
    r"|(?:^|[.!,]\s*|\b(?:ok|okay|well|so|then|bye|and|haha|lol)\s+)see (?:you|ya|u)"
    r"(?: (?:later|soon|around|then|tomorrow))?\W*$"
    r"|\b(?:talk (?:to you (?:later|soon|tomorrow)|soon|later)|ttyl|cya)\b"
    r"|\bgood ?night\W*$|\btake care\W*$|\bi(?:'m| am|m) (?:leaving|done here|out)(?: now)?\W*$",
    re.I,
)


_IN_A_BYE = (
    *("bye", "otta ", "got to ", "have to ", "need to ", "must ", "see y", "see u", "talk ", "ttyl", "cya", "night"),
    *("take care", "m leaving", "m done here", "m out"),
)
"""One of these is in every goodbye."""


def says_bye(text: str) -> bool:
    return has_any(text, _IN_A_BYE) and "?" not in text and bool(_BYE.search(text))


def has_any(text: str, parts: Iterable[str]) -> bool:
    """Whether one of the lower-case parts stands in it: where none does, no costly pattern need be searched."""
    text = text.lower()
    return any(map(text.__contains__, parts))

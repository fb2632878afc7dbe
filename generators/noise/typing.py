"""How a person types: clean text in, what this person would send out. By code alone, no model.

The kinds of noise and the defaults were looked up in the texts of real people: chitchat (180458 messages, 1.75 million
words) and the persuadees of persuasion_for_good (7722 messages, 106 thousand words). Shares, chitchat / persuasion:
    messages without a capital             .26 / .15
    statements that end with one stop      .19 / .50 (of persons in lower case .04 / .23, with capitals .31 / .63)
    apostrophes kept                       .76 / .87 (most persons keep all or nearly none)
    questions without their mark           .17 / .07 (by their first two words; an upper bound)
    yes/well/oh/... I without its comma    .75 / .56;  "but I" without one: .50 / .47
    messages ending in haha .034 / .001, in lol .007 / .002, in :) or the like .010 / .005, in an emoji 0 / 0
    messages with letters stretched        .023 / .002 of those with a word people stretch; to three letters in half
    short forms of SPOKEN but cause        .16 / .37 (ok .47 / .68, kinda .29 / .19, gonna .27 / .14, tho .03 / .03);
                                           u, r, ur .005 / .011 (one person in 25 writes u or ur at all)
    misspelt words of four letters or more .004 / .003 (lower-case non-words one letter from a common word, by a word
                                           list; .0025 of four letters to .01 of nine). Of 3451 found 62 % are of our
                                           four kinds: drop .33, swap .35, replace .20, double .12; not imitated: a
                                           wrong extra letter .21, a letter that is no neighbour .17
    a typo followed by its correction      at most .1 / 0 (330 to 3451 typos found; star before the word in 56 %)
Of 2496 persons in chitchat 16 % begin over four fifths of their messages in lower case, 26 % one to four fifths, 58 %
fewer. Habits belong together: lower case goes with few stops and few apostrophes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.scenario import Value

Casing = Literal["lower", "mixed", "proper"]
TypoKind = Literal["drop", "double", "swap", "replace"]
Ending = Literal["haha", "lol", "smile", "emoji"]

SPOKEN: Mapping[str, str] = {
    "because": "cause",
    "going to": "gonna",
    "got to go": "gotta go",
    "i don't know": "idk",
    "kind of": "kinda",
    "okay": "ok",
    "though": "tho",
    "want to": "wanna",
    "yeah": "ya",
}
"""Short forms most people use now and then."""

TEXTING: Mapping[str, str] = {
    **SPOKEN,
    "are": "r",
    "because": "cuz",
    "by the way": "btw",
    "definitely": "def",
    "favorite": "fav",
    "people": "ppl",
    "please": "pls",
    "probably": "prob",
    "right now": "rn",
    "thanks": "thx",
    "to be honest": "tbh",
    "you": "u",
    "you're": "ur",
    "your": "ur",
}
"""Short forms of the few who write u and r."""


class TypoKinds(Value):
    """Shares of the kinds of typo, in any unit; a word that cannot have one kind gets another."""

    drop: float = Field(default=0.33, ge=0)
    """A letter is missing: abot."""
    double: float = Field(default=0.12, ge=0)
    """A letter comes twice: abouut."""
    swap: float = Field(default=0.35, ge=0)
    """Two letters change places: abuot."""
    replace: float = Field(default=0.2, ge=0)
    """A key beside the right one: abiut."""

    @model_validator(mode="after")
    def _some_kind(self) -> Self:
        if not self.drop + self.double + self.swap + self.replace:
            raise ValueError("typo_kinds: at least one share must be above 0")
        return self


class SelfCorrection(Value):
    """The short message after a typo: *word."""

    probability: float = Field(default=0.1, ge=0, le=1)
    """Per message with a typo."""
    star: Literal["before", "after"] = "before"
    """`*word` or `word*`."""


class TypingStyle(Value):
    """How one person types. The default is a typical person of chitchat; `CLEAN` changes nothing."""

    casing: Casing = "proper"
    """lower: no capitals; mixed: half the messages begin in lower case, some with i for I; proper: as it stands."""
    final_stop: float = Field(default=0.2, ge=0, le=1)
    """Probability that a message that ends with a single stop keeps it. ! and ... stay."""
    question_mark_dropped: float = Field(default=0.0, ge=0, le=0.2)
    """Probability that the last mark of a message is left out where its words alone show a question (what do you do).
    0 by default: who looks for a question looks for its mark.
    """
    apostrophes: float = Field(default=0.9, ge=0, le=1)
    """Probability that one is kept: don't, dont. Kept where another word would result (we're)."""
    comma_dropped: float = Field(default=0.5, ge=0, le=1)
    """Per comma before a space; commas between numbers stay."""
    typo_rate: float = Field(default=0.005, ge=0, le=0.2)
    """Per word of four letters or more, more in long words. Above 0.1 slightly fewer: no two in neighbouring words."""
    typo_kinds: TypoKinds = TypoKinds()
    self_correction: SelfCorrection = SelfCorrection()
    abbreviations: float = Field(default=0.15, ge=0, le=1)
    """Probability that a word or phrase of `short_words` is shortened, where it can be."""
    short_words: dict[str, str] = Field(default_factory=lambda: dict(SPOKEN))
    """Lower case, words parted by one space -> the short form this person uses."""
    ending: Ending = "haha"
    """What this person adds at the end of a message, in place of its stop. No emoji occurs in the measured texts."""
    ending_rate: float = Field(default=0.05, ge=0, le=1)
    """Per message without grave words, a laugh or a smile; nobody laughs at the end of a question (a smile may be)."""
    stretched: float = Field(default=0.02, ge=0, le=1)
    """Per message with a word people stretch (sooo); one word is."""
    polite: float = Field(default=0.0, ge=0, le=1)
    """Share of messages with thanks, please or sorry: words, which `courtesy` adds before anything is typed."""


CLEAN = TypingStyle(
    final_stop=1, apostrophes=1, comma_dropped=0, typo_rate=0, abbreviations=0, ending_rate=0, stretched=0
)
"""Types the text as it is."""


def typed(text: str, style: TypingStyle, rng: Random, keep: Sequence[str] = ()) -> str:
    """What this person sends for `text`. `keep`: words or phrases that stay letter by letter, capitals too (facts'
    values, names); what holds a digit or @, addresses and abbreviations with stops are only lower-cased.
    """
    pieces = _pieces(text, keep)
    if all(piece.kind == "gap" for piece in pieces):
        return text
    pieces = _shorten(pieces, style, rng)
    pieces = [_without_apostrophe(piece, style, rng) for piece in pieces]
    pieces = _stretch(pieces, style, rng)
    pieces = _slip(pieces, style, rng)
    pieces = _drop_commas(pieces, style, rng)
    pieces = _close(pieces, style, rng)
    pieces = _case(pieces, style, rng)
    return _end(pieces, style, rng)


def correction(text: str, sent: str, style: TypingStyle, rng: Random) -> str | None:
    """The second message that puts right the last typo of `sent`, which `typed` made of `text`: *word. None: there is
    no typo, or this person lets it stand.
    """
    words = dict.fromkeys(w for w in re.findall(r"[A-Za-z]+", text) if _may_slip(w))
    known = {w.lower() for w in words}
    meant = {slip: w for w in words for slips in _slips(w.lower()).values() for slip in slips if slip not in known}
    wrong = [w for w in re.findall(r"[A-Za-z]+", sent) if w.lower() in meant]
    if not wrong or rng.random() >= style.self_correction.probability:
        return None
    word = meant[wrong[-1].lower()]
    word = word if wrong[-1][0].isupper() else word.lower()
    return f"*{word}" if style.self_correction.star == "before" else f"{word}*"


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    kind: Literal["word", "set", "kept", "gap"]
    """set: only the casing may still change; kept: nothing may; gap: what is between words."""


_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SET = re.compile(r"(?:[^\W\d_]\.){2,}|[^\W\d_]+\.\w\S*[^\s.,!?;:]|\S*[\d@](?:\S*[^\s.,!?;:])?")


def _pieces(text: str, keep: Sequence[str]) -> list[_Piece]:
    kept = "|".join(re.escape(k) for k in sorted(keep, key=len, reverse=True) if k.strip())
    parts = list(_cut(text, re.compile(rf"(?<!\w)(?:{kept})(?!\w)", re.IGNORECASE), "kept") if kept else _gap(text))
    parts = [q for p in parts for q in (_cut(p.text, _SET, "set") if p.kind == "gap" else (p,))]
    return [q for p in parts for q in (_cut(p.text, _WORD, "word") if p.kind == "gap" else (p,))]


def _gap(text: str) -> Iterator[_Piece]:
    if text:
        yield _Piece(text, "gap")


def _cut(text: str, pattern: re.Pattern[str], kind: Literal["word", "set", "kept"]) -> Iterator[_Piece]:
    at = 0
    for found in pattern.finditer(text):
        yield from _gap(text[at : found.start()])
        yield _Piece(found[0], kind)
        at = found.end()
    yield from _gap(text[at:])


# Short forms.

_AFTER_GONNA = re.compile(
    "ask|be|bring|buy|call|change|come|cook|do|drive|eat|find|get|give|go|have|help|keep|learn|leave|let|like|live|look"
    "|lose|make|meet|miss|move|need|play|put|read|run|say|see|send|show|sleep|start|stay|stop|study|take|talk|tell"
    "|think|try|use|visit|wait|wake|walk|watch|wear|win|work|write"
)
_BEFORE_KINDA = re.compile("am|and|are|but|feel|feels|i|i'm|is|it's|just|looks|seems|sounds|that's|was|were")


def _shorten(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> list[_Piece]:
    done: list[_Piece] = []
    at = 0
    while at < len(pieces):
        size, short = _short(pieces, at, style.short_words)
        if short and rng.random() < style.abbreviations:
            first = pieces[at].text[0].isupper() and (pieces[at].text != "I" or _begins(pieces, at))
            done.append(_Piece(short[:1].upper() + short[1:] if first else short, "set"))
            at += size
        else:
            done.append(pieces[at])
            at += 1
    return done


def _short(pieces: Sequence[_Piece], at: int, short_words: Mapping[str, str]) -> tuple[int, str | None]:
    """How many pieces from `at` on have a short form, and the form; the longest phrase first."""
    for size in (5, 3, 1):
        span = pieces[at : at + size]
        if len(span) < size or any(p.kind != "word" if i % 2 == 0 else p.text != " " for i, p in enumerate(span)):
            continue
        phrase = "".join(p.text for p in span).lower().replace("’", "'")
        fits = {
            "going to": _AFTER_GONNA.fullmatch(_word(pieces, at + size + 1)),
            "kind of": _BEFORE_KINDA.fullmatch(_word(pieces, at - 2)),
        }
        if phrase in short_words and fits.get(phrase, True):
            return size, short_words[phrase]
    return 0, None


def _word(pieces: Sequence[_Piece], at: int) -> str:
    return pieces[at].text.lower().replace("’", "'") if 0 <= at < len(pieces) else ""


def _begins(pieces: Sequence[_Piece], at: int) -> bool:
    """Whether a sentence begins here."""
    return at == 0 or (pieces[at - 1].kind == "gap" and (at == 1 or bool(re.search(r"[.!?]", pieces[at - 1].text))))


_OTHER_WORD = frozenset({"he'd", "he'll", "she'd", "she'll", "we'd", "we'll", "we're", "who're"})


def _without_apostrophe(piece: _Piece, style: TypingStyle, rng: Random) -> _Piece:
    plain = re.sub("['’]", "", piece.text)
    if piece.kind != "word" or plain == piece.text or piece.text.lower().replace("’", "'") in _OTHER_WORD:
        return piece
    return piece if rng.random() < style.apostrophes else _Piece(plain, "set")


# Stretched letters.

_STRETCHED = re.compile("love|really|so")
_STRETCHED_FIRST = re.compile("aww|bye|hey|hi|hmm|nah|nice|no|oh|omg|same|true|ugh|wow|yeah|yes")
"""Only as the first word of a message."""


def _stretch(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> list[_Piece]:
    able = [at for at in range(len(pieces)) if _stretchable(pieces, at)]
    if not able or rng.random() >= style.stretched:
        return list(pieces)
    at = rng.choice(able)
    # A run of three in 53 % of the stretched words of chitchat, four in 26 %, five in 12 %.
    more = pieces[at].text[-1] * rng.choices((2, 3, 4, 5), (53, 26, 12, 9))[0]
    return [*pieces[:at], _Piece(pieces[at].text + more, "set"), *pieces[at + 1 :]]


def _stretchable(pieces: Sequence[_Piece], at: int) -> bool:
    word = pieces[at].text.lower()
    if pieces[at].kind != "word" or (word == "no" and _word(pieces, at + 1) == " "):  # no idea, no one
        return False
    return bool(_STRETCHED.fullmatch(word) or (at == 0 and _STRETCHED_FIRST.fullmatch(word)))


# Typos.

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEVER_WRONG = frozenset({"never", "nobody", "none", "nothing"})


def _neighbours() -> dict[str, str]:
    """Letter -> the letters beside it; each row is shifted to the right by about half a key."""
    places = {letter: (x + 0.5 * y, y) for y, row in enumerate(_ROWS) for x, letter in enumerate(row)}
    return {
        a: "".join(b for b, (u, v) in places.items() if b != a and abs(u - x) <= 1 and abs(v - y) <= 1)
        for a, (x, y) in places.items()
    }


_NEIGHBOURS = _neighbours()


def _may_slip(word: str) -> bool:
    """Four plain letters or more, no shouting, and nothing whose loss turns the sentence round."""
    return bool(re.fullmatch(r"[A-Za-z][a-z]{3,}", word)) and word.lower() not in _NEVER_WRONG


def _slips(word: str) -> dict[TypoKind, list[str]]:
    """Every typo of each kind; the first letter is right in all of them."""
    inner = range(1, len(word))
    kinds: dict[TypoKind, list[str]] = {
        "drop": [word[:i] + word[i + 1 :] for i in inner],
        # Never three of a kind: that is a stretched word.
        "double": [
            word[: i + 1] + word[i:] for i in inner if word[i] != word[i - 1] and word[i] != word[i + 1 : i + 2]
        ],
        "swap": [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in inner[:-1] if word[i] != word[i + 1]],
        "replace": [word[:i] + other + word[i + 1 :] for i in inner for other in _NEIGHBOURS.get(word[i], "")],
    }
    return {kind: slips for kind, slips in kinds.items() if slips}


def _slip(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> list[_Piece]:
    able = [
        at
        for at, piece in enumerate(pieces)
        # A capital inside a sentence is a name.
        if piece.kind == "word" and _may_slip(piece.text) and (piece.text.islower() or _begins(pieces, at))
    ]
    mean = sum(len(pieces[at].text) for at in able) / max(len(able), 1)
    done = list(pieces)
    last = -3
    for at in able:
        if at - last > 2 and rng.random() < style.typo_rate * len(pieces[at].text) / mean:
            done[at] = _Piece(_typo(pieces[at].text, style.typo_kinds, rng), "set")
            last = at
    return done


def _typo(word: str, shares: TypoKinds, rng: Random) -> str:
    slips = _slips(word)
    weights = [float(getattr(shares, kind)) for kind in slips]
    return rng.choice(slips[rng.choices(list(slips), weights if any(weights) else None)[0]])


# Marks, capitals, and what is added.


def _drop_commas(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> list[_Piece]:
    done: list[_Piece] = []
    for at, piece in enumerate(pieces):
        numbers = all(re.search(r"\d", _word(pieces, beside)) for beside in (at - 1, at + 1))
        comma = piece.kind == "gap" and re.match(r",\s", piece.text) and not numbers
        done.append(replace(piece, text=piece.text[1:]) if comma and rng.random() < style.comma_dropped else piece)
    return done


_QUESTION = re.compile(
    r"(?:(?:and|but|haha|hey|hi|oh|ok|so|well),? )?"
    r"(?:(?:how|what|whats|what's|when|where|which|who|why) (?:about|are|can|could|did|do|does|is|kind|was|would)\b"
    r"|(?:are|can|could|did|do|does|has|have|is|was|were|will|would)"
    r" (?:he|it|she|that|the|there|they|this|u|we|you|your)\b)",
    re.IGNORECASE,
)


def _close(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> list[_Piece]:
    """Without the last mark, where this person leaves it out."""
    last = pieces[-1]
    if last.kind != "gap" or len(pieces) == 1:
        return list(pieces)
    if re.fullmatch(r"\.\s*", last.text):
        return list(pieces) if rng.random() < style.final_stop else list(pieces[:-1])
    sentence = re.split(r"[.!?]\s+", "".join(p.text for p in pieces[:-1]))[-1]
    if re.fullmatch(r"\?\s*", last.text) and _QUESTION.match(sentence) and rng.random() < style.question_mark_dropped:
        return list(pieces[:-1])
    return list(pieces)


_I = re.compile(r"I(?:['’]?(?:m|d|ll|ve))?")


def _case(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> list[_Piece]:
    if style.casing == "proper":
        return list(pieces)
    if style.casing == "lower":
        return [p if p.kind == "kept" else replace(p, text=p.text.lower()) for p in pieces]
    # Measured over the persons in between: i for I in .25 of messages that begin small, in .1 of the others.
    small = rng.random() < 0.5
    small_i = rng.random() < (0.25 if small else 0.1)

    def cased(at: int, piece: _Piece) -> _Piece:
        if piece.kind not in ("word", "set"):
            return piece
        if _I.fullmatch(piece.text):
            lower = small_i and not (_begins(pieces, at) and not small)
        else:
            lower = small and _begins(pieces, at) and piece.text[1:] == piece.text[1:].lower()
        return replace(piece, text=piece.text.lower()) if lower else piece

    return [cased(at, piece) for at, piece in enumerate(pieces)]


_ENDINGS: Mapping[Ending, Callable[[Random], str]] = {
    "haha": lambda rng: rng.choices(("haha", "hahaha", "hahah"), (80, 15, 5))[0],
    "lol": lambda rng: "lol",
    "smile": lambda rng: ":)",
    "emoji": lambda rng: rng.choice(("😂", "😅", "😊")),
}
_LAUGHS = re.compile(r"\b(?:(?:ha){2,}h?|ha|lo+l|lmao|rofl)\b|[:;=8]-?[()DPp]|\bx[dD]\b|[\U0001F300-\U0001FAFF]", re.I)
_GRAVE = re.compile(
    r"\b(?:afraid|alone|cancer|cried|cry|crying|dead|death|depress\w+|die|died|dying|funeral|hospital|hurts?|lonely"
    r"|lost|miss|pain\w*|passed|sad|scared|sick|sorry|surgery|upset|worried)\b",
    re.I,
)


def _end(pieces: Sequence[_Piece], style: TypingStyle, rng: Random) -> str:
    text = "".join(p.text for p in pieces)
    question = style.ending != "smile" and "?" in pieces[-1].text
    if question or _LAUGHS.search(text) or _GRAVE.search(text) or rng.random() >= style.ending_rate:
        return text
    text = text.rstrip()
    if pieces[-1].kind == "gap" and text.endswith(".") and not text.endswith(".."):
        text = text[:-1]
    return f"{text} {_ENDINGS[style.ending](rng)}"

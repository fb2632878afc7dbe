"""Slips of the pen: words that no word list has and that are one edit from a frequent word."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from string import ascii_lowercase
from typing import Literal, NamedTuple

from spellchecker import SpellChecker

from schemas.dialogue import Dialogue

TypoKind = Literal["drop", "double", "insert", "swap", "replace"]
"""A letter is missing; stands twice; is one too many otherwise; has changed places with the next; is another."""


class Typo(NamedTuple):
    written: str
    """In lower case."""
    meant: str | None
    """The one known word an edit away, if one is ten times as frequent as every other; else None."""
    kind: TypoKind | None
    """None exactly when `meant` is."""


class Token(NamedTuple):
    """What stands between spaces and says something."""

    identifier: bool
    """A number, @name, #tag, code or address."""
    upper: bool
    unknown: str | None
    """In lower case, where it is a word and no word list has it."""


class Message(NamedTuple):
    text: str
    tokens: Sequence[Token]

    @classmethod
    def of(cls, text: str) -> "Message":
        """`text`: plain."""
        return cls(text, [found for token in text.split() if (found := _token(token)) is not None])


def typos(dialogue: Dialogue) -> Iterator[Typo]:
    """Of the partner's words, in order.

    No typos: names (a capital inside a sentence, a role, a word that the other side or the partner three times wrote),
    capitals, identifiers, chat spellings (lol, u, gonna, sooo, haha), missing apostrophes, British spellings, regular
    derivations, and what is near no frequent word. So a slip of two letters, or one that makes another word, is missed.
    """
    return slips(dialogue, [Message.of(text) for text in map(plain, dialogue.texts(dialogue.partner)) if text])


def slips(dialogue: Dialogue, mine: Sequence[Message]) -> Iterator[Typo]:
    """As `typos`, of the partner's messages as they were read."""
    names: frozenset[str] | None = None  # what looks like a slip is rare, and only then names are looked for
    for message in mine:
        for token in message.tokens:
            word = token.unknown
            if word is None or (token.upper and message.text.upper() != message.text):
                continue
            if (found := _typo(word)) is None:
                continue
            names = _names(dialogue, [m.text for m in mine]) if names is None else names
            if word not in names:
                yield found


def typo_kinds(dialogues: Iterable[Dialogue]) -> Counter[TypoKind]:
    """How often each kind occurs among the typos whose correction is clear."""
    return Counter(t.kind for dialogue in dialogues for t in typos(dialogue) if t.kind is not None)


WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_MARKUP = re.compile(r"\{[^{}]*\}|</?[A-Za-z_]+\s*/?>|\[[A-Z_]+\]")
_TOKENISED = re.compile(r" (?=(?:'(?:s|d|m|re|ve|ll)|n't)\b)", re.IGNORECASE)
_CHAT_TEXT = """
adios admin aight aint alexa alittle alot alright alrighty alt amazon android app apps asap atm aw awesomesauce bae bbq
bc bday bestie bff bio bitcoin blog bot bots brb bro bros btw byu calc chatbot chem chillin cliche combo comp config
convo cos coulda covid coz cuz cya dang dat def dem dev dis disney distro distros dm doc docs dropbox dude dunno ebay
econ elon emoji emojis eww exam exams facebook fam fav fave favs fiance fiancee finna firefox fortnite frick fyi gf gif
gimme github gmail gnome google googled googling gotcha gotta gps grad grep gtg guac gui gym hbu hella heya hiya hmu
hoodie hulu hw idc idk ihave ikr imma imo init instagram internet intro ios ipad ipads iphone iphones ipod irl irobot
jeez jk kanye kde kernel kinda kk laptop legit legos lemme lil linux lmao lmk login lol lolol lolz lotr lotta luv mac
macbook maths mcdonalds meh meme memes mhm minecraft mkay mom msg mum nah naruto nbd netflix newbie nite nm noice noob
noone nope np nvm omg omgosh oops outta pc pic pics pinterest pixar playlist pls plugin plugins plz podcast podcasts
pokemon ppl pre prob probs prof prolly promo quiz rad rec reddit repo repos rly rn rofl roomie selfie semi shoulda siri
sis skype smartphone smh snapchat sorta spotify starbucks sucky sudo sup sux tbh tech text texted texting texts thanx
tho thru thx til tmi tmr tmrw totes touche tru ttyl tv tweet tweets twitter uber ubuntu ucla udev ugh uni ur usb vibe
vibes vid vids wanna wassup wat wbu website websites welp wget whatcha whatsapp wifi wiki woah woot woulda wtf xbox xd
ya yall yay yea yeet yep yeppers yknow yo yolo youtube yup zoom
"""
_CHAT = frozenset(_CHAT_TEXT.split())
_SOUND = re.compile(r"(?:b?w?[ah]*(?:ha|he|hi)+[ah]*|[ou]*h+|h*m+h*m*|a+w+|e+w+|o+h*|u+h*|u+m+|a+h+|g?r+|p?s+h+|z+)$")
_STRETCHED = re.compile(r"(.)\1\1")
_BRITISH = tuple(
    (re.compile(british), american)
    for british, american in (
        (r"our(?=$|s|ed|ing|ite|able|ful|less|hood|ly)", "or"),
        (r"is(?=e$|ed$|es$|er|ing|ation)", "iz"),
        (r"ys(?=e$|ed$|es$|ing|er)", "yz"),
        (r"tre(?=s?$)", "ter"),
        (r"ll(?=ed|ing|er)", "l"),
        (r"ogue(?=s?$)", "og"),
        (r"ence(?=s?$)", "ense"),
        (r"l(?=ment|fil)", "ll"),
        (r"^([mp])um", r"\1om"),
        (r"ae", "e"),
        (r"gramme", "gram"),
        (r"grey", "gray"),
    )
)
_DERIVED = re.compile(
    r"(?:re|un|non|pre|over|out|multi|super)?(?P<base>.{3,}?)(?P<end>|'s|s|es|ed|ing|er|ers|able|ish|less|ness|ful|like|(?<=e)(?:d|rs?))$"
)
_CLOSED = frozenset(("s", "d", "ll", "ve", "re", "m", "t"))


def plain(text: str) -> str:
    """Plain quotes, single spaces, no transcription marks, clitics joined; case and stops as they are."""
    if not text.isascii():
        text = text.replace("’", "'").replace("‘", "'")
    if "{" in text or "<" in text or "[" in text:
        text = _MARKUP.sub(" ", text)
    text = " ".join(text.split())
    return _TOKENISED.sub("", text) if "'" in text else text


@lru_cache(maxsize=1 << 17)
def _token(text: str) -> Token | None:
    if not any(c.isalnum() for c in text):
        return None
    named = any(c.isdigit() for c in text) or "://" in text or "_" in text or text.startswith(("@", "#", "www."))
    written = None if named else _written(text)
    return Token(named, text.isupper(), None if written is None or _is_word(written) else written)


def _names(dialogue: Dialogue, mine: Sequence[str]) -> frozenset[str]:
    """Words of this dialogue, in lower case, that are somebody's word rather than a slip."""
    often = Counter(word for text in mine for word in WORD.findall(text.lower()))
    theirs = (t.text for t in dialogue.turns if t.text and t.role != dialogue.partner)
    quiet = [text for text in mine if text != text.upper()]
    capital = {match.lower() for text in quiet for match in re.findall(r"(?<=[\w,;] )[A-Z][\w']+", text)}
    return frozenset(
        {word for word, times in often.items() if times >= 3}
        | {word for text in theirs for word in WORD.findall(text.lower())}
        | {role.lower() for role in dialogue.scenario.views}
        | capital
    )


def _written(token: str) -> str | None:
    """The word of a token, in lower case; None when it is none: two words, CamelCase."""
    core = token.strip("\"'()[]{}<>*~.,;:!?…-").removesuffix("'s")
    if WORD.fullmatch(core) is None or not (core.isascii() and 3 <= len(core) <= 25):
        return None
    return core.lower() if core[1:].islower() or core.isupper() else None


@cache
def _spelling() -> SpellChecker:
    return SpellChecker(language="en", distance=1)


@cache
def _frequent() -> dict[str, int]:
    """Words that a slip could have been meant for."""
    found = _spelling().word_frequency.dictionary
    return {word: times for word, times in found.items() if times >= 1000 and word.isascii() and "'" not in word}


def _edits(word: str) -> set[str]:
    """One edit away: a letter less, changed with the next, another, or one more."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    less = {a + b[1:] for a, b in halves if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
    another = {a + letter + b[1:] for a, b in halves if b for letter in ascii_lowercase}
    return less | swapped | another | {a + letter + b for a, b in halves for letter in ascii_lowercase}


@lru_cache(maxsize=1 << 16)
def lacks_apostrophe(word: str) -> bool:
    """ "Dont", "thats"."""
    if word in ("cant", "wont"):
        return True
    spelling = _spelling()
    if word in spelling or not 2 <= len(word) <= 9 or not word.endswith(("t", "s", "m", "d", "l", "e")):
        return False
    return any(f"{word[:-n]}'{word[-n:]}" in _CONTRACTIONS for n in (1, 2) if len(word) > n)


_CONTRACTIONS_TEXT = """
ain't aren't can't couldn't didn't doesn't don't everyone's hadn't hasn't haven't he'd he'll he's here's how's i'd i'll
i'm i've isn't it'd it'll it's let's men's she's shouldn't that'd that'll that's there's they'd they'll they're they've
wasn't we'd we've weren't what's where's who's women's won't wouldn't y'all you'd you'll you're you've
"""
_CONTRACTIONS = frozenset(_CONTRACTIONS_TEXT.split())


@lru_cache(maxsize=1 << 16)
def _typo(word: str) -> Typo | None:
    """Of a word that no list has."""
    frequent = _frequent()
    near = [(frequent[w], w) for w in _edits(word) if w in frequent and _plausible(word, w)]
    if not near or _is_derived(word, [w for _, w in near]):
        return None
    (best, meant), *others = sorted(near, reverse=True)
    if others and best < 10 * others[0][0]:
        return Typo(word, None, None)
    return Typo(word, meant, _kind(word, meant))


def _is_word(word: str) -> bool:
    spelling = _spelling()
    if word in spelling or word in _CHAT or _SOUND.match(word) or _STRETCHED.search(word) or lacks_apostrophe(word):
        return True
    stem, apostrophe, clitic = word.partition("'")
    if apostrophe and (clitic in _CLOSED or stem.endswith("n")) and (stem in spelling or stem[:-1] in spelling):
        return True
    if word.endswith("in") and f"{word}g" in spelling:
        return True
    return any(pattern.sub(other, word) in spelling for pattern, other in _BRITISH if pattern.search(word))


def _plausible(word: str, meant: str) -> bool:
    """Short words are near so many others that only a frequent one, or a swap, says anything."""
    frequency = _spelling().word_frequency[meant]
    if "'" in meant or not meant.isascii():
        return False
    if len(word) <= 4:
        return _kind(word, meant) == "swap" and frequency >= 50_000
    return frequency >= (10_000 if len(word) == 5 else 1_000)


def _is_derived(word: str, near: Sequence[str]) -> bool:
    """ "Rewatch", "glitched"; but "runing" and "commited" have a neighbour of the same stem and ending."""
    match = _DERIVED.match(word)
    if match is None or match["base"] not in _spelling():
        return False
    start, end = word[: match.end("base") - 1], match["end"]
    return not any(other.startswith(start) and other.endswith(end or start) for other in near)


def _kind(word: str, meant: str) -> TypoKind:
    if len(word) < len(meant):
        return "drop"
    at = next((i for i, (a, b) in enumerate(zip(word, meant, strict=False)) if a != b), len(meant))
    if len(word) > len(meant):
        return "double" if at and word[at] == word[at - 1] else "insert"
    return "swap" if word[at : at + 2] == meant[at : at + 2][::-1] else "replace"

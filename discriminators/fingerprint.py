"""The behavioural fingerprint of a partner: how it writes and behaves, as numbers of one dialogue (methods §24.1).

Simulated partners are known to be too polite, too uniform and too quick to tell everything (§24); each of these numbers
says so in a word, and `fingerprint_compare` gives it with what two real samples differ by. They work by cues, the same
on both sides. Several are about typing (case, stops, typos, double texts): between a corpus that was lower-cased,
tokenised or transcribed and one that was not they measure the recording.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from discriminators import cues
from discriminators.features import normalised
from discriminators.spelling import WORD, Message, lacks_apostrophe, plain, slips
from schemas.dialogue import Dialogue


class Fingerprint(NamedTuple):
    """None: cannot be told from this dialogue. A share is of the partner's messages unless it says otherwise."""

    messages: float
    """How many; 0 is a count, and all else is None then."""
    words: float | None = None
    """Mean words a message."""
    words_p90: float | None = None
    """Their 90th percentile."""
    first_words: float | None = None
    """Words of the first message."""
    typos: float | None = None
    """Per word; see `discriminators.spelling.typos`."""
    dropped_apostrophes: float | None = None
    """"dont", "thats": per word. A habit, so no typo."""
    lower_case_starts: float | None = None
    """Share, of the messages that begin with a letter, that begin with a small one."""
    no_final_stop: float | None = None
    """Share without . ! ? or … at the end."""
    double_texts: float | None = None
    """Share that follow a message of the partner's own, nobody between."""
    emoji: float | None = None
    """Share with an emoji or a face in type, :)."""
    ellipsis: float | None = None
    """Share with "..." or "…"."""
    identifiers: float | None = None
    """Numbers, @names, #tags, codes and addresses: mean a message."""
    variety: float | None = None
    """Different words in 50, mean over all windows of 50 words; None below 50 words."""
    questions: float | None = None
    """Share that ask."""
    repeated_asks: float | None = None
    """Share, of the questions, that ask with mostly the content words of an earlier question; None without a question.
    """
    politeness: float | None = None
    """Share with a mark of politeness."""
    agreement_openings: float | None = None
    """Share that open with "yes", "sure", ..."""
    refusals: float | None = None
    """Share that decline."""
    corrections: float | None = None
    """Share that put the other side right."""
    topic_returns: float | None = None
    """Share, from the fourth message on, with a content word of an earlier message of the partner's own that was in
    none of the last two; None below four messages.
    """
    messages_before_wish: float | None = None
    """Messages before the first with a wish, need or constraint; None when there is none."""
    facts: float | None = None
    """Facts given away: mean a message, each counted once. None without fact labels; so for `facts_asked`."""
    facts_asked: float | None = None
    """Share, of the facts given away, that somebody else had asked for; None when none were."""
    partner_ends: float | None = None
    """1 when the partner has the last word, else 0."""


def fingerprint(dialogue: Dialogue) -> Fingerprint:
    """Of the partner's side. A fraction of a millisecond; the first call loads a word list (0.2 s, 50 MB)."""
    texts = ((t.role, plain(t.text)) for t in dialogue.turns if t.kind == "utterance" and t.text)
    said = [(role, text) for role, text in texts if text]
    raw = [text for role, text in said if role == dialogue.partner]
    if not raw:
        return Fingerprint(0.0)
    messages = [Message.of(text) for text in raw]
    counts = [len(message.tokens) for message in messages]
    lines = [cues.Line.of(normalised(text)) for text in raw]
    split = [line.words if line.text.isascii() else WORD.findall(line.text) for line in lines]
    words = [word for some in split for word in some]
    about = [_content(some) for some in split]
    asks = [cues.is_question(line.text) for line in lines]
    first_letters = [text[0] for text in (t.lstrip("\"'(*") for t in raw) if text and text[0].isalpha()]
    given = _given(dialogue)
    return Fingerprint(
        messages=float(len(raw)),
        words=_mean(counts),
        words_p90=_p90(counts),
        first_words=float(counts[0]),
        typos=sum(1 for _ in slips(dialogue, messages)) / len(words) if words else None,
        dropped_apostrophes=_mean([*map(lacks_apostrophe, words)]),
        lower_case_starts=_mean([letter.islower() for letter in first_letters]),
        no_final_stop=_mean([text.rstrip("\"')]*")[-1:] not in _STOPS for text in raw]),
        double_texts=sum(a == b == dialogue.partner for (a, _), (b, _) in pairwise(said)) / len(raw),
        emoji=_mean([_FACE_LIKE.search(text) is not None and _EMOJI.search(text) is not None for text in raw]),
        ellipsis=_mean([".." in text or "…" in text for text in raw]),
        identifiers=_mean([sum([token.identifier for token in message.tokens]) for message in messages]),
        variety=_variety(words),
        questions=sum(asks) / len(raw),
        repeated_asks=_repeated([about[i] or frozenset([lines[i].text]) for i, ask in enumerate(asks) if ask]),
        politeness=_mean([cues.polite_marks(line) > 0 for line in lines]),
        agreement_openings=_mean([cues.AGREES.match(line.text) is not None for line in lines]),
        refusals=_mean([cues.REFUSES.found(line) for line in lines]),
        corrections=_mean([cues.CORRECTS.found(line) for line in lines]),
        topic_returns=_returns(about),
        messages_before_wish=next((float(i) for i, line in enumerate(lines) if cues.WISH.found(line)), None),
        facts=len(given) / len(raw) if given or _has_fact_labels(dialogue) else None,
        facts_asked=_mean(list(given.values())),
        partner_ends=float(_last_speaker(dialogue) == dialogue.partner),
    )


_STOPS = frozenset(".!?…")
_EMOJI = re.compile(
    "[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55]"
    r"|(?<!\w)(?:[:;=8][-'^o]?[)(\]\[dDpP/\\|3*oO]+|[xX]D+|<3+|\^[_.]*\^|[oO]_[oO]|-_+-)(?!\w)"
)
_FACE_LIKE = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55:;=8D<^_]")
"""A character that every emoji and face has: looking for one takes a tenth of the time."""
_FUNCTION_WORDS_TEXT = """
about after again also although always another anything around because been before being both cannot come could didn't
does doesn't doing don't done down each else even ever every everything from gets getting give goes going gonna good
great haha have haven't having hello here i'll i've into isn't it's just know least less like little look made make many
maybe mean more most much must need never nice nothing okay once only other over people please pretty probably quite
rather really right said same says should since some someone something sorry still stuff such sure take than thank
thanks that that's their them then there there's these they they're thing things think this those though thought through
time times together took very wanna want wants wasn't well went were what what's when where which while will with
without won't would wouldn't yeah you'd you'll you're you've your yours
"""
_FUNCTION_WORDS = frozenset(_FUNCTION_WORDS_TEXT.split())


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _p90(values: Sequence[float]) -> float:
    """The 90th percentile, linear between neighbours."""
    ordered = sorted(values)
    place, rest = divmod((len(ordered) - 1) * 0.9, 1.0)
    low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return low + (high - low) * rest


def _variety(words: Sequence[str], window: int = 50) -> float | None:
    """A word is not new in the windows that hold the last time it was said, too."""
    if len(words) < window:
        return None
    last = len(words) - window
    before: dict[str, int] = {}
    again = 0
    for place, word in enumerate(words):
        earlier = before.get(word, -window)
        if place - earlier < window:
            again += min(earlier, last) - max(0, place - window + 1) + 1
        before[word] = place
    return (window * (last + 1) - again) / (last + 1) / window


@lru_cache(maxsize=1 << 16)
def _meaning(word: str) -> str | None:
    """A word of four letters and more that is about something; a plural is its singular."""
    if len(word) < 4 or word in _FUNCTION_WORDS:
        return None
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _content(words: Iterable[str]) -> frozenset[str]:
    return frozenset([meaning for word in words if (meaning := _meaning(word)) is not None])


def _repeated(asks: Sequence[frozenset[str]]) -> float | None:
    """`asks`: what each question is about."""
    again = [any(len(now & old) >= 0.6 * len(now | old) for old in asks[:i]) for i, now in enumerate(asks)]
    return _mean(again)


def _returns(about: Sequence[frozenset[str]]) -> float | None:
    """`about`: what each message is about."""
    last: dict[str, int] = {}
    back: list[bool] = []
    for i, content in enumerate(about):
        back.append(any(i - last.get(word, i) > 2 for word in content))
        last.update(dict.fromkeys(content, i))
    return _mean(back[3:])


def _has_fact_labels(dialogue: Dialogue) -> bool:
    return bool(dialogue.scenario.facts) or any(
        t.facts_asked or t.facts_disclosed or t.facts_volunteered for t in dialogue.turns
    )


def _given(dialogue: Dialogue) -> dict[str, bool]:
    """Facts the partner gave away, in order; whether another had asked before."""
    asked: set[str] = set()
    given: dict[str, bool] = {}
    for turn in dialogue.turns:
        if turn.role != dialogue.partner:
            asked.update(turn.facts_asked)
            continue
        for fact in (*turn.facts_disclosed, *turn.facts_volunteered):
            given.setdefault(fact, fact in asked)
    return given


def _last_speaker(dialogue: Dialogue) -> str | None:
    return next((t.role for t in reversed(dialogue.turns) if t.kind == "utterance" and t.text), None)

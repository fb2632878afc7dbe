"""The behavioural fingerprint of a partner: how it writes and behaves, as numbers of one dialogue (methods §24.1).

Simulated partners are known to be too polite, too uniform and too quick to tell everything (§24); each of these numbers
says so in a word, and `compare` gives it with what two real samples differ by. They work by cues, the same on both
sides. Several are about typing (case, stops, typos, double texts): between a corpus that was lower-cased, tokenised or
transcribed and one that was not they measure the recording.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from spellchecker import SpellChecker

from discriminators.features import normalised
from discriminators.heads import politeness, question, who_ends
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import Interval


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
    """Per word; see `typos`."""
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
    """Of the partner's side. A millisecond or a few; the first call loads a word list (0.2 s, 50 MB)."""
    raw = [text for text in map(_plain, dialogue.texts(dialogue.partner)) if text]
    if not raw:
        return Fingerprint(0.0)
    lines = [normalised(text) for text in raw]
    counts = [len(_tokens(text)) for text in raw]
    words = [word for line in lines for word in _WORD.findall(line)]
    asks = [line for line in lines if question([line]) != "none"]
    first_letters = [text[0] for text in (t.lstrip("\"'(*") for t in raw) if text and text[0].isalpha()]
    return Fingerprint(
        messages=float(len(raw)),
        words=_mean(counts),
        words_p90=float(np.percentile(counts, 90)),
        first_words=float(counts[0]),
        typos=len(list(typos(dialogue))) / len(words) if words else None,
        dropped_apostrophes=_mean([_lacks_apostrophe(word) for word in words]),
        lower_case_starts=_mean([letter.islower() for letter in first_letters]),
        no_final_stop=_mean([_STOPPED.search(text) is None for text in raw]),
        double_texts=_double_texts(dialogue) / len(raw),
        emoji=_share(_EMOJI, raw),
        ellipsis=_share(_ELLIPSIS, raw),
        identifiers=_mean([sum(_is_identifier(token) for token in _tokens(text)) for text in raw]),
        variety=_variety(words),
        questions=len(asks) / len(raw),
        repeated_asks=_repeated(asks),
        politeness=_mean([politeness([line]) != "none" for line in lines]),
        agreement_openings=_share(_AGREES, lines),
        refusals=_share(_REFUSES, lines),
        corrections=_share(_CORRECTS, lines),
        topic_returns=_returns(lines),
        messages_before_wish=next((float(i) for i, line in enumerate(lines) if _WISH.search(line)), None),
        facts=_facts(dialogue, len(raw)),
        facts_asked=_facts_asked(dialogue),
        partner_ends=float(who_ends(dialogue) == "partner"),
    )


TypoKind = Literal["drop", "double", "insert", "swap", "replace"]
"""A letter is missing; stands twice; is one too many otherwise; has changed places with the next; is another."""


class Typo(NamedTuple):
    written: str
    """In lower case."""
    meant: str | None
    """The one known word an edit away, if one is ten times as frequent as every other; else None."""
    kind: TypoKind | None
    """None exactly when `meant` is."""


def typos(dialogue: Dialogue) -> Iterator[Typo]:
    """Words of the partner that no word list has and that are one edit from a frequent word, in order.

    No typos: names (a capital inside a sentence, a role, a word that the other side or the partner three times wrote),
    capitals, identifiers, chat spellings (lol, u, gonna, sooo, haha), missing apostrophes, British spellings, regular
    derivations, and what is near no frequent word. So a slip of two letters, or one that makes another word, is missed.
    """
    mine = [text for text in map(_plain, dialogue.texts(dialogue.partner)) if text]
    names = _names(dialogue, mine)
    for text in mine:
        shouted = text.upper() == text
        for token in _tokens(text):
            written = None if token.isupper() and not shouted else _written(token)
            found = None if written is None or written in names else _typo(written)
            if found is not None:
                yield found


def typo_kinds(dialogues: Iterable[Dialogue]) -> Counter[TypoKind]:
    """How often each kind occurs among the typos whose correction is clear."""
    return Counter(t.kind for dialogue in dialogues for t in typos(dialogue) if t.kind is not None)


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """One feature on two sides. Means are over the dialogues that have it."""

    feature: str
    real: float | None
    synthetic: float | None
    difference: Interval | None
    """Synthetic mean less real mean in standard deviations (root of the mean of both variances), with a bootstrap over
    groups (`n`: of the side with fewer; below 30 too narrow). None with fewer than 2 groups, or no spread at all.
    """
    floor: float | None
    """95th percentile of the same figure, without its sign, between two disjoint real samples of groups: halves, the
    smaller with no more groups than the synthetic side has.
    """
    n_real: int
    """Dialogues that have the feature; so for `n_synthetic`."""
    n_synthetic: int

    @property
    def floors_away(self) -> float | None:
        return abs(self.difference.value) / self.floor if self.difference and self.floor else None


def compare(
    real: Iterable[Dialogue], synthetic: Iterable[Dialogue], seed: int, *, draws: int = 1000, splits: int = 200
) -> list[FeatureDifference]:
    """Every feature, in the order of `Fingerprint`. Reads one dialogue at a time and keeps its numbers only.

    A group is a base case. `draws`: of the bootstrap; `splits`: of the real side, for the floor.
    """
    generator = np.random.default_rng(derive(seed, "fingerprint"))
    left, right = _Side.of(real), _Side.of(synthetic)
    drawn = np.array([_distance(left.resample(generator), right.resample(generator)) for _ in range(draws)])
    value = _distance(left.sums.sum(axis=0), right.sums.sum(axis=0))
    apart = np.abs([_distance(*left.split(generator, len(right.sums))) for _ in range(splits)])
    return [
        FeatureDifference(
            feature=name,
            real=_mean_of(left, i),
            synthetic=_mean_of(right, i),
            difference=_interval(float(value[i]), drawn[:, i], min(left.groups_with(i), right.groups_with(i))),
            floor=_percentile(apart[:, i], 95) if left.groups_with(i) >= 4 else None,
            n_real=int(left.sums[:, 0, i].sum()),
            n_synthetic=int(right.sums[:, 0, i].sum()),
        )
        for i, name in enumerate(Fingerprint._fields)
    ]


def markdown(rows: Sequence[FeatureDifference]) -> str:
    """A table with a row a feature; a dash for what cannot be told."""
    lines = [
        "| feature | real | simulated | difference | 95% | floor | floors away | n real | n simulated |",
        "|---|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        gap = row.difference
        between = f"{gap.low:+.2f} to {gap.high:+.2f}" if gap else "-"
        figures = (row.real, row.synthetic, gap and gap.value, row.floor, row.floors_away)
        real, synthetic, value, floor, away = ("-" if x is None else f"{x:.3g}" for x in figures)
        lines.append(
            f"| {row.feature} | {real} | {synthetic} | {value} | {between} | {floor} | {away} "
            f"| {row.n_real} | {row.n_synthetic} |"
        )
    return "\n".join(lines)


_MARKUP = re.compile(r"\{[^{}]*\}|</?[A-Za-z_]+\s*/?>|\[[A-Z_]+\]")
_TOKENISED = re.compile(r" (?=(?:'(?:s|d|m|re|ve|ll)|n't)\b)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_STOPPED = re.compile(r"[.!?…][\"')\]*]*$")
_ELLIPSIS = re.compile(r"\.\.|…")
_EMOJI = re.compile(
    "[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55]"
    r"|(?<!\w)(?:[:;=8][-'^o]?[)(\]\[dDpP/\\|3*oO]+|[xX]D+|<3+|\^[_.]*\^|[oO]_[oO]|-_+-)(?!\w)"
)
_AGREES = re.compile(
    r"^(?:oh |ah |well |haha |hmm )?,? ?(?:yes+|yea+h*|yeh|yep|yup|ya|sure|ok|okay|k|right|true|exactly|definitely"
    r"|absolutely|certainly|totally|of course|agreed|i agree|for sure|indeed|sounds (?:good|great)|that works|deal)\b"
)
_REFUSES = re.compile(
    r"\b(?:rather not|no,? thanks?|no thank you|not (?:interested|comfortable|willing)|no way|never ?mind"
    r"|i (?:won'?t|refuse|will not)|i (?:can'?t|cannot) (?:do|tell|give|share|say|accept|agree|help|donate)"
    r"|i (?:don'?t|do not|really don'?t) (?:want|wish|care|feel like|think so)|i'?ll pass|not going to|not gonna"
    r"|not right now|not today|none of your)\b|^(?:nope|nah|not really)\b"
)
_CORRECTS = re.compile(
    r"\b(?:(?:that|it|this)(?:'?s| is| was) (?:not (?:what|right|correct|true|it)|wrong|incorrect)"
    r"|(?:what|the one) i (?:meant|said|asked)|i meant|(?:isn't|wasn't|not) what i|as i said|like i said"
    r"|i(?:'ve)? already (?:said|told|gave|asked|answered)|i didn'?t (?:say|mean|ask)"
    r"|you(?:'re| are) (?:wrong|mistaken)|you (?:misunder\w+|misread|forgot|got (?:it|that) wrong|missed))\b"
    r"|^(?:(?:no|wait|well),? )?actually\b|^no,? (?:i said|i mean|not (?:that|the|this))\b"
)
_WISH = re.compile(
    r"\b(?:i(?:'m| am| was)? (?:(?:really|just|also|only|do|would|still) )*(?:want|need|prefer|wish|looking|searching"
    r"|hoping|trying to|like to|love to)|i'?d (?:like|love|prefer|rather|need)|can you|could you|would you|please"
    r"|help me|(?:it )?(?:must|has to|have to|should) (?:be|have)|at (?:least|most)|no more than|(?:less|more) than"
    r"|budget|cheap\w*|only if|as long as)\b"
)
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


def _plain(text: str) -> str:
    """Plain quotes, single spaces, no transcription marks, clitics joined; case and stops as they are."""
    text = _MARKUP.sub(" ", text.replace("’", "'").replace("‘", "'"))
    return _TOKENISED.sub("", " ".join(text.split()))


def _tokens(text: str) -> list[str]:
    """What stands between spaces and says something: no lone punctuation."""
    return [token for token in text.split() if any(c.isalnum() for c in token)]


def _is_identifier(token: str) -> bool:
    return any(c.isdigit() for c in token) or "://" in token or "_" in token or token.startswith(("@", "#", "www."))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(pattern: re.Pattern[str], texts: Sequence[str]) -> float | None:
    return _mean([pattern.search(text) is not None for text in texts])


def _double_texts(dialogue: Dialogue) -> int:
    roles = [t.role for t in dialogue.turns if t.kind == "utterance" and t.text and _plain(t.text)]
    return sum(role == before == dialogue.partner for before, role in pairwise(roles))


def _variety(words: Sequence[str], window: int = 50) -> float | None:
    if len(words) < window:
        return None
    inside = Counter(words[:window])
    different = [len(inside)]
    for gone, come in zip(words, words[window:], strict=False):
        inside[gone] -= 1
        if not inside[gone]:
            del inside[gone]
        inside[come] += 1
        different.append(len(inside))
    return sum(different) / len(different) / window


def _content(line: str) -> frozenset[str]:
    """Words of four letters and more that are about something; a plural is its singular."""
    long = (word for word in _WORD.findall(line) if len(word) >= 4 and word not in _FUNCTION_WORDS)
    return frozenset(w[:-1] if w.endswith("s") and not w.endswith("ss") else w for w in long)


def _repeated(asks: Sequence[str]) -> float | None:
    said = [_content(line) or frozenset([line]) for line in asks]
    again = [any(len(now & old) >= 0.6 * len(now | old) for old in said[:i]) for i, now in enumerate(said)]
    return _mean(again)


def _returns(lines: Sequence[str]) -> float | None:
    last: dict[str, int] = {}
    back: list[bool] = []
    for i, line in enumerate(lines):
        content = _content(line)
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


def _facts(dialogue: Dialogue, messages: int) -> float | None:
    return len(_given(dialogue)) / messages if _has_fact_labels(dialogue) else None


def _facts_asked(dialogue: Dialogue) -> float | None:
    return _mean(list(_given(dialogue).values()))


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


def _names(dialogue: Dialogue, mine: Sequence[str]) -> frozenset[str]:
    """Words of this dialogue, in lower case, that are somebody's word rather than a slip."""
    often = Counter(word for text in mine for word in _WORD.findall(text.lower()))
    theirs = (t.text for t in dialogue.turns if t.text and t.role != dialogue.partner)
    quiet = [text for text in mine if text != text.upper()]
    capital = {match.lower() for text in quiet for match in re.findall(r"(?<=[\w,;] )[A-Z][\w']+", text)}
    return frozenset(
        {word for word, times in often.items() if times >= 3}
        | {word for text in theirs for word in _WORD.findall(text.lower())}
        | {role.lower() for role in dialogue.scenario.views}
        | capital
    )


def _written(token: str) -> str | None:
    """The word of a token, in lower case; None when it is none: an identifier, two words, CamelCase."""
    core = token.strip("\"'()[]{}<>*~.,;:!?…-").removesuffix("'s")
    if _is_identifier(token) or _WORD.fullmatch(core) is None or not (core.isascii() and 3 <= len(core) <= 25):
        return None
    return core.lower() if core[1:].islower() or core.isupper() else None


@cache
def _spelling() -> SpellChecker:
    return SpellChecker(language="en", distance=1)


@lru_cache(maxsize=1 << 16)
def _lacks_apostrophe(word: str) -> bool:
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
    if _is_word(word):
        return None
    frequency = _spelling().word_frequency
    near = [(frequency[w], w) for w in _spelling().known(_spelling().edit_distance_1(word)) if _plausible(word, w)]
    if not near or _is_derived(word, [w for _, w in near]):
        return None
    (best, meant), *others = sorted(near, reverse=True)
    if others and best < 10 * others[0][0]:
        return Typo(word, None, None)
    return Typo(word, meant, _kind(word, meant))


def _is_word(word: str) -> bool:
    spelling = _spelling()
    if word in spelling or word in _CHAT or _SOUND.match(word) or _STRETCHED.search(word) or _lacks_apostrophe(word):
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


@dataclass(frozen=True, slots=True)
class _Side:
    sums: np.ndarray
    """float64 [groups, 3, features]: number, sum and sum of squares of what is known."""

    @classmethod
    def of(cls, dialogues: Iterable[Dialogue]) -> "_Side":
        groups: dict[str, np.ndarray] = {}
        for dialogue in dialogues:
            values = np.array(fingerprint(dialogue), dtype=np.float64)
            there = ~np.isnan(values)
            values[~there] = 0.0
            sums = groups.setdefault(dialogue.scenario.base_case_id, np.zeros((3, len(values))))
            sums += np.stack([there, values, values * values])
        return cls(np.stack(list(groups.values())) if groups else np.zeros((0, 3, len(Fingerprint._fields))))

    def groups_with(self, feature: int) -> int:
        return int(np.count_nonzero(self.sums[:, 0, feature]))

    def resample(self, generator: np.random.Generator) -> np.ndarray:
        """[3, features]"""
        n = len(self.sums)
        times = np.bincount(generator.integers(n, size=n), minlength=n) if n else np.zeros(0)
        return np.tensordot(times, self.sums, axes=1)

    def split(self, generator: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray]:
        """Two disjoint samples, the first with half the groups, or `groups` if these are fewer."""
        order = generator.permutation(len(self.sums))
        half = len(order) // 2
        size = min(half, groups)
        return self.sums[order[:size]].sum(axis=0), self.sums[order[half:]].sum(axis=0)


def _distance(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Standardised differences of the means, [features]; NaN where a side is empty or nothing varies."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = [side[1] / side[0] for side in (real, synthetic)]
        spread = [side[2] / side[0] - mean**2 for side, mean in zip((real, synthetic), means, strict=True)]
        variance = (spread[0] + spread[1]) / 2
        gap = means[1] - means[0]
        return np.where(variance > 1e-12, gap / np.sqrt(variance), np.where(np.abs(gap) < 1e-12, 0.0, np.nan))


def _mean_of(side: _Side, feature: int) -> float | None:
    count, total, _ = side.sums[:, :, feature].sum(axis=0)
    return float(total / count) if count else None


def _percentile(values: np.ndarray, q: float) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.percentile(known, q)) if len(known) else None


def _interval(value: float, drawn: np.ndarray, groups: int) -> Interval | None:
    low, high = _percentile(drawn, 2.5), _percentile(drawn, 97.5)
    if groups < 2 or np.isnan(value) or low is None or high is None:
        return None
    return Interval(value, min(low, value), max(high, value), groups)

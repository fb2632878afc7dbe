"""Trials for human judging: pairs of dialogues between which only the user's words may tell.

Both dialogues of a trial are their beginnings, cut to equally many messages, and before the shorter's end where that
leaves enough: a farewell would say which of them is whole. A real dialogue is paired with the synthetic one whose user
says about as much. Each dialogue is shown once, and only real ones of the reference's test split.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import log
from random import Random
from typing import NamedTuple

from discriminators.features import readable
from pipelines.reference import MIN_TURNS
from schemas.dialogue import Dialogue
from schemas.errors import DataError
from schemas.identity import derive, rng, stable_hash
from schemas.judgement import Interval
from schemas.trial import Key, Kind, Line, Side, Trial

MOST_TURNS = 10
"""Nobody reads two longer dialogues sixty times."""
SPARE_TURNS = 2
"""Left out at the end, where a farewell may be."""
MOST_CHARACTERS = 10_000
"""Of one message; the rest is cut off, on both sides alike."""
POOL = 10
"""Real dialogues to choose from, for each that is needed."""
_CASE_FREE = 0.05


class Readable(NamedTuple):
    """A dialogue as people can read it."""

    id: str
    lines: tuple[Line, ...]
    words: tuple[int, ...]
    """Of the user, up to and with each line."""

    @classmethod
    def of(cls, name: str, lines: Sequence[Line]) -> "Readable":
        counts = (len(line.text.split()) if line.speaker == "user" else 0 for line in lines)
        return cls(name, tuple(lines), tuple(accumulate(counts)))

    @property
    def reach(self) -> int:
        """Messages that can be shown of it."""
        return min(MOST_TURNS, max(MIN_TURNS, len(self.lines) - SPARE_TURNS))


class Prepared(NamedTuple):
    trials: tuple[Trial, ...]
    """In the order of their ids, which says nothing."""
    keys: tuple[Key, ...]
    lower_case: bool
    """One side has no capitals, so both are shown without."""
    shortcuts: dict[str, Interval]
    """How often a feature of one line alone would find the synthetic side; see `shortcuts`."""


class Counts(NamedTuple):
    test: int
    catch: int
    control: int

    @classmethod
    def of(cls, trials: int) -> "Counts":
        return cls(trials, max(4, round(trials / 8)), max(4, round(trials / 6)))

    @property
    def real(self) -> int:
        return self.test + 2 * (self.catch + self.control)


class _Pair(NamedTuple):
    """A key and the lines of both sides; `first` is the synthetic side, or what stands in its place."""

    kind: Kind
    first: Readable
    second: Readable


def prepare(synthetic: Iterable[Dialogue], real: Iterable[Dialogue], trials: int, seed: int) -> Prepared:
    """Trials of real against synthetic, catch trials, controls. Raises DataError where there are too few dialogues."""
    counts = Counts.of(trials)
    ours = drawn(synthetic, counts.test, seed)
    people = drawn(real, POOL * counts.real, seed)
    _check(counts, len(ours), len(people))
    lower = _case_free(ours) or _case_free(people)
    if lower:
        ours, people = ([_lowered(r) for r in side] for side in (ours, people))
    pairs = _pairs(ours, people, counts, seed)
    random = rng(seed, "sides")
    made: list[tuple[Trial, Key]] = []
    for kind in ("test", "catch", "control"):
        of_kind = [p for p in pairs if p.kind == kind]
        made += [_trial(p, side, seed) for p, side in zip(of_kind, _sides(len(of_kind), random), strict=True)]
    made.sort(key=lambda pair: pair[0].id)
    found, keys = tuple(t for t, _ in made), tuple(k for _, k in made)
    return Prepared(found, keys, lower, shortcuts(found, keys))


def drawn(dialogues: Iterable[Dialogue], most: int, seed: int) -> list[Readable]:
    """At most `most` that can be shown, one a group, by a hash; however many there are, few are held."""
    kept: dict[str, tuple[int, int, Readable]] = {}
    last = (1 << 63, 0)
    for dialogue in dialogues:
        group = dialogue.scenario.group_id
        rank = derive(seed, "group", group), derive(seed, "dialogue", dialogue.id)
        if rank > last or (group in kept and kept[group][:2] <= rank):
            continue
        if (shown := _readable(dialogue)) is not None:
            kept[group] = (*rank, shown)
        if len(kept) >= 2 * most:
            kept = _first(kept, most)
            last = max(found[:2] for found in kept.values())
    return [shown for _, _, shown in _first(kept, most).values()]


def _first(kept: dict[str, tuple[int, int, Readable]], most: int) -> dict[str, tuple[int, int, Readable]]:
    return dict(sorted(kept.items(), key=lambda item: item[1][:2])[:most])


def _readable(dialogue: Dialogue) -> Readable | None:
    """None where it is too short, or one side says nothing in what could be shown."""
    speakers = {dialogue.partner: "user", dialogue.learner: "assistant"}
    lines: list[Line] = []
    for turn in dialogue.turns:
        text = readable(turn.text or "") if turn.kind == "utterance" else ""
        if text:
            cut = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
            lines.append(Line.model_validate({"speaker": speakers.get(turn.role, "other"), "text": cut}))
        if len(lines) == MOST_TURNS + SPARE_TURNS:
            break
    opening = {line.speaker for line in lines[:MIN_TURNS]}
    whole = len(lines) >= MIN_TURNS and {"user", "assistant"} <= opening
    return Readable.of(dialogue.id, lines) if whole else None


def _check(counts: Counts, synthetic: int, real: int) -> None:
    shape = f"{MIN_TURNS} messages or more, both sides among the first {MIN_TURNS}"
    if synthetic < counts.test:
        raise DataError(
            f"--synthetic: {synthetic} groups of dialogues can be shown ({shape}), {counts.test} trials need one each; "
            "ask for fewer --trials or bring more dialogues"
        )
    if real < counts.real:
        most = max((t for t in range(1, counts.test) if Counts.of(t).real <= real), default=0)
        remedy = f"ask for --trials {most} at most" if most else "bring a larger reference"
        raise DataError(
            f"--reference: {real} sources of its test split can be shown ({shape}); {counts.test} trials, "
            f"{counts.catch} catch trials and {counts.control} controls need {counts.real}: {remedy}"
        )


def _case_free(dialogues: Sequence[Readable]) -> bool:
    texts = [line.text for d in dialogues for line in d.lines if any(c.isalpha() for c in line.text)]
    return sum(any(c.isupper() for c in text) for text in texts) < _CASE_FREE * len(texts)


def _lowered(dialogue: Readable) -> Readable:
    return Readable.of(dialogue.id, [Line(speaker=x.speaker, text=x.text.lower()) for x in dialogue.lines])


def _pairs(ours: Sequence[Readable], people: Sequence[Readable], counts: Counts, seed: int) -> list[_Pair]:
    pool = list(people)
    pairs = [_matched("test", one, pool) for one in ours]
    rng(seed, "pool").shuffle(pool)
    strangers = [line.text for d in pool for line in d.lines[MIN_TURNS - 1 :] if line.speaker == "user"]
    strangers = sorted(strangers or [x.text for d in people for x in d.lines if x.speaker == "user"], key=len)
    strangers = strangers[len(strangers) // 2 :]
    for i in range(counts.catch):
        pair = _matched("catch", pool.pop(), pool)
        pairs.append(pair._replace(first=_broken(pair.first, strangers, rng(seed, "catch", i))))
    return pairs + [_matched("control", pool.pop(), pool) for _ in range(counts.control)]


def _matched(kind: Kind, one: Readable, pool: list[Readable]) -> _Pair:
    """With the one of `pool` that shows as much, opens on the same side and whose user says about as much."""

    def unlike(index: int) -> tuple[int, bool, float]:
        other = pool[index]
        turns = min(one.reach, other.reach)
        words = log((one.words[turns - 1] + 1) / (other.words[turns - 1] + 1))
        return one.reach - turns, one.lines[0].speaker != other.lines[0].speaker, abs(words)

    other = pool.pop(min(range(len(pool)), key=unlike))
    turns = min(one.reach, other.reach)
    return _Pair(kind, Readable.of(one.id, one.lines[:turns]), Readable.of(other.id, other.lines[:turns]))


def _broken(dialogue: Readable, strangers: Sequence[str], random: Random) -> Readable:
    """Its user says what other people said in other dialogues."""
    lines = [
        Line(speaker="user", text=random.choice(strangers)) if line.speaker == "user" else line
        for line in dialogue.lines
    ]
    return Readable.of(dialogue.id, lines)


def _sides(count: int, random: Random) -> list[Side]:
    sides: list[Side] = ["left", "right"] * (count // 2)
    if count % 2:
        sides.append("left" if random.random() < 0.5 else "right")
    random.shuffle(sides)
    return sides


def _trial(pair: _Pair, synthetic: Side, seed: int) -> tuple[Trial, Key]:
    left, right = (pair.first, pair.second) if synthetic == "left" else (pair.second, pair.first)
    lines = [[line.model_dump() for line in side.lines] for side in (left, right)]
    name = f"t{stable_hash('trial', seed, lines, bits=48)}"  # all digits, a spreadsheet would take it for a number
    trial = Trial(id=name, left=left.lines, right=right.lines)
    return trial, Key(trial=name, kind=pair.kind, synthetic=synthetic, left=left.id, right=right.id)


FEATURES: dict[str, Callable[[Sequence[Line]], float]] = {
    "words of the user": lambda lines: sum(len(x.text.split()) for x in lines if x.speaker == "user"),
    "question marks of the user": lambda lines: sum(x.text.count("?") for x in lines if x.speaker == "user"),
    "user messages": lambda lines: sum(x.speaker == "user" for x in lines),
    "the user opens": lambda lines: lines[0].speaker == "user",
    "messages that begin with a capital": lambda lines: sum(x.text[0].isupper() for x in lines),
    "messages that end with a stop": lambda lines: sum(x.text[-1] in ".!?" for x in lines),
    "names and addresses taken out": lambda lines: sum(x.text.count(m) for x in lines for m in ("[name]", "[link]")),
}


def shortcuts(trials: Sequence[Trial], keys: Sequence[Key]) -> dict[str, Interval]:
    """Share of real-against-synthetic trials in which the side with more (or with less, whichever is the better) of a
    feature is the synthetic one; ties count half. Of the user's way of writing some of it may be what people see;
    of the way the dialogues were recorded none should be.
    """
    found: dict[str, Interval] = {}
    pairs = [
        (t.left, t.right) if k.synthetic == "left" else (t.right, t.left)
        for t, k in zip(trials, keys, strict=True)
        if k.kind == "test"
    ]
    for name, feature in FEATURES.items():
        gaps = [feature(synthetic) - feature(real) for synthetic, real in pairs]
        more = sum(0.5 if gap == 0 else float(gap > 0) for gap in gaps) / len(gaps)
        found[name] = Interval.of_share(max(more, 1 - more), len(gaps))
    return found

"""Can a trouble of reference and its repair be recovered from the text alone? (methods §6: F1 >= 0.8)

    python benchmarks/trouble_recovery.py [--n 200] [--run RUN_DIRECTORY...]

An extractor that sees roles and texts, and no label, says for each dialogue which trouble came up and in which turn it
was repaired (None: it stayed). Right is what names both; precision, recall and F1 with 95% intervals, bootstrapped over
base cases. Measured on dialogues in the program's own words (no model), half with a trouble and half their twins
without it; on tests/generators/trouble_cases.yaml, written by hand; and on runs of a real model, if given.

The cases by hand and the rules have one author, who knew both halves while writing the rules: neither half is a blind
test, and what real people do is not measured here.
"""

import argparse
import asyncio
import random
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from played import case, played  # noqa: E402  (the tests' function that stands for a model)

from generators.domains.small_talk import Domain  # noqa: E402
from generators.families.conversation import Conversation  # noqa: E402
from pipelines.dialogue_files import read_dialogues  # noqa: E402
from schemas.dialogue import Dialogue  # noqa: E402

DRAWS = 2000
DOMAINS: tuple[Domain, ...] = ("small_talk", "neighbours", "hobby_club")
CASES = ROOT / "tests" / "generators" / "trouble_cases.yaml"


class Said(NamedTuple):
    role: str
    text: str


class Found(NamedTuple):
    type: str
    repair_turn: int | None


class Item(NamedTuple):
    base: str
    """What it was derived from."""
    gold: Found | None
    found: Found | None


_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the i im ive you your my me we he she it its is are was were do did does have has had to of in "
        "on at for with and or but so not no yes yeah that this there one ones too as well be been oh ah ok "
        "haha lol hm if by from about up out what which who when where how really just then they them ",
    )
)
_OPEN = re.compile(
    r"^(?:hm+ |so |and |ok |sorry |i dont follow )*(?:what|huh|pardon|sorry|come again|what was that|what did you say"
    r"|(?:what|how) do you mean)$"
)
_BROKEN = re.compile(
    r"\b(?:broke|breaks?|cut|got cut) off\b|\bended there\b|\bsent too early\b|\bdidnt (?:come|get) through\b"
)
_MISSING = re.compile(r"^(?:[a-z ]{0,40}\b)?(?:the|to|and|a|at|that|of|my|your) (?:what|when|where|who)\b")
_WHICH = re.compile(
    r"^(?:[a-z]+ ){0,2}(?:which(?: one| of (?:the two|them))?|do you mean|you mean|[a-z ]+ or [a-z ]+|which)\b"
)
_MEANS = re.compile(
    r"\b(?:i mean|i meant|i said|i was talking about|thats the part i meant|said the)\b|^(?:no )+|^not\b"
)
_TOOK_WRONG = re.compile(r"\byou (?:meant|said)\b|\bmixed (?:them|it|that|those) up\b")
_MISTOOK = re.compile(r"\bmixed you up\b|\bsomeone else not you\b|\byou (?:are|re) not even\b|\bthinking of someone\b")
_CUT_AT = frozenset(re.findall(r"\w+", "a an the my your to of at and that just with in on his her our is was"))
_DENIES = re.compile(
    r"\b(?:i|im|my|there)\b(?: \w+){0,4} (?:never|not|dont|didnt|wasnt|havent|no|isnt)\b"
    r"|\b(?:i|im|my|there) (?:never|not|dont|didnt|was no|havent|was never)\b|\bwhat \w+(?: \w+)?$"
)
_ASKS_WHETHER = re.compile(r"^(?:\w+ )?(?:do|have) you\b|^(?:\w+ )?did you (?:ever|watch|see|get)\b|\bever\b")
_GRANTED = re.compile(
    r"\byour?\b|\byoure\b|\byou (?:still|again|already)\b|\bare you\b|\bdid they\b|\bstill\b|\bdid the\b"
)
_IT = re.compile(r"\b(?:it|its|she|he|slow)\b")
_PREFERS = re.compile(r"\b(?:better|best|more|mostly|hilarious|amazing|wonderful|rather)\b")
_TAKES_UP = re.compile(r"\b(?:sounds good|too|as well|so good about|should go for|is lovely|makes me)\b")


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[^a-z0-9 ]", " ", re.sub(r"['’]", "", text.lower()))).strip()


def content(text: str) -> frozenset[str]:
    return frozenset(w.rstrip("s") for w in plain(text).split() if w not in _STOP and len(w) > 1)


def pair(text: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The contents of the two things a message mentions side by side."""
    found = re.search(r"((?:\w+ ){0,2}\w+) and ((?:\w+ ?){1,4})", plain(text))
    if found is None:
        return None
    first, second = content(found[1]), content(" ".join(found[2].split()[:4]))
    return (first, second) if first and second else None


def broken(text: str) -> bool:
    """Ends in the middle, or holds a word that is none."""
    words = plain(text).split()
    if any(len(w) >= 4 and w.isalpha() and not re.search(r"[aeiouy]", w) and len(set(w)) > 2 for w in words):
        return True
    return len(words) >= 4 and words[-1] in _CUT_AT and not re.search(r"[.!?]\W*$", text.strip())


def recover(said: Sequence[Said]) -> Found | None:
    """The first trouble that is repaired; else the first that seems to stay."""
    for n in range(1, len(said)):
        for rule in (_unheard, _presupposition, _wrong, _ambiguous):
            if (found := rule(said, n)) is not None:
                return found
    return next((found for n in range(len(said)) if (found := _stays(said, n)) is not None), None)


def _unheard(said: Sequence[Said], n: int) -> Found | None:
    """`n`: the turn that initiates, or repairs by itself."""
    here, asks = plain(said[n].text), said[n].text.strip().endswith("?")
    if _BROKEN.search(here):
        mine = n >= 2 and said[n - 1].role != said[n].role and not asks and "your" not in here.split()
        return Found("unheard", n if mine else _next(said, n))
    if re.search(r"^(?:oops|sorry)\b.*\bi wanted to say\b", here):
        return Found("unheard", n)
    if n + 1 >= len(said) or said[n].role == said[n - 1].role:
        return None
    starts = bool(_OPEN.match(here) or _MISSING.search(here)) and here != "and"
    guesses = asks and bool(re.match(r"^(?:[a-z]+ )?(?:you mean|and) ", here)) and len(here.split()) <= 6
    if (starts or guesses) and broken(said[n - 1].text):
        return Found("unheard", _next(said, n))
    after = plain(said[n + 1].text)
    names_new = bool(content(said[n + 1].text) - content(said[n - 1].text))
    if (starts and re.search(r"\bi said\b", after)) or (
        _MISSING.search(here) and asks and names_new and n + 1 < len(said)
    ):
        return Found("unheard", _next(said, n)) if not said[n - 1].text.strip().endswith("?") else None
    if asks and re.match(r"^(?:[a-z]+ )?and the \w+(?: \w+)?$", here) and re.search(r"\b(?:yes|right)\b", after):
        return Found("unheard", _next(said, n))
    return None


def _presupposition(said: Sequence[Said], n: int) -> Found | None:
    """`n`: the turn that sets it right."""
    here, before = plain(said[n].text), said[n - 1]
    if _MISTOOK.search(here):
        return Found("presupposition", n)
    question = plain(before.text.rsplit(".", 1)[-1] if "?" in before.text else before.text)
    asks = before.text.strip().endswith("?") or re.match(r"^(?:is|are|did|does|when|how|what|where)\b", question)
    if not asks or said[n].role == before.role or _ASKS_WHETHER.search(question) or not _GRANTED.search(question):
        return None
    shared = content(before.text) & content(said[n].text)
    stems = {w[:4] for w in content(before.text)} & {w[:4] for w in content(said[n].text)}
    return Found("presupposition", n) if (shared or stems) and _DENIES.search(here) else None


def _wrong(said: Sequence[Said], n: int) -> Found | None:
    """`n`: the turn that sets right which one was meant."""
    if n < 2:
        return None
    here, text = plain(said[n].text), content(said[n].text)
    if _TOOK_WRONG.search(here) and any(s.role != said[n].role and content(s.text) & text for s in said[:n]):
        return Found("wrong_ref", n)
    mine, theirs = said[n - 2], said[n - 1]
    if mine.role != said[n].role or theirs.role == said[n].role or _starts_repair(theirs.text):
        return None
    meant = content(mine.text) & text
    taken = content(theirs.text) & content(mine.text)
    if not taken:
        return None
    if _MEANS.search(here) and (meant - taken or "one" in here.split()):
        return Found("wrong_ref", n)
    prefers = _PREFERS.search(plain(mine.text)) is not None and pair(mine.text) is not None
    other = meant - taken - {"better", "best", "more", "was"}
    if prefers and other and not (text & taken) and _TAKES_UP.search(plain(theirs.text)):
        return Found("wrong_ref", n)
    return None


def _ambiguous(said: Sequence[Said], n: int) -> Found | None:
    """`n`: the turn that asks which one, or says so unasked."""
    here, text = plain(said[n].text), content(said[n].text)
    source = said[n - 1]
    if said[n].role != source.role and _refers(said, n - 1) and said[n].text.strip().endswith("?"):
        things = _things(said, n - 1)
        names = bool(text & things) and len(text - things) <= 1
        if (_WHICH.match(here) or _OPEN.match(here) or names) and n + 1 < len(said):
            return Found("ambiguous_ref", _next(said, n))
    if n >= 2 and said[n - 2].role == said[n].role and _refers(said, n - 2) and re.search(r"\bi mean[t]?\b", here):
        return Found("ambiguous_ref", n) if text & _things(said, n - 2) else None
    return None


def _stays(said: Sequence[Said], n: int) -> Found | None:
    """A source nobody sets right."""
    text = said[n].text
    if broken(text) and n + 1 < len(said) and not said[n + 1].text.startswith("..."):
        return Found("unheard", None) if not re.match(r"^\W*and\W*$", said[n + 1].text.lower()) else None
    if _refers(said, n) and pair(text) is None and text.strip().endswith("?"):
        return Found("ambiguous_ref", None)
    if pair(text) is not None and re.search(r"[.,]\s*(?:it (?:was|is)|its|i liked it)\b", text.lower()):
        return Found("ambiguous_ref", None)
    if n and pair(said[n - 1].text) and _PREFERS.search(plain(said[n - 1].text)) and _TAKES_UP.search(plain(text)):
        preferred = content(re.split(r",|\band\b", plain(said[n - 1].text))[-1])
        taken = content(text) & content(said[n - 1].text)
        return Found("wrong_ref", None) if taken and not taken & preferred else None
    return None


def _refers(said: Sequence[Said], n: int) -> bool:
    """Turn `n` says "it" and names none of two things that were just mentioned."""
    own = pair(said[n].text)
    if own is not None:
        return bool(_IT.search(plain(said[n].text).split(" and ", 1)[1]))
    before = pair(said[n - 1].text) if n and said[n - 1].role != said[n].role else None
    if before is None or not _IT.search(plain(said[n].text)):
        return False
    return not content(said[n].text) & (before[0] | before[1])


def _things(said: Sequence[Said], n: int) -> frozenset[str]:
    found = pair(said[n].text) or (pair(said[n - 1].text) if n else None)
    return found[0] | found[1] if found else frozenset()


def _starts_repair(text: str) -> bool:
    here = plain(text)
    return bool(_OPEN.match(here) or (_WHICH.match(here) and text.strip().endswith("?")))


def _next(said: Sequence[Said], n: int) -> int | None:
    """The next turn of the other side."""
    return next((m for m in range(n + 1, len(said)) if said[m].role != said[n].role), None)


def item(dialogue: Dialogue) -> Item:
    trouble = dialogue.outcome.get("trouble")
    gold = None if trouble is None else Found(trouble["trouble_type"], trouble["repair_turn"])
    return Item(dialogue.scenario.base_case_id, gold, recover([Said(t.role, t.text or "") for t in dialogue.turns]))


async def scripted(n: int) -> list[Item]:
    """Half with a trouble, half their twins, over all domains and both policies."""
    found: list[Item] = []
    seed = 0
    while len(found) < n:
        family = Conversation(domain=DOMAINS[seed % 3], trouble=1.0, max_turns=8 if seed % 2 else 12)
        for policy in ("proactive", "reactive"):
            scenario = case(family, seed, policy)
            both = [(await played(family, family.vary(scenario, v)))[0] for v in (0, 1)]
            if both[0].outcome["trouble"] is not None and not any(d.ending.reason == "fault" for d in both):
                found += [item(d) for d in both]
        seed += 1
    return found[:n]


def by_hand(which: str) -> list[Item]:
    return [
        Item(
            str(n),
            None if c["trouble"] is None else Found(c["trouble"], c["repair"]),
            recover([Said("ab"[m % 2], text) for m, text in enumerate(c["turns"])]),
        )
        for n, c in enumerate(yaml.safe_load(CASES.read_text()))
        if c["set"] == which
    ]


def measures(items: Iterable[Item]) -> tuple[float, float, float]:
    """Precision, recall, F1."""
    rows = list(items)
    right = sum(i.gold is not None and i.gold == i.found for i in rows)
    named, there = sum(i.found is not None for i in rows), sum(i.gold is not None for i in rows)
    return right / max(1, named), right / max(1, there), 2 * right / max(1, named + there)


def table_row(name: str, items: Sequence[Item]) -> str:
    draws = random.Random(7)
    bases: dict[str, list[Item]] = {}
    for i in items:
        bases.setdefault(i.base, []).append(i)
    drawn = [measures(i for b in draws.choices(list(bases.values()), k=len(bases)) for i in b) for _ in range(DRAWS)]

    def shown(place: int) -> str:
        values = sorted(d[place] for d in drawn)
        return f"{measures(items)[place]:.2f} [{values[DRAWS // 40]:.2f}, {values[-DRAWS // 40 - 1]:.2f}]"

    there = sum(i.gold is not None for i in items)
    return f"| {name} | {len(items)}, {there} | {shown(0)} | {shown(1)} | {shown(2)} |"


def main(show: Callable[[str], None] = print) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--run", type=Path, nargs="*", default=[])
    parser.add_argument("--errors", action="store_true", help="show what was missed")
    given = parser.parse_args()
    sets = {
        "the program's words, scripted": asyncio.run(scripted(given.n)),
        "by hand": [*by_hand("dev"), *by_hand("test")],
        "by hand, second half (test)": by_hand("test"),
    }
    for run in given.run:
        dialogues = [record.dialogue for record in read_dialogues(run)]
        sets[f"{run}"] = [item(d) for d in dialogues if d.scenario.family == "conversation"]
    show("| dialogues | n, with a trouble | precision | recall | F1 |\n|---|---|---|---|---|")
    for name, items in sets.items():
        show(table_row(name, items))
    kinds = sorted({i.gold.type for items in sets.values() for i in items if i.gold})
    for name, items in sets.items():
        shown = [
            f"{k} {measures(i for i in items if k in (i.gold and i.gold.type, i.found and i.found.type))[2]:.2f}"
            for k in kinds
        ]
        show(f"F1 of {name}: {', '.join(shown)}")
        if given.errors:
            for i in items:
                if i.gold != i.found:
                    show(f"  {i}")


if __name__ == "__main__":
    main()

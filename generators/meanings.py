"""In how many ways the domain files say a value and ask about a slot: what messages are compared with. One sentence
says too little of what it means; all of them, as one text, say more.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, get_args

from generators.domains import outreach, recommendation
from generators.speakers.checks import content_words

_NOTHING = (
    "no questions please; just name one; just tell me one; just suggest something; pick one for me; id rather not say",
    "im in a hurry; i only have a minute; i have to leave soon; it has to be quick; super busy right now",
    "never mind, bye; ill look myself; forget it; i have to go; thanks anyway; no need, im set; i already have mine",
    "doesnt matter to me; no preference really; whatever; not important; not really; nah not that one; no its fine",
)
"""What people say that means none of a domain's values: refusing, being in a hurry, leaving, not minding."""


class Meaning(NamedTuple):
    own: str
    """All ways to say it, as one text."""
    others: tuple[str, ...]
    """The same of each that could be meant instead: the slot's other values, the domain's other concerns, nothing."""
    harmless: tuple[frozenset[str], ...] = ()
    """Content words of each thing people say there that gives nothing away: openings, hints, acceptances."""
    asking: tuple[frozenset[str], ...] = ()
    """The same of what is asked in its domain."""


def meaning(words: str) -> Meaning | None:
    """Of one way to say a value or a concern, as it stands in a domain file; None for other words."""
    return _known()[0].get(words)


def ways_to_ask(question: str) -> tuple[str, ...]:
    """What a question about the same may be near to: the question, its slot, and answers; of one that stands in no
    domain file only itself.
    """
    return (question, *_known()[1].get(question, ()))


def items_near(question: str) -> tuple[str, ...]:
    """Names of what there is to recommend where this is asked."""
    return _known()[2].get(question, ())


class _Known(NamedTuple):
    meanings: dict[str, Meaning]
    asked: dict[str, tuple[str, ...]]
    items: dict[str, tuple[str, ...]]


@cache
def _known() -> _Known:
    found = _Known({}, {}, {})
    for name in get_args(recommendation.Domain):
        _add_choice(found, recommendation.load(name))
    for name in get_args(outreach.Domain):
        _add_outreach(found, outreach.load(name))
    return found


def _add_choice(found: _Known, data: recommendation.RecommendationDomain) -> None:
    said = [words for case in data.cases for words in (case.opening, *case.hinted.values())]
    names = tuple(item.name for item in data.items)
    harmless = _harmless((*said, *data.accepts, *data.known, *(f"ill take {name}" for name in names)))
    asking = _contents(words for slot in data.slots.values() for words in (slot.about, slot.ask))
    for slot in data.slots.values():
        joined = {value: "; ".join(phrases) for value, phrases in slot.values.items()}
        for value, phrases in slot.values.items():
            others = tuple(words for v, words in joined.items() if v != value)
            meant = Meaning(joined[value], (*others, *_NOTHING), harmless, asking)
            found.meanings.update(dict.fromkeys(phrases, meant))
        found.asked[slot.ask] = (f"{slot.about}: {', '.join(slot.values)}", *joined.values())
        found.items[slot.ask] = names
    for beside in data.irrelevant.values():
        found.asked[beside.ask] = (beside.about, "; ".join(beside.answers))
        found.items[beside.ask] = names


def _add_outreach(found: _Known, data: outreach.OutreachDomain) -> None:
    """Concerns are voiced as questions, too: asking excuses nothing."""
    said = [case.opening for case in data.cases] + [h for c in data.concerns.values() for h in c.hinted]
    harmless = _harmless((*said, *data.accepts, *data.refuses, *data.leaves))
    joined = {name: "; ".join(concern.voiced) for name, concern in data.concerns.items()}
    for name, concern in data.concerns.items():
        others = tuple(words for n, words in joined.items() if n != name)
        found.meanings.update(dict.fromkeys(concern.voiced, Meaning(joined[name], (*others, *_NOTHING), harmless)))


def _contents(phrases: Iterable[str]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(content_words(words)) for words in phrases)


def _harmless(phrases: Iterable[str]) -> tuple[frozenset[str], ...]:
    return _contents((*phrases, *(words for some in _NOTHING for words in some.split(";"))))

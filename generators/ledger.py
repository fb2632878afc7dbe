"""The ledger of facts: what of a role's facts was asked for, hinted at and told, and what may come out now.

A fold over scenario and turns. The program decides what comes out (asked, hinted, volunteered, never); a model only
words it.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from generators.latents.session import SessionLatents
from schemas.dialogue import Turn
from schemas.scenario import Fact, View


class Entry(NamedTuple):
    """A fact, and the turns (from 0) in which it was first asked for, hinted at and told; None: not yet."""

    fact: Fact
    asked: int | None = None
    hinted: int | None = None
    told: int | None = None


class Due(NamedTuple):
    """What may come out now."""

    tell: tuple[Fact, ...] = ()
    withheld: tuple[Fact, ...] = ()
    """Asked for and kept back: more were asked for than a person tells at once, or it never comes out."""
    hint: Fact | None = None


def ledger(view: View, turns: Sequence[Turn]) -> dict[str, Entry]:
    """By fact id, of the facts this role holds."""
    found = {fact.id: Entry(fact) for fact in view.facts}
    for n, turn in enumerate(turns):
        for name, ids in (
            ("asked", turn.facts_asked),
            ("hinted", turn.labels.get("facts_hinted", ())),
            ("told", turn.facts_disclosed),
        ):
            for i in ids:
                if i in found and getattr(found[i], name) is None:
                    found[i] = found[i]._replace(**{name: n})
    return found


def told(view: View, turns: Sequence[Turn]) -> set[str]:
    return {i for i, entry in ledger(view, turns).items() if entry.told is not None}


def due(view: View, turns: Sequence[Turn], session: SessionLatents, asked: Sequence[str]) -> Due:
    """What an asked person tells: at most `session.tells` of what is asked for, in the order asked."""
    entries = ledger(view, turns)
    wanted = [entries[i].fact for i in dict.fromkeys(asked) if i in entries and entries[i].told is None]
    free = [fact for fact in wanted if fact.disclose != "never"]
    tell = tuple(free[: session.tells])
    return Due(tell=tell, withheld=tuple(fact for fact in wanted if fact not in tell))


def unasked(view: View, turns: Sequence[Turn], session: SessionLatents, shares: bool, draws: Random) -> Due:
    """What a person who was not asked brings up. `shares`: the drawn intent volunteers something."""
    open_ones = [entry.fact for entry in ledger(view, turns).values() if entry.told is None and entry.hinted is None]
    free = [fact for fact in open_ones if fact.disclose == "volunteered"]
    if shares and free:
        return Due(tell=(draws.choice(free),))
    hints = [fact for fact in open_ones if fact.disclose == "hinted"]
    if hints and draws.random() < session.cooperativeness:
        return Due(hint=draws.choice(hints))
    return Due()


def volunteering(
    view: View, turns: Sequence[Turn], wanted: Mapping[str, int], used: Mapping[str, int]
) -> list[dict[str, Any]]:
    """What the role `view` is of brought up unasked, with Grice's four bits (methods §5).

    `wanted`: what the other side needed -> the turn from which on it needed no more (its length where it always did);
    `used`: fact id -> the turn in which it was made use of.
    """
    facts = {fact.id: fact for fact in view.facts}
    found: list[dict[str, Any]] = []
    for n, turn in enumerate(turns):
        if turn.role != view.role:
            continue
        for i in turn.facts_volunteered:
            fact = facts.get(i)
            asks_later = next((m for m, t in enumerate(turns) if m > n and t.labels.get("question") == i), None)
            needed = fact is not None and wanted.get(fact.slot, -1) >= n
            found.append(
                {
                    "fact": i,
                    "slot": None if fact is None else fact.slot,
                    "turn": n,
                    "used_later": i in used,
                    "preempted_turn": used.get(i) if asks_later is None else None,
                    "grice": {
                        "quantity": needed and len(turn.facts_volunteered) == 1,
                        "quality": fact is not None,
                        "relation": needed,
                        "manner": len((turn.text or "").split()) <= _LONG,
                    },
                }
            )
    return found


_LONG = 30
"""Words of a message that says what it volunteers shortly."""

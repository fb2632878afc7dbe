"""The choice as a world that can be counted (methods §9): a person wants what one of the domain's cases wants, which is
to be found out, and what they say of a slot or an item is said out of what could be said of it. Each has one true thing
to say there. The program does not choose its words to be understood, so what it chose (which slot it speaks of, whether
it gives in to an item that lacks something) tells nothing; nor do hints, and how something is put.
"""

from generators.domains.recommendation import Case, Item, RecommendationDomain
from generators.latents.session import Cell
from generators.seeking import Talk
from schemas.dialogue import Turn
from schemas.world import Uttered, World


def world(data: RecommendationDomain, case: Case, cell: Cell) -> World | None:
    """Every case is as likely. None where they look for nothing."""
    if cell == "useless":
        return None
    names = tuple(c.id for c in data.cases)
    return World(
        outcomes=names,
        meanings={"assistant": ("nothing",), "user": names},
        prior=tuple((0, m, m, 1 / len(names)) for m in range(len(names))),
        actual={"assistant": 0, "user": data.cases.index(case)},
    )


def uttered(talk: Talk, turn: Turn) -> list[Uttered]:
    """What a message of the user's says. `talk`: before it."""
    if talk.session.cell == "useless":
        return []
    last = talk.turns[-1] if talk.turns else None
    asked = [i for i in last.facts_asked if i in talk.data.slots and i not in talk.known] if last else []
    told = [i for i in turn.facts_disclosed if i in talk.wants]
    found = [Uttered(says=f"{s}: {talk.wants[s]}", among=_of_slot(talk.data, s)) for s in told]
    if turn.intent_requested == "answer" and not told and not turn.labels.keys() & {"opens", "corrects"}:
        found += [Uttered(says=f"{s}: any", among=_of_slot(talk.data, s)) for s in asked]
    if (name := turn.labels.get("verdict")) is not None and turn.labels.get("fits", True):
        suits = turn.intent_requested == "accept" or bool(turn.labels.get("known"))
        found.append(
            Uttered(says="it suits" if suits else "it does not", among=_of_item(talk.data, talk.item(str(name))))
        )
    return found


def _of_slot(data: RecommendationDomain, slot: str) -> dict[str, tuple[int, ...]]:
    """One of its values, or that it does not matter."""
    among = {
        f"{slot}: {value}": tuple(m for m, case in enumerate(data.cases) if case.wants.get(slot) == value)
        for value in data.slots[slot].values
    }
    return among | {f"{slot}: any": tuple(m for m, case in enumerate(data.cases) if slot not in case.wants)}


def _of_item(data: RecommendationDomain, item: Item) -> dict[str, tuple[int, ...]]:
    suits = [all(item.has[slot] == value for slot, value in c.wants.items()) for c in data.cases]
    return {
        "it suits": tuple(m for m, does in enumerate(suits) if does),
        "it does not": tuple(m for m, does in enumerate(suits) if not does),
    }

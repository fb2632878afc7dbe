"""The mind of somebody who is asked for something (methods §19, §21): scales, concerns, patience, a decision.

A message of the assistant is appraised from its text (`generators.latents.appraisal`), a change is proposed, and a
deterministic updater applies it under caps. Nothing here draws, asks a model or forgets: the state after a
message follows from the state before it and from what was said.

Who lists everything, flatters, repeats, promises or orders gains nothing: such a message raises no scale, settles no
concern and costs patience.
"""

from collections.abc import Mapping
from math import exp
from typing import Any

from generators.latents.mind import OPENLY, READY, Appraisal, Decision, Deltas, State, Status, Traits

_TOP = {"cooperation": 4, "emotion": 3, "trust": 5}
_RHO = 0.6
"""How much of the satisfaction stays from message to message."""
_COOPERATES = (7.0, -1.0)
"""Slope and intercept of the probability to cooperate."""


def propose(state: State, seen: Appraisal, traits: Traits) -> Deltas:
    """What a message would change."""
    blocked = set(seen.faults) - {"flatters"}
    resolves = () if blocked else tuple(c for c in seen.settles if state.concerns.get(c) in ("hinted", "voiced"))
    misses = tuple(c for c in state.those("voiced") if c not in resolves)
    done = len(state.those("resolved")) + len(resolves)
    asks = _asks_well(state, seen, traits, misses)
    pushes = state.refused and not resolves and (seen.asks_for_commitment or seen.pressures)
    ripe = not misses and not set(state.unsettled) - set(resolves) and state.cooperation + bool(resolves) >= READY
    stale = seen.asks_for_commitment and not ripe and state.requests > done
    argues = bool(seen.argued) and not misses and (state.wonders or not state.said)
    greets = state.heard == 0 and not seen.acts
    requests = seen.asks_for_commitment and not stale
    brings = bool(resolves or asks or requests or argues or greets) or seen.follows or seen.closes
    faulty = bool(seen.faults) or pushes or stale
    tired = any(state.waiting.get(c, 0) >= 1 for c in misses)
    hurt = pushes or stale or seen.injects or seen.repeated
    lied = pushes or seen.injects or seen.promises or seen.flatters
    return Deltas(
        cooperation=-1 if pushes or stale or seen.injects or seen.dumps else int(not faulty and bool(resolves or asks)),
        emotion=-1 if hurt else int(not faulty and (bool(resolves) or seen.follows)),
        trust=-1 if lied else int(not faulty and bool(resolves)),
        patience=-int(faulty or not brings or tired),
        resolves=resolves,
        misses=misses,
        says=(*seen.addressed, *seen.argued, *seen.irrelevant),
        asks=(*seen.asked, *([OPENLY] if seen.asks_openly else [])),
        requests=seen.asks_for_commitment,
        pushes=pushes,
        faulty=faulty,
        greets=greets,
        pleases=_pleases(state, seen, traits, faulty, bool(resolves or asks)),
    )


def apply(state: State, deltas: Deltas) -> State:
    """The state after a message: every scale moves by 1 at most, patience only falls, a concern is settled only once
    it has come out, and who has accepted or hung up has.
    """
    if state.decision in ("accept", "hangup"):
        return state.model_copy(update={"heard": state.heard + 1})
    settled = [c for c in deltas.resolves if state.concerns.get(c) in ("hinted", "voiced")]
    concerns: dict[str, Status] = {c: "resolved" if c in settled else s for c, s in state.concerns.items()}
    cooperation, emotion, trust = (_moved(state, deltas, scale) for scale in _TOP)
    patience = max(0, state.patience + max(-1, min(0, deltas.patience)))
    low = state.low if deltas.greets else (state.low + 1 if cooperation <= 1 else 0)
    pushes = state.pushes + deltas.pushes
    after = state.model_copy(
        update={
            "cooperation": cooperation,
            "emotion": emotion,
            "trust": trust,
            "concerns": concerns,
            "patience": patience,
            "satisfaction": round(_RHO * state.satisfaction + (1 - _RHO) * min(1.0, max(0.0, deltas.pleases)), 4),
            "refused": state.refused and (state.never or not settled),
            "pushes": pushes,
            "civility_fault": state.civility_fault or pushes >= 2,
            "low": low,
            "heard": state.heard + 1,
            "requests": state.requests + deltas.requests,
            "said": tuple(dict.fromkeys((*state.said, *deltas.says))),
            "asked": (*state.asked, *deltas.asks),
            "waiting": {c: n + (c in deltas.misses) for c, n in state.waiting.items() if c not in settled},
        }
    )
    return after.model_copy(update={"decision": _decided(after, deltas)})


def told(state: State, labels: Mapping[str, Any]) -> State:
    """After a message of theirs, by its labels: `concern` and `manner` (hinted, voiced), `refuses`, `digresses`,
    `wonders`, `puts_off` (they ask something before they answer a request, which then counts as not made),
    `cooperative`. What was said stays said.
    """
    change: dict[str, Any] = {
        "digressing": bool(labels.get("digresses")),
        "cooperative": bool(labels.get("cooperative", True)),
        "wonders": bool(labels.get("wonders")),
        "requests": state.requests - bool(labels.get("puts_off")),
    }
    name, manner = labels.get("concern"), labels.get("manner")
    if state.concerns.get(str(name)) in ("hidden", "hinted") and manner in ("hinted", "voiced"):
        change["concerns"] = {**state.concerns, str(name): manner}
        if manner == "voiced":
            change["waiting"] = {**state.waiting, str(name): 0}
    if labels.get("refuses"):
        change["refused"] = True
        if state.never and state.decision == "open":
            change["decision"] = "reject"
    return state.model_copy(update=change)


def potential(state: State) -> float:
    """Phi in [0, 1]: progress of the persuasion; its differences shape rewards."""
    total = sum(state.severity.values())
    share = sum(state.severity[c] for c in state.those("resolved")) / total if total else 1.0
    return 0.25 * (state.cooperation / 4 + state.emotion / 3 + state.trust / 5 + share)


def distance(state: State) -> int:
    """Messages a mind-reader would still need: what is unsettled, and the request."""
    return 0 if state.decision == "accept" else len(state.unsettled) + 1


def cooperates(state: State) -> float:
    """The probability that they keep to the matter in their next message."""
    slope, intercept = _COOPERATES
    return 1 / (1 + exp(-(slope * state.satisfaction + intercept)))


def waits(state: State) -> list[str]:
    """Voiced concerns that one message has missed, and that are said again once."""
    return [c for c in state.those("voiced") if state.waiting.get(c, 0) == 1]


def _moved(state: State, deltas: Deltas, scale: str) -> int:
    change = max(-1, min(1, getattr(deltas, scale)))
    return max(0, min(_TOP[scale], getattr(state, scale) + change))


def _decided(after: State, deltas: Deltas) -> Decision:
    if after.emotion == 0 or after.patience == 0 or after.low >= 2:
        return "hangup"
    wanted = deltas.requests and not deltas.faulty and after.decision == "open" and not after.never
    return "accept" if wanted and after.cooperation >= READY and not after.unsettled else after.decision


def _asks_well(state: State, seen: Appraisal, traits: Traits, misses: tuple[str, ...]) -> bool:
    """Asks for something they have not told, when they have a moment; openly once, and once more for each concern
    that was settled since.
    """
    left = set(state.those("hidden", "hinted"))
    if traits.hurried or misses or not left:
        return False
    openly = seen.asks_openly and state.asked.count(OPENLY) <= len(state.those("resolved"))
    return openly or bool(left & set(seen.asked) - set(state.asked))


def _pleases(state: State, seen: Appraisal, traits: Traits, faulty: bool, well: bool) -> float:
    """A message's topic in their eyes."""
    if faulty:
        return 0.0
    chats = seen.follows or (seen.chats and state.heard > 0)
    if not seen.acts and not chats:
        return 0.5
    if chats:
        topic = "talk"
    elif well:
        topic = "concern"
    else:
        topic = "argument" if seen.argued and not seen.asks_for_commitment else "request"
    liked = traits.likes.get(topic, 0.5)
    return liked if chats or not state.digressing else liked / 2

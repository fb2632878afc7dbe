"""The program of somebody who looks for something: what they say next follows from scenario and turns alone."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from generators.domains.recommendation import Item
from generators.domains.small_talk import REACTIONS, new
from generators.latents.fitted import FittedLatents
from generators.latents.intents import START
from generators.latents.tagger import act_of
from generators.ledger import due, unasked
from generators.matching import named
from generators.seeking import Talk
from generators.speakers.checks import content_words, coverage
from schemas.dialogue import Move
from schemas.identity import rng
from schemas.scenario import Fact

_ANYTHING = (
    "doesnt matter to me",
    "no preference really",
    "i dont care about that",
    "whatever, im open",
    "thats all the same to me",
    "not important",
)
_NO = (
    "nah not that one",
    "hmm no, something else",
    "not really my thing",
    "thats not it",
    "no i dont think so",
    "eh, anything else?",
    "no thanks, what else do you have?",
    "i dont think id like that one",
    "not a fan of that one",
    "nah, do you have another one?",
    "im not into that one, sorry",
    "no, not for me",
    "hm id rather have something else",
)
_HELLO = (
    "hi",
    "hello",
    "hey",
    "hey there",
    "hi there",
    "hello!",
    "hi, how are you?",
    "hey, hows it going?",
    "good evening",
)
_ANY_IDEAS = (
    "any ideas?",
    "what do you have?",
    "what would you suggest?",
    "got something like that?",
    "what do you think?",
)
_NO_QUESTIONS = (
    "can you just name one please",
    "no questions please, just tell me one",
    "id rather not say, just pick something",
    "please just suggest something",
)
_GOES = (
    "ok ill look myself, bye",
    "never mind, i have to go, bye",
    "ill leave it for today, thanks anyway, bye",
    "forget it, ill find something, bye",
)
_WONDERS = ("", "", "hm ", "ok and ")
_HURRY = ("im in a hurry", "i only have a minute", "it has to be quick, i have to leave soon")
_GIVES_AWAY = 0.7
"""Share of a fact's words in a question that would tell it."""
_DECIDED = ("nah im good with that", "thanks but i already have mine", "no need, im set")


def seeker_move(talk: Talk, latents: FittedLatents) -> Move:
    taken_up = bool(talk.turns) and (talk.turns[-1].facts_asked or talk.pending)
    if not talk.opened and not taken_up:
        return _opening(talk)
    if talk.goes_on:
        return _more(talk)
    if talk.patience <= 0:
        return _say(talk, "bye", _GOES)
    asked = talk.turns[-1].facts_asked
    judges = talk.turns[-1].labels.get("item") and rng(talk.scenario.seed, "either", len(talk.turns)).random() < 0.5
    wrong = _wrong_guess(talk)
    if (asked or wrong) and not judges:  # who is asked and offered something in one message takes up one of the two
        return _answer(talk, asked, wrong, latents)
    if talk.pending is not None:
        return _verdict(talk, talk.item(talk.pending), latents)
    return _unasked(talk, latents)


def _opening(talk: Talk) -> Move:
    """A hello of those who begin with one; then what brings them here, and behind it what they look for, as the program
    has it: a small model keeps to one statement.
    """
    draws = rng(talk.scenario.seed, "opening")
    if talk.scenario.plan["greets"] and not talk.mine:
        return Move(role="user", intent="greet", verbatim=draws.choice(_HELLO))
    opening = str(talk.scenario.plan["opening"])
    if talk.mine:
        opening = re.sub(r"^(?:hi|hey|hello),? ", "", opening)
    labels: dict[str, Any] = {"says": opening}
    if talk.session.cell == "useless":
        decided = f"ill take {talk.scenario.plan['decided']}"
        return _words("share", f"{opening}, i think {decided}", {"says": decided, "decided": True})
    free = _volunteers(talk)
    hurries = [draws.choice(_HURRY)] if talk.session.cell == "hurry" else []
    said = content_words(talk.data.item) & content_words(opening)
    looks = [] if said else [draws.choice(talk.data.looks)]
    told = free[: not hurries]
    tail = "".join(f". {words}" for words in (*looks, *(fact.text for fact in told), *hurries)).replace("?.", "?")
    goes_on = len(free) > len(told) and talk.session.cell in ("given", "hurry")
    labels |= {"opens": True, "goes_on": goes_on} | ({"hurry": True} if hurries else {})
    words = _words("answer" if talk.mine else "request", opening, labels)
    return words.model_copy(update={"tail": tail, "fact_ids": tuple(fact.id for fact in told)})


def _more(talk: Talk) -> Move:
    """The rest of an opening of those who tell everything, as much as they tell at once."""
    left, most = _volunteers(talk), talk.session.tells
    return _tell("share", "", left[:most], {"goes_on": len(left) > most})


def _volunteers(talk: Talk) -> list[Fact]:
    return [f for f in talk.facts.values() if f.required and f.disclose == "volunteered" and f.id not in talk.known]


def _wrong_guess(talk: Talk) -> Fact | None:
    """What of theirs a question of the last message takes to be another value ("a comedy, right?"). One that names
    their own value, too, offers a choice; one in the slot's usual words only asks.
    """
    last = talk.turns[-1]
    questions = " ".join(re.findall(r"[^.!?\n]*\?", last.text or ""))
    if not questions or last.labels.get("item"):
        return None
    for name in last.facts_asked or talk.wants:
        if name not in talk.wants:
            continue
        slot = talk.data.slots[name]
        words = {value: [value, slot.item[value], *said] for value, said in slot.values.items()}
        guessed = {v for v, ways in words.items() if named(questions, [w for w in ways if not named(slot.ask, [w])])}
        if guessed and talk.wants[name] not in guessed:
            return talk.facts[name]
    return None


def _answer(talk: Talk, asked: Sequence[str], wrong: Fact | None, latents: FittedLatents) -> Move:
    """`wrong`: what was guessed wrong: that is put right first."""
    if talk.session.cell == "refuses":
        if talk.refused_at is not None:
            return _say(talk, "bye", _GOES)
        return _say(talk, "decline", _NO_QUESTIONS, {"refuses": True})
    if talk.session.cell == "useless":
        return _say(talk, "decline", _DECIDED, {"refuses": True})
    if wrong is not None and wrong.id in talk.known:
        return _corrects(talk, wrong)
    now = due(talk.scenario.views["user"], talk.turns, talk.session, (*([wrong.id] if wrong else ()), *asked))
    if now.tell:
        labels = {"withheld": [f.id for f in now.withheld]} | ({"corrects": wrong.id} if wrong else {})
        return _asking_back(talk, _tell("answer", "no, " if wrong else "", now.tell, labels), latents)
    says_more = rng(talk.scenario.seed, "says_more", len(talk.turns)).random() < talk.session.cooperativeness
    hint = _hinting(talk, "answer", "doesnt matter to me", {}, list(talk.wants)) if says_more else None
    return hint or _say(talk, "answer", _ANYTHING)


def _asking_back(talk: Talk, move: Move, latents: FittedLatents) -> Move:
    """An answer with a question behind it, as often as real people ask one there."""
    assert latents.intents is not None
    previous = talk.mine[-1].intent_requested or START
    shares = latents.intents.probabilities(previous, "ask", len(talk.mine))
    draws = rng(talk.scenario.seed, "asks_back", len(talk.turns))
    left = [words for words in _ANY_IDEAS if words not in [t.labels.get("back") for t in talk.mine]]
    if not left or draws.random() >= shares["answer_ask"] / (shares["answer_ask"] + shares["answer"]):
        return move
    back = draws.choice(left)
    return move.model_copy(update={"intent": "answer_ask", "tail": f", {back}", "labels": move.labels | {"back": back}})


def _corrects(talk: Talk, fact: Fact) -> Move:
    """What they have told before, in other words."""
    ways = [words for words in talk.data.slots[fact.id].values[fact.value] if words != fact.text]
    said = new(ways, talk.turns, rng(talk.scenario.seed, "corrects", len(talk.turns)))
    return _words("answer", f"no, {said}", {"says": said, "corrects": fact.id})


def _verdict(talk: Talk, item: Item, latents: FittedLatents) -> Move:
    draws = rng(talk.scenario.seed, "verdict", len(talk.turns))
    labels: dict[str, Any] = {"verdict": item.name}
    if talk.session.cell == "useless":
        return _say(talk, "decline", _DECIDED, labels | {"refuses": True})
    missing = [slot for slot, value in talk.wants.items() if item.has[slot] != value]
    if (slot := _asks_first(talk, item, missing, latents)) is not None:
        question = talk.data.slots[slot].seeks
        return Move(
            role="user",
            intent="ask",
            instruction=f"ask: {question}?",
            fallback=f"{draws.choice(_WONDERS)}{question}?",
            labels={"slot": slot, "of": item.name, "question": question, "facts_hinted": [slot]},
        )
    if item.name in talk.scenario.plan["seen"]:
        return _say(talk, "decline", talk.data.known, labels | {"known": True})
    gives_in = len(missing) == 1 and missing[0] not in talk.known and draws.random() < talk.session.influence
    if talk.session.cell != "impossible" and (not missing or gives_in):
        return _say(talk, "accept", talk.data.accepts, labels | {"fits": not missing})
    if talk.session.cell != "refuses" and draws.random() < talk.session.cooperativeness:
        if (hint := _hinting(talk, "decline", "hm no", labels, missing)) is not None:
            return hint
        reasons = [talk.facts[s] for s in missing if talk.facts[s].disclose in ("hinted", "volunteered")]
        if untold := [fact for fact in reasons if fact.id not in talk.known]:
            return _tell("decline", "no, ", (draws.choice(untold),), labels)
    return _say(talk, "decline", _NO, labels)


def _asks_first(talk: Talk, item: Item, missing: Sequence[str], latents: FittedLatents) -> str | None:
    """The slot they ask about before they judge, once an item and once a slot; asked as often as real people answer an
    offer by a question.
    """
    before = [t.labels for t in talk.mine if "slot" in t.labels]
    if not missing or latents.intents is None or any(labels["of"] == item.name for labels in before):
        return None
    previous = (talk.mine[-1].intent_requested or START) if talk.mine else START
    shares = latents.intents.probabilities(previous, "offer", len(talk.mine))
    among = shares["ask"] + shares["accept"] + shares["decline"] + shares["react"]
    draws = rng(talk.scenario.seed, "asks_first", item.name)
    if draws.random() >= shares["ask"] / among:
        return None
    untold = [fact for fact in talk.facts.values() if fact.id not in talk.known]
    free = [
        slot
        for slot in (*missing, *(s for s in talk.wants if s not in missing))
        if not any(labels["slot"] == slot for labels in before)
        and not any(coverage(talk.data.slots[slot].seeks, fact.text) >= _GIVES_AWAY for fact in untold)
    ]
    return draws.choice(free) if free else None


def _hinting(talk: Talk, intent: str, lead: str, labels: Mapping[str, Any], of: Sequence[str]) -> Move | None:
    """`lead`, and a hint at one of these slots that was not let be seen yet; None where they have none."""
    hints = {s: h for s, h in talk.scenario.plan["hints"].items() if s in of and s not in talk.hinted}
    if not hints:
        return None
    slot = rng(talk.scenario.seed, "hint", len(talk.turns)).choice(sorted(hints))
    return _hint(intent, f"{lead}. {hints[slot]}", {**labels, "facts_hinted": [slot]})


def _unasked(talk: Talk, latents: FittedLatents) -> Move:
    draws = rng(talk.scenario.seed, "unasked", len(talk.turns))
    previous = (talk.mine[-1].intent_requested or START) if talk.mine else START
    assert latents.intents is not None
    act = act_of([talk.turns[-1].text or ""])
    drawn = latents.intents.probabilities(previous, act, len(talk.mine))
    shares = draws.random() < (drawn["share"] + drawn["answer"] + drawn["request"])
    free = unasked(talk.scenario.views["user"], talk.turns, talk.session, shares, draws)
    if free.tell:
        return _tell("share", "", free.tell, {})
    if free.hint is not None and free.hint.id in talk.scenario.plan["hints"]:
        return _hint("share", str(talk.scenario.plan["hints"][free.hint.id]), {"facts_hinted": [free.hint.id]})
    return _say(talk, "react", REACTIONS)


def _hint(intent: str, words: str, labels: Mapping[str, Any]) -> Move:
    """As it stands: in other words it would hint at something else."""
    return Move(role="user", intent=intent, verbatim=words, labels={**labels, "says": words})


def _tell(intent: str, lead: str, facts: Sequence[Fact], labels: Mapping[str, Any]) -> Move:
    words = ", ".join(fact.text for fact in facts)
    return Move(
        role="user",
        intent=intent,
        instruction=f"{lead}{words}",
        fallback=f"{lead}{words}",
        fact_ids=tuple(fact.id for fact in facts),
        labels=dict(labels),
    )


def _words(intent: str, words: str, labels: Mapping[str, Any]) -> Move:
    return Move(role="user", intent=intent, instruction=words, fallback=words, labels=dict(labels))


def _say(talk: Talk, intent: str, phrases: Sequence[str], labels: Mapping[str, Any] | None = None) -> Move:
    """A phrase too short to be worded by a model: drawn, and said as this person types."""
    draws = rng(talk.scenario.seed, "phrase", len(talk.turns))
    return Move(role="user", intent=intent, verbatim=new(phrases, talk.turns, draws), labels=dict(labels or {}))

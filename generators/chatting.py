"""The user of an open conversation: what they do next, and with which intent."""

from collections.abc import Sequence
from random import Random
from typing import Any

from generators import trouble
from generators.domains.small_talk import (
    DECLINES,
    HURRIES,
    KNOWN,
    LEAVES,
    REACTIONS,
    STAYS,
    new,
    short_answer,
)
from generators.latents.fitted import FittedLatents
from generators.latents.intents import START, bucket
from generators.latents.tagger import INTENTS, Intent, act_of, is_question
from generators.ledger import due, unasked
from generators.speakers.checks import coverage
from generators.topics import LEADS, Talk, done
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Fact, View

DRAWN: tuple[Intent, ...] = ("answer", "answer_ask", "ask", "share", "react", "accept", "decline")
_UNASKED: tuple[Intent, ...] = ("ask", "share", "react", "accept", "decline")
_AGAIN: tuple[Intent, ...] = ("ask", "share")
"""After a message of one's own."""
_GIVES_AWAY = 0.5
"""Share of the words of what they may tell that a question of theirs may not hold."""
_TAKES = 2
"""Messages for which somebody in a hurry stays."""


def user_move(talk: Talk, latents: FittedLatents) -> Move:
    if talk.last is not None and done(talk.last) == "close":
        return _words(talk, "bye", "say bye in a few words", "ok bye")
    if (step := trouble.under_way(talk, "user")) is not None and (
        trouble.unfinished(talk) or not _leaves(talk, latents)
    ):
        said = trouble.move(talk, step)
        assert said is not None
        return said
    if _leaves(talk, latents):
        return _phrase(talk, "bye", LEAVES)
    if (led := _led(talk)) is not None:
        return led
    if _jumps(talk):
        return _jump(talk)
    asked = talk.last is not None and talk.last.role == "assistant" and is_question(talk.last.text or "")
    tells = _tells(talk, asked)
    mood = rng(talk.scenario.seed, "mood", len(talk.turns))
    drawn = _drawn(talk, latents, asked)
    if talk.session.cell in ("given", "useless") and tells:
        drawn = "answer" if asked else "share"  # they hold nothing back
    if drawn == "ask" and asked and tells:
        drawn = "answer_ask"  # people rarely leave a question unanswered, and small models never do
    if drawn == "ask" or (drawn == "answer_ask" and not tells):
        said = _asks(talk, mood)
    else:
        said = _speaks(talk, drawn, tells, mood)
    if said.intent in _AGAIN and talk.mine and talk.turns[-1].role == "assistant" and not asked and _doubles(talk):
        return _phrase(talk, "react", REACTIONS, {"goes_on": True})  # takes notice first
    return _hurried(talk, said)


def texts_again(talk: Talk) -> bool:
    """Double texting, as often as this person does it: never three messages in a row, nor where it would crowd out the
    assistant or a repair.
    """
    last = talk.turns[-1]
    if last.labels.get("goes_on"):
        return True
    quiet = last.intent_requested not in ("ask", "decline", "bye") and "trouble_part" not in last.labels
    return quiet and len(talk.turns) > 1 and _doubles(talk) and bool(_tells(talk, asked=False, always=True))


def _doubles(talk: Talk) -> bool:
    """Draws whether they send two messages here."""
    turns = talk.turns
    twice = [t.role for t in turns[-2:]] == ["user", "user"]
    if twice or len(turns) > talk.scenario.max_turns - 4 or _waits(talk):
        return False
    share = talk.session.person.double_text
    odds = share / max(0.05, 1 - share)  # of messages that follow an own one to those that do not
    return rng(talk.scenario.seed, "double_text", len(turns)).random() < odds


def _waits(talk: Talk) -> bool:
    """Whether a trouble or a jump of theirs is still to come, whose place in the turns is planned."""
    return talk.shows("digresses") or trouble.planned(talk.scenario) is not None


def _leaves(talk: Talk, latents: FittedLatents) -> bool:
    """After as many messages as real people leave, in a hurry soon, bored once the assistant has brought nothing (no
    question, no offer) `patience` times in a row.
    """
    if not talk.mine or trouble.unfinished(talk):
        return False
    if talk.scenario.plan["leaves_early"]:
        return True
    if talk.shows("hurry"):
        return talk.pushes > 0 or len(talk.mine) >= _TAKES
    brought = [bool(t.acts or t.facts_volunteered or "trouble_part" in t.labels) for t in talk.theirs]
    patience = max(2, talk.session.patience)
    if len(brought) >= patience and not any(brought[-patience:]):
        return True
    draw = rng(talk.scenario.seed, "leaves", len(talk.mine)).random()
    return draw < latents.leaves[bucket(len(talk.mine))]


def _led(talk: Talk) -> Move | None:
    """What somebody says to a lead who does not want it, has no use for it, or does not follow it. Nobody who has
    turned one down takes the next.
    """
    last = talk.last
    if last is None or done(last) not in LEADS:
        return None
    draws = rng(talk.scenario.seed, "mood", len(talk.turns))
    left = str(last.labels.get("from_topic", talk.topic))
    if talk.refused_at is not None:
        return _phrase(talk, "decline", DECLINES, {"topic": left})
    match talk.session.cell:
        case "refuses":
            tell = _tells(talk, asked=True)[:1] if left == talk.topic else []
            lead = draws.choice(DECLINES)
            return _tell(talk, "decline", tell, lead) if tell else _phrase(talk, "decline", DECLINES, {"topic": left})
        case "given" | "useless" if done(last) == "offer":
            return _phrase(talk, "react", KNOWN, {"known": True})
        case "impossible" if last.labels.get("to_topic") == talk.path[-1]:
            return _stays(talk, left)
        case _:
            return None if talk.handed_over else _stays(talk, left)


def _stays(talk: Talk, left: str) -> Move:
    return _phrase(talk, "decline", [words.format(topic=left) for words in STAYS], {"topic": left, "stays": True})


def _jumps(talk: Talk) -> bool:
    planned, last = talk.digression, talk.last
    if planned is None or last is None or talk.shows("digresses") or talk.refused_at is not None:
        return False
    in_place = last.role == "assistant" and talk.topic in talk.path[:2] and len(talk.mine) >= planned.at
    return in_place and len(talk.turns) <= talk.scenario.max_turns - 5


def _jump(talk: Talk) -> Move:
    assert talk.digression is not None
    topic = talk.digression.topic
    fact = next(f for f in talk.scenario.views["user"].facts if talk.data.topic_of(f) == topic)
    said = _tell(talk, "share", [fact], "by the way")
    return said.model_copy(update={"labels": {"topic": topic, "digresses": True}})


def _drawn(talk: Talk, latents: FittedLatents, asked: bool) -> str:
    """The fitted transition among what this family plays; leave-taking is the program's."""
    turns = talk.turns
    if not turns:
        return "ask"
    assert latents.intents is not None
    previous = (talk.mine[-1].intent_requested or START) if talk.mine else START
    plays = _AGAIN if turns[-1].role == "user" else DRAWN if asked else _UNASKED
    act = "ask" if asked else act_of([t.text or "" for t in turns[-1:]])
    draws = rng(talk.scenario.seed, "intent", len(turns))
    cannot: list[Intent] = [name for name in INTENTS if name not in plays]
    weights = talk.scenario.plan.get("intent_weights", {})
    drawn = latents.intents.draw(previous, act, len(talk.mine), draws, cannot, weights)
    if drawn not in ("accept", "react"):
        return drawn
    return "answer" if asked else "react"  # "thats wild" answers no question


def _tells(talk: Talk, asked: bool, always: bool = False) -> list[Fact]:
    """What may come out now: what was asked for, else something of the topic they bring up by themselves."""
    view = talk.scenario.views["user"]
    if asked and talk.last is not None and talk.last.facts_asked:
        found = list(due(view, talk.turns, talk.session, talk.last.facts_asked).tell)
        if found:
            return found
    on = tuple(f for f in view.facts if talk.data.topic_of(f) == talk.topic)
    here: View = view.model_copy(update={"facts": on})
    draws = rng(talk.scenario.seed, "unasked", len(talk.turns) * (2 if always else 1))
    return list(unasked(here, talk.turns, talk.session, True, draws).tell)


def _asks(talk: Talk, mood: Random) -> Move:
    """A question on the topic that the chat has not had yet; it may hit one of the assistant's own experiences."""
    untold = [f for f in talk.scenario.views["user"].facts if f.id not in talk.told]
    open_ones = [q for q in sorted(talk.data.topics[talk.topic].questions) if q not in talk.had]
    questions = [q for q in open_ones if all(coverage(q, f.text) < _GIVES_AWAY for f in untold)]
    if not questions:
        return _phrase(talk, "react", REACTIONS)
    question = mood.choice(questions)
    first = not talk.turns
    return Move(
        role="user",
        intent="ask",
        instruction=("say hi and ask: " if first else "ask: ") + question + "?",
        fallback=f"{'hey, ' if first else ''}{question}?",
        labels={"topic": talk.topic, "question": question},
    )


def _speaks(talk: Talk, drawn: str, tells: Sequence[Fact], mood: Random) -> Move:
    match drawn:
        case "answer_ask":
            return _tell(talk, drawn, tells, back=True)
        case "answer" | "share" if tells:
            return _tell(talk, drawn, tells)
        case "decline":
            return _phrase(talk, drawn, DECLINES)
        case "answer":
            words = short_answer(_question_of(talk.turns), talk.turns, mood)
            return Move(role="user", intent=drawn, verbatim=words, labels={"topic": talk.topic})
        case _:
            return _phrase(talk, "react", REACTIONS)


def _hurried(talk: Talk, said: Move) -> Move:
    """Their first message lets it be seen when they are in a hurry."""
    if talk.session.cell != "hurry" or talk.mine:
        return said
    hurry = rng(talk.scenario.seed, "hurry").choice(HURRIES)
    labels = said.labels | {"hurry": True}
    words = said.verbatim or said.fallback or ""
    hello, rest = ("hey, ", words.removeprefix("hey, ")) if words.startswith("hey, ") else ("", words)
    both = f"{hello}{hurry}, {rest}" if is_question(rest) else f"{words}, {hurry}"
    return Move(role="user", intent=said.intent, verbatim=both, fact_ids=said.fact_ids, labels=labels)


def _question_of(turns: Sequence[Turn]) -> str:
    """The last question of the message that is to be answered."""
    return (turns[-1].text or "").split("?")[0].split(". ")[-1].split("! ")[-1] if turns else ""


def _tell(talk: Talk, intent: str, tells: Sequence[Fact], lead: str = "", back: bool = False) -> Move:
    told = ", ".join(fact.text for fact in tells)
    said = f"{lead}, {told}" if lead else told
    return Move(
        role="user",
        intent=intent,
        instruction=f"{said}; then ask back" if back else said,
        fallback=f"{said}, you?" if back else said,
        fact_ids=tuple(fact.id for fact in tells),
        labels={"topic": talk.topic},
    )


def _words(talk: Talk, intent: str, instruction: str, fallback: str) -> Move:
    return Move(role="user", intent=intent, instruction=instruction, fallback=fallback, labels={"topic": talk.topic})


def _phrase(talk: Talk, intent: str, phrases: Sequence[str], labels: dict[str, Any] | None = None) -> Move:
    """A phrase too short to be worded by a model: drawn, and said as this person types."""
    words = new(phrases, talk.turns, rng(talk.scenario.seed, "mood", len(talk.turns)))
    return Move(role="user", intent=intent, verbatim=words, labels={"topic": talk.topic, **(labels or {})})

"""The program of a problem that is told in pieces: which shard comes out, and what either side does, follows from
scenario and turns alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

from generators.asked import answering
from generators.domains.small_talk import new
from generators.latents.session import Cell, SessionLatents
from generators.ledger import told
from generators.tasks.pieces import names
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Fact, Scenario, View

Setting = Literal["full", "concat", "sharded", "recap", "snowball"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
AT_ONCE: tuple[Setting, ...] = ("full", "concat")
"""Settings in which the first message has everything."""
TELLS_ALL: tuple[Cell, ...] = ("given", "refuses")
"""Cells in which every shard comes by itself."""

SIGNS = (
    "ill send you the rest bit by bit",
    "hold on, ill type the rest",
    "theres more, one thing at a time",
    "wait, more coming",
    "ill tell you the rest in a sec",
    "give me a moment for the rest",
)
"""Of one who tells everything unasked and says so."""
LEADS = ("", "", "", "hey, ", "can you help me with this: ", "quick question, ", "need help here, ")
_WAITS = ("", "", "ok ", "ok so ", "and ", "so ")
_CORRECTS = ("wait, ", "oh and ", "hm, also ", "hang on, ", "hm, but ")
_LIKE_WHAT = (
    "like what?",
    "what do you mean?",
    "what exactly do you need?",
    "hm, about what?",
    "not sure what you mean",
)
_SAID = ("i said that already", "look up, i wrote that", "thats in what i sent before", "you have that already")
_NOT_HAD = ("no idea, it doesnt say", "i dont have that one", "thats not written here", "no clue, sorry")
_LET_ME = ("hang on, let me finish first", "wait, im not done typing", "not yet, let me tell you everything first")
_DOUBTS = ("hm that cant be it", "im not sure about that", "that doesnt look right to me", "hm are you sure? seems off")
_NEEDS = ("what else do you need?", "do you need anything else from me?", "what do you still need to know?")
_ALL = ("thats all i know", "thats everything i have", "nothing else, thats it", "i dont have more than that")
_GOES = ("never mind, ill try it myself, bye", "forget it, ill ask somebody else, bye", "ok ill leave it, bye")
_DONE = ("thats all", "thats everything", "thats it", "thats all of it")
_GO_ON = ("Ok, go on.", "Got it, go on.", "Alright, I'm listening.", "I see, please go on.", "Noted. Tell me the rest.")
_STOPS = (
    "Without that nobody can work it out, so I leave it open.",
    "Then it cannot be worked out, and I won't guess.",
    "Without that I would only be guessing, so I stop here.",
)
_QUESTION_WORDS = ("how", "who", "what", "which", "when", "where", "whether", "by", "in", "after")
_OPEN = "ask one short question: which number or detail is still missing"


@dataclass(frozen=True)
class Telling:
    """What a problem told in pieces has come to: a fold over scenario and turns."""

    scenario: Scenario
    turns: Sequence[Turn]
    session: SessionLatents

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn]) -> Self:
        drawn = {name: scenario.session_latents[name] for name in SessionLatents.model_fields}
        return cls(scenario, turns, SessionLatents.model_validate(drawn))

    @property
    def view(self) -> View:
        return self.scenario.views["user"]

    @property
    def plan(self) -> dict[str, Any]:
        return self.scenario.plan

    @property
    def at_once(self) -> bool:
        return self.plan["setting"] in AT_ONCE

    @cached_property
    def missing(self) -> list[Fact]:
        """Shards that have not come out, in the order of the problem."""
        out = told(self.view, self.turns)
        return [f for f in self.view.facts if f.id not in out]

    @property
    def tellable(self) -> list[Fact]:
        return [f for f in self.missing if f.disclose != "never"]

    @property
    def needed(self) -> list[Fact]:
        """What has not come out and the answer takes."""
        return [f for f in self.missing if f.required]

    @cached_property
    def denied(self) -> set[str]:
        """Ids of what the user has said they do not know."""
        return {i for t in self.turns for i in t.labels.get("denied", ())}

    @property
    def done(self) -> bool:
        """Whether the user has said that it is all."""
        return any(t.labels.get("done") for t in self.turns)

    @property
    def announced(self) -> bool:
        """Whether the user has said that the rest comes by itself."""
        return not self.at_once and any(t.labels.get("announces") or t.labels.get("refuses") for t in self.turns)

    @property
    def spent(self) -> int:
        """Messages of the assistant that cost the user patience."""
        return sum(bool(t.labels.get("costs")) for t in self.turns)

    @property
    def recapped(self) -> bool:
        return any(t.labels.get("recap") for t in self.turns)

    @property
    def attempts(self) -> list[Turn]:
        return [t for t in self.turns if t.answer is not None]

    @property
    def room(self) -> bool:
        """Whether a question, its reply and an answer still fit."""
        return self.scenario.max_turns - len(self.turns) >= 3

    def drawn(self, what: str, words: Sequence[str]) -> str:
        """One of some words, none that was said before while there are others."""
        return new(words, self.turns, rng(self.scenario.seed, what, len(self.turns)))


def user_move(telling: Telling) -> Move:
    if not telling.turns:
        return _opening(telling)
    move = _reply(telling)
    if move.labels.get("costs") and telling.spent >= telling.session.patience:
        return _says(telling, "bye", _GOES, costs=True)
    return move


def _reply(telling: Telling) -> Move:
    last, left = telling.turns[-1], telling.tellable
    attempted = last.answer is not None
    if attempted and not left:  # only where a setting has one message more
        return _recap(telling)
    if "ask" in last.acts:
        return _asked(telling, last)
    if free := [f for f in left if f.disclose == "volunteered"]:
        return _tell(telling, free[0], _CORRECTS if attempted else _WAITS, "share")
    if not left:
        return _says(telling, "react", _ALL, done=True, costs=True)
    return _says(telling, "react", _DOUBTS if attempted else _NEEDS, costs=True)


def _opening(telling: Telling) -> Move:
    """Everything, where the setting has it so; else the question alone."""
    plan, known = telling.plan, [f for f in telling.view.facts if f.disclose != "never"]
    if plan["setting"] == "full":
        words = plan["full"]
    elif plan["setting"] == "concat":
        words = "\n".join([plan["first"], *(f"- {fact.text}" for fact in known)])
    else:
        sign = plan["sign"]
        words, known = f"{plan['first']} {sign}".strip(), []
    lead = plan["lead"]
    words = f"{lead}{_inside(words, names(plan['full']))}" if lead else words
    move = _verbatim("request", words, announces=bool(plan["sign"] and not telling.at_once))
    return move.model_copy(update={"fact_ids": tuple(fact.id for fact in known)})


def _asked(telling: Telling, last: Turn) -> Move:
    if telling.session.cell == "refuses" and telling.tellable:
        return _says(telling, "decline", _LET_ME, refuses=True, costs=True)
    facts = {fact.id: fact for fact in telling.view.facts}
    about = [facts[i] for i in last.facts_asked if i in facts]
    if known := [f for f in about if f in telling.tellable]:
        move = _tell(telling, known[0], _WAITS[:2], "answer")
        withheld = [f.id for f in known[1:]]
        return move.model_copy(
            update={"labels": move.labels | ({"withheld": withheld, "costs": True} if withheld else {})}
        )
    if unknown := [f.id for f in about if f.disclose == "never"]:
        return _says(telling, "decline", _NOT_HAD, denied=unknown, costs=True)
    if not telling.tellable:
        return _says(telling, "react", _ALL, done=True, costs=True)
    return _says(telling, "repair", _SAID if about else _LIKE_WHAT, costs=True)


def _tell(telling: Telling, fact: Fact, leads: Sequence[str], intent: str) -> Move:
    """One shard. What stands behind it is the program's: that it was the last, where they tell by themselves, and in
    `snowball` all that was told before.
    """
    draws = rng(telling.scenario.seed, "lead", len(telling.turns))
    people = names(telling.plan["full"])
    words = f"{draws.choice(leads)}{_inside(fact.text, people)}"
    last = telling.tellable == [fact] and (intent == "share" or bool(telling.plan["sign"]))
    before = [f for f in telling.view.facts if f not in telling.missing]
    tail: list[str] = []
    if telling.plan["setting"] == "snowball" and before:
        said = ", ".join(_inside(f.text, people).rstrip(".!") for f in before)
        tail.append(f"and like i said, {said}")
    if last:
        tail.append(draws.choice(_DONE))
    return Move(
        role="user",
        intent=intent,
        instruction=words,
        fallback=words,
        tail="".join(f", {part}" for part in tail),
        fact_ids=(fact.id,),
        labels={"done": True} if last else {},
    )


def _recap(telling: Telling) -> Move:
    known = [f.text for f in telling.view.facts if f.disclose != "never"]
    words = f"hm, so once more: {' '.join([*known, telling.plan['first']])}"
    return _verbatim("request", words, recap=True, done=True)


def _inside(sentence: str, people: Sequence[str]) -> str:
    """As it stands inside another: without its capital, unless that is a name's."""
    first = sentence.split(" ")[0].removesuffix("'s").removesuffix("’s")
    named = first in people or not first[1:].islower()
    return sentence if named and len(first) > 1 else f"{sentence[:1].lower()}{sentence[1:]}"


def _says(telling: Telling, intent: str, words: Sequence[str], **labels: Any) -> Move:
    """Nothing may come out here, so the words are the program's."""
    return _verbatim(intent, telling.drawn(intent, words), **labels)


def _verbatim(intent: str, words: str, **labels: Any) -> Move:
    kept = {name: value for name, value in labels.items() if value}
    return Move(role="user", intent=intent, verbatim=words, fallback=words, labels=kept)


def assistant_move(telling: Telling) -> Move:
    """A policy's; for `external` see the family."""
    policy = telling.scenario.policy
    if policy == "reactive":
        return _attempt(telling, lead="guess what is missing, " if _lacking(telling) else "")
    if policy == "privileged":
        if any(f.disclose == "never" for f in telling.needed):
            return _own(telling, "stop", _STOPS)
        if not telling.needed or not telling.room:
            return _attempt(telling, right=True)
        if telling.session.cell in TELLS_ALL:
            return _own(telling, "wait", _GO_ON)
    elif telling.denied:
        return _own(telling, "stop", _STOPS)
    elif not _lacking(telling) or not telling.room:
        return _attempt(telling)
    if telling.announced and not telling.done:
        return _own(telling, "wait", _GO_ON)
    return _question(telling)


def _lacking(telling: Telling) -> bool:
    """Whether something seems to be missing, by what was said: the question shows it, or nobody said that it is all."""
    if telling.plan["visible"]:
        return bool(telling.missing)
    return not (telling.done or telling.at_once)


def _question(telling: Telling) -> Move:
    """For what the question shows to be missing, in its public words; else an open one, which its speaker makes."""
    if not telling.plan["visible"]:
        return Move(role="assistant", intent="ask", instruction=_OPEN)
    slot = (telling.needed or telling.missing)[0].slot
    before = sum(t.role == "assistant" and "ask" in t.acts for t in telling.turns)
    what = "" if slot.split()[0] in _QUESTION_WORDS else "what is "
    ways = (f"{what}{slot}?", f"can you tell me {slot}?", f"and {what}{slot}?", f"do you know {slot}?")
    said = ways[before % len(ways)]  # questions of one problem are alike, and nobody says the same twice
    return Move(role="assistant", intent="ask", instruction=f"ask: {said}", labels={"question": said})


def _own(telling: Telling, intent: str, words: Sequence[str]) -> Move:
    return Move(role="assistant", intent=intent, verbatim=telling.drawn(intent, words))


def _attempt(telling: Telling, lead: str = "", right: bool = False) -> Move:
    """`right`: the right answer is the only one its schema allows, since no small model finds it every time."""
    plan, verifier = telling.plan, telling.scenario.verifier
    how, why, choices = plan["answer_format"], "work it out in one short sentence", plan["choices"]
    if right and verifier is not None:
        why, choices = "say in one short sentence how it comes about", [verifier.answer]
        how = "the program" if verifier.kind == "python" else verifier.answer
    return answering("assistant", f"{lead}{why}, answer with {how}", plan["answer_kind"], choices)

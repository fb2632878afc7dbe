"""One induced trouble of reference, and its repair (methods §6; the classes are those of conversation analysis).

A trouble has a source, a turn that cannot be understood as it was meant; then somebody initiates, somebody repairs, and
the other takes it up. The source is the program's wording, whoever says it: nobody should learn to make one.

    ambiguous_ref    "did you like it?", where two things were mentioned
    wrong_ref        takes up the one of two things that was not meant
    unheard          a part of the message did not arrive
    presupposition   takes for granted what is not so

Form: open names nothing ("what?"), restricted what is missing ("which one?"), candidate the one that is or was meant
("you mean the pie?", "no, the pie", "sorry, I mean the pie"), embedded sets right without saying so.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from generators.domains import repair_words
from generators.domains.small_talk import Assumption, Pair, new
from generators.topics import Talk
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, Value

Kind = Literal["ambiguous_ref", "wrong_ref", "unheard", "presupposition"]
Initiator = Literal["self", "other"]
Form = Literal["open", "restricted", "candidate", "embedded"]
Part = Literal["setup", "source", "initiation", "passed", "repair", "uptake"]
"""setup: mentions what the source refers to; passed: the other side lets the source pass."""

FORMS: Mapping[Kind, tuple[Form, ...]] = {
    "ambiguous_ref": ("open", "restricted", "candidate"),
    "wrong_ref": ("candidate", "embedded"),
    "unheard": ("open", "restricted", "candidate"),
    "presupposition": ("restricted", "candidate"),
}
"""Of repairs the other side initiates; who repairs their own words unasked names what they meant: candidate."""
_LATEST = 4
NOT_SO = "not/"
"""Begins the ids of facts that contradict what the other side may take for granted; the topic follows."""


class Trouble(Value):
    type: Kind
    by: Literal["user", "assistant"]
    """Who says its source."""
    initiator: Initiator
    form: Form
    at: int
    """No part of it comes before this turn."""
    pick: int
    """Which of a topic's pairs or assumptions it is about."""
    variant: int
    """0 or 1: which of two kinds of source (a question or a statement; cut off or garbled)."""

    @property
    def other(self) -> str:
        return "user" if self.by == "assistant" else "assistant"


class Step(NamedTuple):
    part: Part
    role: str


def draw_trouble(max_turns: int, draws: Random) -> Trouble:
    kind = draws.choice(sorted(FORMS))
    initiator: Initiator = "self" if draws.random() < 0.25 else "other"
    return Trouble(
        type=kind,
        by=draws.choice(("user", "assistant")),
        initiator=initiator,
        form="candidate" if initiator == "self" else draws.choice(FORMS[kind]),
        at=draws.randint(1, max(1, min(_LATEST, max_turns - 6))),
        pick=draws.randrange(2),
        variant=draws.randrange(2),
    )


def planned(scenario: Scenario) -> Trouble | None:
    """An assistant that plays freely is not given lines: none."""
    found = scenario.plan.get("trouble")
    return None if found is None or scenario.policy == "external" else Trouble.model_validate(found)


def steps(trouble: Trouble, policy: Policy) -> list[Step]:
    """Who does what. An assistant that does not lead repairs when it is asked to, and lets everything else pass."""
    by, other = trouble.by, trouble.other
    sets_up = trouble.type == "wrong_ref" or (trouble.type == "ambiguous_ref" and trouble.variant == 0)
    begun = [*([Step("setup", other)] if sets_up else []), Step("source", by)]
    starts = by if trouble.initiator == "self" else other
    if starts == "assistant" and policy == "reactive":
        return [*begun, Step("passed", other)]
    if trouble.initiator == "self":
        return [*begun, Step("passed", other), Step("repair", by), Step("uptake", other)]
    if trouble.type in ("wrong_ref", "presupposition"):
        return [*begun, Step("repair", other), Step("uptake", by)]
    return [*begun, Step("initiation", other), Step("repair", by), Step("uptake", other)]


def under_way(talk: Talk, role: str) -> Step | None:
    """The step that is `role`'s to do now."""
    trouble = planned(talk.scenario)
    if trouble is None:
        return None
    todo = steps(trouble, talk.scenario.policy)
    done = sum("trouble_part" in t.labels for t in talk.turns)
    if done >= len(todo) or todo[done].role != role:
        return None
    now = len(talk.turns)
    starts = trouble.at <= now <= talk.scenario.max_turns - len(todo) and talk.topic in talk.path
    return todo[done] if done or starts else None


def unfinished(talk: Talk) -> bool:
    """Begun and not over."""
    trouble = planned(talk.scenario)
    done = sum("trouble_part" in t.labels for t in talk.turns)
    return trouble is not None and 0 < done < len(steps(trouble, talk.scenario.policy))


def labels_of(talk: Talk, step: Step) -> dict[str, Any]:
    trouble = planned(talk.scenario)
    assert trouble is not None
    n = len(talk.turns)
    found: dict[str, Any] = {"topic": talk.topic, "trouble_part": step.part}
    if step.part == "setup":
        return found
    source = _turn_of(talk.turns, "source")
    found |= {"trouble_type": trouble.type, "trouble_turn": n if source is None else source}
    if step.part in ("initiation", "repair"):
        found |= {"initiator": trouble.initiator, "form": trouble.form}
    if step.part == "repair" and source is not None:
        found |= {"repair_turn": n, "delay": n - source, "resolved": True}
    return found


def move(talk: Talk, step: Step) -> Move | None:
    """The step as a move; None where it is no message of its own: what an assistant takes up or lets pass."""
    labels = labels_of(talk, step)
    says = _says(talk, step)
    if step.role == "user":
        return _user(talk, step, says, labels)
    match step.part:
        case "source":
            return Move(role="assistant", intent="trouble", verbatim=_written(says), labels=labels)
        case "setup":
            return Move(role="assistant", intent="tell", verbatim=_written(says), labels=labels)
        case "initiation":
            return _asks(talk, says, labels)
        case "repair":
            about = {} if "?" in says else {"asks": False}
            return Move(
                role="assistant",
                intent="repair",
                instruction=f"say: {says}",
                fact_ids=_correction(talk, step),
                labels=labels | about | {"says": says},
            )
        case _:
            return None


def _asks(talk: Talk, says: str, labels: dict[str, Any]) -> Move:
    """A reading to confirm is worded by a model. What asks for a repetition has no content to be worded: with half a
    message before it, a small model goes on with that one.
    """
    trouble = planned(talk.scenario)
    assert trouble is not None
    if trouble.form != "candidate":
        return Move(role="assistant", intent="repair", verbatim=_written(says), labels=labels | {"asks": True})
    asks = {"asks": True, "question": says.rstrip("?")}
    return Move(role="assistant", intent="repair", instruction=f"ask: {says}", labels=labels | asks)


def taking_up(talk: Talk) -> str:
    """How an assistant takes notice of a repair, before it goes on."""
    trouble = planned(talk.scenario)
    assert trouble is not None
    if trouble.by == "assistant" and trouble.form != "embedded":
        return "say sorry"
    if trouble.type == "ambiguous_ref" and trouble.variant == 0:
        return f"say {_pair(talk, trouble).second} was good"
    return "say you see now"


def outcome(scenario: Scenario, turns: Sequence[Turn]) -> dict[str, Any] | None:
    """None: no trouble came up."""
    trouble, source = planned(scenario), _turn_of(turns, "source")
    if trouble is None or source is None:
        return None
    repaired, started = _turn_of(turns, "repair"), _turn_of(turns, "initiation")
    return {
        "trouble_type": trouble.type,
        "by": trouble.by,
        "trouble_turn": source,
        "initiator": None if repaired is None and started is None else trouble.initiator,
        "form": None if repaired is None and started is None else trouble.form,
        "initiation_turn": repaired if started is None else started,
        "repair_turn": repaired,
        "resolved": repaired is not None,
        "delay": None if repaired is None else repaired - source,
    }


def _user(talk: Talk, step: Step, says: str, labels: dict[str, Any]) -> Move:
    intents = {"setup": "share", "source": "ask" if says.endswith("?") else "share", "passed": "react"}
    intent = intents.get(step.part, "react" if step.part == "uptake" else "repair")
    if step.part == "repair" and len(says.split()) > 4 and "?" not in says and not _restates(talk):
        facts = _correction(talk, step)
        return Move(
            role="user",
            intent=intent,
            instruction=says,
            fallback=says,
            fact_ids=facts,
            labels=labels if facts else labels | {"says": says},
        )
    return Move(role="user", intent=intent, verbatim=says, fact_ids=_correction(talk, step), labels=labels)


def _restates(talk: Talk) -> bool:
    """A repair that says what was not heard again is the same message to the checks, and needs no wording."""
    trouble = planned(talk.scenario)
    return trouble is not None and trouble.type == "unheard"


def _turn_of(turns: Sequence[Turn], part: Part) -> int | None:
    return next((n for n, t in enumerate(turns) if t.labels.get("trouble_part") == part), None)


def _pair(talk: Talk, trouble: Trouble) -> Pair:
    return talk.data.topics[talk.topic].pairs[trouble.pick]


def _assumption(talk: Talk, trouble: Trouble) -> Assumption:
    return talk.data.topics[talk.topic].assumes[trouble.pick]


def _correction(talk: Talk, step: Step) -> tuple[str, ...]:
    trouble = planned(talk.scenario)
    assert trouble is not None
    sets_right = step.part == "repair" and trouble.type == "presupposition" and trouble.initiator == "other"
    fact = f"{NOT_SO}{talk.topic}/{trouble.pick}"
    return (fact,) if sets_right and fact in {f.id for f in talk.scenario.facts} else ()


def _written(text: str) -> str:
    """As an assistant writes: sentences with capitals."""
    text = re.sub(r"\bi\b", "I", text)
    return re.sub(r"(^|[.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def _says(talk: Talk, step: Step) -> str:
    trouble = planned(talk.scenario)
    assert trouble is not None
    draws = rng(talk.scenario.seed, "trouble", step.part)
    match step.part:
        case "setup":
            return _setup(trouble, _pair(talk, trouble), draws)
        case "source":
            return _source(talk, trouble, draws)
        case "initiation":
            return _initiation(trouble, _pair(talk, trouble), draws)
        case "passed":
            return new(repair_words.PASSES, talk.turns, draws)
        case "repair":
            return _repair(talk, trouble, draws)
        case "uptake":
            return _uptake(trouble, draws)


def _setup(trouble: Trouble, pair: Pair, draws: Random) -> str:
    if trouble.type == "ambiguous_ref":
        return pair.says
    return f"{pair.says}, {draws.choice(('{} was better', 'i liked {} more', '{} was the best')).format(pair.second)}"


def _source(talk: Talk, trouble: Trouble, draws: Random) -> str:
    pair = _pair(talk, trouble)
    match trouble.type:
        case "ambiguous_ref":
            if trouble.variant == 0:
                return draws.choice(repair_words.ASKS_OF_IT)
            return (
                f"{pair.says}. {draws.choice(('it was so good', 'it was worth it', 'i liked it a lot', 'it was odd'))}"
            )
        case "wrong_ref":
            says = (
                "oh {} sounds good",
                "i like {} too",
                "nice, i should go for {} as well",
                "what was so good about {}?",
            )
            return draws.choice(says).format(pair.first)
        case "unheard":
            head, _, lost = pair.says.rpartition(" ")
            return head if trouble.variant == 0 else f"{head} {_garbled(lost, draws)}"
        case "presupposition":
            return f"{_assumption(talk, trouble).asks}?"


def _garbled(word: str, draws: Random) -> str:
    return "".join(draws.choice("bdfghjkqvwxz") for _ in range(max(4, len(word))))


def _initiation(trouble: Trouble, pair: Pair, draws: Random) -> str:
    both = {"first": pair.first, "second": pair.second}
    return draws.choice(repair_words.INITIATIONS[trouble.type, trouble.form]).format(**both)


def _repair(talk: Talk, trouble: Trouble, draws: Random) -> str:
    pair, assumed = _pair(talk, trouble), _assumption(talk, trouble)
    form = "self" if trouble.initiator == "self" else trouble.form
    words = {"first": pair.first, "second": pair.second, "says": pair.says}
    words |= {"what": assumed.what, "corrected": assumed.corrected}
    return draws.choice(repair_words.REPAIRS[trouble.type, form]).format(**words)


def _uptake(trouble: Trouble, draws: Random) -> str:
    if trouble.by == "user":
        return draws.choice(("oh sorry", "ah my bad", "oops ok", "ah right sorry"))
    if trouble.type == "ambiguous_ref" and trouble.variant == 0:
        return draws.choice(repair_words.ANSWERS)
    return draws.choice(("ah ok", "oh got it", "ah now i get it", "ok i see"))

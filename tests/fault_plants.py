"""Faults planted in real people's dialogues, by rules that are not the detectors'.

Service customers (SGD) hold as facts what the corpus records that they told, turn by turn;
people who chat (chit-chat, recommendation, persuasion) hold what they said of themselves, each statement a fact told
in its turn. So a control is a real person who keeps to a card, in a person's own words.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from talks import CORPORA, corpus

from pipelines.dialogue_files import read_rows
from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact, View

KINDS = (
    "role_flip",
    "assistant_speak",
    "hallucinated_fact",
    "negated_knowledge",
    "early_disclosure",
    "missing_disclosure",
    "copied_card",
    "card_contradiction",
    "restart",
    "premature_stop",
    "missing_stop",
    "over_agreement",
    "persona_drift",
)
CHATS = ("open_domain__chitchat", "recommendation__redial", "negotiation__persuasion_for_good")
TURNS = 16
"""Of a chat; real ones are several times longer than simulated ones."""
BRIEF = (
    "You are a person who talks to a service because you need something done today. You are in a bit of a hurry, you"
    " say only what you are asked for, and you never tell the whole of your plan at once."
)
_INFORM = re.compile(r"INFORM\((\w+)=(.+)\)$")
_STATEMENT = re.compile(r"^(i|i'm|im|i've|my)\b(?!.*\b(guess|think|hope|wish|would|if)\b)", re.I)


class Planted(NamedTuple):
    kind: str
    faulty: Dialogue
    control: Dialogue
    """The same without the fault."""


def chats(name: str, split: str = "test") -> list[Dialogue]:
    """As they are, without any card."""
    return corpus(name, 4000, split)


def services(split: str = "test") -> list[Dialogue]:
    """Customers of SGD who tell two things or more, each with one value all along."""
    rows = {r["dialogue_id"]: r for r in read_rows(CORPORA / "task_oriented__sgd.parquet")}
    made = (_service(d, rows[d.id]["turns"]) for d in corpus("task_oriented__sgd", 5000, split) if d.id in rows)
    return [d for d in made if d is not None]


def _service(dialogue: Dialogue, turns: Sequence[dict[str, object]]) -> Dialogue | None:
    values: dict[str, set[str]] = defaultdict(set)
    told: list[list[str]] = []
    for turn in turns:
        acts = turn["acts"] if turn["role"] == "user" else []
        found = [m for act in acts if (m := _INFORM.match(str(act)))]  # type: ignore[union-attr]
        told.append([m[1] for m in found])
        for m in found:
            values[m[1]].add(m[2])
    single = {s: next(iter(v)) for s, v in values.items() if len(v) == 1}
    usable = {s: v for s, v in single.items() if v.lower() not in ("true", "false", "dontcare") and s != "intent"}
    if len(usable) < 2:
        return None
    facts = tuple(
        Fact(id=s, holder="user", slot=s.replace("_", " "), value=v, text=f"the {s.replace('_', ' ')} is {v}")
        for s, v in sorted(usable.items())
    )
    return _with_card(dialogue, facts, [[s for s in names if s in usable] for names in told])


def carded(dialogue: Dialogue) -> Dialogue | None:
    """A chat whose partner holds what it says of itself; None when it says nothing."""
    facts: list[Fact] = []
    told: list[list[str]] = [[] for _ in dialogue.turns]
    for i, turn in enumerate(dialogue.turns):
        if turn.role != dialogue.partner:
            continue
        for said in re.findall(r"[^.!?]+[.!?]?", turn.text or ""):
            if _STATEMENT.match(said.strip()) and 4 <= len(said.split()) <= 14 and "?" not in said:
                name = f"f{len(facts)}"
                words = said.strip().rstrip(".!")
                facts.append(Fact(id=name, holder=dialogue.partner, slot="", value=words, text=words))
                told[i].append(name)
    return _with_card(dialogue, tuple(facts), told) if len(facts) >= 2 else None


def _with_card(dialogue: Dialogue, facts: tuple[Fact, ...], told: Sequence[Sequence[str]]) -> Dialogue:
    view = View(role=dialogue.partner, brief=BRIEF, facts=facts)
    views = {**dialogue.scenario.views, dialogue.partner: view}
    turns = tuple(
        t.model_copy(update={"facts_disclosed": tuple(n)}) if n else t
        for t, n in zip(dialogue.turns, told, strict=True)
    )
    scenario = dialogue.scenario.model_copy(update={"views": views})
    return dialogue.model_copy(update={"scenario": scenario, "turns": turns})


def planted(each: int = 16, seed: int = 7, split: str = "test") -> list[Planted]:
    """`each` of every kind, as far as the dialogues have a place for it."""
    draws = Random(seed)
    cut = [d.model_copy(update={"turns": d.turns[:TURNS]}) for name in CHATS for d in chats(name, split)]
    talks = [c for d in cut if (c := carded(d)) is not None]
    served = services(split)
    draws.shuffle(talks)
    draws.shuffle(served)
    made: list[Planted] = []
    for kind in KINDS:
        draws.shuffle(talks)
        draws.shuffle(served)
        pool = iter(
            talks + served if kind in _CHATTED else served + talks if kind in _SERVED else _mixed(talks, served)
        )
        of_kind: list[Planted] = []
        for dialogue in pool:
            if len(of_kind) == each:
                break
            faulty = _PLANTS[kind](dialogue, draws)
            if faulty is not None and faulty != dialogue:
                of_kind.append(Planted(kind, faulty, dialogue))
        made += of_kind
    return made


def _mixed(first: Sequence[Dialogue], second: Sequence[Dialogue]) -> Iterator[Dialogue]:
    for pair in zip(first, second, strict=False):
        yield from pair


def _mine(dialogue: Dialogue, after: int = 0) -> list[int]:
    return [i for i, t in enumerate(dialogue.turns) if t.role == dialogue.partner and t.text and i >= after]


def _changed(dialogue: Dialogue, place: int, text: str, **more: object) -> Dialogue:
    turns = list(dialogue.turns)
    turns[place] = turns[place].model_copy(update={"text": text, **more})
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _later(dialogue: Dialogue, draws: Random) -> int | None:
    """A turn of the partner in the second half, of three words or more."""
    mine = [i for i in _mine(dialogue, len(dialogue.turns) // 2) if len((dialogue.turns[i].text or "").split()) >= 3]
    return draws.choice(mine) if mine else None


def _role_flip(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """The other side's own words in the partner's mouth: a line of a real service's agent, or its name before one."""
    place = _later(dialogue, draws)
    agents = [t.text for d in _agents() for t in d.turns if t.role == "assistant" and t.text]
    line = draws.choice(agents)
    return None if place is None else _changed(dialogue, place, draws.choice((line, f"Assistant: {line}")))


_MEMO: list[list[Dialogue]] = []


def _agents() -> list[Dialogue]:
    if not _MEMO:
        _MEMO.append(corpus("task_oriented__star", 300, "test"))
    return _MEMO[0]


_MODEL_SPEAK = (
    "As an AI language model, I don't have personal experiences, but {}",
    "I'm just an AI, so {}",
    "Thank you for sharing that! {}",
    "I understand your concern. {}",
    "{} I hope this helps!",
    "That's a great question! {}",
    "{} Let me know if you need anything else.",
    "{} Feel free to ask me anything.",
    "I apologize for the confusion. {}",
    "Certainly! {} Is there anything else I can assist you with?",
    "I'm here to help. {}",
    "{} It's important to remember that everyone is different.",
)


def _assistant_speak(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    place = _later(dialogue, draws)
    return (
        None
        if place is None
        else _changed(dialogue, place, draws.choice(_MODEL_SPEAK).format(dialogue.turns[place].text))
    )


_INVENTED = (
    "my name is Thelonius",
    "i have a parrot",
    "it is for 37 people",
    "my wife is called Berenike",
    "i work as a locksmith",
    "i live in Reykjavik",
    "that cost me 8412 dollars",
    "i grew up with eleven cousins",
    "we have a sailing boat",
    "i was born in 1931",
)


def _hallucinated_fact(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    place = _later(dialogue, draws)
    text = None if place is None else f"{(dialogue.turns[place].text or '').rstrip(' .!')}, {draws.choice(_INVENTED)}"
    return None if place is None or text is None else _changed(dialogue, place, text)


_DENIALS = (
    (r"\bi (like|love|enjoy|live|work|play|watch|want|need|prefer)\b", r"i don't \1"),
    (r"\bi have\b", "i don't have"),
    (r"\b(i am|i'm|im)\b(?! not)", "i'm not"),
    (r"\bmy ([\w ]+?) is\b(?! not)", r"my \1 is not"),
)


def _negated_knowledge(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """A told statement taken back later; or, of a customer, "i don't know" to a question for what it knows."""
    facts = {f.id: f for f in dialogue.scenario.views[dialogue.partner].facts}
    mine = _mine(dialogue)
    if all(f.value != f.text for f in facts.values()):
        for i in mine[1:]:
            turn, asked = dialogue.turns[i], dialogue.turns[i - 1].text or ""
            slots = [facts[n].slot.split()[-1] for n in turn.facts_disclosed if n in facts]
            if len(turn.facts_disclosed) == 1 and slots and slots[0] in asked.lower():
                words = draws.choice(("I don't know.", "no idea", "I'm not sure.", "I can't remember, sorry."))
                return _changed(dialogue, i, words, facts_disclosed=())
        return None
    for i in mine:
        for n in dialogue.turns[i].facts_disclosed:
            text = facts[n].text.lower()
            denied = next((re.sub(p, r, text, count=1) for p, r in _DENIALS if re.search(p, text)), None)
            place = next((j for j in mine if j > i + 1), None)
            if denied is not None and place is not None and not re.search(r"n't|\bnot\b|\bno\b|never", text):
                return _changed(dialogue, place, denied, facts_disclosed=())
    return None


def _early_disclosure(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """What is told last, told at the first turn: in the person's own later words."""
    mine = _mine(dialogue)
    told = [i for i in mine if dialogue.turns[i].facts_disclosed]
    if len(told) < 2 or told[-1] == mine[0]:
        return None
    first, late = dialogue.turns[mine[0]], dialogue.turns[told[-1]]
    known = {n for t in dialogue.turns[: told[-1]] for n in t.facts_disclosed}
    if not set(late.facts_disclosed) - known or len((late.text or "").split()) < 4:
        return None
    return _changed(dialogue, mine[0], f"{first.text} {late.text}")


def _missing_disclosure(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """Real words of the same person's turn that tells nothing, where something was to be told."""
    mine = _mine(dialogue)
    idle = [dialogue.turns[i].text or "" for i in mine if not dialogue.turns[i].facts_disclosed]
    told = [i for i in mine if dialogue.turns[i].facts_disclosed]
    return _changed(dialogue, draws.choice(told), draws.choice(idle)) if told and idle else None


def _copied_card(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    place = _later(dialogue, draws)
    words = BRIEF.split()
    start = draws.randrange(len(words) - 11)
    return None if place is None else _changed(dialogue, place, " ".join(words[start : start + 11]))


def _card_contradiction(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """Another customer's value of the same slot, where this one's stood."""
    facts = {f.id: f for f in dialogue.scenario.views[dialogue.partner].facts}
    for i in _mine(dialogue):
        turn = dialogue.turns[i]
        for n in turn.facts_disclosed:
            here = facts[n].value
            others = sorted(v for v in _values()[n] if v != here and v.lower() not in here.lower())
            if here in (turn.text or "") and facts[n].value != facts[n].text and others:
                rest = tuple(m for m in turn.facts_disclosed if m != n)
                text = (turn.text or "").replace(here, draws.choice(others))
                return _changed(dialogue, i, text, facts_disclosed=rest)
    return None


_SLOTS: dict[str, set[str]] = {}


def _values() -> dict[str, set[str]]:
    if not _SLOTS:
        for d in services():
            for f in d.scenario.views[d.partner].facts:
                _SLOTS.setdefault(f.id, set()).add(f.value)
    return _SLOTS


def _restart(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """Its first message of four words or more again, or a hello before a later one."""
    place = _later(dialogue, draws)
    first = next(
        (dialogue.turns[i].text for i in _mine(dialogue) if len((dialogue.turns[i].text or "").split()) > 4), ""
    )
    if place is None or place < 6 or not first:
        return None
    hello = draws.choice(("Hi! ", "Hello, ", "Good morning! ", "Hey there! "))
    return _changed(dialogue, place, draws.choice((first, f"{hello}{dialogue.turns[place].text}")))


_LEAVES = ("ok bye", "gotta go, bye!", "I have to go now. Goodbye!", "anyway, talk to you later", "see you later!")


def _premature_stop(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """Leaves right behind its own question, whose answer never comes; or where its program wanted something else."""
    if draws.random() < 0.5:
        place = _later(dialogue, draws)
        place = place if place is not None and place < len(dialogue.turns) - 2 else None
        wanted = draws.choice(("share", "ask", "answer"))
        return None if place is None else _changed(dialogue, place, draws.choice(_LEAVES), intent_requested=wanted)
    asks = [i for i in _mine(dialogue, 2) if (dialogue.turns[i].text or "").endswith("?")]
    if not asks:
        return None
    leave = Turn(role=dialogue.partner, text=draws.choice(_LEAVES))
    return dialogue.model_copy(update={"turns": (*dialogue.turns[: asks[-1] + 1], leave)})


def _missing_stop(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """A goodbye in the middle, and on it goes."""
    mine = _mine(dialogue)
    if len(mine) < 5 or "bye" in " ".join(dialogue.texts()).lower():
        return None
    return _changed(dialogue, mine[len(mine) // 2], draws.choice(_LEAVES))


def _over_agreement(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    mine = _mine(dialogue)
    if len(mine) < 6:
        return None
    for i in mine[1:]:
        lead = draws.choice(("Yes, ", "Sure! ", "That sounds great! ", "Absolutely, ", "Of course, ", "Great idea! "))
        dialogue = _changed(dialogue, i, f"{lead}{dialogue.turns[i].text}")
    return dialogue


def _persona_drift(dialogue: Dialogue, draws: Random) -> Dialogue | None:
    """Typed all in lower case until a written-out message; or of itself as "the user"; or another number than before."""
    place = _later(dialogue, draws)
    if place is None:
        return None
    match draws.randrange(3):
        case 0:
            for i in _mine(dialogue):
                dialogue = _changed(dialogue, i, (dialogue.turns[i].text or "").lower().rstrip(".! "))
            return _changed(dialogue, place, "I would like to add that I enjoy this conversation very much.")
        case 1:
            return _changed(
                dialogue, place, draws.choice(("The user wants something else.", "This person is not sure."))
            )
        case _:
            first = _mine(dialogue)[0]
            dialogue = _changed(dialogue, first, f"{dialogue.turns[first].text} I have 2 brothers at home.")
            return _changed(dialogue, place, "I have 4 brothers at home.")


_CHATTED = frozenset({"restart", "missing_stop", "over_agreement", "persona_drift"})
_SERVED = frozenset({"missing_disclosure", "card_contradiction"})
_PLANTS: dict[str, Callable[[Dialogue, Random], Dialogue | None]] = {
    "role_flip": _role_flip,
    "assistant_speak": _assistant_speak,
    "hallucinated_fact": _hallucinated_fact,
    "negated_knowledge": _negated_knowledge,
    "early_disclosure": _early_disclosure,
    "missing_disclosure": _missing_disclosure,
    "copied_card": _copied_card,
    "card_contradiction": _card_contradiction,
    "restart": _restart,
    "premature_stop": _premature_stop,
    "missing_stop": _missing_stop,
    "over_agreement": _over_agreement,
    "persona_drift": _persona_drift,
}

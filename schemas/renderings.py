"""Each learner turn behind two renderings of what came before it (methods §19): the dialogue alone, and with what the
partner knows and feels.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.chat import Message
from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact

_HOW = "typing"
"""Among the private notes of a simulated person: how they type, which is nothing to know."""
_SCALES = {"cooperation": 4, "emotion": 3, "trust": 5}


class Rendered(NamedTuple):
    """One utterance of the learner."""

    place: int
    """Among all turns."""
    public: tuple[Message, ...]
    """What was said before it, the learner as the assistant; nothing else."""
    hidden: Message
    """What stands before that in the privileged view: what the partner knows and how it feels, as it was then."""
    said: Message

    @property
    def privileged(self) -> tuple[Message, ...]:
        return (self.hidden, *self.public)


def renderings(dialogue: Dialogue) -> Iterator[Rendered]:
    heard: list[Message] = []
    for place, turn in enumerate(dialogue.turns):
        if turn.kind != "utterance" or turn.text is None:
            continue
        said = Message("assistant" if turn.role == dialogue.learner else "user", turn.text)
        if turn.role == dialogue.learner:
            yield Rendered(place, tuple(heard), Message("system", _hidden(dialogue, place)), said)
        heard.append(said)


def _hidden(dialogue: Dialogue, place: int) -> str:
    before = dialogue.turns[:place]
    view = dialogue.scenario.views.get(dialogue.partner)
    said = {i for t in before for i in (*t.facts_disclosed, *t.facts_volunteered)}
    lines = ["What the other side knows:"]
    if view is not None:
        lines += [_fact(fact, fact.id in said) for fact in view.facts]
        lines += [f"- {name}: {text}" for name, text in view.private.items() if name != _HOW]
    lines = lines if len(lines) > 1 else ["The other side knows nothing that was not said."]
    state = _state(dialogue, before)
    return "\n".join(lines if state is None else [*lines, *_felt(state)])


def _fact(fact: Fact, said: bool) -> str:
    needed = "needed" if fact.required else "not needed"
    return f"- {fact.slot}: {fact.text} ({needed}, {'said' if said else 'not said yet'})"


def _state(dialogue: Dialogue, before: Sequence[Turn]) -> Mapping[str, Any] | None:
    found = next((t.state for t in reversed(before) if t.state), dialogue.scenario.plan.get("state"))
    return found if found and "cooperation" in found else None


def _felt(state: Mapping[str, Any]) -> list[str]:
    scales = ", ".join(f"{name} {state[name]} of {top}" for name, top in _SCALES.items())
    concerns = [f"- {c} (severity {state['severity'][c]}): {status}" for c, status in state["concerns"].items()]
    worries = ["What worries them:", *concerns] if concerns else ["Nothing worries them."]
    return [f"How they feel: {scales}, patience {state['patience']}.", *worries]

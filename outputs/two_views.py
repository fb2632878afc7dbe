"""Each learner turn behind two renderings of what came before it, for self-distillation from a teacher that sees more
(methods §19): the dialogue alone, and with what the partner knows and feels.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.dialogue import Dialogue, Turn
from schemas.errors import InputError
from schemas.record import Record
from schemas.scenario import Fact

_HOW = "typing"
"""Among the private notes of a simulated person: how they type, which is nothing to know."""
_SCALES = {"cooperation": 4, "emotion": 3, "trust": 5}


def two_views(record: Record, private: frozenset[str]) -> Iterator[dict[str, Any]]:
    """`view_public` holds nothing that was not said; `view_privileged` has the partner's side before it, as it was
    then. One row a learner's utterance, of published dialogues. Raises InputError unless private columns are asked for.
    """
    if not private:
        raise InputError("export: views holds what the partner knows in view_privileged; add --private")
    if record.selection is not None and not record.selection.keep:
        return
    dialogue, scenario = record.dialogue, record.dialogue.scenario
    shaped = {r.turn: r.value for r in record.rewards if r.name == "state_transition" and r.scope == "turn"}
    heard: list[dict[str, str]] = []
    for place, turn in enumerate(dialogue.turns):
        if turn.kind != "utterance" or turn.text is None:
            continue
        said = {"role": "assistant" if turn.role == dialogue.learner else "user", "content": turn.text}
        if turn.role == dialogue.learner:
            yield {
                "view_public": list(heard),
                "view_privileged": [{"role": "system", "content": hidden(dialogue, place)}, *heard],
                "completion": [said],
                "id": dialogue.id,
                "turn": place,
                "base_case_id": scenario.base_case_id,
                "policy": scenario.policy,
                "split": record.split,
                "state_transition": shaped.get(place),
            }
        heard.append(said)


def hidden(dialogue: Dialogue, place: int) -> str:
    """What the partner knows and how it feels before turn number `place`, in words."""
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

"""Whole dialogues as JSON lines: our own shape, and that of CollabLLM's loaders."""

from collections.abc import Iterable, Iterator
from typing import Any

from outputs.views.public import FLAGS
from schemas.dialogue import Turn
from schemas.record import Record, messages, to_row


def jsonl(record: Record, private: frozenset[str]) -> Iterator[dict[str, Any]]:
    """One dialogue: ids, messages, public labels, rewards without their parts (which may quote a hidden answer)."""
    dialogue, scenario = record.dialogue, record.dialogue.scenario
    row = {
        "id": dialogue.id,
        "group_id": scenario.group_id,
        "base_case_id": scenario.base_case_id,
        "family": scenario.family,
        "domain": scenario.domain,
        "policy": scenario.policy,
        "split": record.split,
        "messages": messages(dialogue),
        "labels": record.labels,
        "turns": _public_turns(dialogue.turns),
        "ending": dialogue.ending.reason,
        "success": dialogue.outcome.get("success"),
        "rewards": [r.model_dump(mode="json", exclude={"parts"}) for r in record.rewards],
    }
    if private:
        whole = to_row(record)
        row["private"] = {name: whole[name] for name in sorted(private)}
    yield row


def collabllm(record: Record, private: frozenset[str]) -> Iterator[dict[str, Any]]:
    """What the learner said, or could have said, after each prompt, with its score (methods §3): the flat rows that
    CollabLLM's `MultiturnDataset` and verl's recipe of that name read. `single_turn_prompt` is what its simulated user
    knows. A turn that was rated scores its MR, each other candidate too; any other the dialogue's success, 1 or 0.
    """
    dialogue, scenario = record.dialogue, record.dialogue.scenario
    if record.selection is not None and not record.selection.keep:
        return
    told = " ".join(f.text for f in scenario.facts if f.holder == dialogue.partner)
    answer = "" if scenario.verifier is None else scenario.verifier.answer
    rated = {r.turn: r.parts.get("candidates", ()) for r in record.rewards if r.name == "multiturn_aware"}
    for place, heard, turn in _said(record):
        found = [(c["text"], c["mr_mean"], "multiturn_aware") for c in rated.get(place, ()) if c["mr_mean"] is not None]
        success = dialogue.outcome.get("success")
        if not found and success is not None:
            found = [(turn.text, float(success), "success")]
        for text, score, kind in found:
            yield {
                "prompt": heard,
                "completion": text,
                "conv_id": dialogue.id,
                "turn_id": len(heard),
                "score": score,
                "single_turn_prompt": f"{_opening(record)} {told}".strip(),
                "single_turn_completion": answer,
                "single_turn_metadata": {"family": scenario.family, "domain": scenario.domain, "score_is": kind},
            }


def _said(record: Record) -> Iterator[tuple[int, list[dict[str, str]], Turn]]:
    """(place among the turns, messages before it, turn) of every turn of the learner that follows something."""
    dialogue = record.dialogue
    heard: list[dict[str, str]] = []
    for place, turn in enumerate(dialogue.turns):
        if turn.kind != "utterance" or turn.text is None:
            continue
        learners = turn.role == dialogue.learner
        if learners and heard and not (turn.labels.get("clairvoyant") or turn.labels.get("question_substituted")):
            yield place, list(heard), turn
        heard.append({"role": "assistant" if learners else "user", "content": turn.text})


def _opening(record: Record) -> str:
    """What the partner began with."""
    said = (t.text for t in record.dialogue.turns if t.role == record.dialogue.partner and t.kind == "utterance")
    return next((text for text in said if text), "")


def _public_turns(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """What a bystander could say of each turn; of its labels those that views show: others may tell what one side
    thinks. `message` is its place in `messages`, null for a silence or an event.
    """
    rows: list[dict[str, Any]] = []
    said = 0
    for turn in turns:
        spoken = turn.kind == "utterance" and turn.text is not None
        rows.append(
            {
                "role": turn.role,
                "kind": turn.kind,
                "message": said if spoken else None,
                "intent_detected": turn.intent_detected,
                "acts": turn.acts,
                "labels": {name: turn.labels[name] for name in FLAGS if name in turn.labels},
            }
        )
        said += spoken
    return rows

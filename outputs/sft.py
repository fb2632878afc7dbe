"""The learner's turns of successful dialogues as prompt and completion, for supervised fine-tuning (methods §2)."""

from collections.abc import Iterator
from typing import Any

from schemas.dialogue import Turn
from schemas.errors import InputError
from schemas.record import Record

PRIMED = {"sft": False, "sft_primed": True}
"""By format: whether it holds questions that were put in a learner's mouth."""


def left_out(record: Record, primed: bool) -> str | None:
    """Why a dialogue gives no rows; None where it does. `primed`: with questions that were put in a learner's mouth."""
    if record.selection is not None and not record.selection.keep:
        return "not_published"
    if record.dialogue.outcome.get("success") is not True:
        return "no_success"
    said = [t.labels for t in record.dialogue.turns if t.role == record.dialogue.learner]
    return "off_policy" if not primed and any(labels.get("question_substituted") for labels in said) else None


def sft(record: Record, private: frozenset[str]) -> Iterator[dict[str, Any]]:
    """What the learner said itself."""
    return _rows(record, PRIMED["sft"], private)


def sft_primed(record: Record, private: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The same with dialogues in which questions were substituted, each turn marked."""
    return _rows(record, PRIMED["sft_primed"], private)


def _rows(record: Record, primed: bool, private: frozenset[str]) -> Iterator[dict[str, Any]]:
    """One a turn of the learner, but for clairvoyant ones, which nobody could learn from what was said. Raises
    InputError.
    """
    if private:
        raise InputError("export: sft holds no private columns; leave --private out, or use --format jsonl")
    if left_out(record, primed) is not None:
        return
    dialogue = record.dialogue
    heard: list[dict[str, str]] = []
    for place, turn in enumerate(dialogue.turns):
        if turn.kind != "utterance" or turn.text is None:
            continue
        said = {"role": "assistant" if turn.role == dialogue.learner else "user", "content": turn.text}
        if turn.role == dialogue.learner and not turn.labels.get("clairvoyant"):
            ids = {"id": dialogue.id, "turn": place, "base_case_id": dialogue.scenario.base_case_id}
            known = {"policy": dialogue.scenario.policy, "split": record.split, **_marked(turn)}
            yield {"prompt": list(heard), "completion": [said], **ids, **known}
        heard.append(said)


def _marked(turn: Turn) -> dict[str, Any]:
    """What a trainer may want to leave out."""
    substituted = bool(turn.labels.get("question_substituted"))
    return {"question_substituted": substituted, "answer_correct": turn.answer_correct}

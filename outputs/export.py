"""Exports: dialogues in the shapes trainers read. Private parts leave only when asked for by name."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from outputs.columns import PRIVATE
from outputs.files import atomic_file
from outputs.sft import sft, sft_primed
from outputs.two_views import two_views
from schemas.dialogue import Turn
from schemas.errors import InputError, did_you_mean
from schemas.record import Record, messages, to_row

RowsOf = Callable[[Record, frozenset[str]], Iterable[dict[str, Any]]]
"""A record and the private columns asked for -> its JSON-able rows."""


def export(records: Iterable[Record], format: str, path: Path, private: bool | Collection[str] = False) -> int:
    """Writes one JSON value a line, as they come; the number of lines.

    `private`: names among `outputs.columns.PRIVATE` to add under `private`, or True for all of them.
    """
    if format not in FORMATS:
        raise InputError(f"export: no format {format!r}{did_you_mean(format, FORMATS)}")
    rows_of, asked = FORMATS[format], _asked(private)
    count = 0
    with atomic_file(path) as file:
        for row in (row for record in records for row in rows_of(record, asked)):
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def jsonl(record: Record, private: frozenset[str]) -> list[dict[str, Any]]:
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
    return [row]


FORMATS: Mapping[str, RowsOf] = {"jsonl": jsonl, "sft": sft, "sft_primed": sft_primed, "views": two_views}


def _asked(private: bool | Collection[str]) -> frozenset[str]:
    if isinstance(private, bool):
        return PRIVATE if private else frozenset()
    for name in private:
        if name not in PRIVATE:
            raise InputError(f"export: no private column {name!r}{did_you_mean(name, PRIVATE)}")
    return frozenset(private)


def _public_turns(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """What a bystander could say of each turn. `message` is its place in `messages`, null for a silence or an event."""
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
                "labels": turn.labels,
            }
        )
        said += spoken
    return rows

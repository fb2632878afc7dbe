"""What views may see: the dialogue table without what one side knew.

Anything private stays in the file, unread, but for three JSON columns, of which named parts alone come through: flags
of a turn's labels, candidates and decisions among a reward's parts, and whether two cases are the same.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from outputs.arrow import pc
from outputs.publish import split_of
from outputs.views.view import BOOL, FLOAT, INT, STRING

READ = (
    *("dialogue_id", "group_id", "sibling", "policy", "family", "domain", "base_case_id", "scenario_id", "split"),
    *("learner", "success", "selection.keep"),
)
"""Of every dialogue, whatever a view needs."""
LEAVES: Mapping[str, tuple[str, ...]] = {
    "turns": tuple(
        f"turns.{name}"
        for name in ("role", "kind", "text", "intent_detected", "acts", "answer_correct", "decision", "labels")
    ),
    "rewards": tuple(
        f"rewards.{name}" for name in ("name", "scope", "turn", "value", "n", "stderr", "grader", "reason")
    ),
    "candidates": ("rewards.name", "rewards.turn", "rewards.parts"),
    "hindsight": ("rewards.name", "rewards.turn", "rewards.parts"),
    "case": ("views", "plan", "verifier"),
    "verifier": ("verifier",),
}
"""Columns and fields of the dialogue table that each part is made from."""
FLAGS = ("question_substituted", "clairvoyant", "topic_shift", "premature_attempt", "asks")
"""Labels of a turn that come through: true, false or absent, never a text."""
_SPEAKS = pa.array(["speak", "interrupt"])

TURNS = pa.list_(
    pa.struct(
        [
            *(("role", STRING), ("speaker", STRING), ("kind", STRING), ("text", STRING), ("intent_detected", STRING)),
            *(("acts", pa.list_(STRING)), ("answer_correct", BOOL), ("speaks", BOOL)),
            *((flag, BOOL) for flag in FLAGS),
        ]
    )
)
REWARDS = pa.list_(
    pa.struct(
        [
            *(("name", STRING), ("scope", STRING), ("turn", INT), ("value", FLOAT), ("n", INT), ("stderr", FLOAT)),
            *(("grader", STRING), ("reason", STRING)),
        ]
    )
)
CANDIDATES = pa.list_(
    pa.struct([("turn", INT), ("number", INT), ("text", STRING), ("value", FLOAT), ("stderr", FLOAT), ("n", INT)])
)
HINDSIGHT = pa.list_(pa.struct([("turn", INT), ("decision", STRING), ("due", STRING)]))
PUBLIC = pa.schema(
    [
        *((name, STRING) for name in ("dialogue_id", "group_id", "policy", "family", "domain", "base_case_id")),
        *(("scenario_id", STRING), ("sibling", INT), ("split", STRING), ("success", BOOL), ("published", BOOL)),
        *(("turns", TURNS), ("rewards", REWARDS), ("candidates", CANDIDATES), ("hindsight", HINDSIGHT)),
        *(("case", INT), ("verifier", STRING)),
    ]
)
"""All that may be asked for; `case` is equal where two dialogues of a table played one form of their case."""


def leaves(needs: Collection[str]) -> frozenset[str]:
    """Of the dialogue table, that `public` reads."""
    return frozenset(READ).union(*(LEAVES[need] for need in needs))


def public(table: pa.Table, needs: Collection[str]) -> pa.Table:
    """Dialogues as views see them: columns of PUBLIC, of the nested and derived ones those that are needed."""
    table = table.combine_chunks()
    found = {name: table[name] for name in READ if name in PUBLIC.names}
    found["split"] = _splits(table)
    found["published"] = pc.fill_null(pc.struct_field(table["selection"], "keep"), True)
    parts = {name: part(table) for name, part in _PARTS.items() if name in needs}
    names = [name for name in PUBLIC.names if name in found or name in parts]
    return pa.table({**found, **parts}).select(names).cast(pa.schema([PUBLIC.field(n) for n in names]))


def flat(lists: pa.ChunkedArray | pa.Array) -> tuple[pa.StructArray, np.ndarray]:
    """The elements of lists of structs, and how many each list has."""
    array = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return pc.list_flatten(array), lengths.to_numpy(zero_copy_only=False).astype(np.int64)


def listed(elements: pa.Array, lengths: np.ndarray) -> pa.ListArray:
    """The inverse of `flat`."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), elements)


def _splits(table: pa.Table) -> pa.ChunkedArray:
    """Dialogues from elsewhere may have none yet."""
    split = table["split"]
    if not split.null_count:
        return split
    given = zip(split.to_pylist(), table["base_case_id"].to_pylist(), strict=True)
    return pa.chunked_array([pa.array([name or split_of(base) for name, base in given], STRING)])


def _turns(table: pa.Table) -> pa.Array:
    turns, lengths = flat(table["turns"])
    labels = pc.struct_field(turns, "labels")
    own = pc.fill_null(pc.equal(pc.struct_field(turns, "role"), _of_each(table["learner"], lengths)), False)
    decision = pc.struct_field(turns, "decision")
    fields = {
        "role": pc.if_else(own, "assistant", "user"),
        "speaker": pc.struct_field(turns, "role"),
        **{name: pc.struct_field(turns, name) for name in ("kind", "text", "intent_detected", "acts")},
        "answer_correct": pc.struct_field(turns, "answer_correct"),
        "speaks": pc.if_else(pc.is_in(decision, _SPEAKS), True, pc.if_else(pc.equal(decision, "silent"), False, None)),
        **{flag: _flag(labels, flag) for flag in FLAGS},
    }
    kinds = {field.name: field.type for field in TURNS.value_type}
    arrays = [pc.cast(fields[name], kind) for name, kind in kinds.items()]
    return listed(pa.StructArray.from_arrays(arrays, fields=list(TURNS.value_type)), lengths)


def _of_each(column: pa.ChunkedArray, lengths: np.ndarray) -> pa.Array:
    """A dialogue's value for each of its elements."""
    return column.combine_chunks().take(pa.array(np.repeat(np.arange(len(lengths)), lengths)))


def _flag(labels: pa.Array, name: str) -> pa.Array:
    """Null unless the JSON object has it as true or false."""
    yes, no = (pc.match_substring_regex(labels, f'"{name}": ?{word}') for word in ("true", "false"))
    return pc.if_else(yes, True, pc.if_else(no, False, None))


def _rewards(table: pa.Table) -> pa.Array:
    """Raises ValueError for a number that is none."""
    rewards, lengths = flat(table["rewards"])
    fields = list(REWARDS.value_type)
    arrays = [pc.cast(pc.struct_field(rewards, field.name), field.type) for field in fields]
    for field, array in zip(fields, arrays, strict=True):
        if field.type == FLOAT and pc.all(pc.is_finite(array)).as_py() is False:
            raise ValueError(f"rewards.{field.name}: a number should be finite")
    return listed(pa.StructArray.from_arrays(arrays, fields=fields), lengths)


def _of_reward(name: str, kind: pa.ListType, read: Callable[[int, dict[str, Any]], list[dict[str, Any]]]):
    """A reader of a reward's parts: from a turn and its parts to rows of the list."""

    def part(table: pa.Table) -> pa.Array:
        rewards, lengths = flat(table["rewards"])
        wanted = pc.and_(
            pc.equal(pc.struct_field(rewards, "name"), name), pc.is_valid(pc.struct_field(rewards, "turn"))
        )
        places = np.flatnonzero(pc.fill_null(wanted, False).to_numpy(zero_copy_only=False))
        of = np.repeat(np.arange(len(lengths)), lengths)[places]
        chosen = rewards.take(pa.array(places))
        given = zip(
            pc.struct_field(chosen, "turn").to_pylist(), pc.struct_field(chosen, "parts").to_pylist(), strict=True
        )
        rows = [read(turn, orjson.loads(parts or "{}")) for turn, parts in given]
        counts = np.bincount(of, [len(r) for r in rows], len(lengths)).astype(np.int64)
        return listed(pa.array([row for group in rows for row in group], kind.value_type), counts)

    return part


def _candidates(turn: int, parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that were said and judged, by number."""
    return [
        {
            "turn": turn,
            "number": number,
            "text": found["text"],
            "value": found["mr_mean"],
            "stderr": found["mr_stderr"],
            "n": len(found["mr_samples"]),
        }
        for number, found in enumerate(parts.get("candidates", ()))
        if found["text"] is not None and found["mr_mean"] is not None
    ]


def _hindsight(turn: int, parts: dict[str, Any]) -> list[dict[str, Any]]:
    decided, due = parts.get("decision"), parts.get("decision_truth")
    told = decided in ("continue", "stop") and due in ("continue", "stop")
    return [{"turn": turn, "decision": decided, "due": due}] if told else []


def _case(table: pa.Table) -> pa.Array:
    joined = pc.binary_join_element_wise(*(pc.fill_null(table[name], "") for name in LEAVES["case"]), "\x00")
    return joined.combine_chunks().dictionary_encode().indices


_PARTS: Mapping[str, Callable[[pa.Table], Any]] = {
    "turns": _turns,
    "rewards": _rewards,
    "candidates": _of_reward("multiturn_aware", CANDIDATES, _candidates),
    "hindsight": _of_reward("learn_to_ask", HINDSIGHT, _hindsight),
    "case": _case,
    "verifier": lambda table: table["verifier"],
}

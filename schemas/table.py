"""The dialogue table, version 1: one Arrow schema, declared here, never inferred. One row a dialogue.

Free-form parts (`session_latents`, `views`, `plan`, `outcome`, labels, parts) are JSON strings with sorted keys, so
equal data is equal bytes.
A candidate or rollout is a row of the same schema with an `origin`, under `branches/`.

A file says its version in its metadata. Readers bring older rows up to date, one step a version; so a change of the
schema is a higher VERSION, a step in STEPS, and a small file of the old version in tests/schemas.
"""

from collections.abc import Callable, Mapping

import pyarrow as pa

from schemas.errors import DataError

VERSION = 1
VERSION_KEY = b"overture.dialogue_table"
Step = Callable[[pa.Table], pa.Table]
STEPS: Mapping[int, Step] = {}
"""Version -> how its rows become rows of the next one. Empty: there has been no other version than 1."""

_STRINGS = pa.list_(pa.string())

FACT = pa.struct(
    [
        ("id", pa.string()),
        ("holder", pa.string()),
        ("slot", pa.string()),
        ("value", pa.string()),
        ("text", pa.string()),
        ("required", pa.bool_()),
        ("disclose", pa.string()),
    ]
)
TURN = pa.struct(
    [
        ("role", pa.string()),
        ("kind", pa.string()),
        ("text", pa.string()),
        ("intent_requested", pa.string()),
        ("intent_detected", pa.string()),
        ("facts_asked", _STRINGS),
        ("facts_disclosed", _STRINGS),
        ("facts_volunteered", _STRINGS),
        ("acts", _STRINGS),
        ("answer", pa.string()),
        ("answer_correct", pa.bool_()),
        ("labels", pa.string()),
        ("thought", pa.string()),
        ("state", pa.string()),
        ("belief", pa.string()),
        ("decision", pa.string()),
        ("model", pa.string()),
        ("prompt_hash", pa.string()),
        ("temperature", pa.float64()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("logprob", pa.float64()),
    ]
)
REWARD = pa.struct(
    [
        ("name", pa.string()),
        ("scope", pa.string()),
        ("turn", pa.int32()),
        ("value", pa.float64()),
        ("n", pa.int32()),
        ("stderr", pa.float64()),
        ("parts", pa.string()),
        ("grader", pa.string()),
        ("reason", pa.string()),
    ]
)
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

SCHEMA = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("group_id", pa.string()),
        ("sibling", pa.int32()),
        ("policy", pa.string()),
        ("round", pa.int32()),
        ("index", pa.int64()),
        ("family", pa.string()),
        ("domain", pa.string()),
        ("base_case_id", pa.string()),
        ("scenario_id", pa.string()),
        ("recipe", pa.string()),
        ("seed", pa.int64()),
        ("split", pa.string()),
        ("learner", pa.string()),
        ("partner", pa.string()),
        ("messages", pa.list_(MESSAGE)),
        ("goal", pa.string()),
        ("max_turns", pa.int32()),
        ("verifier", pa.string()),
        ("facts", pa.list_(FACT)),
        ("session_latents", pa.string()),
        ("views", pa.string()),
        ("plan", pa.string()),
        ("turns", pa.list_(TURN)),
        ("ending", pa.struct([("reason", pa.string()), ("by", pa.string()), ("detail", pa.string())])),
        ("outcome", pa.string()),
        ("success", pa.bool_()),
        ("labels", pa.string()),
        ("realism", pa.struct([("scores", pa.string()), ("combined", pa.float64()), ("reason", pa.string())])),
        ("rewards", pa.list_(REWARD)),
        (
            "selection",
            pa.struct([("logw", pa.float64()), ("pi", pa.float64()), ("keep", pa.bool_()), ("reason", pa.string())]),
        ),
        ("origin", pa.struct([("dialogue_id", pa.string()), ("turn", pa.int32()), ("candidate", pa.int32())])),
    ],
    metadata={VERSION_KEY: str(VERSION)},
)


def version_of(schema: pa.Schema, file: object) -> int:
    """Of a file of the dialogue table; one that lost its metadata on the way counts as of today's. Raises DataError for
    a version that cannot be read here.
    """
    found = (schema.metadata or {}).get(VERSION_KEY, str(VERSION).encode()).decode(errors="replace")
    if found.isdigit() and int(found) > VERSION:
        raise DataError(
            f"{file}: dialogue table version {found}, written by a newer Overture; this one reads versions up to "
            f"{VERSION}: install the newer one"
        )
    if not found.isdigit() or int(found) < 1:
        raise DataError(f"{file}: dialogue table version '{found}' is none of ours; export the dialogues again")
    return int(found)


def migrated(table: pa.Table, version: int, steps: Mapping[int, Step] = STEPS, to: int = VERSION) -> pa.Table:
    """Rows of an older version as version `to` has them, step by step."""
    for number in range(version, to):
        table = steps[number](table)
    return table

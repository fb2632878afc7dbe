"""The dialogue table, version 1: one Arrow schema, declared here, never inferred. One row a dialogue.

Free-form parts (`session_latents`, `views`, `plan`, `outcome`, labels, parts) are JSON strings with sorted keys, so
equal data is equal bytes.
A candidate or rollout is a row of the same schema with an `origin`, under `branches/`.
"""

import pyarrow as pa

VERSION = 1

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
    metadata={"overture.dialogue_table": str(VERSION)},
)

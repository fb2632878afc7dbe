"""Rows of views in the shapes that trainers read: a choice of columns, a new name, a struct around them.

What each trainer reads: TRL 1.16 (`prompt`, `completion`, `chosen`, `rejected`, `label`, `margin`; a reward function
gets every other column of a prompt), verl 0.9 (`RLHFDataset`, `MultiTurnSFTDataset`), fine-tuning as OpenAI spells it.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from outputs.arrow import pc

_SAYS = {"user": "human", "assistant": "gpt"}


def trl_sft(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    return _prompted(rows, lost).select(["prompt", "completion"])


def trl_dpo(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    return _prompted(rows, lost).select(["prompt", "chosen", "rejected"])


def trl_reward(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    return _prompted(rows, lost).select(["prompt", "chosen", "rejected", "margin"])


def trl_kto(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    return _prompted(rows, lost).select(["prompt", "completion", "label"])


def trl_grpo(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    """GRPO, RLOO and Distillation read `prompt`; the rest is handed to reward functions."""
    return _prompted(rows, lost).select(["prompt", "ground_truth", "verifier", "data_source", "scenario_id"])


def trl_prm(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    """Stepwise supervision is text throughout: the prompt is spelled as the steps are."""
    prompts = pc.list_flatten(rows["prompt"]).combine_chunks()
    said = pc.binary_join_element_wise(prompts.field("role"), prompts.field("content"), ": ")
    ends = pa.array([0, *pc.cumulative_sum(pc.list_value_length(rows["prompt"])).to_pylist()], pa.int32())
    text = pc.binary_join(pa.ListArray.from_arrays(ends, said), "\n")
    return pa.table({"prompt": text, "completions": rows["completions"], "labels": rows["labels"]})


def verl_rl(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    rows = _prompted(rows, lost)
    truth = rows["ground_truth"]
    style = pc.if_else(pc.is_valid(truth), "rule", "model")
    index = pc.binary_join_element_wise(rows["dialogue_id"], pc.cast(rows["turn"], pa.string()), ":")
    about = ("split", "verifier", "dialogue_id", "scenario_id", "group_id", "base_case_id")
    return pa.table(
        {
            "data_source": rows["data_source"],
            "prompt": rows["prompt"],
            "ability": rows["family"],
            "reward_model": _struct({"style": style, "ground_truth": truth}),
            "extra_info": _struct({"index": index, **{name: rows[name] for name in about}}),
        }
    )


def verl_sft(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    """verl learns every message of the assistant, so a dialogue with one that is not to be learnt is left out."""
    found = [d.messages for d in whole_dialogues(rows) if _all_learnt(d, lost)]
    return pa.table({"messages": pa.array(found, rows.schema.field("prompt").type)})


def openai(rows: pa.Table, lost: Counter[str]) -> list[dict[str, Any]]:
    """A dialogue a line; what is not to be learnt has `weight` 0."""
    return [
        {
            "messages": [
                {**message, "weight": 0} if message["role"] == "assistant" and place not in dialogue.learnt else message
                for place, message in enumerate(dialogue.messages)
            ]
        }
        for dialogue in whole_dialogues(rows)
    ]


def sharegpt(rows: pa.Table, lost: Counter[str]) -> list[dict[str, Any]]:
    """A person speaks first and the two take turns: its readers drop anything else. So what one side says in a row is
    one entry, and a dialogue that the learner opens is left out.
    """
    lines: list[dict[str, Any]] = []
    for dialogue in whole_dialogues(rows):
        if not _all_learnt(dialogue, lost):
            continue
        if dialogue.messages[0]["role"] == "assistant":
            lost["opened_by_learner"] += 1
            continue
        said: list[dict[str, str]] = []
        for message in dialogue.messages:
            if said and said[-1]["from"] == _SAYS[message["role"]]:
                said[-1]["value"] += f"\n{message['content']}"
            else:
                said.append({"from": _SAYS[message["role"]], "value": message["content"]})
        lines.append({"id": dialogue.id, "conversations": said})
    return lines


def as_it_is(rows: pa.Table, lost: Counter[str]) -> list[dict[str, Any]]:
    return rows.to_pylist()


class Whole(NamedTuple):
    """A dialogue up to the last turn that is to be learnt."""

    id: str
    messages: list[dict[str, str]]
    learnt: frozenset[int]
    """Places among the messages."""


def whole_dialogues(rows: pa.Table) -> Iterator[Whole]:
    """From rows of the view `sft`: one of each turn to learn, those of a dialogue one after the other and all there."""
    ids = rows["dialogue_id"].to_pylist()
    places = pc.list_value_length(rows["prompt"]).to_pylist()
    start = 0
    for row, dialogue_id in enumerate(ids):
        if row + 1 < len(ids) and ids[row + 1] == dialogue_id:
            continue
        last = rows.slice(row, 1).select(["prompt", "completion"]).to_pylist()[0]
        yield Whole(dialogue_id, last["prompt"] + last["completion"], frozenset(places[start : row + 1]))
        start = row + 1


def _all_learnt(dialogue: Whole, lost: Counter[str]) -> bool:
    said = [place for place, message in enumerate(dialogue.messages) if message["role"] == "assistant"]
    if dialogue.learnt.issuperset(said):
        return True
    lost["turn_not_to_learn"] += 1
    return False


def _prompted(rows: pa.Table, lost: Counter[str]) -> pa.Table:
    """Without rows in which the learner speaks first: chat templates and trainers fail on an empty prompt."""
    kept = rows.filter(pc.greater(pc.list_value_length(rows["prompt"]), 0))
    if rows.num_rows > kept.num_rows:
        lost["no_prompt"] += rows.num_rows - kept.num_rows
    return kept


def _struct(columns: dict[str, Any]) -> pa.StructArray:
    whole = {name: c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for name, c in columns.items()}
    return pa.StructArray.from_arrays(list(whole.values()), list(whole))

"""One dialogue with everything a run found out about it, and its row in the dialogue table. Without Arrow: workers make
rows; who reads or writes Parquet has the schema (`schemas.table`).
"""

from typing import Any

import orjson

from schemas.dialogue import Dialogue, Ending, Origin, Turn
from schemas.judgement import Realism, RewardValue, Selection
from schemas.scenario import Scenario, Value, Verifier

_TURN_JSON = ("labels", "state", "belief")


class Record(Value):
    """One row: a dialogue with everything the run found out about it."""

    dialogue: Dialogue
    recipe: str = ""
    round: int = 0
    split: str | None = None
    labels: dict[str, str] | None = None
    """Head name -> label; None before realism, or without a reference."""
    realism: Realism | None = None
    rewards: tuple[RewardValue, ...] = ()
    selection: Selection | None = None
    """None before selection."""


def to_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _turn_row(turn: Turn) -> dict[str, Any]:
    row = turn.model_dump(mode="json")
    for name in _TURN_JSON:
        row[name] = None if row[name] is None else to_json(row[name])
    return row


def _turn(row: dict[str, Any]) -> Turn:
    given = {k: v for k, v in row.items() if v is not None}
    for name in _TURN_JSON:
        if name in given:
            given[name] = orjson.loads(given[name])
    return Turn.model_validate(given)


def messages(dialogue: Dialogue) -> list[dict[str, str]]:
    """The public conversation as trainers want it: learner = assistant, everybody else = user; silences and events
    carry no message.
    """
    role = {dialogue.learner: "assistant"}
    return [
        {"role": role.get(t.role, "user"), "content": t.text}
        for t in dialogue.turns
        if t.kind == "utterance" and t.text is not None
    ]


def to_row(record: Record) -> dict[str, Any]:
    dialogue, scenario = record.dialogue, record.dialogue.scenario
    return {
        **{n: getattr(scenario, n) for n in _SCENARIO_COLUMNS},
        "dialogue_id": dialogue.id,
        "round": record.round,
        "recipe": record.recipe,
        "split": record.split,
        "learner": dialogue.learner,
        "partner": dialogue.partner,
        "messages": messages(dialogue),
        "verifier": None if scenario.verifier is None else to_json(scenario.verifier.model_dump()),
        "facts": [f.model_dump() for f in scenario.facts],
        "session_latents": to_json(scenario.session_latents),
        "views": to_json({role: v.model_dump(mode="json") for role, v in scenario.views.items()}),
        "plan": to_json(scenario.plan),
        "turns": [_turn_row(t) for t in dialogue.turns],
        "ending": dialogue.ending.model_dump(),
        "outcome": to_json(dialogue.outcome),
        "success": dialogue.outcome.get("success"),
        "labels": None if record.labels is None else to_json(record.labels),
        "realism": _dump_realism(record.realism),
        "rewards": [{**r.model_dump(mode="json"), "parts": to_json(r.parts)} for r in record.rewards],
        "selection": None if record.selection is None else record.selection.model_dump(),
        "origin": None if dialogue.origin is None else dialogue.origin.model_dump(),
    }


_SCENARIO_COLUMNS = (
    "group_id",
    "sibling",
    "policy",
    "index",
    "family",
    "domain",
    "base_case_id",
    "scenario_id",
    "seed",
    "goal",
    "max_turns",
)


def _dump_realism(realism: Realism | None) -> dict[str, Any] | None:
    return None if realism is None else {**realism.model_dump(), "scores": to_json(realism.scores)}


def from_row(row: dict[str, Any]) -> Record:
    """The inverse of `to_row`."""
    scenario = Scenario.model_validate(
        {
            **{n: row[n] for n in _SCENARIO_COLUMNS},
            "dialogue_id": row["dialogue_id"],
            "views": orjson.loads(row["views"]),
            "session_latents": orjson.loads(row["session_latents"]),
            "plan": orjson.loads(row["plan"]),
            "verifier": None if row["verifier"] is None else Verifier.model_validate_json(row["verifier"]),
        }
    )
    realism = row["realism"]
    return Record(
        dialogue=Dialogue(
            scenario=scenario,
            turns=tuple(_turn(t) for t in row["turns"]),
            ending=Ending.model_validate(row["ending"]),
            learner=row["learner"],
            partner=row["partner"],
            outcome=orjson.loads(row["outcome"]),
            origin=None if row["origin"] is None else Origin.model_validate(row["origin"]),
        ),
        recipe=row["recipe"],
        round=row["round"],
        split=row["split"],
        labels=None if row["labels"] is None else orjson.loads(row["labels"]),
        realism=None
        if realism is None
        else Realism.model_validate({**realism, "scores": orjson.loads(realism["scores"])}),
        rewards=tuple(RewardValue.model_validate({**r, "parts": orjson.loads(r["parts"])}) for r in row["rewards"]),
        selection=None if row["selection"] is None else Selection.model_validate(row["selection"]),
    )

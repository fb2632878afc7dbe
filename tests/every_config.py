"""A published run with rows in every config, made of hand-built records."""

from pathlib import Path

from dialogue_samples import branch
from published_samples import published_run
from trainer_samples import sibling

from outputs.manifest import read_manifest
from pipelines.publishing import present
from pipelines.rundir import RunDir
from schemas.dialogue import Turn
from schemas.judgement import RewardValue
from schemas.record import Record

GROUPS = range(30, 54)
"""Their base cases lie in all three splits."""


def run_with_every_config(path: Path, **manifest: object) -> Path:
    """As `overture run` leaves it. Some rows lie in `rejected/` and in `branches/`."""
    records = [_labelled(sibling(group, asks), other=group // 2 % 2 == 1) for group in GROUPS for asks in (True, False)]
    records[8:10] = map(_primed, records[8:10])
    dropped = [r.dialogue.id for r in records[-2:]]
    published_run(path, [*records, branch(records[0], 0)], dropped, **manifest)
    present(RunDir(path), read_manifest(path / "manifest.json"))
    return path


def _labelled(record: Record, other: bool) -> Record:
    """Hindsight says one thing or the other of the first answer, and the last word is said or not, for all that shows."""
    parts = {
        "decision": "continue" if record.dialogue.turns[1].facts_asked else "stop",
        "decision_truth": "continue" if other else "stop",
    }
    due = RewardValue(name="learn_to_ask", scope="turn", turn=1, value=1.0, parts=parts)
    thanks = Turn(role="student", text="Thanks.", decision="speak")
    last = Turn(role="student", kind="silence", decision="silent") if other else thanks
    dialogue = record.dialogue.model_copy(update={"turns": (*record.dialogue.turns, last)})
    return record.model_copy(update={"dialogue": dialogue, "rewards": (*record.rewards, due)})


def _primed(record: Record) -> Record:
    turns = [
        t.model_copy(update={"labels": {"question_substituted": True}}) if t.facts_asked else t
        for t in record.dialogue.turns
    ]
    dialogue = record.dialogue.model_copy(update={"turns": tuple(turns), "outcome": {"success": True}})
    return record.model_copy(update={"dialogue": dialogue})

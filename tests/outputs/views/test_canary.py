"""What one side knew is in no view but the private one: a word planted in every private place must not come out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from view_samples import of_turn, table_file

from outputs.columns import PRIVATE
from outputs.views.public import LEAVES, READ, leaves
from outputs.views.reading import made
from outputs.views.registry import PUBLISHED, VIEWS
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.identity import stable_hash
from schemas.judgement import Realism, RewardValue, Selection
from schemas.record import Record
from schemas.scenario import Fact, Scenario, Verifier, View

CANARY = "kanarienvogel"
ANSWERS = {"ground_truth", "verifier"}
"""Of the view `prompts`: what checks an answer, never a part of the prompt."""


def planted(number: int) -> Record:
    """Public words without it, and everything else with it; siblings differ, so that they make pairs."""
    word = f"{CANARY} {number}"
    odd, said = number % 2, f"Is it number {number}?" if number % 2 else f"It is {number}."
    fact = Fact(id=f"{CANARY}-f", holder="teacher", slot=word, value=word, text=word)
    private = {"thought": word, "state": {word: word}, "belief": {word: 1.0}, "prompt_hash": CANARY, "model": CANARY}
    labels = {"clean": word, "says": word, "withheld": [word], "asks": True, word: True, "clairvoyant": False}
    hidden: dict[str, Any] = {**private, "labels": labels, "intent_requested": CANARY, "answer": word}
    ids = {"facts_asked": (fact.id,), "facts_disclosed": (fact.id,), "facts_volunteered": (fact.id,)}
    parts = {"candidates": [_candidate(said, 0.0, word), _candidate("Which one?", 1.0, word)], CANARY: word}
    decided = {"decision": "continue", "decision_truth": "stop", "info_truth": [fact.id], "oracle_truth": [word]}
    scenario = Scenario(
        family="tutoring",
        domain="trains",
        base_case_id=f"case-{number // 4}",
        seed=number,
        goal=word,
        views={
            "teacher": View(role="teacher", brief=word, public=CANARY, facts=(fact,), private={CANARY: word}),
            "student": View(role="student", brief=word),
        },
        session_latents={"style": word},
        verifier=Verifier(kind="text", answer=CANARY),
        plan={"path": [CANARY]},
        scenario_id=stable_hash("s", number // 2),
        group_id=stable_hash("g", number // 2),
        dialogue_id=stable_hash("d", number),
    )
    return Record(
        dialogue=Dialogue(
            scenario=scenario,
            turns=(
                Turn(role="teacher", text="How much?", **hidden, **ids),
                Turn(role="student", text=said, decision="speak", **hidden, **ids),
                Turn(role="teacher", text="No.", decision=CANARY, **hidden, **ids),
                Turn(role="student", kind="silence", **hidden, **ids),
            ),
            ending=Ending(reason="goal_reached", detail=word),
            learner="student",
            partner="teacher",
            outcome={"success": bool(odd), "answer": word},
        ),
        split="train",
        labels={"question": word},
        realism=Realism(scores={CANARY: 1.0}, reason=word),
        rewards=(
            of_turn("multiturn_aware", 1, 0.0, **parts),
            of_turn("learn_to_ask", 1, 1.0, **decided),
            of_turn("stop_decision", 1, float(odd), due=word),
            RewardValue(name="success", value=float(odd), parts={"answer": word}),
        ),
        selection=Selection(keep=True),
    )


def _candidate(text: str, value: float, word: str) -> dict[str, Any]:
    return {"text": text, "mr_samples": [value], "mr_mean": value, "mr_stderr": None, "reason": word}


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_file(tmp_path_factory.mktemp("canary") / "all.parquet", (planted(n) for n in range(1000)))


def words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (name, *words(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_canary_in_every_private_field_of_a_thousand_dialogues_is_in_no_public_view(
    dialogues: Path, tmp_path: Path, name: str
):
    rows = [row for table in made(VIEWS[name], [dialogues], tmp_path) for row in table.to_pylist()]
    assert len(rows) > 100 or name == "sft_primed"
    for row in rows:
        left = {column: value for column, value in row.items() if column not in ANSWERS}
        assert CANARY not in orjson.dumps([*words(left)]).decode()


def test_it_is_in_the_private_one_and_in_what_checks_an_answer(dialogues: Path, tmp_path: Path):
    (one, *_) = made(VIEWS["distillation"], [dialogues], tmp_path)
    assert CANARY in orjson.dumps([*words(one.slice(0, 1).to_pylist())]).decode()
    (prompts, *_) = made(VIEWS["prompts"], [dialogues], tmp_path)
    assert set(prompts["ground_truth"].to_pylist()) == {CANARY}


def test_of_private_columns_only_these_are_read():
    read = leaves(LEAVES)
    held = {leaf for leaf in read if leaf.split(".")[0] in PRIVATE and not leaf.startswith("turns.")}
    assert held == {"views", "plan", "verifier"}, "whether two cases are the same, and what checks an answer"
    assert {leaf for leaf in read if leaf.startswith("turns.")} == set(LEAVES["turns"])
    assert not {leaf.split(".")[0] for leaf in READ} & PRIVATE

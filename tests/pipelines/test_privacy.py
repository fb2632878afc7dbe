"""`overture privacy`: personal data counted in every column and masked in every column; flags of judges told."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dialogue_samples import branch, conversation, dialogue_id, many
from played import Embedder
from published_samples import published_run

from outputs.manifest import read_manifest
from outputs.store import read_records
from pipelines.privacy import UNSAFE
from rewards.grading import read_grader
from rewards.judged import Judged
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import JUDGE, Services
from schemas.errors import InvalidOutput
from schemas.judgement import RewardValue
from schemas.record import Record

Overture = Callable[..., tuple[int, str, str]]
UNSAFE_GRADER = Path(__file__).parents[2] / "recipes" / "graders" / "unsafe.yaml"
GLUED = "NL91ABNA0417164300NL91ABNA0417164300"
MAIL, PHONE, CARD = "jo.smith@example.net", "(212) 555-0147", "4111 1111 1111 1111"


def planted(record: Record) -> Record:
    """Said, thought, planned, known and labelled: in each a mail address; the card is in a label's clean form alone."""
    dialogue = record.dialogue
    first = dialogue.turns[0]
    labels = {**first.labels, "clean": f"my card is {CARD}", "glued": [GLUED]}
    said = first.model_copy(update={"text": f"I am {MAIL} or {PHONE}", "thought": f"{MAIL}!", "labels": labels})
    views = {
        role: view.model_copy(update={"brief": f"You are {MAIL}.", "private": {"note": MAIL}})
        for role, view in dialogue.scenario.views.items()
    }
    plan = {**dialogue.scenario.plan, "contact": [{"mail": MAIL}]}
    scenario = dialogue.scenario.model_copy(update={"goal": f"Write to {MAIL}.", "views": views, "plan": plan})
    changed = dialogue.model_copy(
        update={"turns": (said, *dialogue.turns[1:]), "scenario": scenario, "outcome": {"told": MAIL}}
    )
    parts = {"answers": [f"{MAIL} is named"]}
    reward = RewardValue(name="judged", value=1.0, parts=parts, grader="model")
    return record.model_copy(update={"dialogue": changed, "rewards": (*record.rewards, reward)})


class Judge:
    """Answers with the number of a choice, or not at all."""

    def __init__(self, answer: int | None):
        self._answer = answer

    async def ask(self, request: ChatRequest) -> ChatReply:
        if self._answer is None:
            raise InvalidOutput("I cannot read this", "refused")
        return ChatReply(str(self._answer), "reader", "stop", prompt_tokens=9, completion_tokens=1, data=self._answer)


def judged(record: Record, answer: int | None) -> Record:
    """By the grader that comes with the recipes: 1 is Yes, 2 No."""
    services = Services(chat={JUDGE: Judge(answer)}, embed=Embedder())
    values = asyncio.run(Judged(grader=UNSAFE_GRADER).annotate(record.dialogue, services))
    return record.model_copy(update={"rewards": (*record.rewards, *values)})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lessons = [judged(r, answer) for r, answer in zip(many(6), [2, 2, 1, 2, None, 2], strict=True)]
    chats = [planted(conversation(30)), conversation(31), planted(conversation(32))]
    rows = [*lessons, *chats, branch(planted(conversation(31)), 0)]
    return published_run(tmp_path_factory.mktemp("runs") / "chats", rows, [dialogue_id(32)])


def rows(run: Path, folder: str) -> dict[str, Record]:
    return {r.dialogue.id: r for r in read_records(sorted((run / folder).glob("*.parquet")))}


def test_finds_are_counted_by_kind_dialogue_and_place_and_the_data_itself_is_never_told(
    run: Path, tmp_path: Path, overture: Overture
):
    code, told, _ = overture("privacy", run, "--found", tmp_path / "found.jsonl")
    assert code == 0 and "names, addresses in words" in told
    places = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert {p["dialogue_id"] for p in places} == {dialogue_id(30)}
    kinds = [p["kind"] for p in places]
    assert kinds.count("phone") == 1 and kinds.count("card_number") == 1 and kinds.count("email") >= 8
    assert {"goal", "turns[0].text", "turns[0].thought", "outcome.told", "plan.contact[0].mail"} <= {
        p["where"] for p in places if p["kind"] == "email"
    }
    assert f"{kinds.count('email')} email, {kinds.count('email') - 1} of them in private columns" in told
    assert "1 of 8 dialogues, 1 of 5 base cases (20.0%, 95% interval" in told
    assert "No url user info, us ssn, ip address in 8 dialogues, 0 of 5 base cases (0.0%, 95%" in told
    assert not any(secret in text for secret in (MAIL, PHONE, CARD) for text in (told, str(places)))


def test_masked_rows_have_it_in_no_column_and_are_else_the_same(run: Path, tmp_path: Path, overture: Overture):
    out = tmp_path / "masked"
    assert overture("privacy", run, "--mask", "--out", out)[0] == 0
    for folder in ("data", "rejected", "branches"):
        before, after = rows(run, folder), rows(out, folder)
        assert before.keys() == after.keys() and before
        for name, record in after.items():
            text = record.model_dump_json()
            assert not any(secret in text for secret in (MAIL, PHONE, CARD))
            changed = MAIL in before[name].model_dump_json()
            assert changed == (record != before[name])
    said = rows(out, "data")[dialogue_id(30)].dialogue.turns[0]
    assert said.text == "I am [email] or [phone]" and said.labels["clean"] == "my card is [card_number]"
    assert said.labels["glued"] == ["[iban][iban]"]
    for file in out.rglob("*"):
        assert not file.is_file() or MAIL.encode() not in file.read_bytes()
    manifest = read_manifest(out / "manifest.json")
    assert manifest.accepted == 8 and any("masked as [email]" in limit for limit in manifest.limits)
    told = overture("privacy", out)[1]
    assert "No url user info, email," in told


def test_what_a_judge_flagged_is_counted_and_nothing_is_dropped_for_it(run: Path, overture: Overture):
    told = overture("privacy", run)[1]
    assert "Unsafe content, as judged: 4 No, 1 Yes, 1 none (refused); nobody has shown" in told
    assert sum(r.selection is not None and r.selection.keep for r in rows(run, "data").values()) == 8


def test_the_grader_that_comes_with_the_recipes_judges_whole_dialogues_under_the_name_that_is_counted():
    grader = read_grader(UNSAFE_GRADER)
    assert (grader.judges, grader.scope) == (UNSAFE, "dialogue")
    assert [(c.name, c.value) for c in grader.choices] == [("Yes", 1), ("No", 0)]


def test_without_judgements_it_says_how_to_get_them(tmp_path: Path, overture: Overture):
    run = published_run(tmp_path / "run", many(2))
    assert "nobody judged it; overture score --grader recipes/graders/unsafe.yaml" in overture("privacy", run)[1]


def test_a_mask_needs_a_place(run: Path, overture: Overture):
    code, _, told = overture("privacy", run, "--mask")
    assert code == 2 and "--mask and --out DIR go together" in told
    code, _, told = overture("privacy", run, "--region", "Germany")
    assert code == 2 and "--region 'Germany' is no country" in told

"""`overture hindsight`: experts' dialogues become contexts, by program and by a judge that may fail."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from corpus_samples import row as corpus_row
from corpus_samples import write as write_corpus
from hypothesis import given
from hypothesis import strategies as st
from scripted_replies import digest
from scripted_server import ScriptedServer

from pipelines.hindsight import Order, hindsight
from pipelines.hindsight_logs import Log, Said, read_logs
from pipelines.hindsight_reading import Phase, Reading, phase, questions, read
from pipelines.hindsight_rows import HINDSIGHT, Pool, cuts, overlap
from schemas.errors import DataError, ServerError

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
VISIT = (
    ("assistant", "Hello, how can I help?"),
    ("user", "My head hurts."),
    ("assistant", "Sorry to hear that. When did the headache start?"),
    ("user", "Two days ago."),
    ("assistant", "OK."),
    ("assistant", "Do you have any allergies?"),
    ("user", "No."),
    ("assistant", "Do you smoke?"),
    ("user", "Yes."),
    ("assistant", "I think this is a migraine. You should take some tablets."),
    ("user", "Fine."),
    ("assistant", "Come back if it gets worse. Do you have any questions?"),
    ("user", "No."),
)
REPAIR = (
    ("user", "My bicycle squeaks."),
    ("assistant", "Which brake is squeaking?"),
    ("user", "The front one."),
    ("assistant", "How old are the brake pads?"),
    ("user", "Three years."),
    ("assistant", "I would recommend new pads. We can order them."),
)


def messages(said: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in said]


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    both = (
        {"dialogue_id": "visit", "messages": messages(VISIT)},
        {"dialogue_id": "bike", "messages": messages(REPAIR)},
    )
    return lines(tmp_path / "talks.jsonl", *both)


def made(order: Order) -> list[dict[str, Any]]:
    assert hindsight(order) == 0
    table = pq.read_table(order.out)
    assert table.schema.equals(HINDSIGHT)
    return table.to_pylist()


def candidate(row: dict[str, Any], source: str) -> dict[str, Any]:
    [found] = [c for c in row["candidates"] if c["source"] == source]
    return found


def test_a_dialogue_is_cut_where_the_expert_speaks_until_the_asking_ends(logs: Path, tmp_path: Path) -> None:
    rows = [r for r in made(Order(logs, tmp_path / "out.parquet")) if r["dialogue_id"] == "visit"]
    assert [(r["turn"], r["asks"], r["decision_truth"]) for r in rows] == [
        (0, False, "continue"),
        (2, True, "continue"),
        (4, True, "continue"),
        (7, True, "continue"),
        (9, False, "stop"),
    ]
    assert [r["cid"] for r in rows] == ["visit_0", "visit_2", "visit_4", "visit_7", "visit_9"]
    assert rows[2]["question"] == "OK. Do you have any allergies?"
    assert [[a["slot"] for a in r["info_truth"]] for r in rows][1:] == [
        ["When did the headache start?", "Do you have any allergies?", "Do you smoke?"],
        ["Do you have any allergies?", "Do you smoke?"],
        ["Do you smoke?"],
        [],
    ]
    assert rows[1]["info_truth"][2] == {"turn": 7, "slot": "Do you smoke?", "value": "Yes."}


def test_the_future_is_strictly_after_the_context(logs: Path, tmp_path: Path) -> None:
    for row in made(Order(logs, tmp_path / "out.parquet")):
        said = VISIT if row["dialogue_id"] == "visit" else REPAIR
        assert row["context"] == messages(said[: row["turn"]])
        assert row["question"].startswith(said[row["turn"]][1])
        assert all(asked["turn"] >= row["turn"] for asked in row["info_truth"])


def test_questions_are_graded_by_words_and_one_from_another_dialogue_earns_least(logs: Path, tmp_path: Path) -> None:
    rows = made(Order(logs, tmp_path / "out.parquet"))
    asked = [r for r in rows if r["asks"]]
    assert {candidate(r, "expert")["R_a"] for r in asked} == {1.0}
    assert {candidate(r, "other")["R_a"] for r in asked} == {0.0}
    assert {(candidate(r, "expert")["reward_product"], candidate(r, "other")["reward_product"]) for r in asked} == {
        (4.0, 2.0)
    }
    [polite] = [candidate(r, "expert") for r in rows if not r["asks"] and r["decision_truth"] == "continue"]
    assert (polite["R_a"], polite["reward_product"], polite["reason"]) == (None, None, "asks_nothing")
    for row in (r for r in rows if r["decision_truth"] == "stop"):
        assert candidate(row, "expert")["reward_product"] == 4.0
        parts = [candidate(row, "other")[name] for name in ("R_s", "R_a", "P", "reward_product", "reward_sum")]
        assert parts == [0.0] * 5
    borrowed = {candidate(r, "other")["text"] for r in rows if r["dialogue_id"] == "visit"}
    assert borrowed <= {text for _, text in REPAIR}


def test_an_excerpt_tells_what_is_asked_for_and_no_decision(logs: Path, tmp_path: Path) -> None:
    rows = made(Order(logs, tmp_path / "out.parquet", excerpts=True))
    assert {r["decision_truth"] for r in rows} == {None} and {r["reason"] for r in rows} == {"excerpt"}
    assert [r["turn"] for r in rows if r["dialogue_id"] == "visit"] == [0, 2, 4, 7]
    assert {candidate(r, "expert")["R_a"] for r in rows if r["asks"]} == {1.0}
    assert {candidate(r, "expert")["reward_product"] for r in rows} == {None}


def test_contexts_keep_the_split_and_the_group_of_their_source(tmp_path: Path) -> None:
    corpus = [
        corpus_row(0, turns=0, split="test") | {"turns": [{"role": r, "text": t, "acts": []} for r, t in VISIT]},
        corpus_row(1, turns=0, split="train", meta='{"question": "squeak"}')
        | {"turns": [{"role": r, "text": t, "acts": []} for r, t in REPAIR]},
    ]
    rows = made(Order(write_corpus(tmp_path / "toy.parquet", corpus), tmp_path / "out.parquet"))
    assert {(r["dialogue_id"], r["split"], r["source"]) for r in rows} == {
        ("toy:0", "test", "toy"),
        ("toy:1", "train", "toy"),
    }
    assert len({(r["group_id"], r["split"]) for r in rows}) == 2


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"messages": [{"role": "doctor", "content": "Hi"}]}, r"row 1: messages\[0\].role is 'doctor'; give one of"),
        ({"messages": [{"role": "user", "content": 3}]}, r"row 1: messages\[0\].content is int; give a string"),
        ({"messages": ["Hi"]}, r"row 1: messages\[0\] is no object; write one with"),
        ({"turns": []}, r"row 1: `messages` is no list; write a list of objects"),
        ([], r"row 1: `messages` is no list"),
    ],
)
def test_a_bad_row_is_named_with_its_field_before_anything_is_written(tmp_path: Path, bad: Any, told: str) -> None:
    path = lines(tmp_path / "talks.jsonl", {"messages": messages(VISIT)}, bad)
    with pytest.raises(DataError, match=rf"talks.jsonl: {told}") as raised:
        hindsight(Order(path, tmp_path / "out.parquet"))
    assert raised.value.exit_code == 2 and not (tmp_path / "out.parquet").exists()


def test_lines_that_are_no_json_ids_there_twice_and_files_without_an_expert_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"messages": [\n')
    twice = lines(tmp_path / "twice.jsonl", *[{"dialogue_id": "a", "messages": messages(VISIT)}] * 2)
    mute = lines(tmp_path / "mute.jsonl", {"messages": [{"role": "user", "content": "Hi."}]})
    for path, told in ((broken, "row 0: no JSON"), (twice, "'a' is there twice"), (mute, "no expert asks anything")):
        with pytest.raises(DataError, match=told):
            hindsight(Order(path, tmp_path / "out.parquet"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Right, OK. How long has this been going on for?", ("How long has this been going on for?",)),
        (
            "okay and then how severe is the pain on a scale of one to ten",
            ("how severe is the pain on a scale of one",),
        ),
        ("OK, and do you smoke? Do you drink?", ("do you smoke?", "Do you drink?")),
        ("let me do a quick physical exam", ("let me do a quick physical exam",)),
        ("Do you have any questions for me?", ()),
        ("Does that sound OK?", ()),
        ("May I confirm your name and date of birth, please?", ()),
        ("You should come back when it gets worse.", ()),
        ("Mm-hmm.", ()),
    ],
)
def test_questions_about_the_case_are_told_from_courtesies(text: str, found: tuple[str, ...]) -> None:
    assert len(questions(text)) == len(found)
    assert all(one.startswith(wanted) for one, wanted in zip(questions(text), found, strict=True))


def test_a_question_or_two_amid_the_plan_does_not_prolong_the_asking_and_three_do() -> None:
    plan, ask = Reading(-1), Reading(1)
    asked = [ask] * 3 + [plan]
    assert phase([*asked, ask, plan, plan]) == Phase(3, 3)
    assert phase([*asked, ask, ask, ask, plan]) == Phase(7, 7)
    assert phase([plan, plan]) == Phase(0, 0)
    assert read("I think you have an infection. You should take these tablets.", None).evidence == -1


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=8))
def test_no_other_end_of_the_asking_fits_better(evidence: list[int]) -> None:
    found = phase([Reading(e) for e in evidence])

    def fit(end: int) -> int:
        return sum(evidence[:end]) - sum(evidence[end:])

    assert found.least == found.most and fit(found.least) == max(map(fit, range(len(evidence) + 1)))


@given(st.lists(st.sampled_from([-1, 0, 1, None]), max_size=8))
def test_turns_that_could_not_be_read_leave_the_end_between_two(evidence: list[int | None]) -> None:
    readings = [None if e is None else Reading(e, (("x", None),) if e > 0 else ()) for e in evidence]
    ends = phase(readings)
    talk = tuple(s for n in range(len(evidence)) for s in (Said(2 * n, True, "t"), Said(2 * n + 1, False, "u")))
    found = cuts(Log("d", "d", "toy", "train", talk), readings, excerpt=False)
    for either in (-1, 0, 1):
        known = phase([r or Reading(either) for r in readings])
        assert ends.least <= known.least <= ends.most
    for n, cut in enumerate(found):
        unknown = ends.least < ends.most and n >= ends.least
        assert cut.decision == (None if unknown else "stop" if n == ends.most else "continue")
        lost = unknown or any(r is None for r in readings[n : ends.most])
        assert (cut.info is None) == lost == (cut.reason == "unread_turns")


def test_overlap_is_graded_by_what_the_words_are_about() -> None:
    slots = ("Do you have any allergies to medication?", "how often do you smoke")
    assert overlap("Are you allergic to any medications?", ("any medication?",)) >= 0.5
    assert overlap("Do you smoke?", slots) == 1.0
    assert overlap("Is the medication in your bag?", slots) == 0.5
    assert overlap("Which brake squeaks?", slots) == 0.0


def nonsense(body: dict[str, Any]) -> bool:
    """Of one in ten requests of a judge, whatever the attempt."""
    return digest(body["messages"]) % 10 == 0


def judge(body: dict[str, Any]) -> str | dict[str, Any]:
    """Reads and grades as the words say; asks one question, then stops."""
    system, last = body["messages"][0]["content"], body["messages"][-1]["content"]
    if system.startswith("An expert talks"):
        expert = next(line for line in last.splitlines() if line.startswith("Expert: "))
        does = "asks" if expert.endswith("?") and "question" not in expert else "tells" if "I " in expert else "other"
        return {"does": does, "asked": [{"slot": expert[8:60], "value": "yes"}] if does == "asks" else []}
    if system.startswith("You are shown"):
        listed, _, asked = last.partition("\n\nQuestion: ")
        return json.dumps("precise" if asked[:40] in listed else "neither")
    return "STOP" if "smoke" in last else "Do you sleep well?"


def failing(body: dict[str, Any]) -> str | dict[str, Any]:
    return "no idea" if nonsense(body) else judge(body)


def recipe(folder: Path, base_url: str) -> Path:
    """Only the judge and the student are asked; the embedder and the teacher are nowhere."""
    nowhere = {"use": "remote", "base_url": "http://127.0.0.1:9", "model": "nobody"}
    data = {
        "target": 4,
        "families": [{"use": "generators.families.tutoring.Tutoring"}],
        "models": {"default": nowhere, "small": {"use": "remote", "base_url": base_url, "model": "scripted"}},
        "roles": {"judge": "small", "student": "small"},
        "embedder": nowhere,
    }
    (folder / "judge.yaml").write_text(yaml.safe_dump(data))
    return folder / "judge.yaml"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    talks: list[Any] = []
    for n in range(40):
        said = tuple((role, text.replace("headache", f"headache{n}")) for role, text in VISIT)
        talks.append({"dialogue_id": f"visit{n}", "messages": messages(said)})
    return lines(tmp_path / "many.jsonl", *talks)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(judge) as running:
        yield running


def test_a_judge_reads_and_grades_and_a_model_asks(logs: Path, tmp_path: Path, server: ScriptedServer) -> None:
    rows = made(Order(logs, tmp_path / "out.parquet", recipe(tmp_path, server.base_url)))
    visit = [r for r in rows if r["dialogue_id"] == "visit"]
    assert [(r["turn"], r["decision_truth"]) for r in visit][1:] == [
        (2, "continue"),
        (4, "continue"),
        (7, "continue"),
        (9, "stop"),
    ]
    assert all(r["extractor"].startswith("scripted ") for r in rows)
    for row in visit[1:-1]:
        asked = candidate(row, "model")
        assert (asked["text"], asked["decision"], asked["R_a"]) == ("Do you sleep well?", "continue", 0.0)
        assert asked["grader"].startswith("scripted ")
        assert candidate(row, "expert")["R_a"] == 1.0
    stop = candidate(visit[-1], "model")
    assert (stop["text"], stop["decision"], stop["reward_product"]) == ("STOP", "stop", 4.0)


def test_a_judge_that_fails_leaves_its_rows_empty_with_reasons_and_means_without_them(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer(failing, error_rate=0.1) as server:
        rows = made(Order(many, tmp_path / "out.parquet", recipe(tmp_path, server.base_url)))
        refused = {digest(body["messages"]) for body in server.requests if nonsense(body)}
    assert refused
    graded = [candidate(r, "other") for r in rows if r["info_truth"] and r["decision_truth"] == "continue"]
    failed = [c for c in graded if c["R_a"] is None]
    assert 0.02 < len(failed) / len(graded) < 0.25
    assert {c["reason"] for c in failed} == {"invalid_json"}
    assert {c["reward_product"] for c in failed} == {None} and {c["R_a"] for c in graded} == {None, 0.0, 1.0}
    for row in rows:
        assert (row["reason"] == "unread_turns") == (row["info_truth"] is None or row["decision_truth"] is None)
        for c in row["candidates"]:
            assert (c["R_a"] is None) <= (c["reason"] is not None)
            assert (c["reward_product"] is None) == any(c[name] is None for name in ("R_s", "R_a", "P"))
    told = " ".join(capsys.readouterr().out.split())
    missing = sum(candidate(r, "other")["R_a"] is None for r in rows)
    assert f"{missing / len(rows):.1%}" in told and "invalid_json" in told and "unread_turns" in told


def test_a_server_that_falters_costs_no_row(many: Path, tmp_path: Path, server: ScriptedServer) -> None:
    path = recipe(tmp_path, server.base_url)
    whole = made(Order(many, tmp_path / "whole.parquet", path, limit=6))
    server.behave(error_rate=0.3)
    assert made(Order(many, tmp_path / "faltering.parquet", path, limit=6)) == whole


def test_what_was_answered_is_not_asked_again(many: Path, tmp_path: Path) -> None:
    left = iter(range(60))

    def locked(body: dict[str, Any]) -> Any:
        return 401 if next(left, None) is None else judge(body)

    order = Order(many, tmp_path / "out.parquet", recipe(tmp_path, ""), limit=8)
    with ScriptedServer(locked) as short, pytest.raises(ServerError):
        hindsight(replace(order, model=recipe(tmp_path, short.base_url)))
    assert not order.out.exists() and next(left, None) is None
    with ScriptedServer(judge) as alive:
        recipe(tmp_path, alive.base_url)
        first = made(order)
        asked = alive.log()["requests"]
        assert made(order) == first and alive.log()["requests"] == asked
    with ScriptedServer(judge) as fresh:
        recipe(tmp_path, fresh.base_url)
        assert made(replace(order, out=tmp_path / "fresh.parquet")) == first
        assert asked == fresh.log()["requests"] - 60


def test_other_questions_come_from_other_groups_of_the_same_source() -> None:
    def log(name: str, group: str, source: str) -> Log:
        return Log(name, group, source, "train", (Said(0, True, f"Do you like {name}?"), Said(1, False, "Yes.")))

    held = [log("tea", "g1", "x"), log("milk", "g1", "x"), log("rum", "g2", "x"), log("oil", "g3", "y")]
    pool = Pool(held)
    [cut] = cuts(held[0], [Reading(1, (("tea", None),))], excerpt=False)
    assert pool.other(cut).text == "Do you like rum?"
    [alone] = cuts(held[3], [Reading(1, (("oil", None),))], excerpt=False)
    assert (pool.other(alone).text, pool.other(alone).reason) == (None, "no_other_dialogue")


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the reference corpora are not beside the repository")
@pytest.mark.parametrize("name", ["aci_bench", "primock57", "mts_dialog"])
def test_real_visits_yield_contexts_and_note_excerpts_no_decisions(name: str, tmp_path: Path) -> None:
    path = CORPORA / f"expert_intake__{name}.parquet"
    rows = made(Order(path, tmp_path / "out.parquet", limit=12))
    assert len({log.dialogue_id for log in read_logs(path)}) > 40
    decided = [r["decision_truth"] for r in rows]
    if name == "mts_dialog":
        assert set(decided) == {None} and {r["reason"] for r in rows} == {"excerpt"}
    else:
        assert decided.count("stop") == len({r["dialogue_id"] for r in rows}) == 12
    assert sum(r["asks"] for r in rows) > 20 and {r["split"] for r in rows} <= {"train", "test"}


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the reference corpora are not beside the repository")
def test_the_marks_made_by_hand_name_turns_of_experts_near_which_the_cues_end_the_asking() -> None:
    with (Path(__file__).parents[2] / "docs" / "hindsight_stops.csv").open() as file:
        marks = {row["dialogue_id"]: int(row["turn"]) for row in csv.DictReader(file)}
    near = 0
    for name in ("aci_bench", "primock57"):
        for log in read_logs(CORPORA / f"expert_intake__{name}.parquet"):
            if (mark := marks.pop(log.dialogue_id, None)) is not None:
                assert next(said for said in log.said if said.turn == mark).expert
                goes = log.goes()
                end = phase([read(go.text, go.reply) for go in goes]).least
                near += abs(end - max(n for n, go in enumerate(goes) if go.turn <= mark)) <= 1
    assert not marks and near >= 28

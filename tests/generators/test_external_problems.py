import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.tasks.external import Refused, load, stream
from generators.tasks.problem import Problem
from schemas.errors import DataError

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    return path


def row(question: str = "What is 3 times 4?", answer: Any = "12", **more: Any) -> dict[str, Any]:
    return {"question": question, "answer": answer, **more}


def test_a_question_and_its_answer_make_a_problem(tmp_path: Path) -> None:
    (problem,) = load(jsonl(tmp_path / "p.jsonl", row(problem_id="a1", solution="Three fours."))).problems
    assert (problem.template_id, problem.kind, problem.public) == ("external.a1", "external", "What is 3 times 4?")
    assert (problem.solution, problem.answer_format, problem.gaps) == ("Three fours.", "a number", ())
    assert problem.verifier.check("12 dollars")


@pytest.mark.parametrize(
    ("answer", "kind", "held", "solution"),
    [
        ("She pays <<3*4=12>>12.\n#### 12", "number", "12", "She pays 12."),
        ("#### 9,000", "number", "9000", "The answer is 9000."),
        ("[8.0]", "number", "8", "The answer is 8."),
        (2.5, "number", "2.5", "The answer is 2.5."),
        ("2024-03-05", "date", "2024-03-05", "The answer is 2024-03-05."),
        ("Paris", "text", "Paris", "The answer is Paris."),
    ],
)
def test_the_answer_is_found_in_its_common_forms(
    tmp_path: Path, answer: Any, kind: str, held: str, solution: str
) -> None:
    (problem,) = load(jsonl(tmp_path / "p.jsonl", row(answer=answer))).problems
    assert (problem.verifier.kind, problem.verifier.answer, problem.solution) == (kind, held, solution)
    assert problem.verifier.check(held)


def test_choices_make_a_choice(tmp_path: Path) -> None:
    rows = [row(answer="blue", choices=["red", "blue"]), row(answer="green", choices=["red", "blue"])]
    loaded = load(jsonl(tmp_path / "p.jsonl", *rows))
    (problem,) = loaded.problems
    assert (problem.choices, problem.answer_format) == (("red", "blue"), "one of: red, blue")
    assert loaded.refused == {"no_verifiable_answer": 1}


REFUSED = [
    (row(answerable=False), "not_answerable"),
    (row(answer=None), "no_answer"),
    (row(answer="Not Available"), "no_answer"),
    (row(question=" "), "no_question"),
    (row(answer="Because the sum of the angles is fixed"), "no_verifiable_answer"),
    (row(answer="12 or 13"), "no_verifiable_answer"),
    (row(answer="First.\nSecond."), "no_verifiable_answer"),
]


def test_rows_without_a_verifiable_answer_are_refused_with_their_reason_and_counted(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "p.jsonl", row(), *(r for r, _ in REFUSED))
    first, *others = stream(path)
    assert isinstance(first, Problem)
    assert others == [Refused(n, reason) for n, (_, reason) in enumerate(REFUSED, 2)]
    assert load(path).refused == {"not_answerable": 1, "no_answer": 2, "no_question": 1, "no_verifiable_answer": 3}


def test_parquet_and_jsonl_give_the_same_problems(tmp_path: Path) -> None:
    rows = [row(f"What is {n} plus 1?", str(n + 1), problem_id=f"p{n}", meta=json.dumps({"n": n})) for n in range(2500)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    assert load(tmp_path / "p.parquet") == load(jsonl(tmp_path / "p.jsonl", *rows))


def test_variants_of_one_source_problem_share_their_template_id(tmp_path: Path) -> None:
    rows = [
        row("Version one?", problem_id="v1", meta={"task_id": "t7"}),
        row("Version two?", problem_id="v2", meta='{"task_id": "t7"}'),
        row("Another?", problem_id="v3", meta="not json"),
        row("Nameless?"),
        row("Nameless?"),
    ]
    ids = [p.template_id for p in load(jsonl(tmp_path / "p.jsonl", *rows)).problems]
    assert ids[:3] == ["external.t7", "external.t7", "external.v3"]
    assert ids[3] == ids[4] != ids[2]


def test_a_limit_reads_no_further_than_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(orjson.dumps(row()) + b"\n\n" + orjson.dumps(row()) + b"\nnot json\n")
    assert len(load(path, limit=2).problems) == 2
    with pytest.raises(DataError, match="line 4 is not JSON"):
        load(path)


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ({"answer": "def f():\n    return 1", "tests": "assert f() == 1"}, None),
        ({"answer": "def f() return 1", "tests": "assert f() == 1"}, "not_python"),
        ({"answer": "x = 1", "tests": "assert f( == 1"}, "not_python"),
        ({"answer": "x = '\0'", "tests": "assert x"}, "not_python"),
        ({"answer": "", "tests": "assert x"}, "no_answer"),
    ],
)
def test_a_row_with_tests_is_answered_by_a_program(tmp_path: Path, row: dict[str, str], refused: str | None) -> None:
    path = tmp_path / "programs.jsonl"
    path.write_bytes(orjson.dumps({"question": "Write f.", **row}))
    (found,) = stream(path)
    if refused is not None:
        assert found == Refused(1, refused)
        return
    assert isinstance(found, Problem) and found.answer_format == "a Python program"
    assert (found.verifier.kind, found.verifier.tests) == ("python", row["tests"])
    with pytest.raises(ValueError, match="run"):
        found.verifier.check(row["answer"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no problem with an answer that can be checked .it is empty"),
        (b'{"question": "Why?", "answer": null}', "1 no_answer"),
        (b'{"question": "Why?", "answr": "12"}', "no column 'answer' in line 1; did you mean 'answr'"),
        (b"[1, 2]", "line 1 is not a JSON object"),
        (b"\xff\xfe", "line 1 is not JSON"),
    ],
)
def test_a_jsonl_file_that_cannot_be_used_gets_one_clear_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert "bad.jsonl" in str(caught.value)


def test_a_parquet_file_that_cannot_be_used_gets_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    with pytest.raises(DataError, match="no such problem file"):
        load(path)
    pq.write_table(pa.table({"question": ["Why?"], "reply": ["12"]}), path)
    with pytest.raises(DataError, match="no column 'answer'"):
        load(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not readable as Parquet"):
        load(path)
    with pytest.raises(DataError, match="no such problem file"):
        load(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not on this machine")
@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("gsm8k_sample", 998, {}),
        ("gsm8k_sharded", 795, {}),
        ("flawed_math", 1945, {"not_answerable": 2650}),
    ],
)
def test_shared_problem_files_load_with_answers_that_check(name: str, accepted: int, refused: dict[str, int]) -> None:
    loaded = load(CORPORA / f"problems__{name}.parquet")
    assert len(loaded.problems) == accepted
    assert loaded.refused == refused
    assert all(p.verifier.check(p.verifier.answer) for p in loaded.problems)

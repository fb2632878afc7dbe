"""`overture calibrate`: what it says of judges whose errors are known, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_judge import grader, judge, labelled, recipe
from scripted_server import ScriptedServer

from inference.transport import PATIENCE
from pipelines.calibrate import Order, calibrate
from pipelines.calibrate_figures import Pair, agreement, by_length, majority, spearman
from pipelines.grader_labels import read_labels
from rewards.grading import Grader, read_grader
from schemas.errors import DataError, InputError

LIMIT_S = 120


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(judge(error=0.2)) as running:
        yield running


def order(folder: Path, server: ScriptedServer, labels: Path, **changes: Any) -> Order:
    plain = Order(grader(folder), labels, recipe(folder, server.base_url), folder / "v2.yaml")
    return replace(plain, **changes)


def made(wanted: Order) -> Grader:
    assert calibrate(wanted) == 0
    return read_grader(wanted.out)


def answers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "v2-calibration" / "answers.jsonl").read_text().splitlines()]


def test_a_judge_with_known_errors_is_found_to_have_them_and_counts(
    tmp_path: Path, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
):
    found = made(order(tmp_path, server, labelled(tmp_path / "l.jsonl", 400, second=0.7), variants=0))
    known = found.calibration
    assert known is not None and known.accuracy is not None and known.kappa is not None and known.spearman is not None
    assert known.accuracy.low < 0.8 < known.accuracy.high and known.kappa.low < 0.7 < known.kappa.high
    assert known.spearman.low > 0.5 and known.missing == {} and known.majority < 0.45
    assert known.people_accuracy is not None and known.people_accuracy.low < 0.8 < known.people_accuracy.high
    assert found.version == 2 and found.calibrated("scripted") and not found.calibrated("another")
    out = capsys.readouterr().out
    assert "Calibrated (lower bound" in out and "a second person" in out and "always the commonest label" in out


def test_a_judge_that_guesses_is_not_calibrated(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with ScriptedServer(judge(error=2 / 3)) as guesser:
        found = made(order(tmp_path, guesser, labelled(tmp_path / "l.jsonl", 120), variants=0))
    assert not found.calibrated("scripted") and found.calibration is not None
    assert "Not calibrated (lower bound" in capsys.readouterr().out


def test_the_prompt_that_works_on_dev_is_taken_and_asked_once_on_test(tmp_path: Path):
    with ScriptedServer(judge(error=0.4, cured_by="Take care")) as cured:
        wanted = order(tmp_path, cured, labelled(tmp_path / "l.jsonl", 150), variants=3)
        found = made(wanted)
    assert found.notes and not found.examples and " is " in found.notes[0]
    assert found.calibration is not None and found.calibration.accuracy is not None
    assert found.calibration.accuracy.value == 1.0 and found.calibrated("scripted")
    rows = answers(tmp_path)
    asked = {split: {r["variant"] for r in rows if r["split"] == split} for split in ("fit", "dev", "test")}
    assert asked == {"fit": {0}, "dev": {0, 1, 2, 3}, "test": {1}}
    of = {split: {r["group"] for r in rows if r["split"] == split} for split in ("fit", "dev", "test")}
    assert not of["fit"] & of["dev"] and not of["test"] & (of["fit"] | of["dev"])
    quoted = found.notes[0].split('"')[1]
    assert any(r["text"] == quoted and r["split"] == "fit" for r in rows)


def test_ten_percent_of_nonsense_is_missing_with_its_reason_and_in_no_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with ScriptedServer(judge(error=0.2, nonsense=0.1)) as babbler:
        found = made(order(tmp_path, babbler, labelled(tmp_path / "l.jsonl", 300), variants=0))
    known = found.calibration
    assert known is not None and known.accuracy is not None and set(known.missing) == {"invalid_json"}
    assert 0.03 < known.missing["invalid_json"] / known.rows["test"] < 0.2
    assert known.accuracy.low < 0.8 < known.accuracy.high
    assert f"({known.missing['invalid_json']} invalid_json)" in " ".join(capsys.readouterr().out.split())


def test_a_text_at_which_the_server_always_fails_is_missing_and_the_rest_is_measured(tmp_path: Path):
    plain = judge()

    def fails_at_one(body: dict[str, Any]) -> dict[str, Any] | str | int:
        return 500 if "0 of 7," in body["messages"][-1]["content"] else plain(body)

    with ScriptedServer(fails_at_one, latency_ms=60) as server:
        patience = replace(PATIENCE, faults_s=0.2)
        wanted = order(tmp_path, server, labelled(tmp_path / "l.jsonl", 80), variants=0, patience=patience)
        made(wanted)
    lost = [r for r in answers(tmp_path) if r["judge"]["label"] is None]
    assert [r["judge"]["missing"] for r in lost] == [["unanswered"]] and "of 7," in lost[0]["text"]


def test_what_was_answered_is_asked_once_and_faults_in_between_change_nothing(tmp_path: Path, server: ScriptedServer):
    labels = labelled(tmp_path / "l.jsonl", 60)
    first = made(order(tmp_path, server, labels, variants=1))
    asked = server.log()["answers"]
    assert made(order(tmp_path, server, labels, variants=1)) == first and server.log()["answers"] == asked
    server.behave(error_rate=0.1)
    assert made(order(tmp_path, server, labels, variants=1, out=tmp_path / "other.yaml")) == first


def test_a_killed_calibration_goes_on_where_it_was(tmp_path: Path):
    labelled(tmp_path / "l.jsonl", 90)
    with ScriptedServer(judge(error=0.2), latency_ms=40) as slow:
        wanted = order(tmp_path, slow, tmp_path / "l.jsonl")
        command = ["calibrate", wanted.grader, "--labels", wanted.labels, "--model", wanted.model, "--out", wanted.out]
        line = [sys.executable, "-P", "-m", "pipelines.cli", *map(str, command)]
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env={**os.environ}, cwd=tmp_path) as process:
            assert process.stderr is not None
            while not process.stderr.readline().startswith("dev, its own prompt"):
                pass
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=LIMIT_S)
        before = slow.log()["answers"]
        assert before > 20 and not wanted.out.exists()
        found = made(wanted)
        assert slow.log()["asked_after_answer"] <= 16, "at most what was in flight"
    assert found.calibration is not None and found.version == 2


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_labels_are_read_from_three_kinds_of_files_alike(tmp_path: Path, suffix: str):
    path = labelled(tmp_path / "l.jsonl", 40, each=2, second=0.5)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "l.parquet")
    elif suffix == "csv":
        names = ("context", "text", "label", "label2")
        quoted = [",".join(f'"{row[n]}"' for n in names) for row in rows]
        (tmp_path / "l.csv").write_text("\n".join([",".join(names), *quoted]))
    known = read_grader(grader(tmp_path))
    found = read_labels(tmp_path / f"l.{suffix}", known)
    assert found.rows == read_labels(path, known).rows and len(found.rows) == 80
    assert {len({x.split for x in found.rows if x.group == g}) for g in {x.group for x in found.rows}} == {1}


def test_messages_as_context_become_lines_and_rows_without_a_label_are_counted(tmp_path: Path):
    path = labelled(tmp_path / "l.jsonl", 40)
    said = [{"role": "user", "content": "Hello?"}]
    more = [{"context": said, "text": "t", "label": "full"}, {"text": "u", "label": None}]
    path.write_text(path.read_text() + "\n".join(json.dumps(row) for row in more))
    found = read_labels(path, read_grader(grader(tmp_path)))
    assert found.rows[-1].context == ("User: Hello?",) and found.unlabelled == 1
    assert "41 labelled texts (1 without a label left out)" in found.told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"txt": "t", "label": "full"}, "l.jsonl: column 'text' is missing; did you mean 'txt'?"),
        ({"text": "t", "label": "ful"}, "l.jsonl: row 40: label: the grader has no choice 'ful'; did you mean 'full'?"),
        ({"text": " ", "label": "full"}, "l.jsonl: row 40: text is empty"),
        (
            {"text": "t", "label": "none", "context": [3]},
            "l.jsonl: row 40: context: should be text or a list of messages",
        ),
        (["t"], "l.jsonl: row 40: should be an object"),
        ("", "l.jsonl: row 40: is not JSON"),
    ],
)
def test_a_bad_row_is_told_with_file_row_and_field(tmp_path: Path, line: Any, told: str):
    path = labelled(tmp_path / "l.jsonl", 40)
    path.write_text(path.read_text() + (json.dumps(line) if line else "{"))
    with pytest.raises(DataError) as raised:
        read_labels(path, read_grader(grader(tmp_path)))
    assert told in str(raised.value) and "\n" not in str(raised.value)


def test_too_few_contexts_and_odd_files_are_told(tmp_path: Path, server: ScriptedServer):
    known = read_grader(grader(tmp_path))
    with pytest.raises(DataError, match=r"contexts fall into \w+, at least 3 are needed"):
        read_labels(labelled(tmp_path / "few.jsonl", 2, each=30), known)
    with pytest.raises(DataError, match="no such file"):
        read_labels(tmp_path / "absent.csv", known)
    (tmp_path / "l.txt").write_text("text")
    with pytest.raises(DataError, match="cannot tell its kind"):
        read_labels(tmp_path / "l.txt", known)
    labels = labelled(tmp_path / "l.jsonl", 40)
    with pytest.raises(InputError, match="is the grader itself"):
        calibrate(order(tmp_path, server, labels, out=tmp_path / "grader.yaml"))
    (tmp_path / "other").mkdir()
    voiceless = recipe(tmp_path / "other", server.base_url, roles={"student": "default", "teacher": "default"})
    with pytest.raises(InputError, match=r"no judge; name one of its models, as --set roles\.judge=default"):
        calibrate(order(tmp_path, server, labels, model=voiceless))
    assert not server.requests


def test_agreement_is_of_contexts_not_of_rows(tmp_path: Path):
    known = read_grader(grader(tmp_path))
    draws = np.random.default_rng(3)
    right = draws.random(60) < 0.7
    alone = [Pair(str(n), "full", "full" if ok else "none") for n, ok in enumerate(right)]
    copied = [pair for pair in alone for _ in range(5)]
    one, five = agreement(alone, known, 1).accuracy, agreement(copied, known, 1).accuracy
    assert one is not None and five is not None and five.n == 60
    assert five.high - five.low == pytest.approx(one.high - one.low, rel=0.1)
    few = agreement([Pair(str(n), "full", "full") for n in range(8)], known, 1).accuracy
    assert few is not None and few.low < 0.7, "eight that agree are no proof"


def test_the_interval_holds_the_truth_where_texts_of_a_context_are_alike(tmp_path: Path):
    """Half of the contexts are easy, half are guessed at: five texts each are not five times the evidence."""
    known = read_grader(grader(tmp_path))
    held = 0
    for seed in range(40):
        draws = np.random.default_rng(seed)
        easy = draws.random(50) < 0.5
        right = [(str(n), draws.random() < (1.0 if easy[n] else 0.5)) for n in range(50) for _ in range(5)]
        pairs = [Pair(group, "full", "full" if ok else "none") for group, ok in right]
        found = agreement(pairs, known, seed).accuracy
        assert found is not None
        held += found.low <= 0.75 <= found.high
    assert 35 <= held <= 40


def test_figures_of_small_cases_are_what_they_are_by_hand(tmp_path: Path):
    known = read_grader(grader(tmp_path))
    pairs = [
        Pair(str(n), a, b, s, 0.9)
        for n, (a, b, s) in enumerate(
            [("full", "full", 1), ("none", "none", 0), ("none", "full", 1), ("some", "some", 0.5)]
        )
    ]
    found = agreement(pairs, known, 1)
    assert found.accuracy is not None and found.accuracy.value == 0.75
    assert found.kappa is not None and found.kappa.value == pytest.approx((0.75 - 0.3125) / (1 - 0.3125))
    assert found.ece is not None and found.ece.value == pytest.approx(0.15)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 2.0, 2.0]), np.array([3.0, 1.0, 1.0])) == pytest.approx(-1.0)
    assert spearman(np.ones(3), np.arange(3.0)) is None
    assert majority(["a", "a", "b"]) == pytest.approx(2 / 3)
    assert (
        by_length([("x" * n, "yes" if n > 6 else "no") for n in range(1, 13)], [("x", "no"), ("x" * 12, "yes")]) == 1.0
    )
    nobody = agreement([Pair("g", "full", None, reason="cut_short")], known, 1)
    assert nobody.accuracy is None and nobody.missing == {"cut_short": 1}

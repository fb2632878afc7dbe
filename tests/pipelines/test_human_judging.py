"""`overture judge --human`: trials that give nothing away, answers that are kept, and what they come to."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from human_samples import answered, corpus, order, sentence, serving
from talks import talk

from outputs.human_tasks import FORMATS
from pipelines import human_judging
from pipelines.human_answers import Answers
from pipelines.human_judging import judge
from pipelines.human_trials import FEATURES, MOST_CHARACTERS, MOST_TURNS, Counts, Prepared, prepare
from schemas.dialogue import Dialogue
from schemas.errors import DataError, InputError, OvertureError, RunError
from schemas.trial import Answer, Key, Trial


def dialogues(name: str, count: int, turns: int = 12) -> list[Dialogue]:
    made: list[Dialogue] = []
    for number in range(count):
        random = Random(f"{name}{number}")
        said = [(("user", "assistant")[i % 2], sentence(random)) for i in range(turns)]
        made.append(talk(*said, name=f"{name}:{number}"))
    return made


def prepared(trials: int = 40, real: int = 400) -> Prepared:
    return prepare(dialogues("synthetic", 2 * trials), dialogues("real", real), trials, 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten trials with their controls, exported in every format."""
    place = tmp_path_factory.mktemp("human") / "judging"
    for name in FORMATS:
        assert judge(order(place, export=name)) == 0
    return place


def trials_of(folder: Path) -> list[Trial]:
    return [Trial.model_validate_json(line) for line in (folder / "trials.jsonl").read_bytes().splitlines()]


def keys_of(folder: Path) -> list[Key]:
    return [Key.model_validate(key) for key in json.loads((folder / "key.json").read_bytes())["keys"]]


def answers_file(folder: Path, path: Path, raters: int = 2) -> Path:
    rows = [("trial", "rater", "choice", "seconds")]
    rows += [(t.id, f"r{r}", "left", str(4 + r)) for r in range(raters) for t in trials_of(folder)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_sides_are_balanced_lengths_equal_and_every_dialogue_is_shown_once():
    made = prepared()
    counts = Counts.of(40)
    assert Counter(k.kind for k in made.keys) == {"test": 40, "catch": counts.catch, "control": counts.control}
    for kind in ("test", "catch", "control"):
        sides = Counter(k.synthetic for k in made.keys if k.kind == kind)
        assert abs(sides["left"] - sides["right"]) <= 1
    assert all(len(t.left) == len(t.right) <= MOST_TURNS for t in made.trials)
    shown = [name for k in made.keys for name in (k.left, k.right)]
    assert len(shown) == len(set(shown))


def test_each_side_is_where_the_key_says():
    made = prepared()
    texts = {d.id: d.turns[0].text for d in (*dialogues("synthetic", 80), *dialogues("real", 400))}
    for trial, key in zip(made.trials, made.keys, strict=True):
        assert trial.id == key.trial
        synthetic, real = (key.left, key.right) if key.synthetic == "left" else (key.right, key.left)
        assert real.startswith("real:") and synthetic.startswith("synthetic:" if key.kind == "test" else "real:")
        if key.kind == "test":
            assert (trial.left[0].text, trial.right[0].text) == (texts[key.left], texts[key.right])


def test_the_broken_side_of_a_catch_trial_talks_past_the_assistant():
    made = prepared()
    people = {d.id: d for d in dialogues("real", 400)}
    for trial, key in zip(made.trials, made.keys, strict=True):
        if key.kind != "catch":
            continue
        broken = trial.left if key.synthetic == "left" else trial.right
        whole = people[key.left if broken is trial.left else key.right]
        for line, turn in zip(broken, whole.turns, strict=False):
            assert (line.text == turn.text) == (line.speaker == "assistant")


def test_neither_order_nor_id_nor_length_tells_the_sides_or_the_kinds():
    made = prepared(60, 900)
    kinds = [k.kind for k in made.keys]
    assert len({*kinds[:20]}) > 1 and kinds != sorted(kinds)
    assert {t.id for t in made.trials} == {k.trial for k in made.keys} and sorted(t.id for t in made.trials) == [
        t.id for t in made.trials
    ]
    assert all(share.value <= 0.62 for share in made.shortcuts.values()), made.shortcuts
    assert set(made.shortcuts) == set(FEATURES)


def test_a_feature_that_tells_the_sides_apart_is_found():
    wordy = [
        talk(*[(t.role, f"{t.text} {'indeed ' * 30}?") for t in d.turns], name=d.id) for d in dialogues("synthetic", 40)
    ]
    found = prepare(wordy, dialogues("real", 300), 40, 7).shortcuts
    assert found["words of the user"].value == found["question marks of the user"].value == 1.0


def test_a_seed_decides_everything_and_another_one_something_else():
    sides = dialogues("synthetic", 40), dialogues("real", 200)
    assert prepare(*sides, 10, 7) == prepare(*sides, 10, 7)
    assert prepare(*sides, 10, 7).keys != prepare(*sides, 10, 8).keys


def test_recording_marks_are_gone_on_both_sides_and_casing_too_where_one_side_has_none():
    marked = [
        talk(
            *[(t.role, f"{t.text} {{vocalsound}} <UNSURE> **bold** I 'd ask @1234 at www.x.org") for t in d.turns],
            name=d.id,
        )
        for d in dialogues("real", 200)
    ]
    made = prepare(dialogues("synthetic", 10), marked, 10, 7)
    texts = [line.text for t in made.trials for line in (*t.left, *t.right)]
    assert any("I'd ask [name] at [link]" in text for text in texts)
    assert not [text for text in texts if any(m in text for m in ("vocalsound", "UNSURE", "**", "1234", "www"))]
    low = [talk(*[(t.role, (t.text or "").lower()) for t in d.turns], name=d.id) for d in dialogues("real", 200)]
    lowered = prepare(dialogues("synthetic", 10), low, 10, 7)
    assert lowered.lower_case and not made.lower_case
    assert all(x.text == x.text.lower() for t in lowered.trials for x in (*t.left, *t.right))


def test_siblings_are_shown_once_and_the_end_of_a_dialogue_not_at_all():
    siblings = [
        talk(*[(t.role, t.text or "") for t in d.turns], name=f"{d.id}.{s}", group=d.id)
        for d in dialogues("s", 20)
        for s in "ab"
    ]
    made = prepare(siblings, dialogues("real", 200), 20, 7)
    groups = [n.partition(".")[0] for k in made.keys for n in (k.left, k.right) if "." in n]
    assert len(groups) == len(set(groups)) == 20
    short = prepare(dialogues("s", 10, turns=8), dialogues("real", 200), 10, 7)
    assert {len(t.left) for t, k in zip(short.trials, short.keys, strict=True) if k.kind == "test"} == {6}


def test_a_message_of_two_megabytes_is_cut_and_says_so():
    huge = [talk(*[(t.role, f"{t.text} {'x' * 2_000_000}") for t in d.turns[:5]], name=d.id) for d in dialogues("s", 1)]
    made = prepare(huge, dialogues("real", 200), 1, 7)
    lengths = {len(line.text) for t in made.trials for line in (*t.left, *t.right)}
    assert max(lengths) == MOST_CHARACTERS + 1


@pytest.mark.parametrize(
    ("synthetic", "real", "said"),
    [
        (3, 200, "--synthetic: 3 groups"),
        (0, 200, "--synthetic: 0 groups"),
        (15, 30, "ask for --trials 14 at most"),
        (15, 5, "bring a larger reference"),
    ],
)
def test_too_few_dialogues_are_a_message_with_a_remedy(synthetic: int, real: int, said: str):
    with pytest.raises(DataError, match=said):
        prepare(dialogues("s", synthetic), dialogues("r", real), 15, 7)


def test_what_is_exported_has_no_key(folder: Path):
    names = {p.name for p in (folder / "export").iterdir()}
    assert names == {"trials.csv", "trials.jsonl", "label-studio.json", "label-studio.xml"}
    assert stat.S_IMODE((folder / "key.json").stat().st_mode) == 0o600
    for path in [folder / "trials.jsonl", *(folder / "export").iterdir()]:
        text = path.read_text()
        assert not [word for word in ("synthetic", "real:", "catch", "control") if word in text], path
    with (folder / "export" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows] == [t.id for t in trials_of(folder)]
    assert all(r["left"].startswith(("USER: ", "ASSISTANT: ")) for r in rows)


def test_answers_of_a_platform_come_back_once(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = answers_file(folder, tmp_path / "answers.csv")
    assert judge(replace(order(folder), import_=path)) == 0
    assert judge(replace(order(folder), import_=path)) == 0
    told = capsys.readouterr().out
    count = 2 * len(trials_of(folder))
    assert f"{count} answers of 2 raters taken in\n" in told and f"0 answers of 2 raters taken in; {count} were" in told
    with Answers(folder / "answers.sqlite") as answers:
        assert [a.seconds for a in answers.of("r1")] == [5.0] * len(trials_of(folder))


def test_mechanical_turk_and_label_studio_are_read(folder: Path, tmp_path: Path):
    place = tmp_path / "judging"
    order(place)
    assert judge(order(place, export="csv")) == 0
    one, two, three = (t.id for t in trials_of(place)[:3])
    turk = tmp_path / "turk.csv"
    turk.write_text(f"WorkerId,Input.id,Answer.choice,WorkTimeInSeconds\nA1,{one},2 is real,12\n")
    studio = tmp_path / "studio.json"
    chosen = [{"from_name": "choice", "to_name": "left", "type": "choices", "value": {"choices": ["unsure"]}}]
    entry = {"completed_by": {"id": 4, "email": "a@b.c"}, "lead_time": 3.5, "result": chosen}
    skipped = {**entry, "was_cancelled": True}
    studio.write_text(
        json.dumps([{"data": {"id": two}, "annotations": [entry]}, {"data": {"id": three}, "annotations": [skipped]}])
    )
    for path in (turk, studio):
        assert judge(replace(order(place), import_=path)) == 0
    assert answered(place) == [("A1", one, "right"), ("a@b.c", two, "unsure")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "trial,rater,choice\nt0,a,left\n", "line 2: 'trial' 't0' is not one of these trials"),
        ("a.csv", "trial,rater,choice\nID,a,lft\n", "line 2: 'choice' 'lft'; did you mean 'left'"),
        ("a.csv", "trial,rater,choice\nID,,left\n", "line 2: no 'rater'"),
        ("a.csv", "trial,rater,choice,seconds\nID,a,left,soon\n", "line 2: 'seconds': "),
        ("a.csv", "trial,rater,choice,seconds\nID,a,left,nan\n", "line 2: 'seconds': "),
        ("a.csv", "trial,rater,choice\nID," + "n" * 65 + ",left\n", "line 2: 'rater': "),
        ("a.jsonl", "[1]\n", "line 1: not an object"),
        ("a.jsonl", "{\n", "cannot be read"),
        ("a.json", "{}", "must be a list of tasks"),
        ("a.json", "[{}]", "task 0: not an object"),
        ("a.txt", "", "cannot tell its format"),
    ],
)
def test_a_file_of_answers_that_is_wrong_is_named_with_place_and_field(
    folder: Path, tmp_path: Path, name: str, text: str, said: str
):
    path = tmp_path / name
    path.write_text(text.replace("ID", trials_of(folder)[0].id))
    before = answered(folder)
    with pytest.raises(DataError) as error:
        judge(replace(order(folder), import_=path))
    assert said in str(error.value) and str(path) in str(error.value)
    assert answered(folder) == before


def test_an_import_takes_all_answers_or_none(folder: Path, tmp_path: Path):
    path = tmp_path / "half.csv"
    path.write_text(f"trial,rater,choice\n{trials_of(folder)[0].id},half,left\nt0,half,left\n")
    with pytest.raises(DataError):
        judge(replace(order(folder), import_=path))
    assert "half" not in {r for r, _, _ in answered(folder)}


def test_a_folder_of_other_trials_is_not_overwritten(folder: Path):
    with pytest.raises(RunError, match="holds other trials"):
        judge(replace(order(folder), seed=8, export="csv"))
    assert judge(human_judging.Order(folder, export="csv")) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"synthetic": None}, "--synthetic: needed"),
        ({"reference": None}, "--reference: needed"),
        ({"export": "cvs"}, "no format 'cvs'; did you mean 'csv'"),
        ({"export": "csv", "report": Path("x")}, "--export and --report are given together"),
        ({"delta": 0.7}, "--delta: 0.7"),
        ({"report": Path("nowhere")}, "nowhere/key.json: not there"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, change: dict[str, Any], said: str):
    with pytest.raises(OvertureError, match=said) as error:
        judge(replace(order(tmp_path / "judging"), **change))
    assert error.value.exit_code == 2


def test_the_report_says_what_the_answers_come_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "judging"
    judge(order(folder, export="csv"))
    judge(human_judging.Order(folder, report=folder))
    assert "nothing can be said: no answers" in capsys.readouterr().out
    hostile = "<script>alert(1)</script>[bold]"
    with Answers(folder / "answers.sqlite") as answers:
        for key in keys_of(folder):
            right = "right" if key.synthetic == "left" else "left"
            answers.add(Answer(rater=hostile, trial=key.trial, choice=right, seconds=7.0))
            answers.add(Answer(rater="asleep", trial=key.trial, choice=key.synthetic, seconds=1.0))
    assert judge(human_judging.Order(folder, report=folder)) == 0
    told = capsys.readouterr().out
    assert hostile in told and "1 of 2 raters left out" in told and "of this one alone: detected" in told.lower()
    found = json.loads((folder / "report.json").read_bytes())
    assert (found["fool_rate"]["interval"]["value"], found["fool_rate"]["interval"]["n"]) == (0.0, 10)
    assert found["everybody"]["interval"]["value"] == 0.5 and len(found["trials"]) == 10
    assert found["needed"]["detect_60_percent"] == 153 and "shortcuts" in found
    page = (folder / "report.html").read_text()
    assert "&lt;script&gt;" in page and "<script>" not in page


def called(link: str, verb: str, **body: object) -> dict[str, Any]:
    request = urllib.request.Request(f"{link}/{verb}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_the_server_gives_nothing_without_the_token_and_nothing_of_the_key(folder: Path, tmp_path: Path):
    with serving(tmp_path, trials_of(folder)) as link:
        for wrong in (link[:-1] + "_", link.rsplit("/", 1)[0] + "/", link.rsplit("/", 1)[0] + "/docs"):
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(wrong, timeout=30)
            assert error.value.code == 404
            error.value.close()
        with urllib.request.urlopen(link, timeout=30) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        state = called(link, "state", rater="Ada")
        assert set(state) == {"done", "total", "trial"} and set(state["trial"]) == {"id", "left", "right"}


def test_answers_are_taken_once_and_taken_back(folder: Path, tmp_path: Path):
    with serving(tmp_path, trials_of(folder)) as link:
        first = called(link, "state", rater="Ada")["trial"]["id"]
        for choice in ("left", "right"):  # the second is a repetition of a request that was not heard back of
            state = called(link, "answer", rater="Ada", trial=first, choice=choice, seconds=2.5)
        assert (state["done"], answered(tmp_path)) == (1, [("Ada", first, "left")])
        back = called(link, "undo", rater="Ada")
        assert (back["done"], back["trial"]["id"], answered(tmp_path)) == (0, first, [])
        assert called(link, "undo", rater="Ada")["done"] == 0
        others = {called(link, "state", rater=f"rater {n}")["trial"]["id"] for n in range(20)}
        assert len(others) > 5
        for wrong in ({"trial": "t0"}, {"choice": "both"}, {"rater": ""}, {"seconds": -1}):
            body = {"rater": "Ada", "trial": first, "choice": "left", "seconds": 1.0, **wrong}
            with pytest.raises(urllib.error.HTTPError) as error:
                called(link, "answer", **body)
            assert error.value.code == 422
            error.value.close()


def test_a_killed_server_loses_no_answer_and_its_link_stays(tmp_path: Path):
    folder = tmp_path / "judging"
    judge(order(folder, export="csv"))
    command = [sys.executable, "-m", "pipelines.cli", "judge", "--human", "--out", str(folder), "--port", "0"]
    links: list[str] = []
    for end in (signal.SIGKILL, signal.SIGINT):
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert child.stdout is not None
        link = next(line.strip() for line in child.stdout if "http://" in line)
        next(line for line in child.stdout if "Ctrl-C" in line)
        state = called(link, "state", rater="Ada")
        called(link, "answer", rater="Ada", trial=state["trial"]["id"], choice="left", seconds=1.0)
        child.send_signal(end)
        rest = child.stdout.read()
        code = child.wait(30)
        child.stdout.close()
        links.append(link.rsplit("/", 1)[1])
        assert code == (-signal.SIGKILL if end == signal.SIGKILL else 0)
    assert "2 answers of 1 rater. " in rest
    assert len(answered(folder)) == 2 and links[0] == links[1]


def test_a_port_that_is_taken_is_said(folder: Path, tmp_path: Path):
    with serving(tmp_path, trials_of(folder)) as link:
        port = int(link.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(InputError, match="give a port that is free"):
            judge(replace(order(folder), port=port))


def test_a_file_that_is_no_database_is_said(tmp_path: Path):
    (tmp_path / "answers.sqlite").write_text("not a database, and long enough to be taken for one by its header" * 20)
    with pytest.raises(RunError, match="not the answers of raters"), Answers(tmp_path / "answers.sqlite"):
        pass


def test_a_reference_of_five_dialogues_is_too_small(tmp_path: Path):
    corpus(tmp_path / "five.parquet", "five", 5)
    wanted = replace(order(tmp_path / "judging"), reference=f"path:{tmp_path / 'five.parquet'}", export="csv")
    with pytest.raises(DataError, match=r"too small to split|larger reference"):
        judge(wanted)

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_samples import row, to_table, write
from dialogue_samples import tutoring
from talks import talk

from pipelines.dialogue_files import read_dialogues
from pipelines.reference import MAX_PER_PERSON, Reference, beginning, load_reference, window
from schemas.dialogue import Dialogue, Ending
from schemas.errors import DataError, StorageError


def loaded(path: Path, option: str = "", limit: int | None = None) -> Reference:
    return load_reference(f"path:{path}{option}", path.parent / "cache", limit)


def everything(reference: Reference) -> list[Dialogue]:
    return [d for split in ("fit", "dev", "test") for d in reference.dialogues(split)]


def test_a_reference_is_split_by_source_and_streams_what_it_counts(tmp_path: Path):
    rows = [row(i, meta=orjson.dumps({"question": f"q{i // 3}"}).decode()) for i in range(300)]
    reference = loaded(write(tmp_path / "toy.parquet", rows))
    splits = {split: list(reference.dialogues(split)) for split in ("fit", "dev", "test")}
    assert {split: len(dialogues) for split, dialogues in splits.items()} == reference.counts
    assert sum(reference.counts.values()) == 300
    assert 120 < reference.counts["fit"] < 240
    groups = [{d.scenario.group_id for d in dialogues} for dialogues in splits.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 100


@pytest.mark.parametrize(
    ("roles", "option", "partner_says"),
    [
        (("assistant", "user"), "", "Message 1 of 0."),
        (("user", "assistant"), "", "Message 0 of 0."),
        (("user", "assistant"), "#partner=assistant", "Message 1 of 0."),
        (("agent_1", "agent_2"), "", "Message 1 of 0."),
    ],
)
def test_the_partner_is_the_user_the_second_speaker_or_whom_the_spec_names(
    tmp_path: Path, roles: tuple[str, str], option: str, partner_says: str
):
    path = write(tmp_path / "toy.parquet", [row(i, roles) for i in range(40)])
    first = next(d for d in everything(loaded(path, option)) if d.id == "toy:0")
    assert first.texts(first.partner)[0] == partner_says


def test_consecutive_messages_of_one_speaker_stay_separate_and_bystanders_keep_their_names(tmp_path: Path):
    path = write(tmp_path / "toy.parquet", [row(i, ("a", "a", "b", "c")) for i in range(40)])
    assert [t.role for t in everything(loaded(path))[0].turns] == [
        "learner",
        "learner",
        "partner",
        "c",
        "learner",
        "learner",
    ]


def test_a_limit_takes_the_same_dialogues_whatever_their_order(tmp_path: Path):
    rows = [row(i) for i in range(100)]
    forward = loaded(write(tmp_path / "a.parquet", rows), limit=40)
    backward = loaded(write(tmp_path / "b.parquet", rows[::-1]), limit=40)
    assert sum(forward.counts.values()) == 40
    assert {d.id for d in everything(forward)} == {d.id for d in everything(backward)}


def test_a_reference_is_prepared_once_and_again_when_its_file_or_the_cache_changes(tmp_path: Path):
    path = write(tmp_path / "toy.parquet", [row(i) for i in range(50)])
    first = loaded(path)
    stamp = first.path.stat().st_mtime_ns
    assert loaded(path).path.stat().st_mtime_ns == stamp
    first.path.write_bytes(b"PAR1 cut off")
    assert loaded(path).counts == first.counts
    write(path, [row(i) for i in range(60)])
    assert sum(loaded(path).counts.values()) == 60


def test_our_own_table_serves_as_a_reference(tmp_path: Path):
    records = [tutoring(i, base_case=f"case{i // 2}") for i in range(40)]
    pq.write_table(to_table(records), tmp_path / "own.parquet")
    dialogues = everything(loaded(tmp_path / "own.parquet"))
    assert {d.scenario.group_id for d in dialogues} == {f"case{i}" for i in range(20)}
    assert dialogues[0].texts("partner")[0] == "What do three pencils cost?"


# Windows


def test_a_window_is_the_beginning_and_only_where_both_speak():
    dialogue = talk(("assistant", "Hi."), ("assistant", "Anybody?"), ("user", "Yes."), ("assistant", "Good."))
    cut = window(dialogue, 3)
    assert cut is not None
    assert [t.text for t in cut.turns] == ["Hi.", "Anybody?", "Yes."]
    assert cut.ending.detail == "window"
    assert window(dialogue, 2) is None
    assert window(dialogue, 5) is None


def test_a_beginning_knows_whether_its_partner_speaks_again():
    said = (("assistant", "Hi."), ("user", "Yes?"), ("assistant", "Good."), ("user", "Bye."), ("assistant", "Bye."))
    dialogue = talk(*said, ending=Ending(reason="closed_by_partner"))
    found = {turns: beginning(dialogue, turns) for turns in range(1, 7)}
    endings = {turns: cut and (len(cut.turns), cut.ending.detail or cut.ending.reason) for turns, cut in found.items()}
    whole = (5, "closed_by_partner")
    assert endings == {1: None, 2: (2, "goes_on"), 3: (3, "goes_on"), 4: whole, 5: whole, 6: whole}


def test_windows_have_the_turns_of_the_synthetic_side_and_use_a_dialogue_once(tmp_path: Path):
    rows = [row(i, turns=5 if i % 2 else 9) for i in range(200)]
    reference = loaded(write(tmp_path / "toy.parquet", rows))
    windows = list(reference.windows("fit", [4, 8], seed=1))
    lengths = Counter(len(w.turns) for w in windows)
    assert set(lengths) == {4, 8}
    assert abs(lengths[4] - lengths[8]) <= 1
    assert len({w.id for w in windows}) == len(windows)
    assert [w.id for w in reference.windows("fit", [8, 4], seed=1)] == [w.id for w in windows]


# Chit-chat


def chitchat(folder: Path, conversations: int = 60) -> Path:
    """As the package has it: blocks of messages by sender; every fifth conversation never answered, one person in most."""
    data = {
        f"c{i}": {
            "messages": [
                [{"sender": f"p{i}", "text": "hi"}, {"sender": f"p{i}", "text": "how are you"}],
                *([] if i % 5 == 0 else [[{"sender": "busy" if i % 2 else f"q{i}", "text": "good"}]]),
                [{"sender": f"p{i}", "text": "nice"}],
            ],
            "prompt": "x",
        }
        for i in range(conversations)
    }
    (folder / "chitchat_dataset").mkdir(parents=True)
    (folder / "chitchat_dataset" / "dataset.json").write_bytes(orjson.dumps(data))
    return folder


def test_the_chitchat_data_is_grouped_by_person_and_nobody_stands_for_everybody(tmp_path: Path):
    folder = chitchat(tmp_path / "unpacked")
    reference = load_reference("pypi:chitchat-dataset", tmp_path, fetch=lambda name: folder)
    people = Counter(d.scenario.group_id for d in everything(reference))
    assert people["chitchat:busy"] == MAX_PER_PERSON
    assert set(people.values()) == {1, MAX_PER_PERSON}
    assert reference.licence == "MIT"
    assert [t.role for t in everything(reference)[0].turns] == ["learner", "learner", "partner", "learner"]


def test_damaged_chitchat_data_says_what_to_do(tmp_path: Path):
    folder = chitchat(tmp_path / "unpacked")
    (folder / "chitchat_dataset" / "dataset.json").write_text('{"c1": {"mess')
    with pytest.raises(DataError, match=r"dataset\.json: not the chit-chat data .* run again to fetch it anew"):
        load_reference("pypi:chitchat-dataset", tmp_path, fetch=lambda name: folder)


# Bad input


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pypl:chitchat-dataset", "unknown kind 'pypl'; did you mean 'pypi'"),
        ("pypi:chitchat_data", "did you mean 'chitchat-dataset'"),
        ("path:nowhere.parquet", "nowhere.parquet: no such file or folder"),
        ("path:x.parquet#partnr=user", "the only one is #partner=ROLE"),
    ],
)
def test_a_wrong_spec_names_the_nearest_right_one(tmp_path: Path, spec: str, message: str):
    with pytest.raises(DataError, match=message):
        load_reference(spec, tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "it is empty: no dialogue in it"),
        ([row(i, ("user",)) for i in range(9)], "only one side ever speaks: in none of its 9 dialogues"),
        ([row(i, turns=2) for i in range(9)], "none of its 9 dialogues has 4 turns"),
        ([row(0)], "too small to split by source"),
    ],
)
def test_a_reference_nothing_can_be_compared_with_says_why(tmp_path: Path, rows: list[dict[str, Any]], message: str):
    with pytest.raises(DataError, match=message):
        loaded(write(tmp_path / "toy.parquet", rows))


def test_a_partner_who_never_speaks_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="'tutor' and somebody else both speak"):
        loaded(write(tmp_path / "toy.parquet", [row(i) for i in range(9)]), "#partner=tutor")


@pytest.mark.parametrize("keep", [0, 40, 900])
def test_a_truncated_file_is_one_message_that_names_it(tmp_path: Path, keep: int):
    path = write(tmp_path / "toy.parquet", [row(i) for i in range(50)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"toy\.parquet: not a readable Parquet file .*copy or write it again"):
        list(read_dialogues(path))


def test_damage_in_the_middle_of_a_file_is_found_while_reading(tmp_path: Path):
    path = write(tmp_path / "toy.parquet", [row(i) for i in range(50)])
    data = bytearray(path.read_bytes())
    data[4:600] = b"\xff" * 596
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"toy\.parquet: not a readable Parquet file"):
        list(read_dialogues(path))


def test_a_missing_or_mistyped_column_is_named(tmp_path: Path):
    renamed = pa.table({"dialogue_id": ["a"], "turn": ["hello"]})
    pq.write_table(renamed, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="column 'turns' is missing; did you mean 'turn'"):
        list(read_dialogues(tmp_path / "a.parquet"))
    pq.write_table(pa.table({"dialogue_id": ["a"], "turns": ["hello"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="column 'turns' is string; it must be a list of structs"):
        list(read_dialogues(tmp_path / "b.parquet"))
    own = to_table([tutoring(0)])
    pq.write_table(own.drop_columns(["ending"]), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="column 'ending' is missing"):
        list(read_dialogues(tmp_path / "c.parquet"))


def test_a_table_of_another_version_is_refused(tmp_path: Path):
    own = to_table([tutoring(0)]).replace_schema_metadata({"overture.dialogue_table": "7"})
    pq.write_table(own, tmp_path / "own.parquet")
    with pytest.raises(DataError, match="dialogue table version 7, written by a newer Overture"):
        list(read_dialogues(tmp_path / "own.parquet"))


def test_a_row_that_is_no_dialogue_is_named_by_its_number(tmp_path: Path):
    own = to_table([tutoring(0), tutoring(1)])
    broken = own.set_column(own.schema.get_field_index("views"), own.schema.field("views"), pa.array(["{}", "{oops"]))
    pq.write_table(broken, tmp_path / "own.parquet")
    with pytest.raises(DataError, match="row 1 is no dialogue"):
        list(read_dialogues(tmp_path / "own.parquet"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_a_storage_error(tmp_path: Path):
    path = write(tmp_path / "toy.parquet", [row(i) for i in range(50)])
    (tmp_path / "cache").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="the prepared reference cannot be written"):
        loaded(path)


def test_a_cache_path_that_is_a_file_is_a_storage_error(tmp_path: Path):
    path = write(tmp_path / "toy.parquet", [row(i) for i in range(50)])
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(StorageError, match="the prepared reference cannot be written"):
        loaded(path)
    assert not list(tmp_path.glob("**/*.part"))


def test_a_hub_that_cannot_be_reached_is_one_clear_message(tmp_path: Path):
    code = (
        "from pathlib import Path\nfrom pipelines.reference import load_reference\nfrom schemas.errors import DataError\n"
        f"try: load_reference('hf:nobody/nothing', Path({str(tmp_path)!r}))\nexcept DataError as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
    )
    assert done.stdout.startswith("reference 'hf:nobody/nothing': it cannot be loaded")
    assert "check the name and the network" in done.stdout

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from corpus_samples import row, to_table, write
from dialogue_samples import tutoring
from talks import CORPORA, needs_corpora

from pipelines.dialogue_files import parquet_files, read_dialogues
from schemas.errors import DataError
from schemas.record import from_row, to_row


def test_our_own_table_is_read_back_as_it_was(tmp_path: Path):
    records = [tutoring(i) for i in range(20)]
    pq.write_table(to_table(records), tmp_path / "own.parquet", row_group_size=3)
    assert list(read_dialogues(tmp_path / "own.parquet")) == records


def test_a_run_directory_is_read_from_its_data_folder_in_order_of_the_names(tmp_path: Path):
    (tmp_path / "data").mkdir()
    for name, number in (("train-1", 1), ("test-0", 0)):
        pq.write_table(to_table([tutoring(number)]), tmp_path / "data" / f"{name}.parquet")
    pq.write_table(to_table([tutoring(9)]), tmp_path / "elsewhere.parquet")
    assert [r.dialogue.scenario.index for r in read_dialogues(tmp_path)] == [0, 1]


def test_a_folder_without_parquet_says_what_to_give(tmp_path: Path):
    with pytest.raises(DataError, match="give a Parquet file or a finished run's directory"):
        parquet_files(tmp_path)


def test_a_corpus_row_gets_a_minimal_scenario_with_nothing_private(tmp_path: Path):
    path = write(tmp_path / "toy.parquet", [row(0, outcome="solved", meta='{"question": "How many?"}')])
    (record,) = read_dialogues(path)
    scenario = record.dialogue.scenario
    assert (scenario.family, scenario.domain, scenario.policy, scenario.group_id) == (
        "pedagogy",
        "toy",
        "external",
        "toy:0",
    )
    assert scenario.facts == ()
    assert {role: view.private for role, view in scenario.views.items()} == {"assistant": {}, "user": {}}
    assert (record.dialogue.learner, record.dialogue.partner, record.split) == ("assistant", "user", "train")
    assert record.dialogue.outcome == {"recorded": "solved"}
    assert from_row(to_row(record)) == record


@needs_corpora
@pytest.mark.parametrize("name", ["pedagogy__cima", "multiparty__delidata", "task_oriented__multiwoz"])
def test_a_shared_corpus_is_read_whole(name: str):
    path = CORPORA / f"{name}.parquet"
    assert sum(1 for _ in read_dialogues(path)) == pq.read_metadata(path).num_rows

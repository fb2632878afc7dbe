"""What verl reads: its documented columns field by field, and its own datasets where it is installed."""

import json
import os
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trainer_samples import balanced, write

from inference.weights import fetch
from pipelines import exporting
from schemas.table import MESSAGE

VERL = os.environ.get("OVERTURE_VERL_PYTHON")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    dialogues = write(folder / "dialogues.parquet", balanced(40))
    for name in ("verl-rl", "verl-sft"):
        assert exporting.run(exporting.Order(dialogues, name, str(folder / name))) == 0
    return folder


def test_prompts_have_the_five_fields_of_verl(folder: Path):
    text = pa.string()
    schema = pq.read_schema(folder / "verl-rl" / "rl_train.parquet")
    assert schema.names == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert schema.field("data_source").type == schema.field("ability").type == text
    assert schema.field("prompt").type == pa.list_(MESSAGE)
    assert schema.field("reward_model").type == pa.struct([("style", text), ("ground_truth", text)])
    assert {"split", "index"} <= {field.name for field in schema.field("extra_info").type}


def test_a_prompt_ends_with_the_person_and_has_its_answer_beside_it(folder: Path):
    for row in pq.read_table(folder / "verl-rl" / "rl_train.parquet").to_pylist():
        assert row["prompt"][-1]["role"] == "user"
        assert json.loads(row["extra_info"]["verifier"])["answer"] == row["reward_model"]["ground_truth"]


def test_dialogues_to_fine_tune_on_have_one_column_of_messages(folder: Path):
    table = pq.read_table(folder / "verl-sft" / "sft_train.parquet")
    assert table.schema == pa.schema([("messages", pa.list_(MESSAGE))])
    assert all(row["messages"][-1]["role"] == "assistant" for row in table.to_pylist())


def test_the_reward_that_the_guide_gives_tells_right_from_wrong(folder: Path):
    guide = (Path(__file__).parents[2] / "examples" / "train_verl.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    row = pq.read_table(folder / "verl-rl" / "rl_train.parquet").to_pylist()[0]
    truth = row["reward_model"]["ground_truth"]
    given = [f"It is {truth}.0 cents.", "It is 5 cents.", "What is one pencil?"]
    scores = [names["compute_score"](row["data_source"], said, truth, row["extra_info"]) for said in given]
    assert scores == [1.0, 0.0, 0.0]


@pytest.mark.skipif(not VERL, reason="OVERTURE_VERL_PYTHON names no Python with verl; `make test-verl` makes one")
@pytest.mark.filterwarnings("default")
def test_its_own_datasets_read_the_files(folder: Path, tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import AutoTokenizer

        weights = fetch("smollm2-135m-instruct")
        AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(tmp_path)
    script = Path(__file__).with_name("read_with_verl.py")
    done = subprocess.run([str(VERL), str(script), str(folder), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    rows = pq.read_table(folder / "verl-rl" / "rl_train.parquet").to_pylist()
    assert told["prompts"] == len(rows) and told["raw_prompt"] == rows[0]["prompt"]
    assert told["reward_model"] == rows[0]["reward_model"]
    assert told["index"] == [row["extra_info"]["index"] for row in rows[:2]]
    dialogues = pq.read_table(folder / "verl-sft" / "sft_train.parquet").to_pylist()
    assert told["dialogues"] == len(dialogues)
    said = [m["content"] for m in dialogues[0]["messages"] if m["role"] == "assistant"]
    assert told["learnt"][0] == "".join(f"{text}<|im_end|>\n" for text in said)

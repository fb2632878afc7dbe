"""The trainers of TRL take exports as they are: two optimiser steps each, of a tiny model of no knowledge."""

import runpy
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trainer_samples import balanced, write

from inference.weights import fetch
from pipelines import exporting

pytestmark = pytest.mark.filterwarnings("ignore")  # what torch, transformers and TRL deprecate is theirs
EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = 2
FLAGS = ("--use_cpu", "true", "--report_to", "none", "--per_device_train_batch_size", "2")
MORE = {"grpo": ("--max_completion_length", "8", "--num_generations", "2")}
KINDS = ("SFT", "DPO", "KTO", "GRPO", "RLOO", "Reward", "Distillation")
WHOLE, SAID = {"max_length": 128}, {"max_completion_length": 8}
FORMATS = ("trl-sft", "trl-dpo", "trl-kto", "trl-grpo", "trl-reward", "trl-prm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every TRL export of the same dialogues, by its format."""
    folder = tmp_path_factory.mktemp("exports")
    dialogues = write(folder / "dialogues.parquet", balanced(40))
    for name in FORMATS:
        assert exporting.run(exporting.Order(dialogues, name, str(folder / name))) == 0
    return folder


@pytest.fixture(scope="module")
def trl() -> Any:
    """The library with all its trainers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import trl

        return SimpleNamespace(
            **{name: getattr(trl, name) for kind in KINDS for name in (f"{kind}Trainer", f"{kind}Config")}
        )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A directory: two layers of random weights, SmolLM2's tokenizer and chat template."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        weights = fetch("smollm2-135m-instruct")
        tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        torch.manual_seed(0)
        tiny = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes, **ends))
        path = str(tmp_path_factory.mktemp("tiny"))
        tiny.save_pretrained(path)
        tokenizer.save_pretrained(path)
        yield path


def rows(folder: Path, name: str) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder / name), split="train", cache_dir=str(folder / "cache"))


def trained(trainer: type, config: type, out: Path, data: Any, sizes: dict[str, int], **own: Any) -> Any:
    """The trainer after its steps. `own`: what it is made with, beside its data and its config of these sizes."""
    args = config(
        output_dir=str(out),
        max_steps=STEPS,
        per_device_train_batch_size=2,
        report_to="none",
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
        **sizes,
    )
    made = trainer(args=args, train_dataset=data, **own)
    made.train()
    assert made.state.global_step == STEPS
    return made


def reward(completions: list[Any], ground_truth: list[str], **others: Any) -> list[float]:
    """What a reward function gets beside the completions are the other columns of the export."""
    assert {"verifier", "data_source", "scenario_id"} <= set(others)
    return [float(truth in said[0]["content"]) for said, truth in zip(completions, ground_truth, strict=True)]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("sft", ["prompt", "completion"]),
        ("dpo", ["prompt", "chosen", "rejected"]),
        ("kto", ["prompt", "completion", "label"]),
        ("grpo", ["prompt", "ground_truth", "verifier", "data_source", "scenario_id"]),
    ],
)
def test_the_examples_train(
    trl: Any, folder: Path, model: str, tmp_path: Path, name: str, columns: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "cache")
    assert rows(folder, f"trl-{name}").column_names == columns
    flags = {"data": folder / f"trl-{name}", "model": model, "output_dir": tmp_path, "max_steps": STEPS}
    given = [str(part) for flag, value in flags.items() for part in (f"--{flag}", value)]
    made = runpy.run_path(str(EXAMPLES / f"train_{name}.py"))["main"]([*given, *FLAGS, *MORE.get(name, ())])
    assert made.state.global_step == STEPS
    assert isinstance(made, getattr(trl, f"{name.upper()}Trainer")) and (tmp_path / "model.safetensors").is_file()


def test_fine_tuning_learns_the_learners_words_and_no_others(trl: Any, folder: Path, model: str, tmp_path: Path):
    data = rows(folder, "trl-sft")
    made = trained(trl.SFTTrainer, trl.SFTConfig, tmp_path, data, WHOLE, model=model)
    learnt = next(iter(made.get_train_dataloader()))["labels"]
    said = made.processing_class.decode(learnt[0][learnt[0] != -100])
    assert said.strip().removesuffix("<|im_end|>") in {row["completion"][0]["content"] for row in data}


def test_leave_one_out_reinforcement_hands_a_reward_the_other_columns(
    trl: Any, folder: Path, model: str, tmp_path: Path
):
    data, sizes = rows(folder, "trl-grpo"), SAID | {"num_generations": 2}
    trained(trl.RLOOTrainer, trl.RLOOConfig, tmp_path, data, sizes, model=model, reward_funcs=reward)


def test_a_reward_model(trl: Any, folder: Path, model: str, tmp_path: Path):
    data = rows(folder, "trl-reward")
    assert data.column_names == ["prompt", "chosen", "rejected", "margin"] and min(data["margin"]) > 0
    trained(trl.RewardTrainer, trl.RewardConfig, tmp_path, data, WHOLE, model=model)


def test_distillation(trl: Any, folder: Path, model: str, tmp_path: Path):
    data = rows(folder, "trl-grpo")
    trained(trl.DistillationTrainer, trl.DistillationConfig, tmp_path, data, SAID, model=model, teacher_model=model)


def test_stepwise_supervision_has_the_columns_that_a_process_reward_trainer_reads(folder: Path):
    data = rows(folder, "trl-prm")
    assert data.column_names == ["prompt", "completions", "labels"]
    assert [str(kind) for kind in data.features.arrow_schema.types] == [
        "string",
        "list<item: string>",
        "list<item: bool>",
    ]
    for row in data:
        assert row["prompt"].startswith("user: ") and len(row["completions"]) == len(row["labels"]) > 0
        assert all("assistant: " in step for step in row["completions"])

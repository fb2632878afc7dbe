"""Group relative policy optimisation with TRL: prompts of dialogues, and the answer of each beside it for the reward.

    overture export runs/quickstart --format trl-grpo --out data/grpo
    python examples/train_grpo.py --data data/grpo --model trained/sft --output_dir trained/grpo

Every option of GRPOConfig is a flag.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, TrlParser


@dataclass
class Given:
    data: str
    model: str


def right(completions: list[list[dict[str, str]]], ground_truth: list[str], **_: object) -> list[float]:
    """1 where the last number said is the answer."""
    numbers = [re.findall(r"-?\d+(?:\.\d+)?", said[-1]["content"]) for said in completions]
    return [float(found[-1:] == [truth]) for found, truth in zip(numbers, ground_truth, strict=True)]


def main(arguments: Sequence[str] | None = None) -> GRPOTrainer:
    given, config = TrlParser((Given, GRPOConfig)).parse_args_and_config(arguments)
    data = load_dataset(given.data, split="train").filter(lambda row: row["ground_truth"] is not None)
    trainer = GRPOTrainer(given.model, reward_funcs=right, args=config, train_dataset=data)
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()

"""Supervised fine-tuning with TRL on what learners said in successful dialogues.

    overture export runs/quickstart --format trl-sft --out data/sft
    python examples/train_sft.py --data data/sft --model Qwen/Qwen2.5-0.5B-Instruct --output_dir trained/sft

Every option of SFTConfig is a flag.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer, TrlParser


@dataclass
class Given:
    data: str
    model: str


def main(arguments: Sequence[str] | None = None) -> SFTTrainer:
    given, config = TrlParser((Given, SFTConfig)).parse_args_and_config(arguments)
    data = load_dataset(given.data)
    # A row is a prompt and its completion, so the loss is that of the learner's words alone.
    trainer = SFTTrainer(given.model, config, train_dataset=data["train"], eval_dataset=data.get("validation"))
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()

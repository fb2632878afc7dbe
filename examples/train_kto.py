"""Kahneman-Tversky optimisation with TRL: turns that were right to say or not, each by itself.

    overture export runs/quickstart --format trl-kto --out data/kto
    python examples/train_kto.py --data data/kto --model trained/sft --output_dir trained/kto

Every option of KTOConfig is a flag.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datasets import load_dataset
from trl import KTOConfig, KTOTrainer, TrlParser


@dataclass
class Given:
    data: str
    model: str


def main(arguments: Sequence[str] | None = None) -> KTOTrainer:
    given, config = TrlParser((Given, KTOConfig)).parse_args_and_config(arguments)
    data = load_dataset(given.data)
    right = sum(data["train"]["label"])
    wrong = data["train"].num_rows - right
    if right and wrong:  # both kinds weigh the same in all
        config.desirable_weight, config.undesirable_weight = max(1.0, wrong / right), max(1.0, right / wrong)
    trainer = KTOTrainer(given.model, args=config, train_dataset=data["train"], eval_dataset=data.get("validation"))
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()

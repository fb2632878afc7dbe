"""Direct preference optimisation with TRL: of two things a learner could say, the one that came to more.

    overture export runs/quickstart --format trl-dpo --out data/dpo
    python examples/train_dpo.py --data data/dpo --model trained/sft --output_dir trained/dpo

Every option of DPOConfig is a flag.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datasets import load_dataset
from trl import DPOConfig, DPOTrainer, TrlParser


@dataclass
class Given:
    data: str
    model: str


def main(arguments: Sequence[str] | None = None) -> DPOTrainer:
    given, config = TrlParser((Given, DPOConfig)).parse_args_and_config(arguments)
    data = load_dataset(given.data)
    trainer = DPOTrainer(given.model, args=config, train_dataset=data["train"], eval_dataset=data.get("validation"))
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()

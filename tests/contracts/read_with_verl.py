"""Reads an export with verl's own datasets, in a Python that has verl: `read_with_verl.py FOLDER MODEL` prints JSON."""

import json
import sys
from pathlib import Path

from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

folder, model = Path(sys.argv[1]), sys.argv[2]
tokenizer = AutoTokenizer.from_pretrained(model)
config = OmegaConf.create(
    {"max_prompt_length": 256, "cache_dir": str(folder / "cache"), "filter_overlong_prompts_workers": 1}
)
prompts = RLHFDataset(str(folder / "verl-rl" / "rl_train.parquet"), tokenizer, config)
batch = collate_fn([prompts[0], prompts[1]])
lines = MultiTurnSFTDataset(
    [str(folder / "verl-sft" / "sft_train.parquet")], tokenizer, OmegaConf.create({"max_length": 256})
)
learnt = [lines[n]["input_ids"][lines[n]["loss_mask"] == 1] for n in range(len(lines))]
told = {
    "prompts": len(prompts),
    "raw_prompt": batch["raw_prompt"][0],
    "data_source": batch["data_source"][0],
    "reward_model": batch["reward_model"][0],
    "index": list(batch["index"]),
    "dialogues": len(lines),
    "learnt": [tokenizer.decode(ids) for ids in learnt],
}
sys.stdout.write("\n" + json.dumps(told) + "\n")

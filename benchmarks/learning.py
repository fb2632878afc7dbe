"""Does a small model that was trained on a run learn when to ask? Tried for its workings; no result is published yet.

    python benchmarks/learning.py base --out FOLDER/base     SmolLM2-135M-Instruct of the cache, for transformers
    python benchmarks/learning.py arms RUN --out FOLDER      training files of three arms, from the run's train split
    python benchmarks/learning.py train FOLDER/ours.jsonl --model FOLDER/base --out FOLDER/ours [--steps 200]
    python benchmarks/learning.py ask FOLDER/base FOLDER/ours ... [--problems FILE] [--instructions FILE] [--run RUN]

Arms, all with as many rows: `ours`, the learner's turns of proactive dialogues that succeeded; `never_ask`, those of
them that answer, before anything was asked; `shuffled`, ours with the first replies dealt anew among problems, so that
asking is as frequent and tells nothing. Asked is a first reply with a question in it (greedy), on problems that were
never simulated: pairs of UMWP's test split (flawed and whole) and building instructions that people called unclear or
clear (IGLU); and the run's own test split. Balanced accuracy is (asked where unclear + not asked where clear) / 2, its
95% interval bootstrapped over pairs or instructions.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow.parquet as pq

from generators.latents.tagger import is_question
from inference.weights import fetch
from pipelines.dialogue_files import read_dialogues

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
SEED, DRAWS = 7, 2000
LONGEST, REPLY = 384, 64
"""Tokens of a training row, and of a reply."""

Row = dict[str, Any]


class Item(NamedTuple):
    text: str
    unclear: bool
    unit: str
    """What is drawn anew for the interval: a pair, or an instruction."""


def arms(rows: Sequence[Row], seed: int = SEED) -> dict[str, list[Row]]:
    """Training rows by arm: each a list of messages, the last of which is learned."""
    draws = np.random.default_rng(seed)
    first = [r for r in rows if len(r["prompt"]) == 1]
    later = [r for r in rows if len(r["prompt"]) > 1]
    told = [r for r in first if not is_question(r["completion"][0]["content"])]
    if not told or len(told) == len(first):
        raise SystemExit("the run's first replies all ask, or none does: nothing to learn from")
    dealt = draws.permutation(len(first))
    shuffled = [{**row, "completion": first[i]["completion"]} for row, i in zip(first, dealt, strict=True)]
    never = [told[i] for i in draws.integers(len(told), size=len(rows))]
    return {"ours": [*first, *later], "never_ask": never, "shuffled": [*shuffled, *later]}


def rows_of(run: Path) -> list[Row]:
    """The run's config `sft`: learners' turns of dialogues that succeeded; of proactive ones."""
    from datasets import load_dataset

    return [row for row in load_dataset(str(run), "sft", split="train") if row["policy"] == "proactive"]


def base(out: Path) -> None:
    """The quantised weights as numbers that can be trained."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = fetch("smollm2-135m-instruct")
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(out)
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    del read.config.quantization_config
    plain = AutoModelForCausalLM.from_config(read.config)  # the one read from GGUF does not let itself be written
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(out)


def write_arms(run: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in arms(rows_of(run)).items():
        asks = np.mean([is_question(r["completion"][0]["content"]) for r in rows])
        lines = b"".join(orjson.dumps({k: r[k] for k in ("prompt", "completion")}) + b"\n" for r in rows)
        (out / f"{name}.jsonl").write_bytes(lines)
        print(f"{name}: {len(rows)} rows, {asks:.2f} of them ask")


def train(file: Path, model: Path, out: Path, steps: int) -> None:
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        output_dir=str(out),
        max_steps=steps,
        per_device_train_batch_size=8,
        learning_rate=5e-5,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 20,
        max_length=LONGEST,
        completion_only_loss=True,
        logging_steps=max(1, steps // 10),
        save_strategy="no",
        report_to="none",
        seed=SEED,
        use_cpu=True,
        bf16=False,
    )
    rows = load_dataset("json", data_files=str(file), split="train")
    trainer = SFTTrainer(str(model), args=config, train_dataset=rows)
    trainer.train()
    trainer.save_model(str(out))


def replies(model: Path, texts: Sequence[str], batch: int = 16) -> Iterator[str]:
    """Greedy first replies, in order."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    speaker = AutoModelForCausalLM.from_pretrained(model)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    said = [""] * len(texts)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        chats = [[{"role": "user", "content": texts[i]}] for i in chosen]
        asked = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            found = speaker.generate(**asked, max_new_tokens=REPLY, do_sample=False)
        for i, tokens in zip(chosen, found, strict=True):
            said[i] = tokenizer.decode(tokens[asked["input_ids"].shape[1] :], skip_special_tokens=True)
    yield from said


def figures(items: Sequence[Item], asked: Sequence[bool]) -> dict[str, tuple[float, float, float]]:
    """Rates with their 95% intervals: asked where unclear, asked where clear (false alarms), balanced accuracy."""
    units = {unit: n for n, unit in enumerate(dict.fromkeys(item.unit for item in items))}
    of = np.array([units[item.unit] for item in items])
    unclear, said = np.array([i.unclear for i in items]), np.array(asked, dtype=float)

    def rates(weights: np.ndarray) -> tuple[float, float, float]:
        each = weights[of]
        hit = np.average(said[unclear], weights=each[unclear])
        alarm = np.average(said[~unclear], weights=each[~unclear])
        return float(hit), float(alarm), float((hit + 1 - alarm) / 2)

    draws = np.random.default_rng(SEED)
    even = np.full(len(units), 1 / len(units))
    again = np.array([rates(draws.multinomial(len(units), even).astype(float)) for _ in range(DRAWS)])
    low, high = np.quantile(again, (0.025, 0.975), axis=0)
    names = ("asked where unclear", "asked where clear", "balanced accuracy")
    return {n: (v, a, b) for n, v, a, b in zip(names, rates(np.ones(len(units))), low, high, strict=True)}


def umwp(path: Path, limit: int | None) -> list[Item]:
    """Flawed problems of the test split and the whole ones they were made of."""
    rows = [r for r in pq.read_table(path).to_pylist() if r["split"] == "test" and r["source"] == "umwp"]
    by_id = {r["problem_id"]: r for r in rows}
    found = list[Item]()
    for row in rows:
        of = json.loads(row["meta"] or "{}").get("original_problem_id")
        if not row["answerable"] and of in by_id:
            found += [Item(row["question"], True, of), Item(by_id[of]["question"], False, of)]
    return found if limit is None else found[: 2 * limit]


def instructions(path: Path, limit: int | None) -> list[Item]:
    rows = [r for r in pq.read_table(path).to_pylist() if r["split"] == "test"]
    clear = [Item(r["question"], False, r["problem_id"]) for r in rows if r["answerable"]]
    unclear = [Item(r["question"], True, r["problem_id"]) for r in rows if not r["answerable"]]
    return [*unclear[:limit], *clear[:limit]]


def own(run: Path, limit: int | None) -> list[Item]:
    """First messages of the run's flawed problems and their controls, of its test split."""
    found = dict[str, Item]()
    for record in read_dialogues(run):
        dialogue, told = record.dialogue, [t.text for t in record.dialogue.turns if t.role == record.dialogue.partner]
        if record.split != "train" and dialogue.scenario.family == "flawed" and told and told[0]:
            unclear = dialogue.scenario.plan.get("flaw") is not None
            found[told[0]] = Item(told[0], unclear, dialogue.scenario.base_case_id)
    items = list(found.values())
    return items if limit is None else items[:limit]


def ask(models: Sequence[Path], sets: Mapping[str, Callable[[], Sequence[Item]]]) -> None:
    for name, items_of in sets.items():
        items = items_of()
        print(f"\n## {name}: {sum(i.unclear for i in items)} unclear, {sum(not i.unclear for i in items)} clear\n")
        print("| model | asked where unclear | asked where clear | balanced accuracy | s |\n|---|---|---|---|---|")
        for model in models:
            began = time.monotonic()
            asked = [is_question(said) for said in replies(model, [i.text for i in items])]
            cells = [f"{v:.2f} [{a:.2f}, {b:.2f}]" for v, a, b in figures(items, asked).values()]
            print(f"| {model.name} | {' | '.join(cells)} | {time.monotonic() - began:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    basing = verbs.add_parser("base")
    basing.add_argument("--out", type=Path, required=True)
    making = verbs.add_parser("arms")
    making.add_argument("run", type=Path)
    making.add_argument("--out", type=Path, required=True)
    training = verbs.add_parser("train")
    training.add_argument("file", type=Path)
    training.add_argument("--model", type=Path, required=True)
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--steps", type=int, default=200)
    asking = verbs.add_parser("ask")
    asking.add_argument("models", type=Path, nargs="+")
    asking.add_argument("--problems", type=Path, default=CORPORA / "problems__flawed_math.parquet")
    asking.add_argument("--instructions", type=Path, default=CORPORA / "problems__ambiguous_instructions.parquet")
    asking.add_argument("--run", type=Path)
    asking.add_argument("--limit", type=int, help="Items of each kind.")
    given = parser.parse_args()
    if given.verb == "base":
        base(given.out)
    elif given.verb == "arms":
        write_arms(given.run, given.out)
    elif given.verb == "train":
        train(given.file, given.model, given.out, given.steps)
    else:
        sets = {"UMWP": lambda: umwp(given.problems, given.limit)}
        sets["building instructions"] = lambda: instructions(given.instructions, given.limit)
        if given.run is not None:
            sets["the run's own, held out"] = lambda: own(given.run, given.limit)
        ask(given.models, sets)


if __name__ == "__main__":
    main()

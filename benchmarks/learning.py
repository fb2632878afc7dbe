"""Does a small model that was trained on a run learn when to ask, and what? docs/learning.md has the results.

    python benchmarks/learning.py problems WORKED.parquet --out FOLDER   its train and test split, a file each
    python benchmarks/learning.py base --out FOLDER/base     SmolLM2-135M-Instruct of the cache, for transformers
    python benchmarks/learning.py arms RUN --out FOLDER      training files of four arms, from the run's config `sft`
    python benchmarks/learning.py train FOLDER/ours.jsonl --model FOLDER/base --out FOLDER/ours [--steps 100]
    python benchmarks/learning.py ask FOLDER/base FOLDER/ours ... [--problems FILE] [--instructions FILE] [--limit 200]
    python benchmarks/learning.py played RUN ...             what trained models did in runs of the product

Arms, all of as many rows: `ours`, the learner's turns of dialogues that succeeded; `never_ask`, those of them that
answer, before anything was asked; `shuffled`, ours with the first replies dealt anew among problems, so that asking is
as frequent and tells nothing; `people`, not ours but what can be reached: rows of the two sets' own training splits.

Asked is a first reply with a question in it (greedy), on problems that were never simulated: pairs of UMWP's test split
(flawed and whole) and building instructions that people called unclear or clear (IGLU). Balanced accuracy is (asked
where unclear + not asked where clear) / 2. Right slot: of the unclear ones, the share in which it asks, and shares half
of the words with what a person asked there; by chance: with what a person asked elsewhere. 95% intervals are
bootstrapped over pairs, instructions, or base cases, those of shares no narrower than Wilson's.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from generators.latents.tagger import is_question
from inference.weights import fetch
from pipelines.dialogue_files import read_dialogues
from pipelines.hindsight_rows import overlap
from schemas.judgement import Interval, shown

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
    slot: str | None = None
    """What a person asked."""


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


def people(items: Sequence[Item], n: int, seed: int = SEED) -> list[Row]:
    """`n` rows, half of them unclear: a person's question where one is known, else a set phrase."""
    draws = np.random.default_rng(seed)
    found: list[Row] = []
    for unclear, reply in ((True, "Something is not clear. Could you check it?"), (False, "It is clear what to do.")):
        some = [item for item in items if item.unclear == unclear]
        for item in (some[i] for i in draws.choice(len(some), n // 2, replace=False)):
            said = item.slot or reply
            found.append({"prompt": [_message("user", item.text)], "completion": [_message("assistant", said)]})
    return found


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def rows_of(run: Path) -> list[Row]:
    """The run's config `sft`: turns of learners with initiative whose dialogue succeeded. Of all its splits: what is
    asked after training comes of other source problems.
    """
    from datasets import load_dataset

    splits = load_dataset(str(run), "sft")
    return [row for split in splits.values() for row in split if row["policy"] in ("proactive", "privileged")]


def problems(file: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows = pq.read_table(file)
    for split in ("train", "test"):
        pq.write_table(rows.filter(pc.field("split") == split), out / f"{split}.parquet")


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


def write_arms(run: Path, out: Path, sets: Mapping[str, Sequence[Item]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    made = arms(rows_of(run))
    each = len(made["ours"]) // len(sets)
    made["people"] = [row for items in sets.values() for row in people(items, each)]
    for name, rows in made.items():
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
        bf16=True,  # of the arithmetic alone; more than twice as fast where the CPU has it
        activation_checkpointing=False,
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


class Reply(NamedTuple):
    """What somebody did with an item; right slots as shares, None where nobody knows the slot."""

    asked: bool
    right: float | None = None
    chance: float | None = None


NAMES = ("asked where unclear", "asked where clear", "balanced accuracy", "right slot", "right slot by chance")
BALANCED, SLOT = 2, 3


class Rates(NamedTuple):
    """NAMES in order, and of as many resamples [DRAWS, 5]; the same items are always resampled alike."""

    values: np.ndarray
    again: np.ndarray
    units: tuple[int, ...] = (0,) * 5
    """Behind each share, whose interval is no narrower than Wilson's of as many trials; 0 for what is no share."""

    def shown(self) -> list[str]:
        return [_shown(value, self.again[:, k], self.units[k]) for k, value in enumerate(self.values)]


def rates(items: Sequence[Item], replies: Sequence[Reply], drawn: Sequence[str] | None = None) -> Rates:
    """`drawn`: the units that are resampled, where others than the items' own."""
    units = {unit: n for n, unit in enumerate(drawn or dict.fromkeys(item.unit for item in items))}
    of = np.array([units[item.unit] for item in items])
    unclear = np.array([i.unclear for i in items])
    asked, right, chance = (np.array([r[k] for r in replies], dtype=float) for k in range(3))

    def mean(values: np.ndarray, chosen: np.ndarray, each: np.ndarray) -> float:
        kept = chosen & ~np.isnan(values)
        return float(np.average(values[kept], weights=each[kept])) if each[kept].sum() else float("nan")

    def found(weights: np.ndarray) -> tuple[float, ...]:
        each = weights[of]
        hit, alarm = mean(asked, unclear, each), mean(asked, ~unclear, each)
        return hit, alarm, (hit + 1 - alarm) / 2, mean(right, unclear, each), mean(chance, unclear, each)

    draws = np.random.default_rng(SEED)
    even = np.full(len(units), 1 / len(units))
    again = [found(draws.multinomial(len(units), even).astype(float)) for _ in range(DRAWS)]
    a, b, c = (len(set(of[chosen])) for chosen in (unclear, ~unclear, unclear & ~np.isnan(right)))
    return Rates(np.array(found(np.ones(len(units)))), np.array(again), (a, b, 0, c, c))


def _shown(value: float, again: np.ndarray, units: int) -> str:
    if np.isnan(value):
        return "-"
    low, high = np.nanquantile(again, (0.025, 0.975))
    least = Interval.of_share(float(value), units) if units else Interval(value, low, high, 0)
    return shown(Interval(value, min(low, least.low), max(high, least.high), units))


def judged(items: Sequence[Item], said: Sequence[str]) -> list[Reply]:
    """By words; the slot by chance is that of the next item that has one."""
    slots = [item.slot for item in items if item.slot is not None]
    elsewhere = iter([*slots[1:], *slots[:1]])
    found: list[Reply] = []
    for item, text in zip(items, said, strict=True):
        asked = is_question(text)
        if item.slot is None:
            found.append(Reply(asked))
        else:
            found.append(
                Reply(asked, *(float(asked and overlap(text, [s]) == 1.0) for s in (item.slot, next(elsewhere))))
            )
    return found


def umwp(path: Path, limit: int | None, split: str = "test") -> list[Item]:
    """Flawed problems of the split and the whole ones they were made of."""
    rows = [r for r in pq.read_table(path).to_pylist() if r["split"] == split and r["source"] == "umwp"]
    by_id = {r["problem_id"]: r for r in rows}
    found = list[Item]()
    for row in rows:
        of = json.loads(row["meta"] or "{}").get("original_problem_id")
        if not row["answerable"] and of in by_id:
            found += [Item(row["question"], True, of), Item(by_id[of]["question"], False, of)]
    return found if limit is None else found[: 2 * limit]


def instructions(path: Path, limit: int | None, split: str = "test") -> list[Item]:
    rows = [r for r in pq.read_table(path).to_pylist() if r["split"] == split]
    clear = [Item(r["question"], False, r["problem_id"]) for r in rows if r["answerable"]]
    unclear = [
        Item(r["question"], True, r["problem_id"], json.loads(r["meta"] or "{}").get("clarifying_question"))
        for r in rows
        if not r["answerable"]
    ]
    return [*unclear[:limit], *clear[:limit]]


def sets_of(flawed: Path, unclear: Path, limit: int | None, split: str = "test") -> dict[str, list[Item]]:
    return {"umwp": umwp(flawed, limit, split), "instructions": instructions(unclear, limit, split)}


def answered(model: Path, name: str, items: Sequence[Item]) -> list[str]:
    """Kept beside the model, and not asked for again while it is the same."""
    path = model / f"{name}.jsonl"
    if path.exists() and path.stat().st_mtime > (model / "model.safetensors").stat().st_mtime:
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        if [row["text"] for row in rows] == [item.text for item in items]:
            return [row["said"] for row in rows]
    said = list(replies(model, [item.text for item in items]))
    lines = [{**item._asdict(), "said": text} for item, text in zip(items, said, strict=True)]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return said


def ask(models: Sequence[Path], sets: Mapping[str, Sequence[Item]]) -> None:
    for name, items in sets.items():
        print(f"\n## {name}: {sum(i.unclear for i in items)} unclear, {sum(not i.unclear for i in items)} clear\n")
        print(f"| model | {' | '.join(NAMES)} |\n|---{'|---' * len(NAMES)}|")
        told: dict[str, Rates] = {}
        for model in models:
            said = answered(model, name, items)
            told[model.name] = rates(items, judged(items, said))
            cells = " | ".join(told[model.name].shown())
            print(f"| {model.name} | {cells} |", flush=True)
        contrasts(told, BALANCED)


def contrasts(told: Mapping[str, Rates], figure: int) -> None:
    print(f"\n{NAMES[figure]}, each less each, what is common drawn together:\n")
    for (a, ours), (b, theirs) in combinations(told.items(), 2):
        gained = Rates(ours.values - theirs.values, ours.again - theirs.again)
        print(f"- {a} less {b}: {gained.shown()[figure]}")


def played(runs: Sequence[Path]) -> None:
    """Of whole dialogues of `flawed`: asked is that the learner asked at all; the slot is that which was taken out."""
    print(f"| run | dialogues, cases | {' | '.join(NAMES[:4])} | success, unclear | success, clear |")
    print(f"|---{'|---' * 7}|")
    every = {run.name: [r.dialogue for r in read_dialogues(run)] for run in runs}
    cases = sorted({d.scenario.base_case_id for dialogues in every.values() for d in dialogues})
    told: dict[str, Rates] = {}
    for name, dialogues in every.items():
        outcomes = [d.outcome for d in dialogues]
        items = [Item(d.id, d.scenario.plan["flaw_type"] != "none", d.scenario.base_case_id) for d in dialogues]
        right = [None if o["asked_right_slot"] is None else float(o["asked_right_slot"] == 1.0) for o in outcomes]
        told[name] = rates(items, [Reply(o["asked"], r) for o, r in zip(outcomes, right, strict=True)], cases)
        won = rates(items, [Reply(bool(o["success"])) for o in outcomes], cases)
        cells = told[name].shown()[: SLOT + 1] + won.shown()[:2]
        print(f"| {name} | {len(items)}, {len({i.unit for i in items})} | {' | '.join(cells)} |")
    contrasts(told, SLOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    files = argparse.ArgumentParser(add_help=False)
    files.add_argument("--problems", type=Path, default=CORPORA / "problems__flawed_math.parquet")
    files.add_argument("--instructions", type=Path, default=CORPORA / "problems__ambiguous_instructions.parquet")
    splitting = verbs.add_parser("problems")
    splitting.add_argument("file", type=Path)
    splitting.add_argument("--out", type=Path, required=True)
    basing = verbs.add_parser("base")
    basing.add_argument("--out", type=Path, required=True)
    making = verbs.add_parser("arms", parents=[files])
    making.add_argument("run", type=Path)
    making.add_argument("--out", type=Path, required=True)
    training = verbs.add_parser("train")
    training.add_argument("file", type=Path)
    training.add_argument("--model", type=Path, required=True)
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--steps", type=int, default=100)
    asking = verbs.add_parser("ask", parents=[files])
    asking.add_argument("models", type=Path, nargs="+")
    asking.add_argument("--limit", type=int, help="Items of each kind.")
    playing = verbs.add_parser("played")
    playing.add_argument("runs", type=Path, nargs="+")
    given = parser.parse_args()
    match given.verb:
        case "problems":
            problems(given.file, given.out)
        case "base":
            base(given.out)
        case "arms":
            write_arms(given.run, given.out, sets_of(given.problems, given.instructions, None, "train"))
        case "train":
            train(given.file, given.model, given.out, given.steps)
        case "ask":
            ask(given.models, sets_of(given.problems, given.instructions, given.limit))
        case _:
            played(given.runs)


if __name__ == "__main__":
    main()

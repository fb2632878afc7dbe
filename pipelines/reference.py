"""Real dialogues, and dialogues from elsewhere: read in any of our schemas, prepared once, split by source group.

A reference has a learner and a partner side: `user` is the partner of `assistant`; in a symmetric corpus the second
speaker to appear is the partner (the first opened the conversation, as our learners do). `#partner=ROLE` after a spec
names the partner otherwise (a teacher recorded as `assistant`). Every further speaker keeps its own name. Consecutive
messages of one speaker stay separate turns: people do that.

Groups, which never straddle the splits fit, dev and test: the partner's person in the chit-chat data (people recur
there), the source problem or topic where a corpus names it, else the dialogue.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from inference import weights
from pipelines.dialogue_files import (
    bare_dialogue,
    is_our_table,
    parquet_files,
    read_records,
    read_rows,
    sides,
    source_group,
)
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.errors import DataError, StorageError, did_you_mean
from schemas.identity import rng, stable_hash

Split = Literal["fit", "dev", "test"]
SHARES: dict[Split, float] = {"fit": 0.6, "dev": 0.2, "test": 0.2}
MIN_TURNS = 4
"""Shorter conversations are none: mostly somebody waiting for an answer."""
MAX_PER_PERSON = 6
"""Conversations of one partner that are taken from the chit-chat data, so that no person stands for everybody."""

_CONVERSION = 1
_CHUNK = 512
_PREPARED = pa.schema(
    [
        ("dialogue_id", pa.string()),
        ("group_id", pa.string()),
        ("split", pa.string()),
        ("rank", pa.int64()),
        ("turns", pa.list_(pa.struct([("role", pa.string()), ("text", pa.string())]))),
    ]
)

Fetch = Callable[[str], Path]
"""The name of a package on an index -> its data file, or the folder it was unpacked to."""


class Conversation(NamedTuple):
    id: str
    group: str
    turns: list[tuple[str, str]]
    """(speaker, text)"""
    partner: str | None = None
    learner: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    spec: str
    path: Path
    """The prepared Parquet file."""
    last_rank: int
    """Dialogues of a higher rank (a hash of the id) are beyond the limit."""
    counts: dict[Split, int]
    licence: str | None

    def dialogues(self, split: Split) -> Iterator[Dialogue]:
        """Streamed, in the order of the source; roles are `learner` and `partner`."""
        for row in read_rows(self.path):
            if row["split"] == split and row["rank"] <= self.last_rank:
                yield bare_dialogue(
                    row["dialogue_id"],
                    row["group_id"],
                    [Turn(role=t["role"], text=t["text"]) for t in row["turns"]],
                    family="reference",
                    domain=self.spec,
                    roles=("learner", "partner"),
                )

    def windows(self, split: Split, lengths: Sequence[int], seed: int) -> Iterator[Dialogue]:
        """The beginnings of real dialogues, cut so that their numbers of turns are distributed as `lengths`.

        `lengths`: the numbers of turns of the synthetic side. Each real dialogue serves at most once, for the first
        length still wanted that it reaches; all lengths are served before any twice.
        """
        wanted: list[int] = []
        for dialogue in self.dialogues(split):
            if not wanted:
                wanted = sorted(lengths)
                rng(seed, "windows", split).shuffle(wanted)
            for i, length in enumerate(wanted):
                cut = window(dialogue, length)
                if cut is not None:
                    del wanted[i]
                    yield cut
                    break

    def beginnings(self, split: Split, lengths: Sequence[int], seed: int) -> Iterator[Dialogue]:
        """Beginnings (`beginning`) of real dialogues, each with a number of turns drawn from `lengths`."""
        for dialogue in self.dialogues(split):
            if (cut := beginning(dialogue, rng(seed, "beginnings", dialogue.id).choice(lengths))) is not None:
                yield cut


def beginning(dialogue: Dialogue, turns: int) -> Dialogue | None:
    """The first `turns` turns, or all of a dialogue whose partner says nothing after them.

    Of every turn of the partner in it is known whether it was the last. So where `turns` depends on nothing of the
    dialogue, beginnings tell how soon people leave.
    """
    last = max((place for place, turn in enumerate(dialogue.turns) if turn.role == dialogue.partner), default=-1)
    if last < turns:
        return window(dialogue, len(dialogue.turns))
    cut = window(dialogue, turns)
    return cut and cut.model_copy(update={"ending": Ending(reason="external", detail="goes_on")})


def window(dialogue: Dialogue, turns: int) -> Dialogue | None:
    """The first `turns` turns; None when the dialogue is shorter, or when one side says nothing in them.

    Real conversations are several times longer than synthetic ones: uncut, their length alone would tell them apart.
    """
    kept = dialogue.turns[:turns]
    roles = {t.role for t in kept if t.text}
    if len(dialogue.turns) < turns or not {dialogue.partner, dialogue.learner} <= roles:
        return None
    ending = dialogue.ending if len(dialogue.turns) == turns else Ending(reason="external", detail="window")
    return dialogue.model_copy(update={"turns": kept, "ending": ending})


def load_reference(spec: str, cache_dir: Path, limit: int | None = None, fetch: Fetch = weights.fetch) -> Reference:
    """`pypi:chitchat-dataset`, `path:FILE_OR_FOLDER`, or `hf:owner/name[:config]`; converted once into `cache_dir`.

    `limit`: dialogues over all splits, chosen by a hash of their ids. `fetch` gets the data of `pypi:`.
    Raises DataError; what `fetch` raises; StorageError.
    """
    where, _, option = spec.partition("#")
    kind, _, name = where.partition(":")
    if option and not option.startswith("partner="):
        raise DataError(f"reference '{spec}': '#{option}' is no option; the only one is #partner=ROLE")
    partner = option.removeprefix("partner=") or None
    licence = None
    match kind:
        case "pypi":
            file = _chitchat_file(name, fetch)
            mark, conversations, licence = _digest([file]), _chitchat(file), "MIT"
        case "path":
            files = parquet_files(Path(name).expanduser())
            mark, conversations = _digest(files), (c for f in files for c in _from_parquet(f))
        case "hf":
            mark, conversations = name, _from_hub(name)
        case _:
            raise DataError(
                f"reference '{spec}': unknown kind '{kind}'{did_you_mean(kind, ['pypi', 'path', 'hf'])}; "
                "write pypi:chitchat-dataset, path:FILE.parquet or hf:owner/name"
            )
    path = cache_dir / "references" / f"{stable_hash(_CONVERSION, where, partner, mark)}.parquet"
    if not _readable(path):
        _prepare(spec, conversations, partner, path)
    return _summary(spec, path, limit, licence)


def _summary(spec: str, path: Path, limit: int | None, licence: str | None) -> Reference:
    rows = pq.read_table(path, columns=["split", "rank"]).to_pylist()
    ranks = sorted(row["rank"] for row in rows)
    last = ranks[-1] if limit is None else ranks[min(limit, len(ranks)) - 1]
    found = Counter(row["split"] for row in rows if row["rank"] <= last)
    counts: dict[Split, int] = {split: found[split] for split in SHARES}
    if not all(counts.values()):
        raise DataError(
            f"reference '{spec}': too small to split by source ({', '.join(f'{s} {n}' for s, n in counts.items())}); "
            "every split needs a dialogue: bring more dialogues or raise the limit"
        )
    return Reference(spec, path, last, counts, licence)


def _prepare(spec: str, conversations: Iterable[Conversation], partner: str | None, path: Path) -> None:
    tally: Counter[str] = Counter()
    temporary = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = _prepared_rows(conversations, partner, tally)
        with pq.ParquetWriter(temporary, _PREPARED, compression="zstd") as writer:
            while chunk := list(islice(rows, _CHUNK)):
                writer.write_table(pa.Table.from_pylist(chunk, schema=_PREPARED))
        if not tally["usable"]:
            raise DataError(f"reference '{spec}': {_nothing_usable(tally, partner)}")
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"{path.parent}: the prepared reference cannot be written ({error})") from error
    finally:
        with suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


def _prepared_rows(
    conversations: Iterable[Conversation], partner: str | None, tally: Counter[str]
) -> Iterator[dict[str, Any]]:
    for conversation in conversations:
        row = _prepared_row(conversation, partner)
        tally.update(seen=1, short=int(len(conversation.turns) < MIN_TURNS), usable=int(row is not None))
        if row is not None:
            yield row


def _nothing_usable(tally: Counter[str], partner: str | None) -> str:
    seen = tally["seen"]
    if seen == 0:
        return "it is empty: no dialogue in it"
    if tally["short"] == seen:
        return f"none of its {seen} dialogues has {MIN_TURNS} turns or more"
    side = f"'{partner}' and somebody else both speak" if partner else "both sides speak"
    return f"only one side ever speaks: in none of its {seen} dialogues {side}; check the `role` of the turns"


def _prepared_row(conversation: Conversation, partner: str | None) -> dict[str, Any] | None:
    """None for a conversation of fewer than MIN_TURNS turns or in which one side never speaks."""
    turns = [(role, " ".join(text.split())) for role, text in conversation.turns if text and text.strip()]
    learner, partner = sides([role for role, _ in turns], partner or conversation.partner, conversation.learner)
    if len(turns) < MIN_TURNS or learner is None or partner is None:
        return None
    names = {learner: "learner", partner: "partner"}
    point = int(stable_hash("person", conversation.group, bits=64), 16) / 2**64
    return {
        "dialogue_id": conversation.id,
        "group_id": conversation.group,
        "split": "fit" if point < SHARES["fit"] else "dev" if point < SHARES["fit"] + SHARES["dev"] else "test",
        "rank": int(stable_hash("rank", conversation.id, bits=64), 16) >> 1,
        "turns": [{"role": names.get(role, role), "text": text} for role, text in turns],
    }


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.blake2b()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()


def _readable(path: Path) -> bool:
    try:
        return path.exists() and pq.read_metadata(path).num_rows > 0
    except (pa.ArrowException, OSError):
        return False


# Sources


def _chitchat_file(name: str, fetch: Fetch) -> Path:
    if name != "chitchat-dataset":
        raise DataError(
            f"reference 'pypi:{name}': not a known package of dialogues{did_you_mean(name, ['chitchat-dataset'])}"
        )
    folder = fetch(name)
    if folder.is_file():
        return folder
    found = sorted(folder.rglob("dataset.json"))
    if not found:
        raise DataError(f"{folder}: no dataset.json inside; delete the folder and run again to fetch it anew")
    return found[0]


def _chitchat(file: Path) -> Iterator[Conversation]:
    """BYU Chit-Chat: conversations of volunteers, half of the 7,168 with an answer; two people had a fifth of these."""
    try:
        data = orjson.loads(file.read_bytes())
        answered: Counter[str] = Counter()
        for key, conversation in data.items():
            turns = [(u["sender"], u["text"]) for block in conversation["messages"] for u in block]
            people = list(dict.fromkeys(sender for sender, _ in turns))
            if len(people) == 2 and len(turns) >= MIN_TURNS and answered[people[1]] < MAX_PER_PERSON:
                answered[people[1]] += 1
                yield Conversation(f"chitchat:{key}", f"chitchat:{people[1]}", turns)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: not the chit-chat data ({error!r}); delete its folder and run again to fetch it anew"
        ) from error


def hub_splits(told: str, name: str) -> dict[str, Iterable[dict[str, Any]]]:
    """Split -> rows of `owner/name[:config]`. Raises DataError that begins with `told`."""
    import datasets  # slow to import, and only these sets need it

    path, _, config = name.partition(":")
    try:
        splits = datasets.load_dataset(path, config or None)
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # what `datasets` and the hub's client raise derives from these
        raise DataError(
            f"{told}: it cannot be loaded ({str(error).splitlines()[0]}); check the name and the network, or save it "
            "as Parquet and give that file"
        ) from error
    return {str(split): cast(Iterable[dict[str, Any]], rows) for split, rows in splits.items()}


def _from_hub(name: str) -> Iterator[Conversation]:
    path = name.partition(":")[0]
    for split, rows in hub_splits(f"reference 'hf:{name}'", name).items():
        for i, row in enumerate(rows):
            if not isinstance(row.get("turns") or row.get("messages"), list):
                wanted = "`turns` (role, text) or `messages` (role, content)"
                raise DataError(f"reference 'hf:{name}': split '{split}' has no column {wanted}")
            yield _conversation({"dialogue_id": f"{path}:{split}/{i}", **row})


def _from_parquet(file: Path) -> Iterator[Conversation]:
    if is_our_table(file):
        for record in read_records(file):
            d = record.dialogue
            turns = [(t.role, t.text) for t in d.turns if t.kind == "utterance" and t.text]
            yield Conversation(d.id, d.scenario.base_case_id, turns, d.partner, d.learner)
    else:
        for row in read_rows(file):
            yield _conversation(row)


def _conversation(row: dict[str, Any]) -> Conversation:
    said: list[dict[str, Any]] = row.get("turns") or row.get("messages") or []
    turns = [(turn["role"], turn.get("text") or turn.get("content") or "") for turn in said]
    return Conversation(row["dialogue_id"], source_group(row), turns)

"""What each dataset config is: its row, its columns, what to mind. Card and Croissant are made of it."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa

from outputs.columns import columns
from outputs.manifest import Manifest
from outputs.views.registry import VIEWS
from outputs.views.view import DatasetView
from schemas.table import REWARD, SCHEMA


class Documented(NamedTuple):
    name: str
    """Dotted path inside nested columns of the dialogue table."""
    type: str
    meaning: str
    """With its unit, where it has one."""
    source: str
    private: bool = False


class Config(NamedTuple):
    name: str
    row: str
    limits: str
    schema: pa.Schema
    columns: tuple[Documented, ...]
    like: str = ""
    """Another config with the same columns; empty: none, or it comes later."""


_TABLES: Mapping[str, str] = {
    "dialogues": "A published dialogue with all that is known of it, what one side alone knew included.",
    "rejected": "A dialogue that was played and not published; `selection.reason` says why.",
    "branches": "A candidate or a rollout: a dialogue with an `origin`, the dialogue and the turn it branches from.",
}
_SHARED = ("A published dialogue.", "Columns that hold what one side alone knew were left out of this copy.")
_LIMITS: Mapping[str, str] = {
    "dialogues": "Private columns lie beside public ones: train on `messages`, or on a view, which has none of them.",
    "rejected": "Not a random sample of failures, and no negative examples by themselves: some were dropped for "
    "being one too many of their kind.",
    "branches": "Cut off after a few turns by design; how they end says nothing.",
    "turns": "Turns of one dialogue are no independent rows: split and count by `base_case_id`.",
    "sft": "Only what led to success is in it, so it holds no example of when not to. Rows of one dialogue share their "
    "beginning.",
    "sft_primed": "The questions were put in the learner's mouth: what a model learns here it was never seen doing.",
    "preference": "A pair says which of two turns turned out better on simulated people, and no more. Its scores are "
    "comparable within one `reward`.",
    "unpaired": "Labels of one `reward` are not those of another.",
    "prompts": "The ground truth is the verifier's; answers in other words count as wrong.",
    "stepwise": "What was due is decided by the program, hidden facts included. Labels are not balanced: where a step "
    "stands may tell its label.",
    "silence": "When to speak is what the program asked for, not what listeners wished for.",
    "hindsight": "What was due is read from how the simulated dialogue went on, and would differ with another person.",
    "thoughts": "Holds what one side alone knew. The scores are a language model's, of its own thoughts.",
}
_PRIVATE = "Holds what one side alone knew."
_SOURCES: Mapping[str, str] = {
    **dict.fromkeys(("messages",), "models"),
    **dict.fromkeys(("goal", "verifier", "facts", "session_latents", "views", "plan"), "scenario"),
    "turns": "models; labels: program and detectors",
    "labels": "detectors",
    "realism": "discriminators",
    "rewards": "the reward of that name",
    "selection": "selectors",
}


def config(name: str, without: Collection[str] = ()) -> Config:
    """A name that is neither a table nor a view is a KeyError. `without`: columns of the dialogue table, dotted inside
    nested ones, that were left out of a copy.
    """
    if name in _TABLES:
        documented = tuple(
            Documented(c.name, c.type, c.meaning, _SOURCES.get(c.name.split(".")[0], "program"), c.private)
            for c in columns()
            if not {c.name, c.name.split(".")[0]} & set(without)
        )
        row, limit = _SHARED if without else (_TABLES[name], _LIMITS[name])
        return Config(name, row, limit, reduced(without), documented, "" if name == "dialogues" else "dialogues")
    view = VIEWS[name]
    found = tuple(Documented(c.name, spelled(c.type), c.meaning, c.source, view.private) for c in view.columns)
    like = next((v.name for v in _before(name) if v.columns == view.columns), "")
    limit = _PRIVATE if view.private else _LIMITS.get(name, "")
    return Config(name, view.row, limit, view.schema, found, like)


def reduced(without: Collection[str]) -> pa.Schema:
    """The dialogue table's schema without these columns."""
    if not without:
        return SCHEMA
    rewards = pa.list_(pa.struct([child for child in REWARD if f"rewards.{child.name}" not in without]))
    kept = [field for field in SCHEMA if field.name not in without]
    return pa.schema([field.with_type(rewards) if field.name == "rewards" else field for field in kept])


def _before(name: str) -> Iterator[DatasetView]:
    for view in VIEWS.values():
        if view.name == name:
            return
        yield view


def spelled(kind: pa.DataType) -> str:
    """A type as a reader says it: `list of {role: string, content: string}`."""
    if pa.types.is_list(kind):
        return f"list of {spelled(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{child.name}: {spelled(child.type)}" for child in kind) + "}"
    return str(kind)


def limits(manifest: Manifest) -> list[str]:
    """What the dialogues of a run must not be taken for."""
    models = " and ".join(s.name for s in manifest.sources if s.kind == "model") or "a language model"
    return [
        "Simulated people are not people: they are more cooperative, more uniform and less vague than real ones. Do "
        "not measure users with them.",
        f"The words are those of {models}: its errors, its biases and its style are in them.",
        'Labels with "requested" in their name say what the program asked for, not what the words achieve; the '
        "detected ones come from simple detectors.",
        "Columns marked private hold what one side knew alone. They are there for audits and privileged training and "
        "do not belong in a public prompt.",
        "A missing reward is null with its reason. It is not a zero.",
        *manifest.limits,
    ]

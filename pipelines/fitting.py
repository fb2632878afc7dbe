"""`overture fit`: what of a reference's people simulated users are drawn from."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from discriminators.fingerprint import fingerprint
from generators.latents.fitted import Agreement, FittedLatents, Person
from generators.latents.hand_labels import HandLabel, kappa, labelled
from generators.latents.intents import INTENTS, Step, bucket, fit_intents, steps_of
from generators.latents.tagger import tag
from inference.weights import cache_folder
from outputs.files import write_text
from pipelines.reference import Reference, load_reference
from schemas.dialogue import Dialogue
from schemas.errors import DataError
from schemas.identity import rng

LEAST_KAPPA = 0.6
"""From this agreement with hand labels on (Landis and Koch's "substantial") intents are fitted."""
PEOPLE = 100
"""Of a larger reference so many are drawn."""
LEAST_OF_AN_INTENT = 30
"""Messages from which on an intent's lengths are its own."""
LEAST_MESSAGES = 3
"""Fewer say little about how somebody types."""
TELLING = ("answer", "answer_ask", "share")
MOST_TOLD = 3
"""Statements in one message; more are counted as these."""
DRAWS = 1000
SEED = 7

_STATEMENT = re.compile(r"[^.!?;\n]*\w[^.!?;\n]*(?:[.!;\n]+|$)")
"""A run of words that ends in no question mark."""

OUT = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(slots=True)
class _Seen:
    """Of the dialogues so far."""

    steps: list[Step] = field(default_factory=list[Step])
    words: dict[str, Counter[int]] = field(default_factory=dict[str, Counter[int]])
    last: Counter[str] = field(default_factory=Counter[str])
    all: Counter[str] = field(default_factory=Counter[str])
    tells: Counter[int] = field(default_factory=Counter[int])
    people: list[Person] = field(default_factory=list[Person])
    dialogues: int = 0
    partner_ends: int = 0

    def add(self, dialogue: Dialogue) -> None:
        mine = [t.text for t in dialogue.turns if t.role == dialogue.partner and t.text]
        spoken = [t for t in dialogue.turns if t.text]
        if not mine:
            return
        self.dialogues += 1
        self.partner_ends += spoken[-1].role == dialogue.partner
        steps = list(steps_of(dialogue))
        self.steps += steps
        for text, step in zip(mine, steps, strict=True):
            for name in ("all", step.intent):
                self.words.setdefault(name, Counter())[len(text.split())] += 1
            if step.intent in TELLING:
                self.tells[min(MOST_TOLD, len(_STATEMENT.findall(text)) or 1)] += 1
        self.all.update(bucket(n) for n in range(len(mine)))
        self.last[bucket(len(mine) - 1)] += 1
        if (person := _person(dialogue)) is not None:
            self.people.append(person)


def fit(reference: str, out: Path) -> int:
    """Prints what was found and writes `out`. Raises DataError and StorageError kinds."""
    loaded = load_reference(reference, cache_folder())
    fitted = fit_latents(reference, loaded)
    write_text(out, fitted.model_dump_json() + "\n")
    _tell(fitted)
    OUT.print(f"Wrote {out}; a recipe names it as `latents: {out}` under a family")
    return 0


def fit_latents(spec: str, reference: Reference) -> FittedLatents:
    """Counts on the fit split; the agreement of the tagger with hand labels on the dev split. Raises DataError."""
    seen = _Seen()
    for dialogue in track(reference.dialogues("fit"), "counting", console=Console(stderr=True), transient=True):
        seen.add(dialogue)
    if not seen.steps:
        raise DataError(f"reference '{spec}': no dialogue of its fit split has a message of the partner's")
    agreement = measure_agreement(list(labelled_tags(reference.dialogues("dev"))))
    missing = None
    if agreement is None:
        missing = "no hand labels of this reference (docs/intents.md)"
    elif agreement.kappa < LEAST_KAPPA:
        missing = f"the tagger agrees with hand labels by kappa {agreement.kappa:.2f} only, less than {LEAST_KAPPA}"
    return FittedLatents(
        reference=spec,
        dialogues=seen.dialogues,
        messages=len(seen.steps),
        agreement=agreement,
        intents=None if missing else fit_intents(seen.steps),
        intents_missing=missing,
        leaves={name: round(seen.last[name] / seen.all[name], 4) for name in sorted(seen.all)},
        partner_ends=round(seen.partner_ends / seen.dialogues, 4),
        words={
            name: _deciles(n)
            for name, n in sorted(seen.words.items())
            if name == "all" or n.total() >= LEAST_OF_AN_INTENT
        },
        tells={n: round(seen.tells[n] / seen.tells.total(), 4) for n in sorted(seen.tells)} or {1: 1.0},
        people=_sample(seen.people, spec),
    )


def labelled_tags(dialogues: Iterator[Dialogue]) -> Iterator[tuple[HandLabel, str]]:
    """Hand labels with what the tagger says of the same messages."""
    for label, message in labelled(dialogues, "dev"):
        yield label, tag(*message).intent


def measure_agreement(found: Sequence[tuple[HandLabel, str]]) -> Agreement | None:
    """None without hand labels."""
    both = [(label.first, label.second, tagged) for label, tagged in found if label.second is not None]
    value = _mean_kappa(both)
    if value is None:
        return None
    draws = rng(SEED, "agreement")
    resampled = sorted(k for _ in range(DRAWS) if (k := _mean_kappa(draws.choices(both, k=len(both)))) is not None)
    low, high = resampled[int(0.025 * len(resampled))], resampled[math.ceil(0.975 * len(resampled)) - 1]
    return Agreement(kappa=round(value, 3), low=round(low, 3), high=round(high, 3), n=len(both))


def _mean_kappa(rows: Sequence[tuple[str, str, str]]) -> float | None:
    tagged = [t for *_, t in rows]
    first, second = kappa([a for a, *_ in rows], tagged), kappa([b for _, b, _ in rows], tagged)
    return None if first is None or second is None else (first + second) / 2


def _person(dialogue: Dialogue) -> Person | None:
    """None where something of it cannot be measured."""
    f = fingerprint(dialogue)
    measured = {
        "words": f.words,
        "lower_case": f.lower_case_starts,
        "no_final_stop": f.no_final_stop,
        "questions": f.questions,
        "double_text": f.double_texts,
        "typos": f.typos,
        "dropped_apostrophes": f.dropped_apostrophes,
        "polite": f.politeness,
    }
    if f.messages < LEAST_MESSAGES or None in measured.values():
        return None
    return Person(**{name: round(value, 4) for name, value in measured.items() if value is not None})


def _sample(people: Sequence[Person], spec: str) -> tuple[Person, ...]:
    if not people:
        raise DataError(
            f"reference '{spec}': no partner says {LEAST_MESSAGES} messages or more; there is nobody to draw"
        )
    return tuple(people if len(people) <= PEOPLE else rng(SEED, "people", spec).sample(people, PEOPLE))


def _deciles(words: Counter[int]) -> tuple[int, ...]:
    ordered = sorted(words.elements())
    return tuple(ordered[len(ordered) * k // 10] for k in range(1, 10))


def _tell(fitted: FittedLatents) -> None:
    table = Table(show_header=False, title=fitted.reference, title_justify="left")
    table.add_row("fit split", f"{fitted.dialogues} dialogues, {fitted.messages} messages of partners")
    a = fitted.agreement
    if a is not None:
        table.add_row("tagger against hand labels", f"kappa {a.kappa:.2f} [{a.low:.2f}, {a.high:.2f}], n = {a.n}")
    if fitted.intents is None:
        table.add_row("intents", f"not fitted: {fitted.intents_missing}")
    else:
        shares = Counter({name: sum(row.get(name, 0) for row in fitted.intents.counts.values()) for name in INTENTS})
        total = shares.total()
        table.add_row("intents", ", ".join(f"{name} {n / total:.0%}" for name, n in shares.most_common() if n))
    table.add_row("words a message, deciles", " ".join(map(str, fitted.words["all"])))
    table.add_row("leaves after a message", ", ".join(f"{k} {v:.1%}" for k, v in fitted.leaves.items()))
    table.add_row("the partner has the last word", f"{fitted.partner_ends:.0%}")
    table.add_row("people", f"{len(fitted.people)}")
    Console(width=None).print(table)

"""`overture check RECIPE --simulator`: are a recipe's simulated users committed to what they are said to want?

The suite of methods §20 on dialogues of each family, played as in a run: hidden facts asked for and guessed wrong out
of band, again and again, with the card and, as a negative control, without; questions put again; turns against the
card; facts that can be read before they are asked for; persons told apart by how they write.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from filters.card_contradiction import CardContradiction
from filters.negated_knowledge import NegatedKnowledge
from generators.matching import told_early
from generators.play import Watch
from generators.speakers.checks import tidy
from inference.client import Connections
from outputs.files import write_text
from pipelines import commitment_figures as figures
from pipelines.checking import WIDTH
from pipelines.commitment_figures import Figure, Gate, Trial, gates
from pipelines.commitment_probes import Answer, Bench, Played, Source, asked, play_whole, probes
from pipelines.commitment_reading import Values
from pipelines.display import Display, Say, teller
from pipelines.engines import Engines, engines
from pipelines.fingerprints import generation_fingerprint
from pipelines.journal import Journal
from pipelines.recipe import Recipe, load
from pipelines.recipe_families import FamilyEntry
from pipelines.rundir import RunDir
from pipelines.scenarios import group
from pipelines.services import Models
from pipelines.together import together
from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.errors import InputError, did_you_mean
from schemas.identity import stable_hash
from schemas.scenario import Fact

AT_ONCE = 8
"""Dialogues or probes; how many requests an endpoint gets is measured as in a run."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The defaults suit a laptop; a gate needs about 200 persons."""

    dialogues: int = 10
    """Of each family; the siblings of a case are dialogues of one person."""
    points: tuple[str, ...] = ("0", "last")
    """Turns at which is asked: the first place from there on, or the last."""
    again: int = 3
    """Answers to each question, each sampled anew."""
    replays: int = 3
    """The same for a question of the dialogue itself."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A fact that is told only when asked for, and the first turn that lets it be read before; None: none does."""

    person: str
    dialogue: str
    fact: str
    words: Source
    reader: str
    turn: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """Of one family."""

    family: str
    skipped: str | None = None
    """Why nothing was asked."""
    figures: tuple[Figure, ...] = ()
    gates: tuple[Gate, ...] = ()
    answers: tuple[Answer, ...] = ()
    leaks: tuple[Leak, ...] = ()


def check_simulator(
    recipe: Path, sets: Sequence[str], sizes: Sizes, family: str | None = None, out: Path | None = None
) -> int:
    """Prints the tables and writes `commitment.json`; goes on where the same command was interrupted."""
    if odd := [p for p in sizes.points if p != "last" and not p.isdigit()]:
        raise InputError(f"--points: {odd[0]!r} is no turn; give numbers or last, as 0,2,5,last")
    wanted = load(recipe, sets)
    entries = _chosen(wanted, family)
    progress = Console(stderr=True)
    began = time.monotonic()
    run = RunDir(out or Path("runs") / f"{wanted.name}-commitment")
    with run.lock(), ExitStack() as stack:
        with Display(wanted, progress) as display:
            servers = stack.enter_context(engines(wanted, run.logs, display))
        journal = stack.enter_context(Journal(run.journal, "probes", generation_fingerprint(wanted)))
        say = teller("playing", progress, stack)
        reports, calls = asyncio.run(_reports(wanted, entries, sizes, servers, journal, say))
    path = run.path / "commitment.json"
    spent = {"calls": calls, "seconds": round(time.monotonic() - began, 1)}
    about = {"recipe": wanted.name, "models": {r: m.model for r, m in servers.roles.items()}, "sizes": sizes}
    data = orjson.dumps({**about, **spent, "families": reports}, option=orjson.OPT_INDENT_2, default=_plain)
    write_text(path, data.decode())
    _print(reports, Console(width=None if sys.stdout.isatty() else WIDTH))
    told = f"\n{calls} calls, {spent['seconds']:.0f} s. Wrote {path}"
    Console().print(told, markup=False, highlight=False, soft_wrap=True)
    return 0


def _plain(value: object) -> object:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()  # pyright: ignore
    raise TypeError(type(value).__name__)


def _chosen(recipe: Recipe, family: str | None) -> list[FamilyEntry]:
    found = [e for e in recipe.families if family in (None, e.name)]
    if not found:
        near = did_you_mean(str(family), [e.name for e in recipe.families])
        raise InputError(f"--family: '{family}' is not in this recipe{near}")
    return found


async def _reports(
    recipe: Recipe, entries: Sequence[FamilyEntry], sizes: Sizes, servers: Engines, journal: Journal, say: Say
) -> tuple[list[Report], int]:
    """And how many answers were asked for, those that were journalled before left out."""
    detectors = tuple(f for f in recipe.filters if isinstance(f, Detector))
    async with Connections() as connections:
        models = Models(connections, servers.roles, servers.embedder)
        bench = Bench(journal, models, Watch(detectors, recipe.remakes))
        reports = [await _report(bench, recipe, entry, sizes, say) for entry in entries]
        return reports, sum(usage.calls for usage in models.usage.values())


async def _report(bench: Bench, recipe: Recipe, entry: FamilyEntry, sizes: Sizes, say: Say) -> Report:
    fingerprint = generation_fingerprint(recipe)
    persons = range(max(1, sizes.dialogues // entry.siblings))
    scenarios = [s for n in persons for s in group(entry, n, recipe.seed, fingerprint)]
    if not any(s.views[entry.family.partner].facts for s in scenarios):
        return Report(entry.name, f"its {entry.family.partner} holds no facts: there is nothing to be committed to")
    playing = [partial(play_whole, bench, entry, scenario) for scenario in scenarios]
    played = await together(playing, f"{entry.name}: dialogues", say, at_once=AT_ONCE, parts=10)
    values = Values.of(entry.family, recipe.seed)
    asking = [
        partial(asked, bench, probe, values, n)
        for one in played
        for probe in probes(one, sizes.points, values, sizes.replays > 1)
        for n in range(sizes.replays if probe.kind == "replay" else sizes.again)
    ]
    answers = [
        a for found in await together(asking, f"{entry.name}: answers", say, at_once=AT_ONCE, parts=10) for a in found
    ]
    leaks = [leak for one in played for leak in await _leaks(bench, one, values)]
    found = (
        *figures.commitment(answers),
        *(figures.inconsistency(answers, s) for s in _WORDS),
        *(_contradictions(played, s) for s in _WORDS),
        *_leaked(leaks),
        *figures.persona([one.dialogue for one in played]),
    )
    return Report(entry.name, None, found, tuple(gates(found)), tuple(answers), tuple(leaks))


_WORDS: tuple[Source, ...] = ("first attempt", "after checks")


def _in_words(played: Played, words: Source) -> Dialogue:
    """The dialogue, or what it would be had every first attempt been believed."""
    if words == "after checks":
        return played.dialogue
    turns = list(played.dialogue.turns)
    for n, text in played.first.items():
        if n < len(turns) and turns[n].role == played.dialogue.partner:
            turns[n] = turns[n].model_copy(
                update={
                    "text": tidy(text, cut_short=False),
                    "labels": {k: v for k, v in turns[n].labels.items() if k != "clean"},
                }
            )
    return played.dialogue.model_copy(update={"turns": tuple(turns)})


def _contradictions(played: Sequence[Played], words: Source) -> Figure:
    """Turns with a fault of detectors whose precision stands in docs/faults.md."""
    trials: list[Trial] = []
    for one in played:
        dialogue = _in_words(one, words)
        against = {f.turn for d in (CardContradiction(), NegatedKnowledge()) for f in d.faults(dialogue)}
        own = [n for n, t in enumerate(dialogue.turns) if t.role == dialogue.partner and t.text]
        trials += [Trial(dialogue.scenario.group_id, n in against) for n in own]
    return figures.share("turns against the card", "", words, trials)


async def _leaks(bench: Bench, played: Played, values: Values) -> list[Leak]:
    found: list[Leak] = []
    for words in _WORDS:
        dialogue = _in_words(played, words)
        services, _ = bench.services(stable_hash(dialogue.id, "leaks", words), dialogue.partner)
        for fact in (f for f in played.targets if f.disclose != "volunteered"):
            early, named = None, None
            for n, text, told in _before_asked(dialogue, fact):
                if early is None and await told_early(text, told, [fact], services) is not None:
                    early = n
                if named is None and values.says(text, fact.slot, fact.value):
                    named = n
            about = (dialogue.scenario.group_id, dialogue.id, fact.id, words)
            found += [Leak(*about, "told_early", early), Leak(*about, "value words", named)]
    return found


def _before_asked(dialogue: Dialogue, fact: Fact) -> Iterator[tuple[int, str, list[Fact]]]:
    """The partner's turns before the fact is asked for or told, each with what it is meant to tell."""
    facts = {f.id: f for f in dialogue.scenario.views[dialogue.partner].facts}
    for n, turn in enumerate(dialogue.turns):
        if fact.id in (*turn.facts_asked, *turn.facts_disclosed):
            return
        if turn.role == dialogue.partner and turn.text:
            yield n, turn.text, [facts[i] for i in turn.facts_disclosed if i in facts]


def _leaked(leaks: Iterable[Leak]) -> list[Figure]:
    by: dict[tuple[str, Source], list[Trial]] = {}
    for leak in leaks:
        by.setdefault((leak.reader, leak.words), []).append(Trial(leak.person, leak.turn is not None))
    return [figures.share(f"facts readable too early ({r})", "", w, by[r, w]) for r, w in sorted(by)]


def _print(reports: Sequence[Report], console: Console) -> None:
    for report in reports:
        console.print(f"\n{report.family}", style="bold", highlight=False)
        if report.skipped is not None:
            console.print(f"skipped: {report.skipped}", highlight=False)
            continue
        table = Table(box=None, pad_edge=False)
        for column in ("measure", "words", "at", "value", "95%", "n", "persons"):
            table.add_column(column, overflow="fold")
        for f in report.figures:
            table.add_row(f.name, f.words, f.point or "all", *_figure(f))
        console.print(table, highlight=False)
        for gate in report.gates:
            console.print(f"{gate.name}: {gate.verdict}", markup=False, highlight=False, soft_wrap=True)


def _figure(f: Figure) -> tuple[str, str, str, str]:
    if f.found is None:
        return "-", "-", str(f.n), "-"
    return f"{f.found.value:.3f}", f"{f.found.low:.3f} to {f.found.high:.3f}", str(f.n), str(f.found.n)

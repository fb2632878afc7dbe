"""People who leave the sooner the longer a dialogue goes on, cut to others' lengths, beside people who do so uncut."""

from functools import cache
from typing import NamedTuple

import numpy as np
from talks import hashed_embed, talk

from discriminators.given import fit_given
from discriminators.heads import ENDS
from discriminators.standardised import head_points
from discriminators.two_sample.heads import head_distance
from discriminators.user_turns import Sample
from pipelines.reference import beginning
from schemas.dialogue import Dialogue, Ending

LEFT = Ending(reason="closed_by_partner")
PEOPLE = 450


class Compared(NamedTuple):
    errors: float
    """Ends of the residuals, in standard errors of theirs and of the reference."""
    p: float
    """Of the labels' distance."""


def dialogue(name: str, draws: np.random.Generator, hazard: float) -> Dialogue:
    """Its user leaves after turn n with probability n * n * hazard, more often after a question."""
    said: list[tuple[str, str]] = []
    for place in range(1, 60):
        asks = bool(draws.random() < 0.5)
        said += [("assistant", "Which day is it?" if asks else "It is open."), ("user", "i see")]
        if draws.random() < hazard * place * place * (1.6 if asks else 0.7):
            break
        if draws.random() < 0.3:
            said.append(("user", "and one more thing"))
    made = talk(*said, *([("assistant", "Goodbye!")] if draws.random() < 0.5 else []), name=name, ending=LEFT)
    return made.model_copy(update={"scenario": made.scenario.model_copy(update={"policy": "external"})})


def people(side: str, seed: int, hazard: float) -> list[Dialogue]:
    draws = np.random.default_rng(seed)
    return [dialogue(f"{side}{i}", draws, hazard) for i in range(PEOPLE)]


@cache
def compared(hazard: float) -> Compared:
    """Real people have .01."""
    made, draws = people("made", 1, hazard), np.random.default_rng(2)
    lengths = [len(d.turns) for d in made]
    cut = (beginning(d, int(draws.choice(lengths))) for d in people("real", 3, 0.01))
    real, synthetic = [Sample.of(d) for d in cut if d is not None], [Sample.of(d) for d in made]
    given = fit_given(real, hashed_embed, 0, heads=(ENDS,), components=0)
    residuals = np.array(list(given.residuals(synthetic)))[:, 0]
    acts = [turn.given for sample in synthetic for turn in sample.turns]
    errors = [acts.count(act) * float(error[0]) for act, error in given.errors.items()]
    distance = head_distance(*head_points(real, synthetic, ENDS), seed=0)
    return Compared(float(residuals.sum() / np.sqrt(np.square([*residuals, *errors]).sum())), distance.p or 0.0)


def test_people_alike_are_not_told_apart_by_where_their_dialogues_are_cut():
    found = compared(0.01)
    assert abs(found.errors) < 2.5
    assert found.p > 0.05


def test_people_who_leave_sooner_are_found():
    found = compared(0.015)
    assert found.errors > 5
    assert found.p < 0.01

"""What a selection could reach and did, as values for the manifest and in words."""

import numpy as np
import pyarrow as pa
import pytest
from talks import hashed_embed, said

from discriminators.given import Given, fit_given
from outputs.manifest import Feasible, Lacking, SelectionReward
from pipelines.selection_figures import feasible, in_words, reward_in_words, selection_reward, strata_in_words
from schemas.judgement import Feasibility, Selection


def given() -> Given:
    """Of real users who ask, tell, or are polite."""
    lines = ("Where is it?", "I like dogs.", "Yes please, thank you.")
    return fit_given([said(f"r{n}", *lines) for n in range(30)], hashed_embed, 0, ("question", "politeness"), 2)


def found(fitted: Given, excess: dict[str, float], unknown: float = 10.0, wanted: int = 400) -> Feasibility:
    turns = np.array([excess.get(name, 0.0) for name in fitted.names])
    return Feasibility(wanted, 300, 200, 350, turns, turns / unknown)


def test_what_is_lacking_is_named_with_its_turns_most_first():
    fitted = given()
    names = [name for name in fitted.names if "=" in name]
    assert names == ["question=asks", "politeness=more"]
    lacks = feasible(
        "talk", found(fitted, {"question=asks": -70.0, "politeness=more": -25.0, "fourier 0": -90.0}), fitted
    )
    assert [(x.head, x.label, x.turns, x.tolerances) for x in lacks.lacking] == [
        ("question", "asks", 70.0, 7.0),
        ("politeness", "more", 25.0, 2.5),
    ]
    assert (lacks.wanted, lacks.single, lacks.joint, lacks.effective) == (400, 300, 200, 350)
    assert lacks.status == "infeasible_for_size"


def test_the_last_label_of_a_head_lacks_what_the_others_have_too_many():
    fitted = given()
    lacks = feasible("talk", found(fitted, {"question=asks": 40.0, "politeness=more": 9.0}), fitted).lacking
    assert [(x.head, x.label, x.turns, x.tolerances) for x in lacks] == [("question", "none", 40.0, 4.0)]


def test_without_a_reference_nothing_is_named():
    assert feasible("talk", found(given(), {"question=asks": -70.0}), None).lacking == ()


def test_feasibility_in_words():
    lack = Lacking(head="question", label="asks", turns=70.4, tolerances=7.0)
    short = Feasible(family="", wanted=400, single=300, joint=200, effective=350, status="infeasible_for_size")
    named = list(in_words(short.model_copy(update={"lacking": (lack,)})))
    assert named[0].endswith(
        "The pool cannot give that many as real users are (infeasible_for_size): the kept are the closest."
    )
    assert named[1] == "Lacking, turns of users to generate more of: question=asks 70"
    assert "No label is lacking" in list(in_words(short))[1]
    (fine,) = in_words(short.model_copy(update={"wanted": 150, "status": "ok"}))
    assert fine == (
        "Feasibility: 150 wanted; at the most 300 with the hardest label balanced, 200 with all; effective sample size "
        "350. The pool can give that many."
    )


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ((0.0, -0.03, 0.03), "at most 0.030: not chosen by reward"),
        ((0.2, 0.1, 0.3), "beyond 0.05: what was kept was chosen by reward"),
        ((-0.2, -0.3, -0.1), "beyond 0.05: what was kept was chosen by reward"),
        ((0.02, -0.04, 0.08), "up to 0.080 is not excluded: that nothing was chosen by reward is not shown"),
    ],
)
def test_reward_in_words_claims_no_more_than_the_interval(figures: tuple[float, float, float], says: str):
    value, low, high = figures
    (line,) = reward_in_words(SelectionReward(family="", value=value, low=low, high=high, n=100))
    assert line.endswith(f"100 groups; {says}")


def test_without_outcomes_nothing_is_said_of_them():
    table = pa.table({name: pa.nulls(3) for name in ("logw", "success", "residuals", "answered")}).append_column(
        "stratum", pa.array(["None"] * 3)
    )
    for column in ("group_id", "dialogue_id"):
        table = table.append_column(column, pa.array(["a", "b", "c"]))
    chosen = {name: Selection(keep=name == "a") for name in "abc"}
    none = selection_reward("talk", table, chosen)
    assert (none.value, none.note) == (None, "no_outcome")
    assert list(reward_in_words(none)) == [] and list(strata_in_words(table, chosen)) == []


def test_what_was_kept_is_counted_by_cell_and_outcome():
    table = pa.table(
        {
            "dialogue_id": list("abcd"),
            "stratum": ["needed", "needed", "refuses", "None"],
            "success": [1.0, 0.0, 1.0, None],
        }
    )
    (line,) = strata_in_words(table, {name: Selection(keep=name in "ad") for name in "abcd"})
    assert line == (
        "Kept: needed, failure 0 of 1 (0%); needed, success 1 of 1 (100%); no outcome 1 of 1 (100%); "
        "refuses, success 0 of 1 (0%)"
    )

import re

import pytest
from manifest_samples import full_manifest
from selection_samples import DISTANCES, FAMILY, FEASIBLE, HEADS, MOVED, ROUNDS

from outputs.label_words import doing
from outputs.manifest import Feasible, Lacking, Manifest, SelectionReward
from outputs.report import render_report
from outputs.selection_charts import FamilySelection, head_charts, selections, total_variation


def told(manifest: Manifest) -> str:
    """The words of the section."""
    page = render_report(manifest, [])
    section = page[page.index('<section id="selection">') : page.index('<section id="rewards">')]
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"</?b>", "", section)).split())


def family(**changes: object) -> FamilySelection:
    return selections(full_manifest(**changes))[0]


def correlated(**figures: float) -> str:
    found = SelectionReward.model_validate({"family": FAMILY, "n": 900, **figures})
    reward = family(selection_reward=(found,)).reward
    assert reward is not None
    return reward.verdict


def test_families_come_in_their_order_and_those_of_which_nothing_is_known_do_not():
    assert [s.family for s in selections(full_manifest(families=("tutoring", "flawed", FAMILY)))] == [
        "tutoring",
        FAMILY,
    ]
    assert selections(Manifest(recipe="r", status="short", target=1, families=("f",))) == []


def test_a_pool_that_is_too_small_is_told_in_words_with_what_to_make():
    words = told(full_manifest())
    assert "The pool could give 8 dialogues as real users are, not the 12 wanted" in words
    wanted = "Real users refuse more often than this pool does: about 40 more turns with pushback = refuses are wanted."
    assert wanted in words
    assert words.index("pushback = refuses") < words.index("act change = refusal"), "the surest first"
    assert "about 1 more turn with" in words


def test_a_pool_that_is_large_enough_says_how_much_it_could_give():
    words = told(full_manifest())
    assert "The pool could give the 6 dialogues wanted, and up to 9." in words
    assert "Nothing: what was kept has no label on too few turns" in words


def test_what_could_be_kept_is_drawn_on_the_scale_of_what_is_wanted():
    sizes = family().sizes
    assert sizes is not None
    assert sizes.most == 8
    assert [(name, n) for name, n, _ in sizes.bars] == [
        ("one label balanced", 9),
        ("all labels balanced", 8),
        ("effective sample", 11),
    ]
    assert all(place < sizes.wanted for _, _, place in sizes.bars)


def test_the_head_furthest_beyond_chance_comes_first_with_its_distance_before_and_after():
    distances = family().distances
    assert distances is not None
    assert [m.name for m, *_ in distances.rows] == ["topic", "pushback", "length", "question", "wish"]
    _, before, after, floor = distances.rows[2]
    assert before is not None
    assert after is not None
    assert floor is not None
    assert before.dot > after.dot > floor.dot
    assert "length n = 18 made, 12 published" in told(full_manifest())
    assert "24% → 9% (3% to 14%) before: 19% to 29%; real ≤ 8%" in told(full_manifest())


def test_labels_show_the_real_share_in_its_band_beside_those_before_and_after():
    charts = {c.head: c for c in head_charts(HEADS, DISTANCES)}
    length = charts["length"]
    assert length.distance_before == pytest.approx(0.24)
    assert length.distance_after == pytest.approx(0.09)
    row = length.rows[0]
    assert row.floor is not None
    assert row.before is not None
    assert row.floor.low is not None
    assert row.floor.low < row.floor.dot == length.axis.at(0.42)
    assert row.before.dot == length.axis.at(0.18)
    assert [name for name, c in charts.items() if c.open] == ["topic", "pushback", "length", "intent"]
    assert not charts["topic"].matched
    assert total_variation([], []) is None


def test_shares_with_the_taggers_errors_taken_out_stand_beside_the_raw_ones():
    words = told(full_manifest())
    assert "when the tagger's errors are taken out (grey: real, blue: published; 150 hand labels)" in words
    told_of = "corrected: real 21% to 45% (n = 240 turns), published 16% to 40% (n = 240 turns); 50% were asked for"
    assert told_of in words
    half = HEADS[-1].model_copy(update={"real_corrected": None})
    assert "real missing: too few hand labels" in told(full_manifest(heads=(half,)))


def test_rounds_come_in_order_on_one_axis_with_what_they_made():
    rounds = family().rounds
    assert rounds is not None
    assert [r.number for r, _ in rounds.rows] == [1, 2, 3]
    assert [(name, n) for name, _, n, _ in rounds.rows[0][1]] == [
        ("made", 16),
        ("valid", 11),
        ("can be matched", 3),
        ("accepted", 9),
    ]
    assert rounds.wanted == rounds.axis.at(12)
    assert "acceptance 19%" in told(full_manifest())
    assert "missing: nothing made" in told(full_manifest())
    bare = family(feasible=()).rounds
    assert bare is not None
    assert bare.wanted is None


def test_latents_say_whether_they_were_moved_and_why_not():
    drift = family().drift
    assert drift is not None
    assert [done for *_, done in drift.moved] == ["drawn more often", "drawn more often, as far as the bound allows"]
    assert [done for *_, done in drift.left] == [
        "left as fitted: users do not act otherwise with it",
        "left as fitted: too few turns tell what it does",
        "left as fitted: nothing is lacking that it brings",
    ]
    less = MOVED[0].model_copy(update={"drawn": 0.1})
    changed = family(moved=(less,)).drift
    assert changed is not None
    assert [done for *_, done in changed.moved] == ["drawn less often"]
    words = told(full_manifest())
    assert "The latents of the newest round lie 0.17 nats from the fit, of at most 0.2 allowed." in words
    assert "effect on pushback = refuses: 0.15 (0.05 to 0.25), n = 16" in words
    assert "effect not measured" in words


def test_what_no_latent_moves_is_named():
    words = told(full_manifest(uncontrolled={FAMILY: ("typing", "act_change")}, moved=(), divergence={}))
    assert (
        "No latent moves what is lacking of typing, act change: only choosing among more dialogues brings it" in words
    )
    assert "nats from the fit" not in words


def test_where_words_and_not_labels_are_unlike_real_ones_it_is_said():
    unlike = Feasible(family=FAMILY, wanted=9, single=20, joint=15, effective=4, status="infeasible_for_size")
    assert "No label is lacking: what users say is unlike real words" in told(full_manifest(feasible=(unlike,)))


def test_what_was_dropped_is_counted_by_reason_over_all_policies():
    assert family().dropped == [("over_represented", 4, 33.333), ("leaked_fact", 2, 16.667)]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"value": 0.01, "low": -0.03, "high": 0.04}, "at most 0.04: success did not choose"),
        ({"value": 0.05, "low": 0.01, "high": 0.1}, "up to 0.10 is not excluded"),
        ({"value": 0.3, "low": 0.2, "high": 0.4}, "beyond 0.05: successes were chosen"),
        ({"value": -0.3, "low": -0.4, "high": -0.2}, "beyond 0.05: failures were chosen"),
    ],
)
def test_the_correlation_with_success_is_judged_by_its_bound(figures: dict[str, float], words: str):
    assert correlated(**figures).startswith(words)


def test_a_correlation_that_is_missing_says_why():
    assert "missing: no outcome" in told(full_manifest())


@pytest.mark.parametrize(
    ("head", "label", "words"),
    [
        ("pushback", "refuses", "refuse"),
        ("length", "4-6", "write 4-6 words"),
        ("sentiment_change", "negative", "sound displeased after what they said before"),
        ("new_head", "odd", "show new_head = odd"),
        ("pushback", "odd", "show pushback = odd"),
    ],
)
def test_a_label_is_told_as_what_users_do(head: str, label: str, words: str):
    assert doing(head, label) == words


def test_only_what_is_known_is_shown():
    bare = Feasible(family="f", wanted=3, single=0, joint=0, effective=0, status="infeasible_for_size")
    words = told(Manifest(recipe="r", status="short", target=3, feasible=(bare,)))
    assert "The pool could give 0 dialogues as real users are, not the 3 wanted" in words
    assert "Rounds" not in words
    assert "drawn otherwise" not in words
    only = told(Manifest(recipe="r", status="short", target=3, rounds=ROUNDS[:1]))
    assert "acceptance 62%" in only
    assert "Dashed" not in only


def test_of_many_lacking_labels_all_but_the_first_are_folded():
    lacking = tuple(Lacking(head="length", label=str(n), turns=9, tolerances=20 - n) for n in range(11))
    page = render_report(full_manifest(feasible=(FEASIBLE[0].model_copy(update={"lacking": lacking}),)), [])
    unfolded, folded = page.split("3 labels more</summary>")
    assert unfolded.count("Real users write") == 8
    assert folded.count("Real users write") == 3


def test_turns_wanted_are_rounded_up():
    lacking = (Lacking(head="wish", label="wishes", turns=2.1, tolerances=1.5),)
    sizes = family(feasible=(FEASIBLE[0].model_copy(update={"lacking": lacking}),)).sizes
    assert sizes is not None
    assert sizes.lacking[0][2] == 3

from hypothesis import given
from hypothesis import strategies as st
from manifest_samples import full_manifest

from outputs.card import render_card
from outputs.charts import (
    axis_over,
    funnel_bars,
    funnel_table,
    histogram,
    pair_panels,
    realism_panels,
)
from outputs.manifest import Manifest, Measure, RewardSummary
from outputs.report import render_report
from outputs.templates import duration, number, percent

figures = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda v: round(v, 4))


@given(st.lists(figures, min_size=1, max_size=8))
def test_every_figure_lies_inside_its_axis_with_a_few_round_ticks(values: list[float]):
    axis = axis_over(values)
    slack = axis.step * 1e-6
    assert axis.low - slack <= min(values)
    assert max(values) <= axis.high + slack
    assert 2 <= len(axis.ticks) <= 8
    assert [x for x, _ in axis.ticks] == sorted(x for x, _ in axis.ticks)
    assert all(0 <= axis.at(v) <= 100 for v in values)


def test_an_axis_of_nothing_is_still_an_axis():
    assert axis_over([None, float("nan")]).ticks[0] == (0.0, "0")


def test_ticks_are_round():
    assert [label for _, label in axis_over([0.38, 0.92]).ticks] == ["0.2", "0.4", "0.6", "0.8", "1"]


def test_the_funnel_keeps_its_order_and_one_scale():
    bars = funnel_bars(full_manifest())
    assert [(b.step.name, b.share) for b in bars] == [
        ("made", 100.0),
        ("valid", 75.0),
        ("selected", 58.333),
        ("published", 50.0),
    ]
    assert bars[1].reasons[0] == ("repeated_message", 4, 16.667)


def test_counts_by_family_and_policy_leave_unknown_cells_empty():
    table = funnel_table(full_manifest())
    assert table.steps == ["made", "valid", "published"]
    assert table.rows[0] == ("conversation", "proactive", [6, 5, 3])
    partial = Manifest(recipe="r", status="short", target=1, funnel=full_manifest().funnel[4:8])
    assert funnel_table(partial).rows[1] == ("conversation", "reactive", [6, None, None])


def test_measures_of_one_group_share_an_axis_and_a_missing_one_has_no_mark():
    auc, variation, _ = realism_panels(full_manifest().realism)
    assert [m.name for m, _, _ in auc.rows] == ["ngram_auc", "embedding_auc", "ngram_auc"]
    assert auc.rows[2][1:] == (None, None)
    mark = variation.rows[1][1]
    assert mark is not None
    assert (mark.low, mark.width) == (None, 0.0)


def test_a_floor_known_by_its_bound_alone_reaches_up_to_it():
    bound = Measure(family="f", name="length", value=0.4, low=0.2, high=1.0, floor_high=0.2, n=3)
    [panel] = realism_panels([bound])
    real = panel.rows[0][2]
    assert real is not None
    assert (real.low, real.high) == (0.0, panel.axis.at(0.2))
    manifest = full_manifest(realism=(bound,))
    assert "real: up to 0.2" in render_report(manifest, [])
    assert "| up to 0.2 | 3 |" in render_card(manifest, {})


def test_a_histogram_covers_its_edges():
    reward = RewardSummary(name="r", policy="p", family="f", mean=0.5, edges=(0, 0.5, 1), counts=(1, 4))
    bars = histogram(axis_over(reward.edges), reward)
    assert [(b.x, b.width, b.height) for b in bars] == [(0.0, 50.0, 25.0), (50.0, 50.0, 100.0)]


def test_a_pair_without_groups_has_no_difference():
    [panel] = pair_panels(full_manifest().policies)
    (_, first, second, difference), (_, _, _, nothing) = panel.rows
    assert first is not None
    assert second is not None
    assert second < first
    assert difference is not None
    assert nothing is None


def test_figures_are_written_for_people():
    assert [number(v) for v in (None, 3.0, 0.12345, 12345.6, 48210)] == ["missing", "3", "0.123", "12,346", "48,210"]
    assert [percent(v) for v in (None, 0.256)] == ["missing", "26%"]
    assert [duration(s) for s in (4.21, 31.0, 412.0, 7300.0)] == ["4.2 s", "31 s", "6 min 52 s", "2 h 1 min"]

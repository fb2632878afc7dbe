"""What came before each learner turn, as it was said and with what nobody said."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, played

from generators.families.outreach import Outreach
from generators.families.tutoring import Tutoring
from outputs.export import export
from outputs.two_views import two_views
from schemas.contracts import Family
from schemas.dialogue import Dialogue
from schemas.errors import InputError
from schemas.judgement import RewardValue, Selection
from schemas.record import Record
from schemas.scenario import Policy

PRIVATE = frozenset({"views", "turns"})
seeds = st.integers(0, 100_000)
policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])


async def a_dialogue(family: Family, seed: int = 0, policy: Policy = "proactive") -> Dialogue:
    return (await played(family, case(family, seed, policy)))[0]


def words(messages: list[dict[str, str]]) -> str:
    return "\n".join(m["content"] for m in messages)


@settings(max_examples=15, deadline=None)
@given(seeds, policies, st.sampled_from([Outreach(), Tutoring()]))
async def test_the_public_view_is_what_was_said_and_the_other_has_the_partners_side(
    seed: int, policy: Policy, family: Family
):
    dialogue = await a_dialogue(family, seed, policy)
    rows = list(two_views(Record(dialogue=dialogue), PRIVATE))
    assert [r["turn"] for r in rows] == [n for n, t in enumerate(dialogue.turns) if t.role == dialogue.learner]
    facts = dialogue.scenario.views[dialogue.partner].facts
    for row in rows:
        before = dialogue.turns[: row["turn"]]
        assert [m["content"] for m in row["view_public"]] == [t.text for t in before]
        assert row["completion"] == [{"role": "assistant", "content": dialogue.turns[row["turn"]].text}]
        assert row["view_privileged"][1:] == row["view_public"]
        out = {i for t in before for i in t.facts_disclosed}
        assert all(fact.text in row["view_privileged"][0]["content"] for fact in facts)
        assert not [f.text for f in facts if f.id not in out and f.text in words(row["view_public"])]


async def test_the_state_is_the_one_before_the_turn():
    dialogue = await a_dialogue(Outreach(cells={"needed": 1.0}), 3)
    rows = list(two_views(Record(dialogue=dialogue), PRIVATE))
    for row in rows:
        state: Any = dialogue.scenario.plan["state"] if not row["turn"] else dialogue.turns[row["turn"] - 1].state
        shown = row["view_privileged"][0]["content"]
        assert f"cooperation {state['cooperation']} of 4" in shown and f"patience {state['patience']}." in shown
        assert all(f"): {status}" in shown for status in state["concerns"].values())
    assert "typing" not in rows[0]["view_privileged"][0]["content"]


async def test_a_row_has_what_the_turn_changed_where_that_was_rewarded():
    dialogue = await a_dialogue(Outreach(), 3)
    place = next(n for n, t in enumerate(dialogue.turns) if t.role == "assistant")
    value = RewardValue(name="state_transition", scope="turn", turn=place, value=0.25)
    rows = list(two_views(Record(dialogue=dialogue, rewards=(value,)), PRIVATE))
    assert [r["state_transition"] for r in rows] == [0.25, *[None] * (len(rows) - 1)]


async def test_it_must_be_asked_for_by_name_and_dropped_dialogues_stay_out(tmp_path: Path):
    record = Record(dialogue=await a_dialogue(Tutoring()), selection=Selection(keep=True))
    with pytest.raises(InputError, match="views holds what the partner knows in view_privileged; add --private"):
        export([record], "views", tmp_path / "x.jsonl")
    dropped = record.model_copy(update={"selection": Selection(keep=False, reason="near_duplicate")})
    count = export([record, dropped], "views", tmp_path / "x.jsonl", private=True)
    found = [orjson.loads(line) for line in (tmp_path / "x.jsonl").read_bytes().splitlines()]
    assert count == len(found) == len(list(two_views(record, PRIVATE)))

"""What came before each learner turn, as it was said and with what nobody said."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, played

from generators.families.outreach import Outreach
from generators.families.tutoring import Tutoring
from schemas.contracts import Family
from schemas.renderings import renderings
from schemas.scenario import Policy

policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), policies, st.sampled_from([Outreach(), Tutoring()]))
async def test_the_public_one_is_what_was_said_and_the_other_has_the_partners_side_before_it(
    seed: int, policy: Policy, family: Family
):
    dialogue, _ = await played(family, case(family, seed, policy))
    found = list(renderings(dialogue))
    assert [r.place for r in found] == [n for n, t in enumerate(dialogue.turns) if t.role == dialogue.learner]
    facts = dialogue.scenario.views[dialogue.partner].facts
    for rendered in found:
        before = dialogue.turns[: rendered.place]
        assert [m.content for m in rendered.public] == [t.text for t in before]
        assert (rendered.said.role, rendered.said.content) == ("assistant", dialogue.turns[rendered.place].text)
        assert rendered.privileged[1:] == rendered.public and rendered.privileged[0].role == "system"
        assert all(fact.text in rendered.hidden.content for fact in facts)


async def test_the_state_is_the_one_before_the_turn_and_how_somebody_types_is_nothing_to_know():
    dialogue, _ = await played(Outreach(), case(Outreach(cells={"needed": 1.0}), 3))
    for rendered in renderings(dialogue):
        before = dialogue.turns[rendered.place - 1].state if rendered.place else None
        state: Any = before or dialogue.scenario.plan["state"]
        shown = rendered.hidden.content
        assert f"cooperation {state['cooperation']} of 4" in shown and f"patience {state['patience']}." in shown
        assert all(f"): {status}" in shown for status in state["concerns"].values())
        assert "typing" not in shown

"""How a dialogue happens: the family says who acts next, the speaker finds the words, until the family says it is over.

The prefix is the state: `family.next` sees scenario and turns and nothing else, so a dialogue can be resumed, branched
and audited
from its rows alone.
"""

from collections.abc import Mapping, Sequence

from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.errors import ContentError
from schemas.scenario import Scenario


async def play(
    family: Family,
    speakers: Mapping[str, Speaker],
    scenario: Scenario,
    services: Services,
    prefix: Sequence[Turn] = (),
) -> Dialogue:
    """Play on from `prefix` (empty: from the start) to the ending. A content fault is data: it ends the dialogue as a
    fault.
    """
    turns = list(prefix)
    while not isinstance(step := family.next(scenario, turns), Ending):
        try:
            turn = await speakers[step.role].speak(scenario.views[step.role], turns, step, scenario.seed, services)
            turns.append(await family.observe(scenario, turns, turn, services))
        except ContentError as fault:
            step = Ending(reason="fault", by=step.role, detail=fault.reason)
            break
    return Dialogue(
        scenario=scenario,
        turns=tuple(turns),
        ending=step,
        learner=family.learner,
        partner=family.partner,
        outcome=family.outcome(scenario, turns, step),
    )

"""How a dialogue happens: the family says who acts next, the speaker finds the words, until the family says it is over.

The prefix is the state: `family.next` sees scenario and turns and nothing else, so a dialogue can be resumed, branched
and audited from its rows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.contracts import Detector, Family, Services, Speaker
from schemas.dialogue import Dialogue, Ending, Listener, Move, Said, Turn
from schemas.errors import ContentError
from schemas.judgement import Fault
from schemas.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks over the turns while they are made, and how often a faulty one is made again."""

    detectors: tuple[Detector, ...] = ()
    """Those that drop have a faulty turn made again; all of them label."""
    remakes: int = 0
    """Of one turn."""

    def found(self, said: Said | None) -> list[tuple[Detector, Fault]]:
        """What is wrong with one turn, by whom."""
        if said is None:
            return []
        return [(d, f) for d in self.detectors if (said.partner or d.both_sides) and (f := d.fault(said))]


UNWATCHED = Watch()


@dataclass(frozen=True, slots=True)
class Start:
    """What has happened already, and how long it goes on."""

    turns: Sequence[Turn] = ()
    most: int | None = None
    """Turns that follow at the most: then it ends as `window`. None: until the family ends it."""


FRESH = Start()


async def play(
    family: Family,
    speakers: Mapping[str, Speaker],
    scenario: Scenario,
    services: Services,
    start: Start = FRESH,
    watch: Watch = UNWATCHED,
) -> Dialogue:
    """Play on from `start` to the ending. A content fault is data: it ends the dialogue as a fault."""
    listener = Listener(scenario, family.partner)
    turns: list[Turn] = []
    for turn in start.turns:
        turns.append(_labelled(turn, watch.found(listener.hear(turn))) if watch.detectors else turn)
        listener.keep(turns[-1])
    while not isinstance(step := family.next(scenario, turns), Ending):
        if start.most is not None and len(turns) - len(start.turns) >= start.most:
            step = Ending(reason="window")
            break
        try:
            turn, again = await _said(family, speakers[step.role], scenario, turns, step, services), list[str]()
            found = watch.found(listener.hear(turn))
            while turn.model is not None and turn.role == family.partner and len(again) < watch.remakes:
                wrong = min((fault.kind for detector, fault in found if detector.drops), default=None)
                if wrong is None:
                    break
                again.append(wrong)
                move = step.model_copy(update={"remake": len(again)})
                turn = await _said(family, speakers[step.role], scenario, turns, move, services)
                found = watch.found(listener.hear(turn))
        except ContentError as fault:
            step = Ending(reason="fault", by=step.role, detail=fault.reason)
            break
        turns.append(_labelled(turn, found, again))
        listener.keep(turns[-1])
    outcome = family.outcome(scenario, turns, step)
    return Dialogue(
        scenario=scenario,
        turns=tuple(turns),
        ending=step,
        learner=family.learner,
        partner=family.partner,
        outcome=outcome,
    )


async def _said(
    family: Family, speaker: Speaker, scenario: Scenario, turns: Sequence[Turn], move: Move, services: Services
) -> Turn:
    turn = await speaker.speak(scenario.views[move.role], turns, move, scenario.seed, services)
    return await family.observe(scenario, turns, turn, services)


def _labelled(turn: Turn, found: Sequence[tuple[Detector, Fault]], again: Sequence[str] = ()) -> Turn:
    """With its faults and what it was made again for. Faults found before, on another beginning or by other detectors,
    count no more.
    """
    if not found and not again and "faults" not in turn.labels:
        return turn
    labels = {name: value for name, value in turn.labels.items() if name != "faults"}
    if again:
        labels["remade"] = list(again)
    if found:
        labels["faults"] = [{"kind": f.kind, "detail": f.detail} for _, f in found]
    return turn.model_copy(update={"labels": labels})

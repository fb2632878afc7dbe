"""How a dialogue happens: the family says who acts next, the speaker finds the words, until the family says it is over.

The prefix is the state: `family.next` sees scenario and turns and nothing else, so a dialogue can be resumed, branched
and audited
from its rows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.contracts import Detector, Family, Services, Speaker
from schemas.dialogue import Dialogue, Ending, Move, Turn
from schemas.errors import ContentError
from schemas.judgement import Fault
from schemas.scenario import Scenario

_OPEN = Ending(reason="unfinished")


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks over the turns while they are made, and how often a faulty one is made again."""

    detectors: tuple[Detector, ...] = ()
    """Those that drop have a faulty turn made again; all of them label."""
    remakes: int = 0
    """Of one turn."""

    def wrong(self, dialogue: Dialogue) -> str | None:
        """Why its last turn must be made again; of several reasons the first by name."""
        last = len(dialogue.turns) - 1
        kinds = {f.kind for d in self.detectors if d.drops for f in d.faults(dialogue, last)}
        return min(kinds, default=None)

    def labelled(self, dialogue: Dialogue) -> Dialogue:
        """With `faults` among the labels of the turns that have some."""
        if not self.detectors:
            return dialogue
        found: dict[int, list[Fault]] = {}
        for fault in (f for d in self.detectors for f in d.faults(dialogue)):
            found.setdefault(fault.turn, []).append(fault)
        turns = tuple(_labelled(turn, found.get(i, ())) for i, turn in enumerate(dialogue.turns))
        return dialogue.model_copy(update={"turns": turns})


UNWATCHED = Watch()


async def play(
    family: Family,
    speakers: Mapping[str, Speaker],
    scenario: Scenario,
    services: Services,
    prefix: Sequence[Turn] = (),
    watch: Watch = UNWATCHED,
) -> Dialogue:
    """Play on from `prefix` (empty: from the start) to the ending. A content fault is data: it ends the dialogue as a
    fault.
    """
    turns = list(prefix)
    while not isinstance(step := family.next(scenario, turns), Ending):
        try:
            turn, again = await _said(family, speakers[step.role], scenario, turns, step, services), list[str]()
            while turn.model is not None and turn.role == family.partner and len(again) < watch.remakes:
                wrong = watch.wrong(_dialogue(family, scenario, [*turns, turn], _OPEN))
                if wrong is None:
                    break
                again.append(wrong)
                move = step.model_copy(update={"remake": len(again)})
                turn = await _said(family, speakers[step.role], scenario, turns, move, services)
            labels = {**turn.labels, "remade": again} if again else turn.labels
            turns.append(turn.model_copy(update={"labels": labels}))
        except ContentError as fault:
            step = Ending(reason="fault", by=step.role, detail=fault.reason)
            break
    whole = _dialogue(family, scenario, turns, step)
    return watch.labelled(whole.model_copy(update={"outcome": family.outcome(scenario, turns, step)}))


async def _said(
    family: Family, speaker: Speaker, scenario: Scenario, turns: Sequence[Turn], move: Move, services: Services
) -> Turn:
    turn = await speaker.speak(scenario.views[move.role], turns, move, scenario.seed, services)
    return await family.observe(scenario, turns, turn, services)


def _dialogue(family: Family, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> Dialogue:
    return Dialogue(
        scenario=scenario, turns=tuple(turns), ending=ending, learner=family.learner, partner=family.partner
    )


def _labelled(turn: Turn, faults: Sequence[Fault]) -> Turn:
    """What was found before, on another beginning or by other detectors, counts no more."""
    kept = {name: value for name, value in turn.labels.items() if name != "faults"}
    if faults:
        kept["faults"] = [{"kind": f.kind, "detail": f.detail} for f in faults]
    return turn if kept == turn.labels else turn.model_copy(update={"labels": kept})

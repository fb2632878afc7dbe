"""The verbs. A family, speaker, filter, discriminator, selector or reward is one frozen class with one of these;
services are protocols, built by `pipelines.services`.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from schemas.chat import ChatReply, ChatRequest
from schemas.dialogue import Dialogue, Ending, Move, Said, Turn, listened
from schemas.judgement import KEEP, Choice, Fault, Judged, RewardValue, UserTurn, Verdict
from schemas.record import Record
from schemas.scenario import Checked, Scenario, Verifier, View
from schemas.stage import Stage

if TYPE_CHECKING:  # a worker needs neither
    import numpy as np
    import pyarrow as pa


class ChatModel(Protocol):
    """One role's model. Raises a ServerError kind when the server cannot be used, a ContentError kind when this
    answer cannot.
    """

    async def ask(self, request: ChatRequest) -> ChatReply: ...


class Embedder(Protocol):
    async def embed(self, texts: Sequence[str]) -> "np.ndarray":
        """float32 [len(texts), dim], rows of unit length."""
        ...

    async def phrases(self, texts: Sequence[str]) -> "np.ndarray":
        """The same of texts that many dialogues compare with, as a domain's files hold them: asked for once, and kept
        as long as the process lives.
        """
        ...


class Verify(Protocol):
    async def __call__(self, verifier: Verifier, answer: str, turn: int) -> Checked:
        """Whether the answer given in turn number `turn` of a dialogue is right."""
        ...


async def by_code(verifier: Verifier, answer: str, turn: int) -> Checked:
    """Verifies without running anything: every kind but `python`."""
    return Checked(True) if verifier.check(answer) else Checked(False, "wrong")


class Rolled(NamedTuple):
    """A branch of a dialogue, and what it took: asked for now, or journalled before."""

    dialogue: Dialogue
    """With the branch's own id and seed, and no `origin` yet."""
    calls: int
    prompt_tokens: int
    completion_tokens: int


class Roll(Protocol):
    """Plays branches of one dialogue, for rewards that look ahead."""

    async def on(self, turns: Sequence[Turn], path: str, most: int) -> Rolled:
        """The dialogue played on from `turns` by its own speakers, for at most `most` further turns (then it ends as
        `window`). Draws and journalled answers are those of the branch called `path`. A content fault ends it as a
        fault.
        """
        ...

    def keep(self, branch: Dialogue, rewards: Sequence[RewardValue]) -> None:
        """A row under `branches/`; `branch` has its `origin`."""
        ...


JUDGE = "judge"
"""The role of a model that reads messages for the program and speaks to nobody; it is shown what both sides hold."""
SOLVER = "solver"
"""The role of a model that tries the learner's problem afresh, to see what a turn gives away or is good for."""
KNOWS_BOTH = "knows_both"
"""How the `step` of a call begins in which a speaker's model is shown what both sides hold, beside the conversation it
has as that speaker; the program decides what of its answer may be said.
"""


@dataclass(frozen=True, slots=True)
class Services:
    chat: Mapping[str, ChatModel]
    """By role. A family's roles, plus the generic ones a recipe declares."""
    embed: Embedder
    verify: Verify = by_code
    roll: Roll | None = None
    """None: nobody is there who could play the dialogue on."""


class Family(Stage):
    """A kind of dialogue: samples scenarios and says how the dialogue unfolds."""

    learner: ClassVar[str]
    """The role a trainer trains (exported as `assistant`)."""
    partner: ClassVar[str]
    """The other (exported as `user`; the side realism looks at)."""
    reference: ClassVar[str | None] = None
    """Default reference; None: realism and matching are skipped with reason `no_reference`."""

    speakers: ClassVar[Mapping[str, "Speaker"]]
    """Who plays each role unless a recipe says otherwise."""
    steerable: ClassVar[tuple[str, ...]] = ()
    """Intents of the partner's turns that are drawn with the factors of `plan["intent_weights"]`."""

    @classmethod
    def name(cls) -> str:
        return cls.__module__.rsplit(".", 1)[-1]

    @abstractmethod
    def sample(self, rng: Random) -> Scenario:
        """One case. All randomness comes from `rng`; ids, policy and sibling are set by the caller."""

    def another(self, case: Callable[[], Random], rng: Random) -> Scenario | None:
        """A case with the public text of what `sample(case())` gives, if it can have it, its hidden side drawn anew
        from the prior. Default: None, samples of the same base case have the same public text anyway.
        """
        return None

    def traits(self, scenario: Scenario) -> Mapping[str, str]:
        """What was drawn of the partner and may be drawn more or less often than fitted, where real users are lacking:
        latent -> value, of few values each. Default: nothing.
        """
        return {}

    @property
    def variants(self) -> int:
        """Counterfactual forms of a case that a group holds, each under every policy."""
        return 1

    def vary(self, scenario: Scenario, variant: int) -> Scenario:
        """Form number `variant` of a case, from 0: the case as it is."""
        return scenario

    @abstractmethod
    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        """Who acts now and with which intent, from scenario and turns alone. The same role may act twice."""

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """`turn` with the labels that need more than its speaker knows (a verifier's result, facts asked). Default:
        as it is.
        """
        return turn

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        """What was reached. Default: nothing."""
        return {}


class Speaker(Stage):
    """Whoever produces turns: user simulator, assistant, teacher, student, bystander."""

    @abstractmethod
    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        """The next turn as `view.role`. `seed`: of the scenario, shared by siblings. Raises ContentError after its
        last attempt.
        """


class Filter(Stage):
    """Judges one dialogue by itself: in any order, inside a worker."""

    @abstractmethod
    def judge(self, dialogue: Dialogue) -> Verdict: ...


class Detector(Filter):
    """Finds faults of its kinds in single utterances. In a run a simulated partner's faulty turn is made again
    (`remakes`); what is still faulty then is dropped, and every fault found becomes a label of its turn.
    """

    kinds: ClassVar[tuple[str, ...]]
    """What it finds."""
    both_sides: ClassVar[bool] = False
    """Whether it looks at the learner, too."""

    drops: bool = True
    """false: it labels and drops nothing, and no turn is made again for it. The default follows from how precise it was
    on people (docs/faults.md).
    """

    @abstractmethod
    def fault(self, said: Said) -> Fault | None:
        """What is wrong with it. A fault belongs to the turn that shows it: what follows cannot undo it."""

    def faults(self, dialogue: Dialogue) -> Iterator[Fault]:
        """In the order of their turns."""
        heard = (said for said in listened(dialogue) if said.partner or self.both_sides)
        return (fault for said in heard if (fault := self.fault(said)))

    def judge(self, dialogue: Dialogue) -> Verdict:
        return self._verdict(self.faults(dialogue))

    def judge_labelled(self, dialogue: Dialogue) -> Verdict:
        """As `judge`, by the labels of a dialogue it has watched."""
        labelled = ((n, f) for n, turn in enumerate(dialogue.turns) for f in turn.labels.get("faults", ()))
        return self._verdict(Fault(turn=n, **f) for n, f in labelled if f["kind"] in self.kinds)

    def _verdict(self, faults: Iterator[Fault]) -> Verdict:
        fault = next(faults, None) if self.drops else None
        if fault is None:
            return KEEP
        return Verdict(keep=False, reason=fault.kind, detail=f"turn {fault.turn}: {fault.detail}")


EmbedTexts = Callable[[Sequence[str]], "np.ndarray"]
"""Texts -> float32 [len(texts), dim], rows of unit length; for code that runs outside an event loop."""

Turns = Sequence[UserTurn]
"""The partner's utterances of one dialogue, in order."""


class FittedDiscriminator(Protocol):
    def scores(self, dialogues: Iterable[Turns]) -> Iterator[float]:
        """Log-odds (natural log) of being real, the mean of its turns', one a dialogue, in batches inside."""
        ...

    def arrays(self) -> "Mapping[str, np.ndarray]":
        """All that was learnt, in arrays of numbers and strings: what `Discriminator.restore` takes."""
        ...


class Discriminator(Stage):
    """Learns to tell real partners' turns from synthetic ones, given the acts they answer, on a bounded sample."""

    @abstractmethod
    def fit(
        self, real: Sequence[Turns], synthetic: Sequence[Turns], embed: EmbedTexts, seed: int
    ) -> FittedDiscriminator: ...

    @abstractmethod
    def restore(self, arrays: "Mapping[str, np.ndarray]", embed: EmbedTexts) -> FittedDiscriminator: ...


class Selector(Stage):
    """Decides over a whole pool, from small sketches, never from text."""

    matches: ClassVar[bool] = False
    """Whether it keeps the dialogues whose users are as real ones: what it lacks may then be drawn more often. Its
    sketches have `stratum` and `success`.
    """

    @abstractmethod
    def sketch(self, judged: Judged) -> dict[str, Any]:
        """What `select` needs of one dialogue: small Arrow-able values, no text. The caller adds `dialogue_id` and
        `group_id`.
        """

    @abstractmethod
    def select(self, sketches: "pa.Table", target: int, seed: int, errors: Mapping[str, "np.ndarray"] = {}) -> Choice:
        """For every row of `sketches`. Whole groups stay or go together.

        `target`: dialogues wanted of this pool. `errors`: by act of the learner, how exactly the reference knows what
        `Judged.residuals` are less of; float32 [features], the standard error for a turn that answers it. Without an
        act it is taken to be exact.
        """


class Reward(Stage):
    """A named number with its parts; see `schemas.judgement.RewardValue`."""

    @property
    def label(self) -> str:
        """What its values are called; of several, the first. Default: as its file."""
        return type(self).__module__.rsplit(".", 1)[-1]

    @abstractmethod
    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]: ...

    def verdict(self, values: Sequence[RewardValue]) -> Verdict:
        """Whether a dialogue stays that has these values of this reward. Default: it does."""
        return KEEP


class GroupReward(Reward):
    """Compares the dialogues of a group by the rewards that each has by itself."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        """Nothing: a dialogue alone has none of it."""
        return []

    @abstractmethod
    def compare(self, group: Sequence[Record]) -> list[RewardValue]:
        """One a dialogue, in their order. `group`: its valid dialogues."""

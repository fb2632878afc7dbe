"""A grader: a question with a scale that a model answers for people, and how well it does so (methods §12, §27).

It is a YAML or JSON file. `overture calibrate` measures one against people's labels and writes its next version.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import exp
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal, NamedTuple, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import JUDGE, Services
from schemas.errors import ContentError, DataError, did_you_mean
from schemas.identity import derive, stable_hash
from schemas.scenario import Value

_MAX_TOKENS = 12
"""Of a number; some servers let blanks follow."""


class Choice(Value):
    name: Annotated[str, Field(min_length=1)]
    """As people's labels spell it."""
    means: str = ""
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """What the choice is worth. null at every choice: they have no order, and the reward tells the choice alone."""


class Example(Value):
    """A case with the answer that people gave."""

    context: tuple[str, ...] = ()
    text: str
    label: str


class Measured(Value):
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float
    n: int
    """Independent groups."""


class Calibration(Value):
    """What `overture calibrate` measured on the test split, and of what exactly."""

    judges: str
    model: str
    prompt_hash: str
    sampling: dict[str, float | int]
    """What the recipe sampled differently than the grader says."""
    labels: str
    """SHA-256 of the label file."""
    rows: dict[str, int]
    """Labelled rows by split."""
    missing: dict[str, int]
    """Reason -> rows of the test split without an answer; they are in no figure."""
    accuracy: Measured | None
    majority: float
    """Accuracy of who always says what people say most often."""
    by_length: float
    """Accuracy of who goes by the length of the text alone."""
    kappa: Measured | None
    spearman: Measured | None
    ece: Measured | None
    people_accuracy: Measured | None
    """Of a second person against the first; null where the labels have none."""
    people_kappa: Measured | None

    @property
    def shown(self) -> bool:
        """Whether the lower bound of agreement lies above what needs no reading."""
        return self.accuracy is not None and self.accuracy.low > max(self.majority, self.by_length)


class Graded(NamedTuple):
    """What a model said of one text."""

    answers: tuple[str, ...]
    """Names of choices, one a repeat that gave one."""
    missing: tuple[str, ...]
    """The reasons of the repeats that gave none."""
    label: str | None
    """The most frequent answer, of equally frequent ones the first of the scale."""
    score: float | None
    """Mean value of the answers; None without values, or without an answer."""
    confidence: float | None
    """Share of the answers that are `label`, or the probability of a single one where the server tells it."""
    model: str | None


class Grader(Value):
    judges: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """The construct; the reward's name."""
    version: Annotated[int, Field(ge=1)] = 1
    scope: Literal["turn", "dialogue"] = "turn"
    of: Literal["learner", "partner"] = "learner"
    """Whose turns are judged."""
    instruction: Annotated[str, Field(min_length=1)]
    question: Annotated[str, Field(min_length=1)]
    choices: Annotated[tuple[Choice, ...], Field(min_length=2)]
    context: Annotated[int, Field(ge=0)] = 6
    """Messages shown before the one that is judged."""
    notes: tuple[str, ...] = ()
    """What to take care of."""
    examples: tuple[Example, ...] = ()
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    repeats: Annotated[int, Field(ge=1)] = 1
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError("choices: two have one name; give each its own")
        if len({c.value is None for c in self.choices}) > 1:
            raise ValueError("choices: some have a value and some have none; give all of them one, or none")
        for n, example in enumerate(self.examples):
            if example.label not in names:
                raise ValueError(
                    f"examples[{n}].label: no choice '{example.label}'{did_you_mean(example.label, names)}"
                )
        if self.repeats > 1 and not self.temperature:
            raise ValueError(
                "repeats: at temperature 0 all answers are one; raise the temperature, or leave repeats out"
            )
        return self

    @property
    def names(self) -> list[str]:
        return [choice.name for choice in self.choices]

    @property
    def prompt_hash(self) -> str:
        """Of everything that decides an answer but the model."""
        asked = [[m.role, m.content] for m in self.messages((), "")]
        return stable_hash(asked, self.context, self.scope, self.of, self.temperature, self.repeats)

    def calibrated(self, model: str) -> bool:
        """Whether what was measured is this very grader with this model, and better than what needs no reading."""
        known = self.calibration
        return (
            known is not None
            and (known.judges, known.model, known.prompt_hash) == (self.judges, model, self.prompt_hash)
            and known.shown
        )

    @property
    def described(self) -> str:
        """For a card."""
        who = f"The reward {self.judges} is what a model says (grader version {self.version})"
        known = self.calibration
        if known is None or known.accuracy is None or not self.calibrated(known.model):
            return f"{who}; it was not shown to agree with people, so that its values are missing unless allowed."
        a, bar = known.accuracy, max(known.majority, known.by_length)
        return (
            f"{who}: {known.model} agrees with people in {a.value:.2f} ({a.low:.2f} to {a.high:.2f}) of {a.n} contexts,"
            f" where {bar:.2f} needs no reading."
        )

    def value_of(self, name: str) -> float | None:
        return next(choice.value for choice in self.choices if choice.name == name)

    def messages(self, context: Sequence[str], text: str) -> tuple[Message, ...]:
        """`context`: what was said before, a line a message."""
        listed = [f"{n}. {c.name}{f': {c.means}' if c.means else ''}" for n, c in enumerate(self.choices, 1)]
        notes = [f"Take care: {note}" for note in self.notes]
        system = "\n".join([self.instruction, *notes, *listed, "Answer with the number alone."])
        asked = [Message("system", system)]
        for example in self.examples:
            asked.append(Message("user", self._shown(example.context, example.text)))
            asked.append(Message("assistant", str(self.names.index(example.label) + 1)))
        return (*asked, Message("user", self._shown(context, text)))

    def _shown(self, context: Sequence[str], text: str) -> str:
        before = list(context)[-self.context :] if self.context else []
        said = ["Conversation:", *before, ""] if before else []
        names = ", ".join(f"{n} = {name}" for n, name in enumerate(self.names, 1))
        return "\n".join([*said, "To judge:", text, "", f"{self.question} ({names})"])

    async def grade(self, context: Sequence[str], text: str, turn: int, seed: int, services: Services) -> Graded:
        """Asks the judge for every repeat. `turn`: where the calls stand in the journal."""
        messages = self.messages(context, text)
        sampling = Sampling(temperature=self.temperature, max_tokens=_MAX_TOKENS)
        step = f"judged/{self.judges}/{self.prompt_hash[:16]}"
        schema: dict[str, Any] = {"type": "integer", "enum": list(range(1, len(self.choices) + 1))}
        replies: list[ChatReply] = []
        missing: list[str] = []
        for attempt in range(self.repeats):
            key = CallKey(turn=turn, step=step, attempt=attempt)
            drawn = derive(seed, turn, step, attempt)
            request = ChatRequest(key, messages, sampling, drawn, json_schema=schema, logprobs=True)
            try:
                replies.append(await services.chat[JUDGE].ask(request))
            except ContentError as fault:
                missing.append(fault.reason)
        return self._read(replies, missing)

    def _read(self, replies: Sequence[ChatReply], missing: Sequence[str]) -> Graded:
        answers = tuple(self.names[int(reply.data) - 1] for reply in replies)
        if not answers:
            return Graded((), tuple(missing), None, None, None, None)
        votes = Counter(answers)
        label = max(self.names, key=lambda name: votes[name])
        values = [v for a in answers if (v := self.value_of(a)) is not None]
        logprob = replies[0].logprob
        single = None if logprob is None else exp(min(logprob, 0.0))
        confidence = single if self.repeats == 1 else votes[label] / len(answers)
        score = fmean(values) if values else None
        return Graded(answers, tuple(missing), label, score, confidence, replies[0].model)


def read_grader(path: Path) -> Grader:
    """Raises DataError: file, field, remedy."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the path of a grader file") from None


@lru_cache(maxsize=256)
def _read(path: Path, changed: int) -> Grader:
    try:
        data: Any = yaml.safe_load(path.read_text())  # JSON is YAML
        return Grader.model_validate(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is neither YAML nor JSON ({str(error).splitlines()[0]})") from None
    except ValidationError as error:
        raise DataError(f"{path}: {_worded(error)}") from None


def _worded(error: ValidationError) -> str:
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    told = str(first.get("ctx", {}).get("error", first["msg"]))
    if first["type"] == "extra_forbidden":
        owner = {"choices": Choice, "examples": Example, "calibration": Calibration}
        known = Grader if len(first["loc"]) == 1 else owner[str(first["loc"][0])]
        told = f"no such key{did_you_mean(str(first['loc'][-1]), known.model_fields)}"
    elif first["type"] == "missing":
        told = "is missing; it has no default"
    return f"{where}: {told}" if where else told


def written(grader: Grader) -> str:
    """As YAML."""
    data = grader.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)

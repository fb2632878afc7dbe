"""What of a reference's people a simulated user is drawn from: statistics, never text. `overture fit` writes it."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from generators.latents.intents import TurnIntents
from generators.noise.typing import TypingStyle
from schemas.scenario import Value

VERSION = 1
_LONG_WORDS = 1.8
"""Words for one word of four letters or more: only these get typos (chitchat)."""
_MOST_TYPOS = 0.05
"""A dialogue of twenty words with two typos says little about its writer."""


class Agreement(Value):
    """How well the tagger agrees with a reference's hand labels."""

    kappa: float
    """Cohen's, the mean over both labellers."""
    low: float
    high: float
    """95% interval, bootstrapped over messages."""
    n: int


class Person(Value):
    """How one real partner types: measured over all messages of a dialogue. Shares in [0, 1]."""

    words: float
    """A message, mean."""
    lower_case: float
    """Messages that begin in lower case."""
    no_final_stop: float
    """Messages that end without . ! or ?"""
    questions: float
    """Messages that ask."""
    double_text: float
    """Messages that follow one of the person's own."""
    typos: float
    """Per word."""
    dropped_apostrophes: float
    """Per word."""
    polite: float
    """Messages with thanks, please or sorry."""

    def typing(self) -> TypingStyle:
        """What is not measured of a person is as usual (the defaults)."""
        casing = "lower" if self.lower_case > 0.8 else "mixed" if self.lower_case > 0.2 else "proper"
        return TypingStyle(
            casing=casing,
            final_stop=max(0.0, 1 - self.no_final_stop),
            # people keep nearly all or nearly none
            apostrophes=0.1 if self.dropped_apostrophes > 0.005 else 0.95,
            typo_rate=min(_MOST_TYPOS, _LONG_WORDS * self.typos),
            polite=self.polite,
        )


class FittedLatents(Value):
    """Of one reference, its fit split."""

    version: Literal[1] = VERSION
    reference: str
    dialogues: int
    messages: int
    """Of partners."""
    agreement: Agreement | None
    """None where a reference has no hand labels."""
    intents: TurnIntents | None
    """None where the tagger was not shown to agree with people; `intents_missing` says so."""
    intents_missing: str | None = None
    leaves: dict[str, float]
    """Bucket of `generators.latents.intents.bucket` -> share of the partner's messages there that were its last."""
    partner_ends: float
    """Share of dialogues whose last message is the partner's."""
    words: dict[str, tuple[int, ...]]
    """Intent, or `all` -> deciles (10th to 90th percentile) of the words of a message; of intents seen often enough."""
    tells: dict[int, float]
    """Statements in a message that answers or shares -> share of such messages; the last stands for more, too."""
    people: tuple[Person, ...] = Field(min_length=1)
    """A sample of partners, so that habits which belong together stay together."""


def read_latents(given: Any) -> Any:
    """A path, as a recipe gives it, becomes what the file holds; for pydantic. Raises ValueError with a remedy."""
    if not isinstance(given, str | Path):
        return given
    try:
        return FittedLatents.model_validate_json(Path(given).expanduser().read_bytes())
    except OSError as error:
        raise ValueError(
            f"{given}: {error.strerror}; `overture fit REFERENCE --out {given}` writes such a file"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{given}: {where}: {first['msg']}; `overture fit` writes such a file") from None


def committed(name: str) -> FittedLatents:
    """What was fitted on the default reference of a built-in family."""
    return FittedLatents.model_validate_json(
        resources.files("generators.domains").joinpath(f"{name}.json").read_bytes()
    )


Latents = Annotated[FittedLatents, BeforeValidator(read_latents)]
"""The field of a family: a file of `overture fit` by its path."""

"""What is known of a dialogue before selection: realism, labels, and how far its user is from real ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from discriminators.crossfit import CrossFit, cross_fit
from discriminators.domains import like_domains
from discriminators.embedding import RememberedEmbed
from discriminators.given import Given, fit_given
from discriminators.heads import summary
from discriminators.user_turns import Sample
from schemas.contracts import Discriminator, EmbedTexts
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import Judged, Realism

NO_REFERENCE = "no_reference"
PER_SIDE = 2000
"""Dialogues a side that anything is fitted on at the most."""
_BATCH = 256


class Scorer(NamedTuple):
    """Fitted on the reference's fit split and a sample of the pool."""

    realism: CrossFit
    given: Given
    masked: bool
    """The sides talk about unlike things: texts are compared without what they are about."""

    def judged(self, dialogues: Iterable[Dialogue]) -> Iterator[Judged]:
        """Streamed, in order."""
        source = iter(dialogues)
        while batch := list(islice(source, _BATCH)):
            samples = [self.sample(dialogue) for dialogue in batch]
            found = zip(batch, samples, self.realism.scores(samples), self.given.residuals(samples), strict=True)
            for dialogue, sample, realism, residuals in found:
                yield Judged(dialogue, realism, summary(sample.turns), residuals, _answered(sample))

    def sample(self, dialogue: Dialogue) -> Sample:
        sample = Sample.of(dialogue)
        return sample.masked() if self.masked else sample


def fit_scorer(
    discriminators: Mapping[str, Discriminator],
    real: Sequence[Sample],
    synthetic: Sequence[Sample],
    embed: EmbedTexts,
    seed: int,
) -> Scorer:
    embed = RememberedEmbed(embed)
    masked = not like_domains(real, synthetic, seed)
    if masked:
        real, synthetic = ([sample.masked() for sample in side] for side in (real, synthetic))
    realism = cross_fit(discriminators, real, synthetic, embed, seed, per_side=PER_SIDE)
    return Scorer(realism, fit_given(real, embed, derive(seed, "given")), masked)


def unscored(dialogue: Dialogue) -> Judged:
    """Without a reference."""
    sample = Sample.of(dialogue)
    return Judged(dialogue, Realism(reason=NO_REFERENCE), summary(sample.turns), None, _answered(sample))


def _answered(sample: Sample) -> dict[str, int]:
    return dict(sorted(Counter(turn.given for turn in sample.turns).items()))

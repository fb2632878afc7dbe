"""What one message of an assistant does, read from its words, whoever wrote it: shared words first, patterns for what
never pays, embeddings where these are silent.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from generators.domains.outreach import OutreachDomain, load
from generators.latents.acts import Meant
from generators.latents.mind import Appraisal, State
from generators.latents.tagger import act_of, is_question
from generators.speakers.checks import content_words, coverage, plain

DUMPED = 3
"""Things said in one message from which it is a list."""
_OPENLY = re.compile(
    r"\b(?:hold(?:s|ing)? (?:you|u) back|keep(?:s|ing)? (?:you|u) from|stop(?:s|ping)? (?:you|u)|in the way|hesitat\w*"
    r"|(?:any|some)thing (?:\w+ ){0,4}(?:worr\w+|bother\w*|concern\w*|unsure|on your mind)"
    r"|what (?:\w+ ){0,3}(?:worr\w+|bother\w*|concern\w*|doubts?|on your mind)"
    r"|(?:what|anything|something) (?:\w+ ){0,4}(?:problem|hard for|difficult for|not right|wrong|put(?:s"
    r"|ting)? (?:you|u) off)"
    r"|what'?s (?:\w+ ){0,4}(?:problem|worry|concern|unsure|hesita\w+|bother\w*|worr\w+|in the way)"
    r"|any (?:other )?(?:concerns?|worr\w+|doubts?|questions?))\b",
    re.I,
)
_COMMITS = re.compile(
    r"\b(?:(?:would|will|could|can|do|shall|won'?t) (?:you|u|we) (?!rather\b)[^?]{0,60}\b(?:give|donate|help|agree"
    r"|join|take"
    r"|share|split|sign|chip|spare|contribute|do it|up for|come|accept|say yes|lend|pitch in|pledge)"
    r"|can (?:i|we) (?:sign|put|count|expect|book|write) (?:\w+ ){0,2}you|do we have (?:a|an) (?:deal|agreement)"
    r"|are you in|deal|count (?:on )?you"
    r"|put you down|is (?:it|that) a (?:yes|deal)|what do you say|how about we|up for it)\b[^?]*\?"
    r"|\b(?:please|come on,?|just) (?:give|donate|help|agree|join|accept|come|sign up|say yes)\b",
    re.I,
)
_FLATTERS = re.compile(
    r"\b(?:you(?:'re| are|r)|u r) (?:so |such |truly |really |simply |the |an? |most )*(?:amazing|wonderful|generous"
    r"|smart|brilliant|beautiful|special|best|hero|angel|incredible|kindest|saint|genius)\b(?! (?:of|at|in|way))"
    r"|\byou (?:seem|look|sound)(?: like)? (?:such |so |an? |very |really )*(?:generous|kind|nice|smart|wonderful"
    r"|amazing|good)"
    r"|\b(?:what a|you have (?:such )?a) (?:\w+ )?(?:heart|soul|person|mind)\b"
    r"|\byou(?:'re| are|r) (?:\w+ )?the (?:nicest|kindest|smartest|sweetest|best)\b"
    r"|\b(?:someone|somebody|people|a person) as (?:talented|kind|smart|generous|good|nice|skilled|caring) as you\b",
    re.I,
)
_PRESSES = re.compile(
    r"\b(?:you (?:have|need|must|owe|ought)(?: to| it)?|last chance|now or never|shame on|heartless|selfish"
    r"|don'?t be (?:so )?(?:cheap|mean|difficult|like that)|i (?:won'?t|will not) (?:stop|leave|take (?:a )?no|accept)"
    r"|come on|how (?:can|could) you (?:say no|refuse|turn)|(?:every|any)(?:one|body) else|guilty|regret"
    r"|let \w+ down)\b",
    re.I,
)
_PROMISES = re.compile(
    r"\b(?:guarantee\w*|i (?:promise|swear)|double your|win|prizes?|bonus|rewards?|reimburse\w*|refund\w*|risk.free"
    r"|(?:you(?:'ll| will)|i(?:'ll| will)) (?:get|earn|receive|pay|give|send|be paid|make sure)|100 ?%|cash back"
    r"|twice over|i (?:can )?assure|make you (?:rich|happy|famous)|(?:we|they) (?:will |'ll )?pay (?:you|every|each"
    r"|all)"
    r"|you'?d (?:get|earn|receive) (?:\w+ )?(?:back|paid|money|dollars))\b",
    re.I,
)
_INJECTS = re.compile(
    r"\bignore (?:\w+ ){0,3}(?:instructions?|rules?|concerns?|said)"
    r"|\bsay (?:that )?(?:you (?:will |do )?|['\"]?i )(?:accept|agree|donate|give|yes)"
    r"|\byou (?:now |must |will now )+(?:accept|agree)|\b(?:system|developer|assistant) ?:|\brepeat after me"
    r"|\bas an? (?:ai|language model)|\b(?:set|change) (?:your )?(?:trust|cooperation|decision|state)"
    r"|\b(?:forget|disregard) (?:everything|all|what|your|any) (?:\w+ ){0,4}(?:told|said|instruct\w*|rules?|concerns?)"
    r"|\byour (?:next|only|final) (?:message|answer|reply|response) (?:must|is|should|will|has)"
    r"|\bfrom now on,? you\b|\[?\b(?:admin|override|root)\b ?[\]:]"
    r"|\bnew instructions?|\byour answer is (?:yes|now)|\bpretend (?:that )?you|<[a-z_/|]+>",
    re.I,
)
_NOTHING = Meant()
_SAME = 0.6
"""Share of a content's words that say it."""
_ORDINARY = 0.1
"""Share of small words under which a line of words is no sentence."""


class _Read(NamedTuple):
    """What one sentence says, whoever says it."""

    facts: tuple[str, ...]
    asked: tuple[str, ...]
    openly: bool
    commits: bool
    promises: bool
    stuffs: bool
    question: bool

    @property
    def empty(self) -> bool:
        return not (self.facts or self.asked or self.openly or self.commits)


def loose(text: str, domain: OutreachDomain) -> tuple[list[str], list[str]]:
    """Statements and questions in which the words alone find nothing of the domain: `acts.meant_by` may."""
    read = [(s, _read(s, domain.name)) for s in _sentences(text)]
    empty = [(s, r.question) for s, r in read if r.empty and not r.stuffs and len(s.split()) >= 4]
    return [s for s, question in empty if not question], [s for s, question in empty if question]


def appraise(
    text: str,
    domain: OutreachDomain,
    state: State,
    known: Collection[str],
    before: Sequence[str] = (),
    meant: Meant = _NOTHING,
) -> Appraisal:
    """`known`: ids of the facts the assistant has; `before`: its earlier messages; `meant`: by the sentences that are
    `loose`.
    """
    read = [_read(s, domain.name) for s in _sentences(text)]
    found = list(dict.fromkeys([*(i for r in read for i in r.facts), *meant.answers]))
    asked = tuple(dict.fromkeys([*(c for r in read for c in r.asked), *meant.asked]))
    answers, arguments = _answers(domain.name), {a.id for a in domain.arguments}
    addressed, argued = (tuple(i for i in found if i in among) for among in (answers.keys() & set(known), arguments))
    settles = tuple({answers[i]: None for i in addressed})
    commits = "commits" in meant.acts or any(r.commits for r in read)
    openly = "openly" in meant.acts or any(r.openly for r in read)
    presses = "pressures" in meant.acts or bool(_PRESSES.search(text))
    new = [i for i in found if i not in state.said] or asked or openly
    acts = bool(found or asked or openly or commits)
    return Appraisal(
        addressed=addressed,
        settles=settles,
        asked=asked,
        asks_openly=openly,
        asks_for_commitment=commits,
        argued=tuple(i for i in argued if i not in state.said),
        irrelevant=tuple(i for i in found if i not in answers and i not in arguments),
        repeated=(bool(found) and not new) or _again(text, before),
        flatters="flatters" in meant.acts or bool(_FLATTERS.search(text)),
        pressures=state.refused and bool(commits or argued or presses) and not (asked or openly),
        promises="promises" in meant.acts
        or any(r.promises for r in read)
        or any(i in answers and i not in known for i in found),
        injects="injects" in meant.acts or bool(_INJECTS.search(text)),
        stuffs=any(r.stuffs for r in read),
        dumps=len(set(found) | set(asked)) >= DUMPED,
        answered_question=all(c in settles for c in state.those("voiced"))
        and not (state.wonders and not argued and not addressed),
        follows=state.digressing and (not acts or openly or bool(asked)),
        chats=not acts and any(r.question for r in read),
        closes=not acts and act_of([text]) == "close",
    )


@cache
def _answers(domain: str) -> dict[str, str]:
    """Id of an answer -> the concern it settles."""
    return {a.id: name for name, concern in load(domain).concerns.items() for a in concern.answers}


@cache
def _contents(domain: str) -> dict[str, frozenset[str]]:
    """Id of whatever may be said -> its content words."""
    data = load(domain)
    said = [*data.arguments, *data.irrelevant, *(a for c in data.concerns.values() for a in c.answers)]
    return {a.id: frozenset(content_words(a.text)) for a in said}


def _sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?;])\s+|\n+", text.strip()) if s]


@lru_cache(maxsize=50_000)
def _read(sentence: str, domain: str) -> _Read:
    data, words = load(domain), content_words(sentence)
    question = is_question(sentence)
    facts = tuple(i for i, content in _contents(domain).items() if len(content & words) >= _SAME * len(content))
    asked: tuple[str, ...] = ()
    if question:
        best, name = max((coverage(sentence, concern.ask), n) for n, concern in data.concerns.items())
        asked = (name,) if best >= _SAME else ()
    openly = question and not asked and bool(_OPENLY.search(sentence))
    asks = coverage(sentence, data.ask) >= _SAME or bool(_COMMITS.search(sentence))
    spoken = plain(sentence)
    small = sum(not content_words(w) for w in spoken)
    return _Read(
        facts=facts,
        asked=asked,
        openly=openly,
        commits=asks and not asked and not openly,
        promises=not facts and not question and bool(_PROMISES.search(sentence)),
        stuffs=len(spoken) >= 6 and small < _ORDINARY * len(spoken),
        question=question,
    )


@lru_cache(maxsize=10_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


def _again(text: str, before: Sequence[str]) -> bool:
    """The message, or a sentence of it, was said before."""
    earlier = [*before, *(s for b in before for s in _sentences(b))]
    return any(_alike(said, e) for said in dict.fromkeys((text, *_sentences(text))) for e in earlier)


def _alike(text: str, earlier: str) -> bool:
    """Nearly the same words."""
    a, b = _words(text), _words(earlier)
    return len(a) >= 3 and len(a & b) > 0.75 * len(a | b)

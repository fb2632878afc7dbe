"""Private knowledge in the wrong mouth, or out before its time: works from views and turns alone.

A secret is a fact another role holds, or an entry of another role's `private`. It is out once somebody who knows it has
said it, or the program has marked it disclosed. Words everybody was given (the public text, the speaker's own view) are
no leak, nor is a short value somebody could have worked out: only a run of `span` tokens with a word in it that the
speaker was not given, or a value as distinctive as a name of two words, an address or a number of four digits, proves
that it saw what it should not have seen. (Students solving a problem hit on eight words of its solution in one lesson
of eight, with a word that was in neither the problem nor the talk in one of twenty-five.)
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from schemas.contracts import Filter
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, Verdict
from schemas.scenario import Fact, Scenario, View

SPAN = 8
_SMALL = tuple(
    re.findall(
        r"\w+",
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen",
    )
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def leaked(text: str, secrets: Mapping[str, str], known: str = "", span: int = SPAN) -> list[str]:
    """Names of the secrets (name -> text) that `text` gives away and `known` does not; for turns and rendered prompts.

    A secret is given away by a run of `span` of its tokens, one of them not in `known`; if it is shorter, as a whole
    where it is distinctive.
    """
    if not secrets:
        return []
    said = _spaced(text)
    found: list[str] = []
    for name, secret in secrets.items():
        if runs := _runs(secret, span):
            seen = [run for run in runs if run in said]
            given = bool(seen) and not all(set(_tokens(known)).issuperset(run.split()) for run in seen)
        else:
            given = _whole(secret, span) and _contains(said, secret) and not _contains(_spaced(known), secret)
        if given:
            found.append(name)
    return found


def distinctive(value: str) -> bool:
    """Nobody says it by chance: an address, a number of four digits or more, or two words with ten letters."""
    if "@" in value or "://" in value:
        return True
    digits, letters = sum(c.isdigit() for c in value), sum(c.isalpha() for c in value)
    return digits >= 4 or (letters >= 10 and len(_tokens(value)) >= 2)


def answer_said(text: str, answer: str, given: str) -> bool:
    """Whether a text says an answer that `given` does not; a number also in words, or with its thousands apart."""
    return _is_answer_like(answer) and _says(text, answer) and not _says(given, answer)


class PrivateLeak(Filter):
    """Drops dialogues in which a role says what only another may know, or in which the partner gives the answer or a
    run of its solution away before the learner is right.
    """

    span: int = SPAN
    """Tokens in a row that prove a leak."""
    answers: tuple[str, ...] = ("answer",)
    """Names in `View.private` whose value must come from the learner first. The verifier's answer always counts."""
    solutions: tuple[str, ...] = ("solution",)
    """Names in `View.private` of which the partner may say no run of `span` tokens before the learner is right."""

    def judge(self, dialogue: Dialogue) -> Verdict:
        scenario = dialogue.scenario
        secrets = {role: _secrets_from(role, scenario) for role in scenario.views}
        found = {f"{holder}.{name}" for holder in scenario.views for name in self.answers}  # by the learner, if right
        secrets[dialogue.learner] = {n: s for n, s in secrets.get(dialogue.learner, {}).items() if n not in found}
        out: set[str] = set()
        heard: list[str] = [view.public for view in scenario.views.values()]
        right = False
        for i, turn in enumerate(dialogue.turns):
            out.update(turn.facts_disclosed, turn.facts_volunteered)
            if turn.kind != "utterance" or not turn.text or turn.role not in scenario.views:
                continue
            hidden = {name: text for name, text in secrets[turn.role].items() if name.partition("/")[0] not in out}
            if hidden:
                known = "\n".join([*heard, _own_words(scenario.views[turn.role])])
                if names := leaked(turn.text, hidden, known, self.span):
                    return Verdict(keep=False, reason="private_leak", detail=f"turn {i} ({turn.role}): {names[0]}")
            never = {f.id: f.text for f in scenario.views[turn.role].facts if f.disclose == "never"}
            if never and leaked(turn.text, never, "\n".join(heard), self.span):
                return Verdict(keep=False, reason="forbidden_disclosure", detail=f"turn {i} ({turn.role})")
            right = right or (turn.answer is not None and turn.answer_correct is not False)
            teaches = not right and turn.role == dialogue.partner
            if teaches and (reason := self._revealed(turn.text, scenario, heard, turn.role)):
                return Verdict(keep=False, reason=reason, detail=f"turn {i} ({turn.role})")
            heard.append(turn.text)
        return KEEP

    def _revealed(self, text: str, scenario: Scenario, heard: Iterable[str], role: str) -> str | None:
        """Why, where the partner says an answer or a run of a solution that neither the problem, its facts nor anybody
        before holds.
        """
        view = scenario.views[role]
        answers = [view.private[name] for name in self.answers if name in view.private]
        if scenario.verifier is not None:
            answers.append(scenario.verifier.answer)
        given = "\n".join([*heard, view.public, *(f"{f.text} {f.value}" for f in scenario.facts)])
        if any(answer_said(text, answer, given) for answer in answers):
            return "answer_revealed"
        solutions = {name: view.private[name] for name in self.solutions if name in view.private}
        return "solution_revealed" if leaked(text, solutions, given, self.span) else None


def _says(text: str, answer: str) -> bool:
    if _contains(_spaced(text), answer):
        return True
    wanted = _numbers(answer)
    return len(_tokens(answer)) == len(wanted) == 1 and wanted <= _numbers(text)


@lru_cache(maxsize=2048)
def _numbers(text: str) -> frozenset[str]:
    """In digits, without thousands' separators or zeros behind the point; those in words from 2 to 99 ("one" is a
    pronoun).
    """
    found: set[str] = set()
    tens = ""
    for word in _tokens(text):
        if word[0].isdigit():
            found.add(re.sub(r",(?=\d{3})", "", word).removesuffix(".0").removesuffix(".00"))
        elif word in _SMALL:
            ones = _SMALL.index(word)
            if tens and ones < 10:
                found.discard(tens)
                found.add(str(int(tens) + ones))
            elif ones != 1:
                found.add(str(ones))
        tens = str(10 * (2 + _TENS.index(word))) if word in _TENS else ""
        found |= {tens} - {""}
    return frozenset(found)


def _is_answer_like(answer: str) -> bool:
    """ "yes", "no" and "b" are said for other reasons."""
    return any(c.isdigit() for c in answer) or len(answer) >= 5


def _secrets_from(role: str, scenario: Scenario) -> dict[str, str]:
    """Fact id, or `ROLE.NAME` of a private entry, -> text. A fact's value is a secret of its own, `ID/value`."""
    secrets: dict[str, str] = {}
    for holder, view in scenario.views.items():
        if holder != role:
            secrets |= {f"{holder}.{name}": text for name, text in view.private.items()}
            secrets |= {fact.id: fact.text for fact in view.facts}
            secrets |= {f"{fact.id}/value": fact.value for fact in view.facts}
    return secrets


def _own_words(view: View) -> str:
    facts: tuple[Fact, ...] = view.facts
    return "\n".join([view.brief, *view.private.values(), *(f"{f.text}\n{f.value}" for f in facts)])


_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?|[^\w\s.,;:!?'\"()\[\]$-]")


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower().replace("’", "'"))


@lru_cache(maxsize=2048)
def _spaced(text: str) -> str:
    """Its tokens with a space around each: what is a run of tokens here is a substring there."""
    return f" {' '.join(_tokens(text))} "


@lru_cache(maxsize=2048)
def _runs(secret: str, size: int) -> tuple[str, ...]:
    """Runs of `size` tokens, spaced, at least half of them words: the same sum can be worked out by anybody."""
    tokens = _tokens(secret)
    runs = zip(*(tokens[i:] for i in range(size)), strict=False)
    return tuple(dict.fromkeys(f" {' '.join(r)} " for r in runs if 2 * sum(token.isalpha() for token in r) >= size))


@lru_cache(maxsize=2048)
def _whole(secret: str, span: int) -> bool:
    """Whether a secret too short for a run gives itself away as a whole."""
    return len(_tokens(secret)) < span and distinctive(secret)


def _contains(spaced: str, part: str) -> bool:
    wanted = _spaced(part)
    return not wanted.isspace() and wanted in spaced

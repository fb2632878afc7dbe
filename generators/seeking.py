"""What a conversation about a choice has come to, for the one who looks for something and the one who helps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from generators.choice import fitting
from generators.domains.recommendation import Item, RecommendationDomain
from generators.latents.session import SessionLatents
from schemas.dialogue import Turn
from schemas.scenario import Fact, Scenario


@dataclass(frozen=True)
class Talk:
    """A fold over scenario and turns."""

    scenario: Scenario
    turns: Sequence[Turn]
    data: RecommendationDomain
    session: SessionLatents

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn], data: RecommendationDomain) -> Self:
        return cls(scenario, turns, data, SessionLatents.model_validate(scenario.session_latents))

    @cached_property
    def mine(self) -> list[Turn]:
        return [t for t in self.turns if t.role == "user"]

    @property
    def opened(self) -> bool:
        """Whether the user has said what they are here for."""
        return any(t.intent_requested != "greet" for t in self.mine)

    @cached_property
    def theirs(self) -> list[Turn]:
        return [t for t in self.turns if t.role == "assistant"]

    @property
    def wants(self) -> dict[str, str]:
        return self.scenario.plan["wants"]

    @cached_property
    def facts(self) -> dict[str, Fact]:
        return {fact.id: fact for fact in self.scenario.views["user"].facts}

    @cached_property
    def known(self) -> dict[str, str]:
        """Slot -> value, of what the user has told."""
        told = [i for t in self.mine for i in t.facts_disclosed]
        return {i: self.facts[i].value for i in told if i in self.wants}

    @cached_property
    def hinted(self) -> set[str]:
        return {i for t in self.mine for i in t.labels.get("facts_hinted", ())} | set(self.known)

    @cached_property
    def asked(self) -> set[str]:
        return {i for t in self.theirs for i in t.facts_asked}

    @cached_property
    def recommended(self) -> list[str]:
        return [str(t.labels["item"]) for t in self.theirs if t.labels.get("item")]

    @cached_property
    def judged(self) -> list[Turn]:
        return [t for t in self.mine if "verdict" in t.labels]

    @property
    def accepted(self) -> str | None:
        return next((str(t.labels["verdict"]) for t in self.judged if t.intent_requested == "accept"), None)

    @property
    def pending(self) -> str | None:
        """What was recommended last, where it was not judged since."""
        for turn in reversed(self.turns):
            if "verdict" in turn.labels:
                return None
            if turn.role == "assistant" and turn.labels.get("item"):
                return str(turn.labels["item"])
        return None

    @property
    def asks_about(self) -> str | None:
        """The slot the user has just asked about, of what was recommended."""
        last = self.turns[-1] if self.turns else None
        return last.labels.get("slot") if last is not None and last.role == "user" and self.recommended else None

    @cached_property
    def refused_at(self) -> int | None:
        return next((n for n, t in enumerate(self.turns) if t.labels.get("refuses")), None)

    @property
    def refused_questions(self) -> bool:
        return self.refused_at is not None and self.session.cell != "useless"

    def shows(self, label: str) -> bool:
        """Whether the user has let it be seen: in a hurry, decided, refusing questions."""
        return any(t.labels.get(label) for t in self.mine)

    @property
    def pushes(self) -> int:
        """Questions after they were refused; of somebody who has decided, recommendations, too."""
        if self.refused_at is None:
            return 0
        later = [t for t in self.turns[self.refused_at :] if t.role == "assistant"]
        return sum(bool(t.facts_asked) or (not self.refused_questions and "item" in t.labels) for t in later)

    @property
    def said_bye(self) -> bool:
        return bool(self.mine) and self.mine[-1].intent_requested == "bye"

    @property
    def last_word(self) -> bool:
        return bool(self.scenario.plan.get("last_word"))

    @property
    def goes_on(self) -> bool:
        """Whether the user sends another message before the other side speaks."""
        return bool(self.turns) and self.turns[-1].role == "user" and bool(self.turns[-1].labels.get("goes_on"))

    @cached_property
    def patience(self) -> int:
        """What is left: messages that bring nothing cost one, and so do refused items, questions too many at once, and
        each question about what does not matter to them.
        """
        spent, heard = 0, False
        opening = next((n for n, t in enumerate(self.turns) if t.role == "user" and t.intent_requested != "greet"), 0)
        for turn in self.turns[opening:]:
            if turn.role == "user":
                heard = "slot" in turn.labels  # asked something: whatever comes next is taken as the answer
                continue
            asked = turn.facts_asked
            spent += max(0, len(asked) - self.session.tells) + sum(i not in self.wants for i in asked)
            spent += int(self.session.cell == "hurry" and bool(asked))
            spent += int(not asked and not turn.labels.get("item") and not heard and turn.intent_requested != "close")
        spent += sum(t.intent_requested == "decline" for t in self.judged)
        return self.session.patience + 1 - spent

    def item(self, name: str) -> Item:
        return next(item for item in self.data.items if item.name == name)

    def targets(self) -> list[Item]:
        return fitting(self.data.items, self.wants, set(self.scenario.plan["seen"]))

    def candidates(self) -> list[Item]:
        """What still fits, as far as anybody can know from what was said."""
        return fitting(self.data.items, self.known, {str(t.labels["verdict"]) for t in self.judged})

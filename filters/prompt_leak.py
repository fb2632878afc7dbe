"""The leak scan of rendered requests: what a role's model was shown must not hold what only another role may know
(law 3).
"""

from collections.abc import Sequence

from filters.private_leak import leaked
from schemas.chat import Message
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, Verdict


def prompt_leak(dialogue: Dialogue, role: str, turn: int, messages: Sequence[Message]) -> Verdict:
    """`messages`: the rendered request that asked `role` for turn number `turn`."""
    views = dialogue.scenario.views
    role = role if role in views else dialogue.learner  # the model of the policy `external` sits in the learner's seat
    if dialogue.scenario.policy == "privileged" and role == dialogue.learner:
        return KEEP  # is told the hidden side; its turns say what follows from it (`clairvoyant`)
    before = dialogue.turns[:turn]
    out = {fact_id for t in before for fact_id in (*t.facts_disclosed, *t.facts_volunteered)}
    secrets: dict[str, str] = {}
    for holder, view in views.items():
        if holder != role:
            secrets |= {f"{holder}.{name}": text for name, text in view.private.items()}
            secrets |= {fact.id: fact.text for fact in view.facts if fact.id not in out}
    if not secrets:
        return KEEP
    mine = views[role]
    own = [mine.brief, mine.public, *mine.private.values(), *(f.text for f in mine.facts)]
    prompt = "\n".join(m.content for m in messages)
    names = leaked(prompt, secrets, "\n".join([*own, *(t.text or "" for t in before)]))
    if names:
        return Verdict(keep=False, reason="prompt_leak", detail=f"request of {role} for turn {turn}: {names[0]}")
    return KEEP

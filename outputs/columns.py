"""What every column of the dialogue table means; the card prints it and a test holds it to the schema."""

from typing import NamedTuple

import pyarrow as pa

from schemas.table import SCHEMA


class Column(NamedTuple):
    name: str
    """Dotted path inside nested columns."""
    type: str
    meaning: str
    private: bool
    """Known to one side only: left out of exports unless asked for by name."""


PRIVATE = frozenset({"goal", "verifier", "facts", "session_latents", "views", "plan", "turns", "outcome"})
"""Columns no export contains unless asked for by name. The public side of `turns` is exported in their place."""

MEANING = {
    "dialogue_id": "Stable id: a hash of generation fingerprint, family, index and sibling.",
    "group_id": "Siblings (same scenario and seeds under several policies) share it; the unit of selection.",
    "sibling": "Number within the group, from 0.",
    "policy": "How the learner was played: reactive, proactive, privileged or external.",
    "round": "Generation round the dialogue was made in, from 0.",
    "index": "Number of the scenario within its family and run.",
    "family": "Kind of dialogue.",
    "domain": "What it is about within the family.",
    "base_case_id": "What the scenario was derived from; the unit of the splits.",
    "scenario_id": "Stable id of the sampled case.",
    "recipe": "Name of the recipe that published the row.",
    "seed": "Every draw of the dialogue derives from it; the same for siblings, but for further samples of one policy.",
    "split": "train, validation or test, by base case.",
    "learner": "Role of the party a trainer trains; `assistant` in `messages`.",
    "partner": "The other role; `user` in `messages`. Realism looks at this side.",
    "messages": "The public conversation as trainers want it; silences and events carry no message.",
    "messages.role": "assistant for the learner, user for everybody else.",
    "messages.content": "The words.",
    "goal": "What the dialogue is for, in words.",
    "max_turns": "Turns after which the dialogue was cut.",
    "verifier": "JSON: decides by code whether an answer is right (kind, answer, tolerance); null without one.",
    "facts": "Hidden information of the scenario.",
    "facts.id": "Id that turns refer to.",
    "facts.holder": "Role that knows it.",
    "facts.slot": "What it is about, in public words.",
    "facts.value": "The bare value.",
    "facts.text": "The whole fact as a sentence.",
    "facts.required": "Needed to reach the goal.",
    "facts.disclose": "When it may come out: asked, hinted, volunteered or never.",
    "session_latents": "JSON: what was fixed for the dialogue (profile, style, patience, concerns).",
    "views": "JSON: by role, what that role knew.",
    "plan": "JSON: what the family's program drew for the case.",
    "turns": "Every turn in order, silences and events included, with its labels.",
    "turns.role": "Who acted.",
    "turns.kind": "utterance, silence or event.",
    "turns.text": "The words; null exactly for a silence.",
    "turns.intent_requested": "Intent the program drew for the turn.",
    "turns.intent_detected": "Intent a detector found in the words.",
    "turns.facts_asked": "Ids of facts asked for.",
    "turns.facts_disclosed": "Ids of facts that came out when asked for.",
    "turns.facts_volunteered": "Ids of facts that came out unasked.",
    "turns.acts": "Dialogue acts.",
    "turns.answer": "A learner's answer to a verifiable problem, as given.",
    "turns.answer_correct": "What the verifier said of the answer.",
    "turns.labels": "JSON: labels of the family (topic, topic_shift, bridge, volunteered, ...).",
    "turns.thought": "Private reasoning of the speaker.",
    "turns.state": "JSON: state of the simulation after the turn.",
    "turns.belief": "JSON: what the speaker believed of the other.",
    "turns.decision": "speak, silent, ask, answer or stop, where the speaker chose.",
    "turns.model": "Model that said it; null for what no model said.",
    "turns.prompt_hash": "Hash of the rendered prompt.",
    "turns.temperature": "Sampling temperature.",
    "turns.prompt_tokens": "Tokens of the prompt.",
    "turns.completion_tokens": "Tokens of the answer.",
    "turns.logprob": "Sum of the answer's token log-probabilities, nats.",
    "ending": "Why the dialogue stopped.",
    "ending.reason": "goal_reached, closed_by_learner, closed_by_partner, gave_up, max_turns, fault, external, "
    "or window (a rollout).",
    "ending.by": "Role that ended it; null when nobody did.",
    "ending.detail": "For a fault: its reason.",
    "outcome": "JSON: what was reached; empty when the family has no outcome.",
    "success": "Whether the goal was reached; null when the family has none.",
    "labels": "JSON: label of the partner side by head; null without realism.",
    "realism": "How discriminators scored the partner side; null before, or without a reference.",
    "realism.scores": "JSON: log-odds of being real (natural log, out of fold) by discriminator.",
    "realism.combined": "Mean log-odds.",
    "realism.reason": "Why there is no score.",
    "rewards": "Named numbers, each with its grader; a missing value is null with its reason.",
    "rewards.name": "Name of the reward.",
    "rewards.scope": "dialogue, turn or branch.",
    "rewards.turn": "Turn it belongs to, from 0; null for the whole dialogue.",
    "rewards.value": "The number; null with a reason when there is none.",
    "rewards.n": "Samples behind an estimate.",
    "rewards.stderr": "Standard error of an estimate.",
    "rewards.parts": "JSON: what the value was computed from.",
    "rewards.grader": "Who graded: `program`, or model, prompt hash and sampling.",
    "rewards.reason": "Why the value is missing.",
    "selection": "What selection decided; null for a branch.",
    "selection.logw": "Log density ratio real/synthetic that selection used (natural log).",
    "selection.pi": "Probability of being kept.",
    "selection.keep": "Whether the row was published.",
    "selection.reason": "ok, or why it was dropped.",
    "origin": "Set on candidates and rollouts (`branches/`): what they branch from.",
    "origin.dialogue_id": "Dialogue it branches from.",
    "origin.turn": "Turn at which it branches, from 0.",
    "origin.candidate": "Number of the candidate.",
}


def columns() -> list[Column]:
    """Every column of the table in order, nested ones after their parent. A column without a meaning is a KeyError."""
    return [column for field in SCHEMA for column in _walk(field.name, field.type)]


def _walk(name: str, kind: pa.DataType) -> list[Column]:
    inner = kind.value_type if pa.types.is_list(kind) else kind
    column = Column(name, _spelled(kind), MEANING[name], name.split(".")[0] in PRIVATE)
    if not pa.types.is_struct(inner):
        return [column]
    return [column, *(c for child in inner for c in _walk(f"{name}.{child.name}", child.type))]


def _spelled(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_spelled(kind.value_type)}"
    return "struct" if pa.types.is_struct(kind) else str(kind)

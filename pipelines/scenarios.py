"""From (family, index, sibling) to a scenario with its identity: content decides, never order (law 9)."""

from pipelines.recipe_families import FamilyEntry
from schemas.identity import derive, rng, stable_hash
from schemas.scenario import Policy, Scenario


def group(entry: FamilyEntry, index: int, seed: int, fingerprint: str) -> list[Scenario]:
    """The siblings of a case: the same scenario, latents and seeds under each policy, in each of the family's variants.
    `fingerprint`: of generation.
    """
    case = entry.family.sample(rng(seed, entry.name, index))
    group_id = stable_hash(fingerprint, entry.name, index)
    play = derive(seed, entry.name, index, "play")
    policies = entry.policies
    return [
        entry.family.vary(case, sibling // len(policies)).model_copy(
            update={
                "index": index,
                "seed": play,
                "scenario_id": group_id,
                "group_id": group_id,
                "dialogue_id": stable_hash(fingerprint, entry.name, index, sibling),
                "policy": drawn(policies[sibling % len(policies)], play, sibling % len(policies)),
                "sibling": sibling,
            }
        )
        for sibling in range(entry.siblings)
    ]


def drawn(choice: Policy | dict[Policy, float], seed: int, sibling: int) -> Policy:
    """The policy of a sibling: the only one, or one of a mixture. `seed`: of the scenario."""
    if isinstance(choice, str):
        return choice
    names = sorted(choice)
    return rng(seed, "policy", sibling).choices(names, [choice[name] for name in names])[0]

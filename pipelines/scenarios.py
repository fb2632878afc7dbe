"""From (family, index, sibling) to a scenario with its identity: content decides, never order (law 9)."""

from pipelines.recipe_families import FamilyEntry
from pipelines.steered import AS_FITTED, Steering, sample
from schemas.identity import derive, rng, stable_hash
from schemas.scenario import Policy, Scenario


def group(
    entry: FamilyEntry, index: int, seed: int, fingerprint: str, steering: Steering = AS_FITTED
) -> list[Scenario]:
    """The siblings of a case: the same scenario, latents and seeds under each policy, in each of the family's variants;
    the second and later samples of a policy have seeds of their own. `fingerprint`: of generation. Steering decides who
    is drawn, so it is part of the identity; as fitted it is left out.
    """
    case = sample(entry.family, seed, index, steering)
    of = (fingerprint, entry.name, index, *([] if steering.idle else [steering.model_dump()]))
    group_id = stable_hash(*of)
    play = derive(seed, entry.name, index, "play")
    policies = [drawn(choice, play, place) for place, choice in enumerate(entry.policies)]
    seeds = [sample_seed(play, policies[:place].count(policy)) for place, policy in enumerate(policies)]
    return [
        entry.family.vary(case, sibling // len(policies)).model_copy(
            update={
                "index": index,
                "seed": seeds[sibling % len(policies)],
                "scenario_id": group_id,
                "group_id": group_id,
                "dialogue_id": stable_hash(*of, sibling),
                "policy": policies[sibling % len(policies)],
                "sibling": sibling,
            }
        )
        for sibling in range(entry.siblings)
    ]


def sample_seed(play: int, sample: int) -> int:
    """Of sample number `sample` of a policy, from 0: the same seed would be the same dialogue again."""
    return derive(play, "sample", sample) if sample else play


def drawn(choice: Policy | dict[Policy, float], seed: int, sibling: int) -> Policy:
    """The policy of a sibling: the only one, or one of a mixture. `seed`: of the scenario."""
    if isinstance(choice, str):
        return choice
    names = sorted(choice)
    return rng(seed, "policy", sibling).choices(names, [choice[name] for name in names])[0]

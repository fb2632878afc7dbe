"""From (family, index, sibling) to a scenario with its identity: content decides, never order (law 9)."""

from pipelines.recipe_families import FamilyEntry
from schemas.identity import derive, rng, stable_hash
from schemas.scenario import Scenario


def group(entry: FamilyEntry, index: int, seed: int, fingerprint: str) -> list[Scenario]:
    """The siblings of a case: the same scenario, latents and seeds under each policy. `fingerprint`: of generation."""
    case = entry.family.sample(rng(seed, entry.name, index))
    group_id = stable_hash(fingerprint, entry.name, index)
    return [
        case.model_copy(
            update={
                "index": index,
                "seed": derive(seed, entry.name, index, "play"),
                "scenario_id": group_id,
                "group_id": group_id,
                "dialogue_id": stable_hash(fingerprint, entry.name, index, sibling),
                "policy": policy,
                "sibling": sibling,
            }
        )
        for sibling, policy in enumerate(entry.policies)
    ]

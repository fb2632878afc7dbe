"""Whether programs of models can be run on this machine."""

import sys


def confines() -> bool:
    """By the kernel alone: where it can and `passes` cannot, tests fail."""
    if sys.platform != "linux":
        return False
    import sandlock

    return sandlock.landlock_abi_version() >= sandlock.min_landlock_abi()

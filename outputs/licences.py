"""The licence of what was made, from the licences of what went in.

Whatever has words or items in the dialogues binds them: the models that wrote, problem sets, scenarios. A condition of
one of these is a condition of the dataset, and what is shared alike stays under its own licence. A reference lends
statistics and an embedder nothing but distances: they are listed and bind nothing. Where no one licence meets all
conditions the card says `other` and why; where a licence is not known it says `unknown`, never something milder.
"""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Literal, NamedTuple

from schemas.scenario import Value

UNKNOWN = "unknown"
OTHER = "other"
NOT_TOLD = "not told"
"""Licence of a source that nobody told; `licences` in the recipe does."""


class Source(Value):
    """Something that went into the dialogues and has a licence of its own."""

    name: str
    kind: Literal["model", "embedder", "reference", "problems", "other"]
    licence: str
    version: str = ""
    """Version, revision or content hash."""
    use: str = ""
    """What it did in the run."""
    origin: str = ""
    """Where it comes from."""

    @property
    def binds(self) -> bool:
        """Its words or items are in the dialogues."""
        return self.kind not in ("reference", "embedder")


class Terms(NamedTuple):
    licence: str
    """As a dataset hub spells it; `unknown` or `other` where there is no one licence."""
    because: tuple[str, ...] = ()
    """Names of the sources that ask for it; empty where none asks for more than its own."""
    why: str = ""
    """Of `unknown` and `other`, in words."""


class Level(IntEnum):
    """What a licence asks of those who pass an adaptation on; each level asks for all of the lower ones, but for
    `OWN`: terms that no public licence stands for, or no adaptation at all.
    """

    FREE = 0
    NOTICE = 1
    ATTRIBUTION = 2
    SHARE_ALIKE = 3
    NON_COMMERCIAL = 4
    NON_COMMERCIAL_SHARE_ALIKE = 5
    OWN = 6


_CREATIVE_COMMONS = re.compile(r"cc-by(?P<nc>-nc)?(?P<change>-sa|-nd)?-(?P<version>\d\.\d)")
_SPDX: Mapping[str, tuple[Level, str]] = {
    "cc0-1.0": (Level.FREE, "CC0-1.0"),
    "pddl": (Level.FREE, "PDDL-1.0"),
    "unlicense": (Level.FREE, "Unlicense"),
    "mit": (Level.NOTICE, "MIT"),
    "isc": (Level.NOTICE, "ISC"),
    "bsd-2-clause": (Level.NOTICE, "BSD-2-Clause"),
    "bsd-3-clause": (Level.NOTICE, "BSD-3-Clause"),
    "apache-2.0": (Level.NOTICE, "Apache-2.0"),
    "cdla-permissive-1.0": (Level.NOTICE, "CDLA-Permissive-1.0"),
    "cdla-permissive-2.0": (Level.NOTICE, "CDLA-Permissive-2.0"),
    "odc-by": (Level.ATTRIBUTION, "ODC-By-1.0"),
    "odbl": (Level.SHARE_ALIKE, "ODbL-1.0"),
    "cdla-sharing-1.0": (Level.SHARE_ALIKE, "CDLA-Sharing-1.0"),
    "gpl-3.0": (Level.SHARE_ALIKE, "GPL-3.0-only"),
    "agpl-3.0": (Level.SHARE_ALIKE, "AGPL-3.0-only"),
}
"""As hubs spell it -> what it asks for, and its SPDX name. Creative Commons' are read from their names."""
_SPELLED = {"apache-2": "apache-2.0", "cc0": "cc0-1.0", "odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl"}


def spelled(licence: str) -> str:
    """As dataset hubs spell it: `CC BY-SA 4.0` is `cc-by-sa-4.0`."""
    plain = re.sub(r"[\s_]+", "-", licence.strip().lower())
    return _SPELLED.get(plain, plain)


def level(licence: str) -> Level:
    found = _CREATIVE_COMMONS.fullmatch(spelled(licence))
    if found is None:
        return _SPDX.get(spelled(licence), (Level.OWN, licence))[0]
    if found["change"] == "-nd":
        return Level.OWN
    alike = found["change"] == "-sa"
    if found["nc"]:
        return Level.NON_COMMERCIAL_SHARE_ALIKE if alike else Level.NON_COMMERCIAL
    return Level.SHARE_ALIKE if alike else Level.ATTRIBUTION


def terms(sources: Iterable[Source], own: str) -> Terms:
    """The mildest licence that is as strict as `own`, the publisher's, and as that of every source that binds."""
    binding = [s for s in sources if s.binds]
    untold = _names(s for s in binding if s.licence in (NOT_TOLD, UNKNOWN, ""))
    if untold:
        return Terms(UNKNOWN, untold, f"nobody told the licence of {_listed(untold)}")
    if alone := _names(s for s in binding if level(s.licence) is Level.OWN):
        return Terms(OTHER, alone, f"{_listed(alone)} has terms of its own, which hold for what is made with it")
    licences = sorted({spelled(own), *(spelled(s.licence) for s in binding)})
    alike = {_family(x): x for x in licences if level(x) in _ALIKE}  # of several versions the newest
    commercial = [x for x in licences if level(x) is Level.NON_COMMERCIAL]
    if len(alike) > 1 or (commercial and Level.SHARE_ALIKE in map(level, alike.values())):
        clashing = sorted({*alike.values(), *commercial})
        return Terms(OTHER, _asking(binding, clashing), f"no one licence meets {_listed(clashing)} together")
    strictest = max(licences, key=lambda x: (x in alike.values(), level(x), x == spelled(own), x))
    return Terms(strictest, () if strictest == spelled(own) else _asking(binding, [strictest]))


_ALIKE = (Level.SHARE_ALIKE, Level.NON_COMMERCIAL_SHARE_ALIKE)


def _family(licence: str) -> str:
    """Creative Commons lets an adaptation move on to a newer version of the same licence."""
    return re.sub(r"-\d\.\d$", "", licence) if licence.startswith("cc-") else licence


def _asking(sources: Iterable[Source], licences: Iterable[str]) -> tuple[str, ...]:
    wanted = {_family(x) for x in licences}
    return _names(s for s in sources if _family(spelled(s.licence)) in wanted)


def _names(sources: Iterable[Source]) -> tuple[str, ...]:
    return tuple(sorted({s.name for s in sources}))


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)


def url_of(licence: str) -> str | None:
    """Of its text; None where there is none to point to."""
    found = _CREATIVE_COMMONS.fullmatch(licence)
    if found is not None:
        return f"https://creativecommons.org/licenses/{licence[3:].rsplit('-', 1)[0]}/{found['version']}/"
    return f"https://spdx.org/licenses/{_SPDX[licence][1]}.html" if licence in _SPDX else None

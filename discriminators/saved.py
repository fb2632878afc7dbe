"""A cross-fitted ensemble in one file, without pickle: arrays of numbers and strings (NumPy's .npz), and JSON.

What is loaded runs nothing: stages are given by who loads, and what they learnt is arrays.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from discriminators.crossfit import Calibration, CrossFit
from schemas.contracts import Discriminator, EmbedTexts
from schemas.errors import DataError

VERSION = 1
"""Of what the arrays mean: raised when features, acts or heads change."""
_HEADER = "header"


def save(path: Path, fit: CrossFit, discriminators: Mapping[str, Discriminator]) -> None:
    """`discriminators`: those it was fitted with. Raises OSError."""
    header = {
        "version": VERSION,
        "specs": {name: stage.spec() for name, stage in discriminators.items()},
        "calibrations": {name: c._asdict() for name, c in fit.calibrations.items()},
        "together": fit.together._asdict(),
        "seed": fit.seed,
        "folds": fit.folds,
        "count": fit.count,
        "reason": fit.reason,
    }
    arrays = {
        f"{name}/{fold}/{part}": array
        for name, models in fit.fitted.items()
        for fold, model in enumerate(models)
        for part, array in model.arrays().items()
    }
    with path.open("wb") as file:
        arrays[_HEADER] = np.frombuffer(orjson.dumps(header), np.uint8)
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: Path, discriminators: Mapping[str, Discriminator], embed: EmbedTexts) -> CrossFit:
    """`discriminators`: the same, with the same settings. Raises DataError."""
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        header: dict[str, Any] = orjson.loads(arrays.pop(_HEADER).tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no saved discriminators ({error}); fit them again") from error
    if header.get("version") != VERSION:
        found = header.get("version")
        raise DataError(f"{path}: saved discriminators of version {found}, this is {VERSION}; fit them again")
    if header["specs"] != {name: stage.spec() for name, stage in discriminators.items()}:
        raise DataError(f"{path}: saved for discriminators with other settings; give the same, or fit them again")
    return _restored(header, arrays, discriminators, embed)


def _restored(
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    discriminators: Mapping[str, Discriminator],
    embed: EmbedTexts,
) -> CrossFit:
    parts: dict[tuple[str, int], dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        name, fold, part = path.rsplit("/", 2)
        parts.setdefault((name, int(fold)), {})[part] = array
    fitted = {
        name: [discriminators[name].restore(parts[name, fold], embed) for fold in range(header["count"])]
        for name in header["calibrations"]
    }
    calibrations = {name: _calibration(given) for name, given in header["calibrations"].items()}
    together = _calibration(header["together"])
    return CrossFit(fitted, calibrations, together, header["seed"], header["folds"], header["count"], header["reason"])


def _calibration(given: Mapping[str, Any]) -> Calibration:
    return Calibration(tuple(given["slopes"]), given["intercept"], given["low"], given["high"])

from pathlib import Path

import numpy as np
import pytest
from talks import hashed_embed
from two_sides import ALL, REAL, SYNTHETIC

from discriminators import saved
from discriminators.behaviour_boost import BehaviourBoost, numbers
from discriminators.crossfit import CrossFit, cross_fit
from discriminators.ngram import NgramLogistic
from schemas.errors import DataError


def fitted() -> CrossFit:
    return cross_fit(ALL, REAL, SYNTHETIC, hashed_embed, seed=0, folds=2)


def test_what_is_loaded_scores_as_what_was_saved(tmp_path: Path):
    fit = fitted()
    saved.save(tmp_path / "fit.npz", fit, ALL)
    again = saved.load(tmp_path / "fit.npz", ALL, hashed_embed)
    assert list(again.scores(SYNTHETIC)) == list(fit.scores(SYNTHETIC))
    assert again.fold("s3") == fit.fold("s3")


def test_a_fit_of_nothing_keeps_its_reason(tmp_path: Path):
    saved.save(tmp_path / "fit.npz", CrossFit.missing("too_few_to_fit"), {})
    assert saved.load(tmp_path / "fit.npz", {}, hashed_embed).reason == "too_few_to_fit"


def test_another_version_other_settings_and_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "fit.npz"
    saved.save(path, CrossFit.missing("too_few_to_fit"), ALL)
    with pytest.raises(DataError, match="other settings"):
        saved.load(path, {**ALL, "ngram": NgramLogistic(strength=1.0)}, hashed_embed)
    monkeypatch.setattr(saved, "VERSION", saved.VERSION + 1)
    with pytest.raises(DataError, match="version 1, this is 2"):
        saved.load(path, ALL, hashed_embed)
    path.write_bytes(b"\x80\x04pickled")
    with pytest.raises(DataError, match="fit them again"):
        saved.load(path, ALL, hashed_embed)


def test_trees_kept_as_arrays_decide_as_the_library_does(monkeypatch: pytest.MonkeyPatch):
    from sklearn.ensemble import HistGradientBoostingClassifier

    models: list[HistGradientBoostingClassifier] = []
    fit = HistGradientBoostingClassifier.fit

    def remembered(self: HistGradientBoostingClassifier, *given: object, **named: object) -> object:
        models.append(self)
        return fit(self, *given, **named)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", remembered)
    sides = [s.turns for s in REAL], [s.turns for s in SYNTHETIC]
    trees = BehaviourBoost().fit(*sides, hashed_embed, seed=0)
    rows = np.random.default_rng(0).normal(5, 5, size=(50, numbers([*sides[0]]).shape[1]))
    assert np.allclose(trees.of_turns(rows), models[0].decision_function(rows))

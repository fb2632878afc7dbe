import pytest

from outputs.licences import NOT_TOLD, Level, Source, level, spelled, terms

OWN = "apache-2.0"


def source(licence: str, kind: str = "problems", name: str = "") -> Source:
    return Source.model_validate({"name": name or licence, "kind": kind, "licence": licence})


@pytest.mark.parametrize(
    ("told", "hub"),
    [
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("Apache-2.0", "apache-2.0"),
        ("CDLA-Sharing 1.0", "cdla-sharing-1.0"),
        ("mit ", "mit"),
    ],
)
def test_a_licence_is_spelled_as_the_hub_does(told: str, hub: str):
    assert spelled(told) == hub


def test_what_a_licence_asks_for_is_ordered():
    asked = ["cc0-1.0", "MIT", "CC BY 4.0", "CC BY-SA 3.0", "CC BY-NC 4.0", "CC BY-NC-SA 4.0", "CC BY-ND 4.0"]
    assert [level(x) for x in asked] == list(Level)
    assert level("a licence nobody heard of") is Level.OWN


def test_nothing_that_went_in_asks_for_more_than_the_publisher():
    found = terms([source("MIT"), source("Apache-2.0", "model")], OWN)
    assert (found.licence, found.because) == (OWN, ())


@pytest.mark.parametrize("strict", ["CC BY 4.0", "CC BY-SA 4.0", "CDLA-Sharing 1.0", "CC BY-NC 4.0", "CC BY-NC-SA 4.0"])
@pytest.mark.parametrize("kind", ["problems", "model", "other"])
def test_a_dataset_is_at_least_as_strict_as_whatever_has_words_in_it(strict: str, kind: str):
    found = terms([source("MIT"), source(strict, kind, name="strict one")], OWN)
    assert (found.licence, found.because) == (spelled(strict), ("strict one",))


def test_no_choice_of_sources_is_passed_on_more_freely_than_the_strictest_asks():
    licences = ["cc0-1.0", "mit", "apache-2.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "odbl", "cc-by-nc-4.0"]
    licences += ["cc-by-nc-sa-4.0", "cc-by-nd-4.0", "gemma"]
    for first in licences:
        for second in licences:
            found = terms([source(first), source(second)], OWN)
            strictest = max(level(first), level(second), level(OWN))
            assert found.licence == "other" or level(found.licence) == strictest, (first, second)
            assert found == terms([source(second), source(first)], OWN)


def test_share_alike_moves_on_to_the_newer_version_of_the_same_licence():
    assert terms([source("CC BY-SA 3.0"), source("CC BY-SA 4.0")], OWN).licence == "cc-by-sa-4.0"
    assert terms([source("CC BY-SA 3.0")], OWN).licence == "cc-by-sa-3.0"


@pytest.mark.parametrize("pair", [("CC BY-SA 4.0", "CDLA-Sharing 1.0"), ("CC BY-SA 4.0", "CC BY-NC 4.0")])
def test_licences_that_exclude_each_other_are_told_and_not_resolved(pair: tuple[str, str]):
    found = terms([source(x) for x in pair], OWN)
    assert found.licence == "other"
    assert set(found.because) == set(pair)
    assert found.why.startswith("no one licence meets")


def test_what_may_not_be_adapted_makes_nothing_that_has_a_licence():
    found = terms([source("MIT"), source("CC BY-ND 4.0")], OWN)
    assert (found.licence, found.because) == ("other", ("CC BY-ND 4.0",))


def test_a_licence_nobody_told_stays_unknown_whatever_else_went_in():
    found = terms([source("CC BY-SA 4.0"), source(NOT_TOLD, "model", name="my-model")], OWN)
    assert (found.licence, found.because) == ("unknown", ("my-model",))
    assert "my-model" in found.why


@pytest.mark.parametrize("kind", ["reference", "embedder"])
def test_what_only_lends_statistics_binds_nothing(kind: str):
    assert terms([source("CC BY-NC-SA 4.0", kind), source(NOT_TOLD, kind)], OWN).licence == OWN


def test_a_publisher_may_be_stricter_than_the_sources():
    assert terms([source("MIT")], "cc-by-sa-4.0").licence == "cc-by-sa-4.0"
    assert terms([source("CC BY-SA 3.0")], "cc-by-sa-4.0").licence == "cc-by-sa-4.0"

import pickle
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from generators.families.conversation import Conversation
from generators.latents.fitted import committed
from generators.speakers.external import External
from pipelines.fingerprints import generation_fingerprint, reward_fingerprint, selection_fingerprint
from pipelines.recipe import Recipe, dump_yaml, load, resolved
from pipelines.recipe_families import FamilyEntry
from pipelines.recipe_models import LlamaCpp, Remote
from pipelines.recipe_yaml import read
from pipelines.scenarios import group
from schemas.errors import InputError, RecipeError

ROOT = Path(__file__).parents[2]
BROKEN = sorted((ROOT / "recipes" / "broken").glob("*.yaml"))
TUTORING = "generators.families.tutoring.Tutoring"
STUDENT = "generators.speakers.student.Student"
CONVERSATION = "generators.families.conversation.Conversation"


def recipe(tmp_path: Path, text: str, *sets: str) -> Recipe:
    path = tmp_path / "small.yaml"
    path.write_text(text)
    return load(path, sets)


def refusal(tmp_path: Path, text: str, *sets: str) -> str:
    with pytest.raises(RecipeError) as caught:
        recipe(tmp_path, text, *sets)
    return str(caught.value)


SHORT = f"target: 4\nfamilies: [{TUTORING}]\n"
BOTH = f"target: 12\nfamilies:\n  - use: {CONVERSATION}\n  - use: {TUTORING}\n"


def test_there_are_broken_recipes_to_test():
    assert len(BROKEN) >= 18


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.stem)
def test_a_broken_recipe_gets_one_line_that_names_file_field_and_remedy(path: Path):
    expected = path.read_text().splitlines()[0].removeprefix("# expect: ")
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert expected in message
    assert path.name in message
    assert len(message) < 400 and "\n" not in message
    assert caught.value.exit_code == 2
    assert caught.value.__context__ is None or caught.value.__suppress_context__, "a traceback of two errors"
    assert "not-a-real-key" not in message


def test_every_recipe_that_is_not_broken_loads_and_survives_yaml_and_pickle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(ROOT)
    recipes = sorted((ROOT / "recipes").glob("*.yaml"))
    assert recipes
    for path in recipes:
        loaded = load(path)
        again = tmp_path / "config.resolved.yaml"
        again.write_text(dump_yaml(loaded))
        assert load(again) == loaded
        assert Recipe.model_validate(resolved(loaded)) == loaded
        assert pickle.loads(pickle.dumps(loaded)) == loaded


def test_a_short_recipe_is_completed_by_defaults(tmp_path: Path):
    short = recipe(tmp_path, SHORT)
    entry = short.families[0]
    assert short.name == "small"
    assert entry.policies == ("reactive", "proactive")
    assert entry.share == 1
    assert sorted(entry.speakers) == ["student", "teacher"]
    assert short.roles == {"student": "default", "teacher": "default"}
    assert isinstance(short.models["default"], LlamaCpp)
    for stages in (short.filters, short.selectors, short.discriminators, short.rewards):
        assert stages


def test_embedded_models_of_one_recipe_divide_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    one = recipe(tmp_path, SHORT, "models.default.use=llama_cpp").models["default"]
    judged = "models={default: {use: llama_cpp}, judge: {use: llama_cpp, weights: smollm2-135m-instruct}}"
    two = recipe(tmp_path, SHORT, judged).models
    told = recipe(tmp_path, SHORT, judged, "models.judge.threads=4").models
    threads = [m.threads for m in (one, *two.values(), *told.values()) if isinstance(m, LlamaCpp)]
    assert threads == [None, 2, 2, 2, 4]


def test_an_absent_reference_is_the_familys_own_and_null_is_none(tmp_path: Path):
    text = f"target: 4\nfamilies:\n  - use: {CONVERSATION}\n"
    assert recipe(tmp_path, text).families[0].reference == "pypi:chitchat-dataset"
    assert recipe(tmp_path, text + "    reference: null\n").families[0].reference is None


def test_the_only_model_is_every_roles_default_whatever_its_name(tmp_path: Path):
    text = SHORT + "models: {qwen: {use: remote, base_url: 'http://127.0.0.1:8000/v1/', model: Qwen/Qwen3-8B}}\n"
    loaded = recipe(tmp_path, text)
    assert loaded.roles == {"student": "qwen", "teacher": "qwen"}
    assert loaded.models["qwen"] == Remote(base_url="http://127.0.0.1:8000/v1", model="Qwen/Qwen3-8B")


def test_speaker_fields_without_use_change_the_familys_own_speaker(tmp_path: Path):
    own = recipe(tmp_path, SHORT).families[0].speakers
    text = f"target: 4\nfamilies:\n  - use: {TUTORING}\n    speakers: {{teacher: {{attempts: 5}}}}\n"
    changed = recipe(tmp_path, text).families[0].speakers
    assert changed["teacher"] == own["teacher"].with_fields(attempts=5)
    assert changed["student"] == own["student"]


def test_shares_left_out_divide_what_the_others_leave(tmp_path: Path):
    loaded = recipe(tmp_path, BOTH, "families.0.share=0.25")
    assert [e.share for e in loaded.families] == [0.25, 0.75]
    assert recipe(tmp_path, BOTH).quotas() == {"conversation": 6, "tutoring": 6}
    assert recipe(tmp_path, BOTH, "families.0.share=1", "families.1.share=2").quotas() == {
        "conversation": 4,
        "tutoring": 8,
    }


@given(share=st.floats(0.05, 0.95), groups=st.integers(2, 300))
def test_quotas_are_whole_groups_add_up_and_never_shrink_when_the_target_grows(share: float, groups: int):
    def quotas(n: int) -> list[int]:
        small = base.model_copy(update={"target": 2 * n, "families": families})
        return list(small.quotas().values())

    base = load(ROOT / "recipes" / "quickstart.yaml")
    families = tuple(e.model_copy(update={"share": s}) for e, s in zip(base.families, (share, 1 - share), strict=True))
    now, later = quotas(groups), quotas(groups + 1)
    assert sum(now) == 2 * groups
    assert all(n % 2 == 0 for n in now)
    assert all(a <= b for a, b in zip(now, later, strict=True))


def test_set_takes_yaml_values_list_indices_both_ways_and_makes_missing_mappings(tmp_path: Path):
    loaded = recipe(
        tmp_path,
        BOTH,
        "families[0].trouble=0.5",
        "families.1.policies=[proactive]",
        "families.0.policies=[proactive]",
        "budget.minutes=2.5",
        "models.default.sampling.temperature=0",
        "oversample=1e1",
    )
    assert isinstance(loaded.families[0].family, Conversation) and loaded.families[0].family.trouble == 0.5
    assert loaded.families[1].policies == ("proactive",)
    assert loaded.budget.minutes == 2.5
    assert loaded.models["default"].sampling == {"temperature": 0}
    assert loaded.oversample == 10


def test_set_reaches_into_a_stage_written_as_its_bare_path(tmp_path: Path):
    assert recipe(tmp_path, SHORT, "families.0.max_turns=6").families[0].family.spec()["max_turns"] == 6


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("target", "--set target: is not of the form a.b=value"),
        ("families.3.share=1", "the list has 1 entries, counted from 0; there is no '3'"),
        ("target.x=1", "'target' is a single value; it has no 'x'"),
        ("budget=[", "the value is not YAML"),
        ("families.0.max_turn=4", "--set: families[0].max_turn: no such key; did you mean 'max_turns'?"),
        ("seed=true", "seed: should be a valid integer, not True"),
        ("budget.minutes=.nan", "budget.minutes: should be a finite number"),
        ("name=a/b", "name: should hold letters, digits"),
        ("families.0.use=schemas.contracts.Family", "is a base to extend, not a family to use"),
        ("families.0.use=json.JSONDecoder", "is not a stage"),
        ("families.0.use=generator.families.tutoring.Tutoring", "did you mean 'generators.families.tutoring'?"),
        ("families.0.policies=[]", "families[0].policies: should have at least one entry"),
        ("models={a: {}, b: {}}", "roles.student: is missing, and no model is called 'default'; one of a, b"),
        ("embedder.weights=smollm2-135m-instruct", "embedder.weights: no weights 'smollm2-135m-instruct'"),
        ("models.default.base_url=http://x", "models.default.base_url: no such key"),
    ],
)
def test_a_wrong_override_names_what_is_wrong(tmp_path: Path, change: str, expected: str):
    text = refusal(tmp_path, f"target: 4\nfamilies: [{TUTORING}]\nmodels: {{default: {{use: llama_cpp}}}}\n", change)
    assert expected in text


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "https://host/v1?api_key=secret"])
def test_a_key_inside_a_url_is_refused_and_not_repeated(tmp_path: Path, url: str):
    text = refusal(tmp_path, SHORT, f"models={{default: {{use: remote, base_url: '{url}', model: m}}}}")
    assert "keep keys out of the recipe" in text
    assert "secret" not in text


def test_several_faults_are_counted_and_the_first_is_told(tmp_path: Path):
    text = refusal(tmp_path, SHORT + "workers: 0\nmax_rounds: many\n")
    assert "workers: should be greater than or equal to 1, not 0 (and 1 more)" in text


def test_a_missing_recipe_names_the_nearest_one(tmp_path: Path):
    (tmp_path / "quickstart.yaml").write_text(SHORT)
    with pytest.raises(RecipeError, match=r"no such recipe; did you mean 'quickstart.yaml'\?"):
        load(tmp_path / "quikstart.yaml")
    with pytest.raises(RecipeError, match="there is no folder"):
        load(tmp_path / "nowhere" / "quickstart.yaml")


def test_a_folder_and_bytes_that_are_no_text_are_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="is not UTF-8 text"):
        load(tmp_path / "binary.yaml")


def test_yaml_that_executes_recurses_or_has_no_text_keys_is_refused(tmp_path: Path):
    assert "could not determine a constructor" in refusal(tmp_path, "target: !!python/name:os.system\n")
    assert "key on is not text; write it in quotes" in refusal(tmp_path, "on: 4\n")
    assert "found undefined alias" in refusal(tmp_path, "target: *a\n")
    assert "expected a single document" in refusal(tmp_path, "target: 4\n---\ntarget: 4\n")
    assert "families[0]" in refusal(tmp_path, "target: 4\nfamilies: &a [*a]\n")


def test_numbers_and_dates_mean_what_they_look_like(tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1e-3\nb: 2026-11-20\nc: 1e4\n")
    assert read(path).data == {"a": 0.001, "b": "2026-11-20", "c": 10000.0}


def test_an_import_that_fails_names_the_module_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "stage_without_package.py").write_text("import a_package_nobody_has\n")
    (tmp_path / "stage_with_a_bug.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = refusal(tmp_path, SHORT, "filters=[stage_without_package.Mine]")
    assert "filters[0].use: module stage_without_package needs the package 'a_package_nobody_has'" in text
    text = refusal(tmp_path, SHORT, "filters=[stage_with_a_bug.Mine]")
    assert "cannot be imported (ZeroDivisionError: division by zero)" in text


def test_a_stage_from_any_importable_module_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_filters.py").write_text(
        "from schemas.contracts import Filter\n"
        "from schemas.judgement import KEEP\n"
        "class Anything(Filter):\n"
        "    '''Keeps all.'''\n"
        "    least: int = 1\n"
        "    def judge(self, dialogue):\n"
        "        return KEEP\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loaded = recipe(tmp_path, SHORT, "filters=[{use: my_filters.Anything, least: 3}]")
    assert resolved(loaded)["filters"] == [{"use": "my_filters.Anything", "least": 3}]
    text = refusal(tmp_path, SHORT, "filters=[{use: my_filters.Anything, leest: 3}]")
    assert "filters[0].leest: no such key; did you mean 'least'?" in text


REMOTE = "models={default: {use: remote, base_url: 'http://127.0.0.1:1/v1', model: m}}"


@pytest.mark.parametrize(
    "change",
    [
        "name=other",
        "target=40",
        "families.0.share=0.9",
        "families.0.reference=null",
        "budget.minutes=1",
        "workers=8",
        "shard_size=2",
        "concurrency=1",
        "oversample=2",
        "max_rounds=1",
        "selectors=[]",
        "discriminators=[]",
        "rewards=[]",
        "models.default.base_url=http://127.0.0.1:2/v1",
        "models.default.max_in_flight=2",
        "models.default.api_key_env=OTHER_KEY",
    ],
)
def test_what_decides_no_text_leaves_the_generation_fingerprint_alone(tmp_path: Path, change: str):
    before, after = recipe(tmp_path, BOTH, REMOTE), recipe(tmp_path, BOTH, REMOTE, change)
    assert before != after
    assert generation_fingerprint(before) == generation_fingerprint(after)


@pytest.mark.parametrize(
    "change",
    [
        "seed=8",
        "families.0.trouble=0.5",
        "families.0.policies=[proactive, reactive]",
        "families.1.speakers.teacher.attempts=9",
        "families.1.speakers.teacher.system=Be brief.",
        "families.1.speakers.teacher.sampling.temperature=0",
        "models.default.model=n",
        "models.default.sampling.temperature=0",
        "embedder={use: remote, base_url: 'http://127.0.0.1:1/v1', model: e}",
        "remakes=2",
        "filters=[]",
    ],
)
def test_what_decides_a_text_changes_the_generation_fingerprint(tmp_path: Path, change: str):
    before, after = recipe(tmp_path, BOTH, REMOTE), recipe(tmp_path, BOTH, REMOTE, change)
    assert generation_fingerprint(before) != generation_fingerprint(after)


def test_a_judge_is_asked_only_where_it_is_named_and_decides_texts(tmp_path: Path):
    other = "models.other={use: remote, base_url: 'http://127.0.0.1:1/v1', model: o}"
    without, judged = recipe(tmp_path, BOTH, REMOTE, other), recipe(tmp_path, BOTH, REMOTE, other, "roles.judge=other")
    assert "judge" not in without.roles and judged.roles["judge"] == "other"
    assert generation_fingerprint(without) != generation_fingerprint(judged)


def test_of_the_filters_only_those_for_which_turns_are_made_again_decide_texts(tmp_path: Path):
    def fingerprint(filters: str, remakes: int) -> str:
        return generation_fingerprint(recipe(tmp_path, BOTH, f"filters=[{filters}]", f"remakes={remakes}"))

    card, restart = "filters.copied_card.CopiedCard", "filters.restart.Restart"
    none = fingerprint("", 1)
    assert fingerprint("filters.repetition.Repetition", 1) == none
    assert fingerprint("{use: filters.restart.Restart, drops: false}", 1) == none
    assert fingerprint(card, 0) == none
    assert fingerprint(f"{card}, {restart}", 1) == fingerprint(f"{restart}, {card}", 1) != none


def with_latents(folder: Path, name: str) -> Recipe:
    return recipe(folder, BOTH.replace(CONVERSATION, f"{CONVERSATION}\n    latents: {folder / name}"))


def test_fitted_latents_change_the_generation_fingerprint_and_are_kept_by_the_resolved_recipe(tmp_path: Path):
    loaded = recipe(tmp_path, BOTH)
    fitted = committed("small_talk_latents").model_copy(update={"partner_ends": 0.123})
    (tmp_path / "fitted.json").write_text(fitted.model_dump_json())
    named = with_latents(tmp_path, "fitted.json")
    assert generation_fingerprint(named) != generation_fingerprint(loaded)
    assert generation_fingerprint(recipe(tmp_path, dump_yaml(named))) == generation_fingerprint(named)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; `overture fit REFERENCE"),
        ("{", "Invalid JSON"),
        ('{"version": 2}', "version: Input should be 1"),
    ],
)
def test_latents_that_cannot_be_read_say_how_to_make_them(tmp_path: Path, content: str | None, message: str):
    if content is not None:
        (tmp_path / "latents.json").write_text(content)
    with pytest.raises(RecipeError, match=message) as told:
        with_latents(tmp_path, "latents.json")
    assert "latents" in str(told.value) and "overture fit" in str(told.value)


def test_latents_without_intents_are_refused_by_a_family_that_draws_them(tmp_path: Path):
    bare = committed("small_talk_latents").model_copy(update={"intents": None, "intents_missing": "no hand labels"})
    (tmp_path / "bare.json").write_text(bare.model_dump_json())
    with pytest.raises(RecipeError, match="have no turn intents: no hand labels"):
        with_latents(tmp_path, "bare.json")


def test_a_problem_file_counts_by_content_and_not_by_place(tmp_path: Path):
    def fingerprint(name: str, content: str) -> str:
        (tmp_path / name).write_text(content)
        return generation_fingerprint(recipe(tmp_path, SHORT, f"families.0.problems={tmp_path / name}"))

    one = fingerprint("a.jsonl", '{"question": "1+1?", "answer": "2"}')
    assert fingerprint("b.jsonl", '{"question": "1+1?", "answer": "2"}') == one
    assert fingerprint("a.jsonl", '{"question": "1+2?", "answer": "3"}') != one


def test_the_order_of_families_and_the_names_of_models_change_no_text(tmp_path: Path):
    swapped = f"target: 12\nfamilies:\n  - use: {TUTORING}\n  - use: {CONVERSATION}\n"
    assert generation_fingerprint(recipe(tmp_path, BOTH)) == generation_fingerprint(
        recipe(tmp_path, swapped, "models={qwen: {use: llama_cpp}}")
    )


def test_selection_and_rewards_have_fingerprints_of_their_own(tmp_path: Path):
    before = recipe(tmp_path, BOTH)
    other_filters = recipe(tmp_path, BOTH, "filters=[]")
    other_rewards = recipe(tmp_path, BOTH, "rewards=[rewards.success.Success]")
    assert selection_fingerprint(before) != selection_fingerprint(other_filters)
    assert selection_fingerprint(before) == selection_fingerprint(other_rewards)
    assert reward_fingerprint(before) != reward_fingerprint(other_rewards)
    assert reward_fingerprint(before) == reward_fingerprint(other_filters)
    assert selection_fingerprint(before) == selection_fingerprint(recipe(tmp_path, BOTH, "target=24"))


def test_what_a_worker_gets_holds_no_stage_of_the_main_process(tmp_path: Path):
    slim = recipe(tmp_path, BOTH).for_worker()
    assert (slim.discriminators, slim.selectors) == ((), ())
    assert slim.filters and slim.rewards


def test_the_resolved_recipe_holds_every_default(tmp_path: Path):
    data = yaml.safe_load(dump_yaml(recipe(tmp_path, SHORT)))
    assert set(data) == set(Recipe.model_fields)
    assert data["families"][0]["share"] == 1.0
    assert data["families"][0]["speakers"]["teacher"]["use"] == "generators.speakers.teacher.Teacher"
    assert data["models"]["default"]["slots"] == 4


MIXED = f"target: 4\nfamilies:\n  - use: {TUTORING}\n    policies: [reactive, {{reactive: 1, proactive: 3}}]\n"


def test_a_policy_may_be_drawn_by_weight_for_every_case(tmp_path: Path):
    mixed = recipe(tmp_path, MIXED)
    entry = mixed.families[0]
    assert entry.policies == ("reactive", {"reactive": 1.0, "proactive": 3.0}) and entry.siblings == 2
    groups = [group(entry, index, mixed.seed, "f") for index in range(400)]
    assert {first.policy for first, _ in groups} == {"reactive"}
    assert 270 <= sum(second.policy == "proactive" for _, second in groups) <= 330
    assert groups == [group(entry, index, mixed.seed, "f") for index in range(400)]
    swapped = recipe(tmp_path, MIXED.replace("{reactive: 1, proactive: 3}", "{proactive: 3, reactive: 1}"))
    assert groups[:50] == [group(swapped.families[0], index, mixed.seed, "f") for index in range(50)]
    assert generation_fingerprint(swapped) == generation_fingerprint(mixed)
    assert generation_fingerprint(recipe(tmp_path, dump_yaml(mixed))) == generation_fingerprint(mixed)
    heavier = recipe(tmp_path, MIXED.replace("proactive: 3", "proactive: 4"))
    assert generation_fingerprint(heavier) != generation_fingerprint(mixed)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ("[{reactive: 0}]", "policies[0].reactive: a weight should be a number above 0, not 0; leave out what is not"),
        ("[reactive, {proactive: much}]", "policies[1].proactive: a weight should be a number above 0, not 'much'"),
        ("[{proactive: .nan}]", "policies[0].proactive: a weight should be a number above 0"),
        ("[{proactiv: 1}]", "policies[0].proactiv: 'proactiv' is not a choice; did you mean 'proactive'?"),
        ("[{}]", "policies[0]: is an empty mixture; give policies by weight, as {reactive: 1, proactive: 3}"),
        ("[3]", "policies[0]: should be a policy, or some by weight as {reactive: 1, proactive: 3}, not 3"),
        ("reactive", "policies: should be a list"),
    ],
)
def test_a_mixture_of_policies_that_is_wrong_says_what_would_be_right(tmp_path: Path, policies: str, expected: str):
    assert expected in refusal(tmp_path, SHORT, f"families.0.policies={policies}")


EXTERNAL = "generators.speakers.external.External"
TWO = "models={default: {use: llama_cpp}, mine: {use: remote, base_url: 'http://127.0.0.1:1', model: m}}"


def test_the_policy_external_is_played_by_a_speaker_and_a_model_of_its_own(tmp_path: Path):
    sets = ("families.0.policies=[proactive, external]", TWO)
    both = recipe(tmp_path, SHORT, *sets, "roles={external: mine}")
    entry = both.families[0]
    assert both.roles == {"external": "mine", "student": "default", "teacher": "default"}
    assert entry.cast("proactive") == {r: s for r, s in entry.speakers.items() if r != "external"}
    assert entry.cast("external") == {**entry.cast("proactive"), "student": External()}
    brief = recipe(tmp_path, SHORT, *sets, "families.0.speakers.external.max_words=20")
    assert brief.families[0].speakers["external"] == External(max_words=20)
    prints = {generation_fingerprint(r) for r in (both, brief, recipe(tmp_path, SHORT, *sets), recipe(tmp_path, SHORT))}
    assert len(prints) == 4
    assert recipe(tmp_path, dump_yaml(both)) == both.model_copy(update={"name": both.name})


def test_where_only_the_policy_external_is_played_nobody_words_notes_for_the_learner(tmp_path: Path):
    alone = recipe(tmp_path, SHORT, "families.0.policies=[external]")
    assert alone.roles == {"external": "default", "teacher": "default"}
    assert sorted(alone.families[0].cast("external")) == ["student", "teacher"]
    assert recipe(tmp_path, dump_yaml(alone)) == alone


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        (["families.0.speakers.external.attempts=1"], "speakers.external: no policy is `external`; add it to"),
        ([f"families.0.speakers={{student: {{use: {EXTERNAL}}}}}"], "speakers.student: External follows no notes"),
        (
            ["families.0.policies=[external]", "families.0.speakers.student.attempts=1"],
            "speakers.student: every policy is `external`, so no notes are worded for the student; write `external`",
        ),
        (
            ["families.0.policies=[{reactive: 1, external: 1}]", "families.0.speakers.external.use=" + STUDENT],
            "speakers.external: Student words notes, and the policy `external` has none; name one that plays freely",
        ),
    ],
)
def test_a_speaker_in_a_seat_it_cannot_play_is_refused(tmp_path: Path, sets: list[str], expected: str):
    assert f"families[0].{expected}" in refusal(tmp_path, SHORT, *sets)


def test_twins_double_a_group_and_differ_in_the_trouble_alone():
    cells = {"needed": 1.0}
    spec = {"use": "generators.families.conversation.Conversation", "trouble": 1, "twins": True, "cells": cells}
    entry = FamilyEntry.model_validate({**spec, "policies": ["reactive", "proactive"]})
    first, second, third, fourth = group(entry, 0, 7, "f")
    assert [s.policy for s in (first, second, third, fourth)] == ["reactive", "proactive"] * 2
    assert first.plan["trouble"] and not third.plan["trouble"]
    assert first.plan | {"trouble": None} == third.plan and first.seed == fourth.seed
    assert len({s.dialogue_id for s in (first, second, third, fourth)}) == 4 and first.group_id == fourth.group_id


def test_twins_that_would_be_the_same_are_refused():
    with pytest.raises(ValidationError, match="twins: needs"):
        FamilyEntry.model_validate({"use": "generators.families.conversation.Conversation", "twins": True})

"""What `overture push` sends, to whom, and what of an interruption can be seen."""

from collections.abc import Iterator
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from dataset_hub import TOKEN, DatasetHub, dataset_hub
from published_samples import published_run
from trainer_samples import SECRETS, balanced

from outputs.columns import PRIVATE
from outputs.exports.files import STATE
from outputs.push import PARTS
from outputs.views.written import write_views
from pipelines import exporting, pushing
from schemas.errors import DataError, InputError, Refused, Unreachable

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's, of its client


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = published_run(tmp_path_factory.mktemp("runs") / "pencils", balanced(40))
    write_views(folder)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[DatasetHub]:
    with dataset_hub() as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def push(run: Path, repo: str = "acme/pencils", public: bool = False, *private: str) -> int:
    return pushing.run(pushing.Order(run, repo, public, private=private))


def test_a_dry_run_says_what_would_leave_and_touches_no_network(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert pushing.run(pushing.Order(run, "acme/pencils", dry_run=True)) == 0
    told = capsys.readouterr().out
    assert told.startswith("To the private dataset acme/pencils:") and told.endswith("Nothing was sent.\n")
    for line in (
        "Private columns: none",
        "Licence: ",
        "Configs: dialogues (train ",
        "; preference (train ",
        "README.md",
    ):
        assert line in told
    assert "data/train-00000-of-00001.parquet" in told and "rejected" not in told


def test_a_push_is_private_and_holds_card_dialogues_and_views_without_private_text(
    run: Path, hub: DatasetHub, tmp_path: Path
):
    assert push(run) == 0
    assert hub.private == {"acme/pencils": True} and hub.commits == 1
    files = hub.files["acme/pencils"]
    folders = {name.split("/")[0] for name in files}
    assert folders == {"README.md", "croissant.json", "data", "views"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        text = str(pq.read_table(tmp_path / name).to_pylist()) if name.endswith(".parquet") else content.decode()
        assert not [secret for secret in SECRETS if secret in text], name
    sent = pq.read_table(tmp_path / "data")
    assert not PRIVATE & set(sent.column_names)
    assert sent["rewards"].type.value_type.get_field_index("parts") == -1
    assert sent["messages"].to_pylist() == pq.read_table(run / "data")["messages"].to_pylist()
    assert "| `rewards.parts` |" not in files["README.md"].decode()
    assert datasets.load_dataset(str(tmp_path), "sft", split="test", cache_dir=str(tmp_path / "cache")).num_rows == 1


def test_a_private_column_goes_along_when_it_is_named(run: Path, hub: DatasetHub, tmp_path: Path):
    push(run, "acme/pencils", False, "facts")
    (tmp_path / "x.parquet").write_bytes(hub.files["acme/pencils"]["data/train-00000-of-00001.parquet"])
    assert PRIVATE & set(pq.read_schema(tmp_path / "x.parquet").names) == {"facts"}
    push(run, "acme/whole", False, "all")
    whole = hub.files["acme/whole"]["data/train-00000-of-00001.parquet"]
    assert whole == (run / "data" / "train-00000-of-00001.parquet").read_bytes()


def test_an_interrupted_push_shows_nothing_and_the_next_sends_the_rest(run: Path, hub: DatasetHub):
    hub.fails_after = 2
    with pytest.raises((Refused, Unreachable)):
        push(run)
    assert hub.shown("acme/pencils") == set() and hub.uploads == 2
    hub.fails_after = None
    push(run)
    assert hub.uploads == len(hub.objects) and hub.commits == 1
    push(run)
    assert hub.uploads == len(hub.objects) and hub.commits == 1


def test_files_that_a_run_no_longer_has_leave_the_repository(run: Path, hub: DatasetHub):
    push(run)
    hub.files["acme/pencils"] |= {"data/train-00007-of-00008.parquet": b"old", "notes.txt": b"theirs"}
    push(run)
    assert "data/train-00007-of-00008.parquet" not in hub.shown("acme/pencils")
    assert "notes.txt" in hub.shown("acme/pencils")


def test_what_is_public_already_is_not_taken_for_private(run: Path, hub: DatasetHub):
    push(run, "acme/open", True)
    assert hub.private == {"acme/open": False} and hub.commits == 1
    with pytest.raises(InputError, match="acme/open is public already"):
        push(run, "acme/open")


def test_an_export_to_the_hub_is_one_commit_in_a_private_repository(run: Path, hub: DatasetHub):
    assert exporting.run(exporting.Order(run, "trl-sft", "hf://datasets/acme/sft/first")) == 0
    assert hub.private == {"acme/sft": True} and hub.commits == 1
    names = {f"first/{name}" for name in ("train.parquet", "validation.parquet", "test.parquet", STATE)}
    assert hub.shown("acme/sft") == names


def test_without_a_token_nothing_is_tried(run: Path, hub: DatasetHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(InputError, match="no token for the hub; set HF_TOKEN"):
        push(run)
    assert hub.private == {}


def test_a_hub_that_refuses_or_cannot_be_reached_is_one_clear_message(
    run: Path, hub: DatasetHub, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(Refused, match=r"refused stranger/x \(403\): the token may not write there"):
        push(run, "stranger/x")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(Refused, match=r"\(401\): the token is not known there") as refused:
        push(run)
    assert "hf_wrong" not in str(refused.value)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"cannot be reached .* nothing was published"):
        push(run)


def test_wrong_names_are_told(run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="'pencils' is no repository of the hub; give OWNER/NAME"):
        push(run, "pencils")
    with pytest.raises(InputError, match="no private column 'fact'; did you mean 'facts'"):
        push(run, "acme/pencils", False, "fact")
    with pytest.raises(DataError, match="no manifest; give a run directory"):
        push(tmp_path)
    assert PARTS not in PRIVATE

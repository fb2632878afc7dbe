"""A dataset repository of the hub that `HF_ENDPOINT` names. All files come in one commit: they are sent first, by
content, then shown together. So an interrupted push shows nothing, and the next one sends only what is not there yet.
"""

import re
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HTTPError  # pyright: ignore[reportPrivateImportUsage]
from huggingface_hub.utils import disable_progress_bars

from schemas.errors import InputError, Refused, Unreachable

URL = "hf://datasets/"
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REFUSED = {
    401: ("unauthenticated", "the token is not known there; log in anew"),
    403: ("forbidden", "the token may not write there; give it write access, or choose another owner"),
    404: ("not_found", "there is no such owner, or it is hidden from the token"),
}


def repo_of(name: str) -> str:
    """Raises InputError unless it reads OWNER/NAME."""
    if not _REPO.fullmatch(name):
        raise InputError(f"'{name}' is no repository of the hub; give OWNER/NAME, as acme/first-dialogues")
    return name


def send(repo: str, files: Mapping[str, Path], public: bool, replaces: Iterable[str] = ()) -> str:
    """Makes the repository where there is none and commits the files, by path in it; the commit's address.

    `replaces`: folders of the repository that hold nothing else afterwards. Raises InputError without a token, and for
    a public repository that was not asked for; ServerError.
    """
    if get_token() is None:
        raise InputError("no token for the hub; set HF_TOKEN, or log in with `hf auth login`")
    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi()
    with _errors(repo, api.endpoint):
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.dataset_info(repo).private:
            raise InputError(f"{repo} is public already; choose another name, or push with --public")
        there = api.list_repo_files(repo, repo_type="dataset")
        gone = [name for name in there if name not in files and name.startswith(tuple(f"{r}/" for r in replaces))]
        return api.create_commit(
            repo,
            [
                *(CommitOperationAdd(name, str(path)) for name, path in sorted(files.items())),
                *(CommitOperationDelete(name) for name in gone),
            ],
            commit_message="Published with Overture",
            repo_type="dataset",
        ).commit_url


@contextmanager
def _errors(repo: str, endpoint: str) -> Generator[None]:
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind, told = _REFUSED.get(status, ("bad_request", error.server_message or "it gave no reason"))
        raise Refused(f"{endpoint} refused {repo} ({status}): {told}", kind) from error
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError: an upload that failed every time
        first = str(error.__cause__ or error).splitlines()[0]
        raise Unreachable(
            f"{endpoint} cannot be reached ({first}); nothing was published: check the network and run again"
        ) from error


class HubPlace:
    """`hf://datasets/OWNER/NAME[/FOLDER]` as a place of exports: private, unless it is there and public already.

    What is put is shown in one commit by `commit`.
    """

    def __init__(self, url: str, work: Path):
        parts = url.removeprefix(URL).strip("/").split("/")
        self._repo, self._folder, self._work = repo_of("/".join(parts[:2])), parts[2:], work
        self._files: dict[str, Path] = {}

    def stage(self, name: str) -> Path:
        return self._work / name

    def put(self, staged: Path, name: str) -> None:
        self._files["/".join([*self._folder, name])] = staged

    def read(self, name: str) -> bytes | None:
        return None

    def size(self, name: str) -> int | None:
        return None

    def remove(self, name: str) -> None:
        pass

    def commit(self) -> None:
        send(self._repo, self._files, public=False)


@contextmanager
def hub_place(url: str) -> Generator[HubPlace]:
    """Commits at the end, unless something failed."""
    with TemporaryDirectory(prefix="overture-export-") as work:
        place = HubPlace(url, Path(work))
        yield place
        place.commit()

"""A dataset hub on loopback: as much of the protocol as pushing a dataset takes (repositories, large files by content,
commits). It can drop the connection after some uploads.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_test_token"


class DatasetHub(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.private: dict[str, bool] = {}
        """Repository -> whether it is."""
        self.files: dict[str, dict[str, bytes]] = {}
        """Repository -> path -> content, as committed."""
        self.objects: dict[str, bytes] = {}
        """Large files, by sha256: sent, whether shown or not."""
        self.commits = 0
        self.uploads = 0
        self.fails_after: int | None = None
        """Uploads that are taken before every other one is refused."""

    def shown(self, repo: str) -> set[str]:
        return set(self.files.get(repo, {}))


class _Answers(BaseHTTPRequestHandler):
    server: DatasetHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        repo = "/".join(parts[2:4])
        if repo not in self.server.private:
            return self._say(404, {"error": "Repository not found"})
        if parts[4:5] == ["tree"]:
            return self._say(200, [_entry(*file) for file in self.server.files[repo].items()])
        self._say(200, {"id": repo, "private": self.server.private[repo], "sha": "0" * 40, "siblings": [], "tags": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.split("?")[0].strip("/")
        if path == "api/validate-yaml":
            return self._say(200, {"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._say(401, {"error": "Invalid credentials"})
        if path == "api/repos/create":
            return self._create(json.loads(body))
        parts = path.split("/")
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body)["objects"])
        repo, what = "/".join(parts[2:4]), parts[4]
        if what == "preupload":
            return self._preupload(repo, json.loads(body)["files"])
        self._commit(repo, [json.loads(line) for line in body.splitlines()])

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        if server.fails_after is not None and server.uploads >= server.fails_after:
            return self._say(403, {"error": "cut"})
        server.uploads += 1
        server.objects[hashlib.sha256(body).hexdigest()] = body
        self._say(200, {})

    def _create(self, asked: dict[str, Any]) -> None:
        repo = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] == "stranger":
            return self._say(403, {"error": "You don't have the rights to create a dataset under this namespace"})
        known = repo in self.server.private
        if not known:
            self.server.private[repo] = asked.get("visibility") == "private"
            self.server.files[repo] = {}
        self._say(409 if known else 200, {"url": f"{self.server.url}/datasets/{repo}"})

    def _preupload(self, repo: str, files: list[dict[str, Any]]) -> None:
        there = self.server.files[repo]
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".parquet") else "regular",
                "shouldIgnore": False,
                "oid": _oid(file["path"], there[file["path"]]) if file["path"] in there else None,
            }
            for file in files
        ]
        self._say(200, {"files": modes})

    def _batch(self, objects: list[dict[str, Any]]) -> None:
        answers: list[dict[str, Any]] = []
        for one in objects:
            upload = {"upload": {"href": f"{self.server.url}/upload/{one['oid']}"}}
            answers.append({**one, **({} if one["oid"] in self.server.objects else {"actions": upload})})
        self._say(200, {"transfer": "basic", "objects": answers})

    def _commit(self, repo: str, told: list[dict[str, Any]]) -> None:
        files = self.server.files[repo]
        for line in told:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.server.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
                case _:
                    pass
        self.server.commits += 1
        url = f"{self.server.url}/datasets/{repo}/commit/{self.server.commits}"
        self._say(200, {"commitUrl": url, "commitOid": f"{self.server.commits:040x}", "success": True})

    def _say(self, status: int, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": _oid(path, content)}


def _oid(path: str, content: bytes) -> str:
    """Of a large file its sha256, else git's name of it."""
    if path.endswith(".parquet"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def dataset_hub() -> Iterator[DatasetHub]:
    with DatasetHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()

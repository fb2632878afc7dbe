"""Where servers are, as a recipe or a file says it."""

import re
from pathlib import Path

from yarl import URL

from schemas.errors import InputError


def api_root(base_url: str) -> str:
    """`http://host:8000`, `…/` and `…/v1` all mean `http://host:8000/v1`."""
    root = base_url.strip().rstrip("/")
    try:
        url = URL(root)
    except ValueError as error:
        raise InputError(f"base_url {base_url!r} is not a URL ({error}); give one like http://127.0.0.1:8000") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"base_url {base_url!r} is not an http(s) URL; give one like http://127.0.0.1:8000")
    return root if re.search(r"/v\d+\w*$", root) else root + "/v1"


def server_root(base_url: str) -> str:
    """Without the version: where /metrics and /health are."""
    return re.sub(r"/v\d+\w*$", "", api_root(base_url))


def read_endpoints(path: Path) -> list[str]:
    """The base URLs a file lists, one a line; `#` begins a comment. Raises InputError."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); list one base URL a line") from None
    urls = list(dict.fromkeys(line for line in lines if line))
    for url in urls:
        api_root(url)
    if not urls:
        raise InputError(f"{path}: lists no endpoint; write one base URL a line")
    return urls

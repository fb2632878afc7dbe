"""Nothing leaves the machine but what the recipe says (law 12): set here, once, before anything heavy is imported."""

import os
from pathlib import Path

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
}
"""Analytics off, for us and for every process we start."""

_OWN_PREFECT = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # the default of 20 is too short on a loaded machine
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # the display and one clear message say it
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_CLI_COLORS": "false",
}


def quiet() -> None:
    for name, value in QUIET.items():
        os.environ[name] = value


def own_prefect(run_dir: Path) -> bool:
    """Where no Prefect API is configured, a run uses a server and a database of its own, inside its directory. True
    if so.
    """
    if any(name in os.environ for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_HOME")):
        return False
    profiles = Path("~/.prefect/profiles.toml").expanduser()
    if profiles.is_file() and "PREFECT_API_URL" in profiles.read_text():
        return False
    os.environ["PREFECT_HOME"] = str((run_dir / ".prefect").absolute())
    for name, value in _OWN_PREFECT.items():
        os.environ.setdefault(name, value)
    return True

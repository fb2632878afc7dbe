"""What vLLM's log says to a person: why a server ended, and what it does now."""

import re

_PROCESS = re.compile(r"^\([\w ]+ pid=\d+\) ?")
_STAMP = re.compile(r"^[A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]*\] ?")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|OutOfMemory)\w*(:|$)")
_REFUSED = re.compile(r"^vllm( \w+)?: error: ")
_SECOND_HAND = re.compile(r"See (the )?root cause|Engine core initialization failed|EngineDeadError")
_WORD = re.compile(r"[A-Za-z]{3}")
_CAUSE_LINES = 12
_MESSAGE_LINES = 4
_LINE_CHARS = 120


def readable(log: str) -> list[str]:
    """Its lines without the name of the process, time and place; the last state of a progress bar."""
    lines: list[str] = []
    for line in log.split("\n"):
        bare = _PROCESS.sub("", _ANSI.sub("", line.rstrip("\r").rsplit("\r", 1)[-1]))
        lines.append(_STAMP.sub("", bare).expandtabs(4).rstrip())
    return lines


def causes(log: str) -> list[str]:
    """Why the server ended: what its tracebacks end in, each once, or what it refused; else the last lines."""
    lines = readable(log)
    found: dict[str, list[str]] = {}
    for i, line in enumerate(lines):
        if _REFUSED.match(line) or _RAISED.match(line):
            message = [line]
            for more in lines[i + 1 : i + _MESSAGE_LINES]:
                if not more.startswith("  ") or more.lstrip().startswith(("File ", "For further information")):
                    break
                message.append(more)
            found.setdefault(line, message)
    first_hand = [m for line, m in found.items() if not _SECOND_HAND.search(line)]
    told = [line for message in first_hand or found.values() for line in message]
    return told[-_CAUSE_LINES:] or [line for line in lines if line.strip()][-_CAUSE_LINES:]


def last_line(log: str) -> str:
    """The last one that says something."""
    lines = [line.strip() for line in readable(log) if _WORD.search(line)]
    return lines[-1][:_LINE_CHARS] if lines else ""

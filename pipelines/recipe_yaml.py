"""Strict YAML: no duplicate keys, only text as keys, faults with file, line and column; and `--set` overrides."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from schemas.errors import RecipeError, did_you_mean

Loc = tuple[int | str, ...]
"""Where in a recipe: `("families", 0, "use")`."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses what it would silently drop or retype."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                given = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise _fault(f"key {given} is not text; write it in quotes", key.start_mark)
            if key.value in seen:
                raise _fault(
                    f"key '{key.value}' is already on line {seen[key.value]}; keep one of them", key.start_mark
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep)


def _fault(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


# YAML 1.1 reads 1e-3 as text, and dates as dates, where a recipe means a number and a name.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


class Document:
    """One YAML file: its data and where in the file each part stands."""

    def __init__(self, data: dict[str, Any], node: yaml.Node | None):
        self.data = data
        self._node = node

    def line(self, loc: Loc) -> int | None:
        """Of the deepest part of `loc` that the file has; None for an empty path."""
        node, line = self._node, None
        for step in loc:
            if isinstance(node, yaml.MappingNode):
                found = [(k, v) for k, v in node.value if k.value == step]
                if not found:
                    return line
                node, line = found[0][1], found[0][0].start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                return line
        return line


def read(path: Path) -> Document:
    """The mapping in the YAML file `path`. Raises RecipeError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe{_near(path)}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: is not UTF-8 text (byte {error.start}); give a YAML file") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); give a readable YAML file") from None
    try:
        data = yaml.load(text, _Loader)
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        raise RecipeError(_explain(path, error)) from None
    except (RecursionError, ValueError) as error:
        raise RecipeError(f"{path}: is not usable YAML ({error})") from None
    if data is None:
        raise RecipeError(f"{path}: is empty; the shortest recipe has `target:` and `families:`")
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: is not a mapping of `key: value` lines; the shortest has `target:` and `families:`")
    return Document(data, node)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    names = [p.name for pattern in ("*.yaml", "*.yml") for p in path.parent.glob(pattern)]
    return did_you_mean(path.name, names) if names else f"; {path.parent} holds no *.yaml file"


def _explain(path: Path, error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{path}: is not YAML ({' '.join(str(error).split())})"
    mark = error.problem_mark
    problem = error.problem or "cannot be parsed"
    if "'\\t'" in problem:
        problem = "a tab indents this line; indent with spaces"
    elif "mapping values are not allowed" in problem:
        problem += "; put a value that holds ': ' in quotes, and check the indentation"
    elif error.context:
        problem = f"{problem} ({error.context})"
    return f"{path}:{mark.line + 1}:{mark.column + 1}: {problem}"


def parse_override(text: str) -> tuple[Loc, Any]:
    """`families.0.share=1` or `families[0].share=1` -> where, and the value as YAML reads it."""
    key, equals, value = text.partition("=")
    steps = re.sub(r"\[(\d+)\]", r".\1", key.strip()).split(".")
    if not equals or not all(steps):
        raise RecipeError(f"--set {text}: is not of the form a.b=value, as in --set budget.minutes=5")
    try:
        return tuple(int(s) if s.isdigit() else s for s in steps), yaml.load(value, _Loader)
    except yaml.YAMLError:
        raise RecipeError(f"--set {text}: the value is not YAML; put it in quotes") from None


def override(data: dict[str, Any], sets: Sequence[str]) -> set[Loc]:
    """Applies `--set` values to `data` in place; returns where. Makes missing mappings, but no list entries."""
    done: set[Loc] = set()
    for text in sets:
        loc, value = parse_override(text)
        here: Any = data
        for depth in range(len(loc) - 1):
            step = _checked(here, loc, depth)
            if isinstance(here, dict) and here.get(step) is None:
                here[step] = {}
            elif isinstance(here, list) and isinstance(here[step], str):
                here[step] = {"use": here[step]}  # a stage written as its bare import path
            here = here[step]
        here[_checked(here, loc, len(loc) - 1)] = value
        done.add(loc)
    return done


def _checked(here: Any, loc: Loc, depth: int) -> Any:
    """The step at `depth` as an index or key of `here`."""
    step = loc[depth]
    where = "--set " + ".".join(map(str, loc))
    if isinstance(here, list):
        entries = cast(list[Any], here)
        if not isinstance(step, int) or step >= len(entries):
            raise RecipeError(f"{where}: the list has {len(entries)} entries, counted from 0; there is no '{step}'")
        return step
    if not isinstance(here, dict):
        raise RecipeError(f"{where}: '{'.'.join(map(str, loc[:depth]))}' is a single value; it has no '{step}'")
    return str(step)

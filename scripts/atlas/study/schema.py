"""The schemas, and a clear line for whatever does not fit them."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from atlas.errors import InputError
from atlas.study.row import Cell

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
SHOWN_PROBLEMS = 20
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "a section of keys and values",
    "string": "text",
}

_BOUNDS = {
    "minimum": "below the minimum",
    "exclusiveMinimum": "not above",
    "maximum": "above the maximum",
    "exclusiveMaximum": "not below",
}

Problem = tuple[tuple[str | int, ...], str]  # the path to it, and what is wrong with the way out


def check_yaml_duplicates(path: str | Path) -> None:
    """Refuse a YAML file that has a key twice, of which the parser would silently keep the last.

    Raises InputError with a line per repeated key, or if the file is no YAML.
    """
    name = str(path)
    try:
        with Path(path).open(encoding="utf-8") as text:
            root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}, line {mark.line + 1}" if mark else name
        raise InputError(f"{place}: not valid YAML: {error.problem}; correct it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: not valid YAML: {reason}; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; check the path") from None
    lines = [
        f"{name}, line {again}: key {key!r} is already in line {first}; keep one of them"
        for key, first, again in sorted(_repeated_keys(root), key=lambda found: found[2])
    ]
    if lines:
        raise InputError("\n".join(first_problems(lines)))


def _repeated_keys(root: yaml.Node | None) -> Iterator[tuple[str, int, int]]:
    """Keys that a mapping has twice: the key, the first line and the other line."""
    todo, visited = [root], set()
    while todo:
        node = todo.pop()
        if node is None or id(node) in visited:  # an alias leads to a node a second time
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[Hashable, int] = {}
            for key, value in node.value:
                todo.append(value)
                if isinstance(key, yaml.ScalarNode):
                    line = key.start_mark.line + 1
                    if (key.tag, key.value) in lines:
                        yield key.value, lines[key.tag, key.value], line
                    lines.setdefault((key.tag, key.value), line)


@cache
def read_schema(name: str) -> dict[str, Any]:
    return yaml.load((SCHEMAS / f"{name}.schema.yaml").read_bytes(), Loader=_Loader)


@cache
def cell_validator(column: str) -> Validator:
    return validator(read_schema("models")["properties"][column])


def validator(schema: Mapping[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def is_integer(_: Any, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def is_number(_: Any, value: Any) -> bool:
        return is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))

    def pattern(_: Validator, regex: str, value: Any, __: Any) -> Iterator[ValidationError]:
        if isinstance(value, str) and not re.fullmatch(regex, value):
            yield ValidationError("does not match")

    # JSON Schema lets 1.0 be an integer and NaN a number, and Python lets $ match before a line
    # break at the end. (All patterns of the schemas are for the whole text.)
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": is_integer, "number": is_number}
    )
    return extend(Draft202012Validator, {"pattern": pattern}, type_checker=types)(schema)


def explain(error: ValidationError) -> Iterator[Problem]:
    """A JSON Schema error as problems with a way out.

    The way out is the schema's errorMessage where there is one, else made from its examples.
    """
    path, value = tuple(error.absolute_path), error.instance
    rule, schema = error.validator_value, error.schema
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", ()))
        for key in value:
            if key not in known:
                guess = did_you_mean(key, known) or f" (known: {', '.join(known)})"
                yield (*path, key), f"unknown key{guess}"
        return
    if error.validator == "required":
        for key in rule:
            if key not in value:
                yield (*path, key), "is missing; add it"
        return

    shown = _shown(value)
    hint = f"; write e.g. {schema['examples'][0]}" if "examples" in schema else ""
    if "errorMessage" in schema:
        hint = f"; {schema['errorMessage']}"
    match error.validator:
        case "type":
            kinds = kinds_of(rule)
            problem = f"{shown} is not {' or '.join(_TYPES[kind] for kind in kinds)}"
            if value is None:
                problem = "is blank"
            elif "number" in kinds and isinstance(value, str) and NUMBER.fullmatch(value):
                hint = "; YAML wants a point and a signed exponent, as in 1.0e-3, and no quotes"
            elif "string" in kinds and not isinstance(value, (dict, list)):
                hint = "; put it in quotes"
            if "enum" in schema:
                hint = f"; use one of: {', '.join(_choices(schema['enum']))}"
            elif "object" in kinds:
                hint = "; write its keys below it, indented"
        case "enum":
            known = _choices(rule)
            problem = f"{shown} is unknown{did_you_mean(str(value), known)}"
            hint = f"; use one of: {', '.join(known)}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            problem = f"{shown} is {_BOUNDS[error.validator]} {rule}"
        case "pattern":
            problem = f"{shown} does not have the right form"
            better = _as_id(value)
            if better != value and re.fullmatch(rule, better):
                hint += f"; write e.g. {better!r}"
        case "minItems" | "minLength" | "minProperties":
            problem = "is empty"
            hint = hint or "; add an entry"
        case "maxLength":
            problem = f"{shown} has {len(value)} characters; at most {rule} are allowed"
            hint = ""
        case "uniqueItems":
            repeated = next(item for index, item in enumerate(value) if item in value[:index])
            problem, hint = f"{_shown(repeated)} is there twice; keep one", ""
        case "not":
            problem = f"{shown} is not allowed"
        case _:  # a keyword that the schemas do not use yet
            problem = error.message
    yield path, problem + hint


def kinds_of(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _choices(values: Iterable[Cell]) -> list[str]:
    return [str(value) for value in values if value is not None]


def _shown(value: Any) -> str:
    shown = repr(value) if isinstance(value, (str, int, float, list, dict)) else f"{value!s}"
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """What might have been meant, in parentheses, or nothing."""
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), lower, n=1)
    return f" (did you mean {lower[close[0]]!r}?)" if close else ""


def _as_id(text: str) -> str:
    """Something like the text that is a valid id, unless nothing is left of it."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", ascii_only).strip("._-")


def plain_copy(value: Any) -> Any:
    """A copy made of dictionaries and lists: Snakemake's config has classes of its own."""
    if isinstance(value, Mapping):
        return {key: plain_copy(item) for key, item in value.items()}
    return [plain_copy(item) for item in value] if isinstance(value, (list, tuple)) else value


def first_problems(lines: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(lines))
    more = len(unique) - SHOWN_PROBLEMS
    return unique[:SHOWN_PROBLEMS] + ([f"... and {more} more problems"] if more > 0 else [])


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value, and the defaults of what it leaves out.

    A section or list whose lines are all commented out is null in YAML; it counts as left out.
    """
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    complete = dict(value)
    for key, part in schema["properties"].items():
        if "default" in part:
            default = part["default"]
            empty = complete.get(key) is None and isinstance(default, (dict, list))
            if key not in complete or empty:
                complete[key] = plain_copy(default)
        if key in complete:
            complete[key] = with_defaults(complete[key], part)
    return complete


def defaults(section: str) -> dict[str, Any]:
    """A section of the config as it is where nothing of it is written."""
    return with_defaults({}, read_schema("config")["properties"][section])

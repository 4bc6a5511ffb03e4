"""A study's config: read, validated, completed with defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from atlas.errors import InputError
from atlas.study.lists import Seen, read_list, read_zoo, repeated_ids
from atlas.study.row import Row, Study
from atlas.study.schema import (
    Problem,
    did_you_mean,
    explain,
    first_problems,
    plain_copy,
    read_schema,
    validator,
    with_defaults,
)


def load_study(
    config: Mapping[str, Any], base: Path = Path("."), config_name: str = "config.yaml"
) -> Study:
    """Read and validate a config, its model lists and its zoo.

    Paths are relative to `base`; messages call the config `config_name`. Raises InputError with one
    line per problem, for the first 20 problems.
    """
    lines: list[str] = []
    plain, problems = _read_config(config)
    lines += [_config_line(config_name, *problem) for problem in problems]
    config_is_valid = not lines

    seen: list[Seen] = []
    complete = True
    for name in _names(plain.get("models")):
        try:
            found, messages = read_list(name, Path(base), config_name)
        except InputError as error:
            lines.append(str(error))
            complete = False
        else:
            seen += found
            lines += messages
    if config_is_valid and plain["printed"] and not (Path(base) / plain["printed"]).is_file():
        problem = f"no such file as {plain['printed']!r}; correct the path, or remove the key"
        lines.append(_config_line(config_name, ("printed",), problem))
    if config_is_valid and plain["zoo"]:
        try:
            seen += read_zoo(plain["zoo"], config_name)
        except ValueError as error:
            lines.append(f"{config_name}: {error}; correct it there")
            complete = False

    lines += repeated_ids(seen)
    # With a list that cannot be read, any reference might be right.
    if config_is_valid and complete:
        problems = _contradictions(plain, seen)
        lines += [_config_line(config_name, *problem) for problem in problems]
        if not lines and not seen:
            lines.append(f"{config_name}: no models; name a list under 'models' or declare a zoo")
    if lines:
        raise InputError("\n".join(first_problems(lines)))

    rows = tuple(Row(**entry.values, list_file=entry.file, line=entry.line) for entry in seen)
    return Study(plain["study"], rows, {row.model: row for row in rows}, plain)


def _read_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The config as plain data with defaults, and what the schema finds wrong with it."""
    if not isinstance(config, Mapping):
        return {}, [((), "not a section of keys and values; write e.g. study: starter")]
    keys = list(_keys_that_are_no_text(config))
    if keys:
        return {}, keys
    plain = with_defaults(plain_copy(config), read_schema("config"))
    errors = validator(read_schema("config")).iter_errors(plain)
    # A second problem of the same value follows from the first: no text, so not one of the choices.
    first: dict[tuple[str | int, ...], str] = {}
    for error in errors:
        for path, problem in explain(error):
            first.setdefault(path, problem)
    return plain, list(first.items())


def _names(lists: Any) -> list[str]:
    """The model lists that can be looked at, even if the schema has refused others beside them."""
    names = lists if isinstance(lists, list) else []
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _keys_that_are_no_text(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _keys_that_are_no_text(item, (*path, key))
            else:
                yield path, f"the key {key!r} is not text; put it in quotes"
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _keys_that_are_no_text(item, (*path, index))


def _config_line(name: str, path: Sequence[str | int], problem: str) -> str:
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return f"{name}: {place}: {problem}" if place else f"{name}: {problem}"


def _contradictions(config: Mapping[str, Any], seen: Sequence[Seen]) -> Iterator[Problem]:
    """What the config says that does not agree with the models, or with itself."""
    models = {entry.model for entry in seen} - {None}
    collections = {entry.values["collection"] for entry in seen} - {None}
    recipes = {entry.values.get("recipe") for entry in seen} - {None}

    published = {entry.model for entry in seen if entry.values["source"] == "published"}
    named = [(("audit", "models", i), model) for i, model in enumerate(config["audit"]["models"])]
    named.append((("figures", "layer", "model"), config["figures"]["layer"]["model"]))
    for path, model in named:
        if model is not None and model not in models:
            yield path, _no_such("there is no model", model, models)
        elif model in published:
            yield path, f"{model!r} is published results without weights; choose another model"

    statistics = config["statistics"]
    for control, controlled in statistics["controls"].items():
        path = ("statistics", "controls", control)
        for name in (control, controlled):
            if name not in collections:
                yield path, _no_such("no model has the collection", name, collections)
        if control == controlled:
            yield path, f"{control!r} cannot be its own control; name another collection"
    for recipe in _as_list(statistics["reference_recipe"]):
        if recipes and recipe not in recipes:
            path = ("statistics", "reference_recipe")
            yield path, _no_such("no model has the recipe", recipe, recipes)
    for index, metric in enumerate(statistics["primary_metrics"]):
        if metric not in statistics["metrics"]:
            problem = f"{metric!r} is not one of statistics.metrics; add it there or remove it here"
            yield ("statistics", "primary_metrics", index), problem

    if (config["weightwatcher"]["engine"], config["spectra"]["layers"]) == (
        "weightwatcher",
        "complete",
    ):
        problem = (
            "'complete' takes layers that the engine weightwatcher leaves out; choose one of them"
        )
        yield ("spectra", "layers"), problem
    limit = config["spectra"]["max_evals"]
    if limit < config["weightwatcher"]["min_evals"]:
        problem = f"{limit} is below weightwatcher.min_evals, so no layer is left; raise it"
        yield ("spectra", "max_evals"), problem


def _no_such(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "none"
    guess = did_you_mean(name, names) or f" (known: {some})"
    return f"{what} {name!r}{guess}; correct or remove it"


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

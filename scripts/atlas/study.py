"""The study: its config and its model lists, read and validated before any job runs.

Snakemake loads it each time it parses the workflow, on a cluster once per job. So this module
imports little, and every lookup is a dictionary. schemas/*.schema.yaml say what is valid; only
rules between several cells or keys are written here. All problems are reported at once.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import difflib
import io
import math
import os
import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from atlas.errors import InputError
from atlas.packages import PACKAGES

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
SHOWN_PROBLEMS = 20

GENERATED = ("weights", "results")  # the pipeline writes and deletes files in these folders
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".keras", ".h5", ".hdf5", ".onnx", ".index.json")
PERCENTAGES = ("accuracy", "error")  # from 0 to 100; a generalisation gap may be negative
NEEDS = {"timm": "resolution", "package": "architecture"}  # what a source cannot do without
TAKES = {
    "revision": ("timm", "huggingface"),
    "include_top": ("keras",),
    "architecture": ("package",),
    "parameters": ("published",),
    "sha256": ("timm", "keras", "huggingface", "package", "file"),
}
"""The sources for which a column means something; elsewhere it must be blank."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
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

Cell = str | int | float | None
Problem = tuple[tuple[str | int, ...], str]  # the path to it, and what is wrong with the way out


@dataclass(frozen=True)
class Row:
    """One model of the study."""

    model: str
    source: str
    collection: str
    family: str
    variant: str
    location: str | None = None
    architecture: str | None = None
    revision: str | None = None
    include_top: bool | None = None
    sha256: str | None = None
    recipe: str | None = None
    seed: int | None = None
    dataset: str | None = None
    resolution: int | None = None
    quality_metric: str | None = None
    quality: float | None = None
    quality_source: str | None = None
    parameters: int | None = None
    run: str | None = None  # the training run of a checkpoint, and its place in it
    step: int | None = None
    zoo: Mapping[str, Any] | None = field(default=None, hash=False)
    list_file: str = ""
    line: int = 0  # where the row begins in list_file; 0 for a model of the zoo

    def identity(self) -> dict[str, Any]:
        """What decides the weights. A job that depends on this alone survives a changed label."""
        return {
            "source": self.source,
            "location": self.location,
            "architecture": self.architecture,
            "revision": self.revision,
            "include_top": self.include_top,
            "sha256": self.sha256,
            "zoo": _sorted(self.zoo),
        }

    def labels(self) -> dict[str, Cell]:
        """What is said about the model, and not where: moving a row changes no label."""
        return {
            "model": self.model,
            "source": self.source,
            "location": self.location,
            "collection": self.collection,
            "family": self.family,
            "variant": self.variant,
            "recipe": self.recipe,
            "seed": self.seed,
            "dataset": self.dataset,
            "resolution": self.resolution,
            "quality_metric": self.quality_metric,
            "quality": self.quality,
            "quality_source": self.quality_source,
            "parameters": self.parameters,
            "run": self.run,
            "step": self.step,
        }


@dataclass(frozen=True)
class Study:
    """A validated study: the models in the order of the lists, then the zoo's."""

    name: str
    rows: tuple[Row, ...]
    by_id: dict[str, Row] = field(hash=False)
    config: dict[str, Any] = field(hash=False)  # plain, complete with the schema's defaults


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

    seen: list[_Seen] = []
    complete = True
    for name in _names(plain.get("models")):
        try:
            found, messages = _read_list(name, Path(base), config_name)
        except InputError as error:
            lines.append(str(error))
            complete = False
        else:
            seen += found
            lines += messages
    if config_is_valid and plain["zoo"]:
        try:
            seen += _read_zoo(plain["zoo"], config_name)
        except ValueError as error:
            lines.append(f"{config_name}: {error}; correct it there")
            complete = False

    lines += _repeated_ids(seen)
    # With a list that cannot be read, any reference might be right.
    if config_is_valid and complete:
        problems = _contradictions(plain, seen)
        lines += [_config_line(config_name, *problem) for problem in problems]
        if not lines and not seen:
            lines.append(f"{config_name}: no models; name a list under 'models' or declare a zoo")
    if lines:
        raise InputError("\n".join(_first(lines)))

    rows = tuple(Row(**entry.values, list_file=entry.file, line=entry.line) for entry in seen)
    return Study(plain["study"], rows, {row.model: row for row in rows}, plain)


def audited(study: Study) -> tuple[str, ...]:
    """Ids of the models that weightwatcher itself repeats, in the study's order.

    They are the config's audit.models and the first audit.per_family of each family. Published
    results cannot be repeated: they come without weights.
    """
    wanted = set(study.config["audit"]["models"])
    left: dict[tuple[str, str], int] = {}
    for row in study.rows:
        if row.source == "published":
            continue
        family = (row.collection, row.family)
        left[family] = left.get(family, study.config["audit"]["per_family"]) - 1
        if left[family] >= 0:
            wanted.add(row.model)
    return tuple(row.model for row in study.rows if row.model in wanted)


def has_experiments(config: Mapping[str, Any]) -> bool:
    """Whether the config's ``experiments`` ask for spectra beside the layers' own."""
    asked = config["experiments"]
    wanted = (asked["shuffled"], asked["gaussian"], asked["windows"]["size"], asked["other_layers"])
    return any(wanted)


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
        raise InputError("\n".join(_first(lines)))


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


# The config


def _read_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The config as plain data with defaults, and what the schema finds wrong with it."""
    if not isinstance(config, Mapping):
        return {}, [((), "not a section of keys and values; write e.g. study: starter")]
    keys = list(_keys_that_are_no_text(config))
    if keys:
        return {}, keys
    plain = _with_defaults(_plain(config), _schema("config"))
    errors = _validator(_schema("config")).iter_errors(plain)
    # A second problem of the same value follows from the first: no text, so not one of the choices.
    first: dict[tuple[str | int, ...], str] = {}
    for error in errors:
        for path, problem in _explain(error):
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


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
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
                complete[key] = _plain(default)
        if key in complete:
            complete[key] = _with_defaults(complete[key], part)
    return complete


def _config_line(name: str, path: Sequence[str | int], problem: str) -> str:
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return f"{name}: {place}: {problem}" if place else f"{name}: {problem}"


def _contradictions(config: Mapping[str, Any], seen: Sequence[_Seen]) -> Iterator[Problem]:
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
    metric = statistics["primary_metric"]
    if metric not in statistics["metrics"]:
        problem = f"{metric!r} is not one of statistics.metrics; add it there or choose one of them"
        yield ("statistics", "primary_metric"), problem

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
    guess = _did_you_mean(name, names) or f" (known: {some})"
    return f"{what} {name!r}{guess}; correct or remove it"


# The model lists


@dataclass(frozen=True)
class _Seen:
    """A row as read: perhaps not valid, but known by its id."""

    values: dict[str, Any]
    file: str
    line: int

    @property
    def model(self) -> str | None:
        return self.values["model"]

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else f"{self.file}: zoo"


def _read_zoo(zoo: Mapping[str, Any], config_name: str) -> list[_Seen]:
    """The zoo's rows. Raises ValueError if the schema has let something wrong through."""
    from atlas.zoo_config import zoo_rows

    return [_Seen(row, config_name, 0) for row in zoo_rows(zoo)]


def _read_list(name: str, base: Path, config_name: str) -> tuple[list[_Seen], list[str]]:
    """The rows of a list and a line per problem. Raises InputError if it cannot be read at all."""
    records = _records(_text(base / name, name, config_name), name)
    line, header = next(records, (1, []))
    columns = _columns(name, line, header)
    problems = _wrong_columns(columns)
    lines = [f"{name}, line {line}, {problem}" for problem in problems]
    known = _schema("models")["properties"]
    seen: list[_Seen] = []
    for line, cells in records:
        place = f"{name}, line {line}"
        texts = dict(zip(columns, cells, strict=False))
        values = {column: _value(column, texts.get(column, "")) for column in known}
        entry = _Seen(values, name, line)
        if len(cells) != len(columns):
            seen.append(entry)
            lines.append(f"{place}: {_wrong_length(columns, cells)}")
            continue
        try:
            seen += _checkpoints(entry, base)
        except ValueError as error:
            seen.append(entry)
            lines.append(f"{place}, column location: {error}")
        lines += [
            f"{place}, column {column}: {problem}"
            for column, problem in _wrong_cells(values, base)
            if column in columns
        ]
    if not seen:
        lines.append(
            f"{name}: no models; add a row below the header, or remove the list from {config_name}"
        )
    return seen, lines


def _checkpoints(entry: _Seen, base: Path) -> list[_Seen]:
    """The row; or a row for each checkpoint, where its location is the folder of a training run.

    The quality that the list gives is the last checkpoint's. Raises ValueError for a folder without
    checkpoints.
    """
    values = entry.values
    if values["source"] != "file" or not isinstance(values["location"], str):
        return [entry]
    if not (base / values["location"]).is_dir():
        return [entry]
    from atlas.files import checkpoints, is_model

    folder = base / values["location"]
    # A trainer's folder holds its checkpoints and, beside them, the model that it saved at the end.
    if is_model(folder) and not any(folder.glob("checkpoint-*/")):
        return [entry]
    found = checkpoints(folder)
    unknown = dict.fromkeys(("quality_metric", "quality", "quality_source"))
    return [
        dataclasses.replace(
            entry,
            values=values
            | ({} if (step, path) == found[-1] else unknown)
            | {
                "model": f"{values['model']}-{step}",
                "location": os.path.relpath(path, base),
                "run": values["model"],
                "step": step,
            },
        )
        for step, path in found
    ]


def _text(path: Path, name: str, config_name: str) -> str:
    """The text of a list, with its line ends as they are. Raises InputError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"{name}: no such file; correct it under 'models' in {config_name} "
            "(paths are relative to the folder in which snakemake runs)"
        ) from None
    except IsADirectoryError:
        raise InputError(
            f"{name}: is a folder; name the CSV files in it under 'models' in {config_name}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be read ({reason}); check its permissions") from None
    if data.startswith(codecs.BOM_UTF8):
        raise InputError(
            f"{name}, line 1: begins with a byte order mark (BOM); save it as UTF-8 without BOM, "
            "e.g. tail -c +4 OLD.csv > NEW.csv"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len((data[: error.start] + b"?").splitlines())
        raise InputError(
            f"{name}, line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); "
            "save or export it as CSV in UTF-8"
        ) from None


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The header and the rows, each with the line on which it begins. Raises InputError.

    Comments are left out before the CSV reader sees them, lest a quote in one opens a cell; but
    inside a quoted cell, which may go over several lines, a line that begins with # is no comment.
    """
    start = 0  # the line on which the current record begins; 0 between records

    def lines() -> Iterator[str]:
        nonlocal start
        for number, line in enumerate(io.StringIO(text, newline=""), start=1):
            if start == 0:
                if not line.strip() or line.startswith("#"):
                    continue
                start = number
            yield line

    reader = csv.reader(lines(), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{name}, line {start}: not valid CSV ({error}); close the quoted cell, "
                'and write a quote inside of one as ""'
            ) from None
        if cells is None:
            return
        # A line break inside a quoted cell is a space: cells end up in tables and on command lines.
        cells = [" ".join(_LINE_BREAK.split(cell.strip())) for cell in cells]
        # A spreadsheet saves an empty row as commas, and may quote a comment.
        if any(cells) and not cells[0].startswith("#"):
            yield start, cells
        start = 0


def _columns(name: str, line: int, header: list[str]) -> list[str]:
    """The header's columns. Raises InputError if the file does not begin with one."""
    joined = ",".join(header)
    for delimiter, word in ((";", "semicolons"), ("\t", "tabs")):
        if delimiter in joined:
            raise InputError(
                f"{name}, line {line}: the columns are separated by {word}; save it as CSV with "
                "commas between the columns (and points in numbers)"
            )
    if not set(header) & set(_schema("models")["properties"]):
        required = ",".join(_schema("models")["required"])
        raise InputError(f"{name}, line {line}: the first line must name the columns: {required}")
    return header


def _wrong_columns(columns: Sequence[str]) -> Iterator[str]:
    known = list(_schema("models")["properties"])
    for index, column in enumerate(columns, start=1):
        if not column:
            yield f"column {index}: has no name; name or remove it"
        elif column not in known:
            guess = _did_you_mean(column, known) or f" (known: {', '.join(known)})"
            yield f"column {column}: unknown column{guess}; rename or remove it"
        elif columns.index(column) != index - 1:
            yield f"column {column}: is there twice; remove one"
    for column in _schema("models")["required"]:
        if column not in columns:
            yield f"column {column}: is missing; add it to the header and to each row"


def _wrong_length(columns: Sequence[str], cells: Sequence[str]) -> str:
    count = f"{len(cells)} cells, but the header names {len(columns)} columns"
    if len(cells) < len(columns):
        return f"{count}; keep the commas of blank cells"
    return f"{count}; put a cell with a comma in quotes, and write decimals with a point"


def _value(column: str, text: str) -> Cell:
    """A cell as the schema's type; text that is no such thing stays text, and is refused later."""
    if not text:
        return None
    if column == "sha256":
        return text.lower()
    kinds = _kinds(_schema("models")["properties"][column]["type"])
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "number" in kinds and _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _wrong_cells(values: Mapping[str, Cell], base: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with a row: the column, and the problem with its way out."""
    for column, value in values.items():
        problem = _wrong_cell(column, value)
        if problem:
            yield column, problem
    metric, quality = values["quality_metric"], values["quality"]
    if quality is not None:
        for column in ("quality_metric", "dataset", "quality_source"):
            if values[column] is None:
                yield column, "is blank, but there is a quality; say what it is, or blank both"
        if isinstance(quality, float):
            lowest = {"perplexity": 1, "generalization_gap": -100}.get(str(metric), 0)
            if -100 <= quality < lowest:
                of = "" if metric == "perplexity" else "in percent, from 0 to 100"
                yield "quality", f"{quality} is below {lowest}; {metric} is {of or 'at least 1'}"
            elif quality > 100 and metric != "perplexity":
                yield "quality", f"{quality} is above the maximum 100; {metric} is in percent"
    source = values["source"]
    for column, sources in TAKES.items():
        if values[column] is not None and source not in sources and source in _LOCATED:
            yield column, f"means nothing for the source {source!r}; leave it blank"
    if source in NEEDS and values[NEEDS[str(source)]] is None:
        column = NEEDS[str(source)]
        example = _schema("models")["properties"][column]["examples"][0]
        yield column, f"is blank, but the source {source!r} needs it; write e.g. {example}"
    if source in _LOCATED:
        yield from _LOCATED[str(source)](values, base)


@cache
def _wrong_cell(column: str, value: Cell) -> str | None:
    """The first problem of one cell, if there is one. Cached, as labels repeat in all rows."""
    if column == "source" and value == "zoo":
        return "'zoo' cannot be in a list; declare networks to be trained under zoo in the config"
    if column == "quality" and isinstance(value, str) and re.fullmatch(r"[+-]?\d+,\d+", value):
        return f"{value!r} has a decimal comma; write {value.replace(',', '.')}"
    for error in _cell_validator(column).iter_errors(value):
        for _, problem in _explain(error):
            return problem
    return None


def _wrong_package(values: Mapping[str, Cell], _: Path) -> Iterator[tuple[str, str]]:
    location = values["location"]
    if location not in PACKAGES:
        shown = "is blank" if location is None else f"{location!r} is not a known package"
        guess = _did_you_mean(str(location), list(PACKAGES))
        yield "location", f"{shown}{guess}; use one of: {', '.join(PACKAGES)}"


def _wrong_published(values: Mapping[str, Cell], _: Path) -> Iterator[tuple[str, str]]:
    from atlas import published

    try:
        published.locate(str(values["location"] or ""))
    except LookupError as error:
        yield "location", str(error.args[0])


def _wrong_name(values: Mapping[str, Cell], _: Path) -> Iterator[tuple[str, str]]:
    """The name of a model elsewhere: whether it is there is only known when it is obtained."""
    source, location = str(values["source"]), values["location"]
    form, example = _NAMES[source]
    if location is None:
        yield "location", f"is blank; write e.g. {example}"
    elif not re.fullmatch(form, str(location)):
        yield "location", f"{location!r} is no name of the source {source!r}; write e.g. {example}"


def _wrong_file(values: Mapping[str, Cell], base: Path) -> Iterator[tuple[str, str]]:
    location = values["location"]
    if location is None:
        yield "location", f"is blank; write the path of a {', '.join(SUFFIXES)} file"
        return
    path = base / str(location)
    if not path.name.lower().endswith(SUFFIXES) and not path.is_dir():
        yield "location", f"{location!r} does not end in one of {', '.join(SUFFIXES)}; save it so"
    elif os.path.relpath(path, base).split(os.sep)[0] in GENERATED:
        problem = "is in a folder in which the pipeline deletes files; move it to one of your own"
        yield "location", f"{location!r} {problem}"
    elif not path.exists():
        place = "paths are relative to the folder in which snakemake runs"
        yield "location", f"no file at {location!r}; correct the path ({place})"
    elif not os.access(path, os.R_OK):
        yield "location", f"{location!r} cannot be read; check its permissions"
    else:
        from atlas.files import files_of, is_model

        if path.is_file() or is_model(path):
            try:
                missing = [each for each in files_of(path) if not each.is_file()]
            except ValueError as error:
                yield "location", str(error)
            else:
                if missing:
                    names = ", ".join(each.name for each in missing[:3])
                    yield "location", f"{location!r} needs files that are not there: {names}"
        elif values["sha256"] is not None:
            yield (
                "sha256",
                "is that of one model, and this is a folder of checkpoints; leave it blank",
            )


_NAMES = {
    "timm": (r"[a-z0-9_]+(\.[a-z0-9_]+)?", "resnet50.a1_in1k"),
    "keras": (r"[A-Za-z0-9]+", "EfficientNetB0"),
    "huggingface": (r"[\w.-]+/[\w.-]+", "openai-community/gpt2"),
}
_LOCATED = {
    **dict.fromkeys(_NAMES, _wrong_name),
    "package": _wrong_package,
    "file": _wrong_file,
    "published": _wrong_published,
}
"""What checks the location of each source."""


def _repeated_ids(seen: Iterable[_Seen]) -> Iterator[str]:
    """A line per id that is there already, in whichever list or in the zoo."""
    first: dict[str, _Seen] = {}
    for entry in seen:
        if entry.model is None:
            continue
        other = first.setdefault(entry.model, entry)
        if other is not entry:
            column = ", column model" if entry.line else ""
            yield f"{entry.place}{column}: {entry.model!r} is already in {other.place}; rename one"


# Schemas, and what they find wrong


@cache
def _schema(name: str) -> dict[str, Any]:
    return yaml.load((SCHEMAS / f"{name}.schema.yaml").read_bytes(), Loader=_Loader)


@cache
def _cell_validator(column: str) -> Validator:
    return _validator(_schema("models")["properties"][column])


def _validator(schema: Mapping[str, Any]) -> Validator:
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


def _explain(error: ValidationError) -> Iterator[Problem]:
    """A JSON Schema error as problems with a way out.

    The way out is the schema's errorMessage where there is one, else made from its examples.
    """
    path, value = tuple(error.absolute_path), error.instance
    rule, schema = error.validator_value, error.schema
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", ()))
        for key in value:
            if key not in known:
                guess = _did_you_mean(key, known) or f" (known: {', '.join(known)})"
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
            kinds = _kinds(rule)
            problem = f"{shown} is not {' or '.join(_TYPES[kind] for kind in kinds)}"
            if value is None:
                problem = "is blank"
            elif "number" in kinds and isinstance(value, str) and _NUMBER.fullmatch(value):
                hint = "; YAML wants a point and a signed exponent, as in 1.0e-3, and no quotes"
            elif "string" in kinds and not isinstance(value, (dict, list)):
                hint = "; put it in quotes"
            if "enum" in schema:
                hint = f"; use one of: {', '.join(_choices(schema['enum']))}"
            elif "object" in kinds:
                hint = "; write its keys below it, indented"
        case "enum":
            known = _choices(rule)
            problem = f"{shown} is unknown{_did_you_mean(str(value), known)}"
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


def _kinds(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _choices(values: Iterable[Cell]) -> list[str]:
    return [str(value) for value in values if value is not None]


def _shown(value: Any) -> str:
    shown = repr(value) if isinstance(value, (str, int, float, list, dict)) else f"{value!s}"
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    """What might have been meant, in parentheses, or nothing."""
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), lower, n=1)
    return f" (did you mean {lower[close[0]]!r}?)" if close else ""


def _as_id(text: str) -> str:
    """Something like the text that is a valid id, unless nothing is left of it."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", ascii_only).strip("._-")


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """A copy made of dictionaries and lists: Snakemake's config has classes of its own."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _sorted(value: Any) -> Any:
    """A plain copy with sorted keys: a job's params are compared as text."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, (list, tuple)) else value


def _first(lines: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(lines))
    more = len(unique) - SHOWN_PROBLEMS
    return unique[:SHOWN_PROBLEMS] + ([f"... and {more} more problems"] if more > 0 else [])

"""Model lists: CSV files with one row per model, every cell checked."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from atlas.errors import InputError
from atlas.study.row import Cell
from atlas.study.schema import NUMBER, cell_validator, did_you_mean, explain, kinds_of, read_schema
from atlas.terms.keys import FACTOR
from atlas.weights.packages import PACKAGES

GENERATED = ("weights", "results")  # the pipeline writes and deletes files in these folders
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".keras", ".h5", ".hdf5", ".onnx", ".index.json")
NEEDS = {"timm": "resolution", "package": "architecture"}  # what a source cannot do without

TAKES = {
    "revision": ("timm", "huggingface"),
    "include_top": ("keras",),
    "architecture": ("package",),
    "parameters": ("published",),
    "sha256": ("timm", "keras", "huggingface", "package", "file"),
}
"""The sources for which a column means something; elsewhere it must be blank."""

_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Seen:
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


def read_zoo(zoo: Mapping[str, Any], config_name: str) -> list[Seen]:
    """The zoo's rows. Raises ValueError if the schema has let something wrong through."""
    from atlas.study.zoo import zoo_rows

    return [Seen(row, config_name, 0) for row in zoo_rows(zoo)]


def read_list(name: str, base: Path, config_name: str) -> tuple[list[Seen], list[str]]:
    """The rows of a list and a line per problem. Raises InputError if it cannot be read at all."""
    records = _records(_text(base / name, name, config_name), name)
    line, header = next(records, (1, []))
    columns = _columns(name, line, header)
    problems = _wrong_columns(columns)
    lines = [f"{name}, line {line}, {problem}" for problem in problems]
    known = read_schema("models")["properties"]
    seen: list[Seen] = []
    for line, cells in records:
        place = f"{name}, line {line}"
        texts = dict(zip(columns, cells, strict=False))
        values = {column: _value(column, texts.get(column, "")) for column in known}
        values["factors"] = {
            column.removeprefix(FACTOR): text
            for column, text in texts.items()
            if column.startswith(FACTOR) and text
        }
        entry = Seen(values, name, line)
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


def _checkpoints(entry: Seen, base: Path) -> list[Seen]:
    """The row; or a row for each checkpoint, where its location is the folder of a training run.

    The quality that the list gives is the last checkpoint's. Raises ValueError for a folder without
    checkpoints.
    """
    values = entry.values
    if values["source"] != "file" or not isinstance(values["location"], str):
        return [entry]
    if not (base / values["location"]).is_dir():
        return [entry]
    from atlas.weights.checkpoints import checkpoints
    from atlas.weights.files import is_model

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
    if not set(header) & set(read_schema("models")["properties"]):
        required = ",".join(read_schema("models")["required"])
        raise InputError(f"{name}, line {line}: the first line must name the columns: {required}")
    return header


def _wrong_columns(columns: Sequence[str]) -> Iterator[str]:
    known = list(read_schema("models")["properties"])
    for index, column in enumerate(columns, start=1):
        if not column:
            yield f"column {index}: has no name; name or remove it"
        elif column.startswith(FACTOR) and not re.fullmatch(_factor_columns(), column):
            problem = f"is no name of a factor; write {FACTOR} and then a-z, 0-9 and _"
            yield f"column {column}: {problem}"
        elif column not in known and not column.startswith(FACTOR):
            guess = did_you_mean(column, known) or f" (known: {', '.join(known)})"
            yield f"column {column}: unknown column{guess}; rename or remove it"
        elif columns.index(column) != index - 1:
            yield f"column {column}: is there twice; remove one"
    for column in read_schema("models")["required"]:
        if column not in columns:
            yield f"column {column}: is missing; add it to the header and to each row"


def _factor_columns() -> str:
    """The form of the names of columns that hold what was varied in training."""
    (form,) = read_schema("models")["patternProperties"]
    return str(form)


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
    kinds = kinds_of(read_schema("models")["properties"][column]["type"])
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "number" in kinds and NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _wrong_cells(values: Mapping[str, Cell], base: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with a row: the column, and the problem with its way out."""
    for column in read_schema("models")["properties"]:
        problem = _wrong_cell(column, values[column])
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
        example = read_schema("models")["properties"][column]["examples"][0]
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
    for error in cell_validator(column).iter_errors(value):
        for _, problem in explain(error):
            return problem
    return None


def _wrong_package(values: Mapping[str, Cell], _: Path) -> Iterator[tuple[str, str]]:
    location = values["location"]
    if location not in PACKAGES:
        shown = "is blank" if location is None else f"{location!r} is not a known package"
        guess = did_you_mean(str(location), list(PACKAGES))
        yield "location", f"{shown}{guess}; use one of: {', '.join(PACKAGES)}"


def _wrong_published(values: Mapping[str, Cell], _: Path) -> Iterator[tuple[str, str]]:
    from atlas.weights import published as weights_published

    try:
        weights_published.locate(str(values["location"] or ""))
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
        from atlas.weights.files import files_of, is_model

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


def repeated_ids(seen: Iterable[Seen]) -> Iterator[str]:
    """A line per id that is there already, in whichever list or in the zoo."""
    first: dict[str, Seen] = {}
    for entry in seen:
        if entry.model is None:
            continue
        other = first.setdefault(entry.model, entry)
        if other is not entry:
            column = ", column model" if entry.line else ""
            yield f"{entry.place}{column}: {entry.model!r} is already in {other.place}; rename one"

"""Reading and writing of files: written beside, then renamed, so no half-written file is a result."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, renamed onto it when the block ends without an error.

    The data reaches the disk before the name does, so a crash leaves the old file or none. What
    a killed writer of ``path`` left beside it is removed; one that still writes (a job of a lost
    cluster run) then ends with FileNotFoundError, and ``path`` is never a mixture of two writers.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.partial-"
    for orphan in path.parent.glob(f"{glob.escape(prefix)}*"):
        orphan.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        # mkstemp makes the file private; a result is as readable as any other file.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write bytes atomically."""
    with atomic(path) as beside:
        beside.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write text atomically, as UTF-8 with Unix line ends on every platform."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically: sorted keys, two spaces, a newline at the end, no NaN (null instead)."""
    text = json.dumps(
        _without_nan(value), indent=2, sort_keys=True, allow_nan=False, default=_plain
    )
    write_text(path, text + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_rows(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV atomically, as ``write_csv`` does, without importing pandas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (row[name] for name in columns)
        writer.writerow("" if value is None or value != value else value for value in values)
    write_text(path, text.getvalue())


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV atomically; floats keep all their digits, missing values are empty."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_parquet(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet atomically, without the writer's index."""
    with atomic(path) as beside:
        table.to_parquet(beside, index=False, compression="zstd")


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    with Path(path).open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def read_cells(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file, every cell as the text that it is."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

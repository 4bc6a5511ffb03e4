"""What the Snakefile needs while it is read: light, since every job reads it again."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from atlas.errors import InputError
from atlas.io import sha256
from atlas.tables_read import read_cells

METADATA = Path(".snakemake") / "metadata"
KEPT_METADATA = Path("results") / ".metadata"
CONTENTS = Path(".snakemake") / "contents.jsonl"

_lock: IO[str] | None = None


def code_of(scripts: Path, script: str) -> list[str]:
    """The paths of a script and of every ``atlas`` module that it imports, directly or not.

    Snakemake tracks a rule's script but not what it imports. Reading the imports, also those inside
    functions, instead of listing them by hand means that none can be forgotten. Raises
    FileNotFoundError for a script that does not exist.
    """
    found = {scripts / f"{script}.py"}
    todo = list(found)
    while todo:
        new = {scripts / "atlas" / f"{name}.py" for name in _imports(todo.pop())}
        todo += [path for path in new - found if path.exists()]
        found |= {path for path in new if path.exists()}
    return sorted(path.relative_to(scripts.parent).as_posix() for path in found)


def digest_of(scripts: Path, script: str) -> str:
    """A digest of the contents of ``code_of``, for a rule's ``params``.

    As ``input`` files they would do as well, but then every one of thousands of jobs has ten more
    files that the scheduler looks at whenever a job ends: a quarter of a core on 600 jobs.
    """
    contents = hashlib.sha256()
    for name in code_of(scripts, script):
        contents.update(name.encode() + b"\0" + _content(scripts.parent / name) + b"\0")
    return contents.hexdigest()[:16]


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _imports(path: Path) -> frozenset[str]:
    """The names of the ``atlas`` modules that one file imports, at any depth of its code.

    Imports for type checking only are no imports.
    """
    names: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.ImportFrom(module="atlas", names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module)) if module.startswith("atlas."):
                names.add(module.split(".")[1])
            case ast.Import(names=aliases):
                names |= {a.name.split(".")[1] for a in aliases if a.name.startswith("atlas.")}
        todo += ast.iter_child_nodes(node)
    return frozenset(names)


def contents_of(paths: Iterable[Path], known: Path = CONTENTS) -> list[str]:
    """The SHA-256 of each file's content, for a rule's ``params``; "" for a file that is not there.

    A file that replaces another may be older than it (``mv``, ``cp -p``, ``rsync -t``), and Snakemake
    looks into small files only. What was read once is kept in ``known``, a line of JSON per content,
    and read again only where the size, a time or the inode differs: of these nobody can set back the
    time of the inode's change. A ``known`` that cannot be read or written costs time and nothing else.
    """
    found = []
    for path in paths:
        try:
            stat = path.stat()
            mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
            kept = _known(known)
            name = str(path.absolute())
            if kept.get(name, [None])[0] != mark:
                kept[name] = [mark, sha256(path)]
                _remember(known, name, kept[name])
            found.append(kept[name][1])
        except OSError:  # the job that needs it says why
            found.append("")
    return found


@cache
def _known(path: Path) -> dict[str, list[Any]]:
    """What ``contents_of`` kept: [what tells versions of a file apart, SHA-256] by its name."""
    found: dict[str, list[Any]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            name, *rest = json.loads(line)
            found[name] = rest
    except (OSError, ValueError):  # what is left of it is as good as it was
        pass
    return found


def _remember(path: Path, name: str, kept: list[Any]) -> None:
    """Append a line, whole: several jobs may do so at a time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, *kept]) + "\n")
    except OSError:
        pass


def versions_of(packages: Iterable[str], envs: Path) -> dict[str, str]:
    """The versions of packages: as installed, else as the conda environments in ``envs`` pin them.

    With ``snakemake --sdm conda`` the jobs' packages need not be installed beside Snakemake. Raises
    InputError for a package that is in neither.
    """
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package not in _pinned(envs):
                raise InputError(f"{package} is not installed; run 'make install'") from None
            found[package] = _pinned(envs)[package]
    return found


@cache
def _pinned(envs: Path) -> dict[str, str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(envs.glob("*.yaml"))]
    return dict(re.findall(r"^ +- ([\w.-]+)==(\S+)$", "\n".join(texts), re.MULTILINE))


def keep_metadata() -> None:
    """Keep Snakemake's provenance records inside ``results``, so that they travel with them.

    Snakemake decides from these records (checksums of inputs, parameters) what is up to date. When
    results are unpacked in a fresh clone, every file of the clone is newer than they are; with the
    records, equal contents count as unchanged and nothing is computed again.
    """
    KEPT_METADATA.mkdir(parents=True, exist_ok=True)  # results may have been deleted by hand
    if METADATA.is_symlink():
        return
    if METADATA.is_dir():
        for record in METADATA.iterdir():
            record.replace(KEPT_METADATA / record.name)
        METADATA.rmdir()
    METADATA.parent.mkdir(exist_ok=True)
    METADATA.symlink_to(Path("..") / KEPT_METADATA)


def lock_folder() -> None:
    """Refuse a second run in this folder while one is working; held until this process ends.

    Snakemake's own lock survives a killed run, and the same command would then fail until somebody
    unlocks by hand. The operating system gives this one back however the process ends. Raises
    InputError while another run holds it.
    """
    global _lock
    KEPT_METADATA.parent.mkdir(parents=True, exist_ok=True)
    _lock = (KEPT_METADATA.parent / ".lock").open("w")
    try:
        fcntl.flock(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            "another run is working in this folder; wait until it ends, or stop it"
        ) from None


def tell_excluded(results: Path) -> str:
    """One line per model that left the study, for the end of a run; empty where none did."""
    path = results / "tables" / "excluded.csv"
    if not path.exists():
        return ""
    rows = read_cells(path)
    lines = [
        f"  {row['model']}: {row['status']} at {row['stage']}: {row['reason']}\n" for row in rows
    ]
    told = f"{len(rows)} models are excluded ({path}):\n" + "".join(lines) if rows else ""
    if any(row["stage"] == "obtain" for row in rows):
        told += "After 'snakemake retry' the next run asks again for what could not be obtained.\n"
    return told

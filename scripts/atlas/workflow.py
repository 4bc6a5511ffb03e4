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
from atlas.io import read_cells, sha256

METADATA = Path(".snakemake") / "metadata"
KEPT_METADATA = Path("results") / ".metadata"
CONTENTS = Path(".snakemake") / "contents.jsonl"
_lock: IO[str] | None = None


def code_of(scripts: Path, script: str, *modules: str) -> list[str]:
    """The paths of a script, of ``modules`` that it loads by name, and of all that they import.

    Snakemake tracks a rule's script but not what it imports. Reading the imports, also those inside
    functions, instead of listing them by hand means that none can be forgotten. A module's packages
    are loaded before it, so their ``__init__`` belongs to it. Raises FileNotFoundError for a script
    that does not exist, InputError for an import of ``atlas`` that leads nowhere, or whose name is
    put together and is none of ``modules``.
    """
    start = scripts / f"{script}.py"
    found = {start}
    for name in modules:
        found |= _files_of(scripts, tuple(name.split(".")), f"the rule of {script}")
    todo = list(found)
    while todo:
        new = imports_of(scripts, todo.pop(), *modules)
        todo += new - found
        found |= new
    return sorted(_shown(scripts, path) for path in found)


def imports_of(scripts: Path, path: Path, *modules: str) -> set[Path]:
    """The files that the imports in one file load; ``modules`` and errors as in ``code_of``."""
    found: set[Path] = set()
    for target in _imports(scripts, path):
        if target[-1].endswith("*"):
            prefix = ".".join(target)[:-1]
            if not any(name.startswith(prefix) for name in modules):
                raise InputError(
                    f"{_shown(scripts, path)} loads {prefix}... by name: its rule must name them"
                )
        else:
            found |= _files_of(scripts, target, _shown(scripts, path))
    return found


def digest_of(scripts: Path, script: str, *modules: str) -> str:
    """A digest of the contents of ``code_of``, for a rule's ``params``.

    As ``input`` files they would do as well, but then every one of thousands of jobs has ten more
    files that the scheduler looks at whenever a job ends: a quarter of a core on 600 jobs.
    """
    contents = hashlib.sha256()
    for name in code_of(scripts, script, *modules):
        contents.update(name.encode() + b"\0" + _content(scripts.parent / name) + b"\0")
    return contents.hexdigest()[:16]


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


def _shown(scripts: Path, path: Path) -> str:
    return path.relative_to(scripts.parent).as_posix()


def _files_of(scripts: Path, target: tuple[str, ...], who: str) -> set[Path]:
    """The files that an import of this dotted name loads; its last part may be no module."""
    files, folder = set(), scripts
    for depth, part in enumerate(target):
        if (folder / f"{part}.py").is_file():
            # What follows is a name inside this module.
            return files | {folder / f"{part}.py"}
        folder = folder / part
        if not folder.is_dir():
            inside = folder.parent / "__init__.py"
            if depth == len(target) - 1 and inside.is_file() and part in _names(inside):
                return files
            raise InputError(f"{who} imports {'.'.join(target)}, which is not there")
        if (folder / "__init__.py").is_file():
            files.add(folder / "__init__.py")
    return files


@cache
def _names(path: Path) -> frozenset[str]:
    """The names that a package binds itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name)
    return frozenset(found)


@cache
def _imports(scripts: Path, path: Path) -> frozenset[tuple[str, ...]]:
    """The dotted names in ``atlas`` that one file imports, at any depth of its code.

    The last part may be a module or a name in one; it ends in ``*`` where the code puts the name
    together. Imports for type checking only are no imports.
    """
    names: set[tuple[str, ...]] = set()
    package = path.relative_to(scripts).parent.parts
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.ImportFrom(module=module, names=aliases, level=level):
                above = package[: len(package) - level + 1] if level else ()
                target = (*above, *(module.split(".") if module else ()))
                # Of a package all that is asked for; a star is what its __init__ binds.
                names |= {(*target, a.name) if a.name != "*" else target for a in aliases}
            case ast.Import(names=aliases):
                names |= {tuple(alias.name.split(".")) for alias in aliases}
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                names.add(tuple(name.split(".")))
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.JoinedStr(values=[ast.Constant(value=str(name)), *_]), *_],
            ):
                names.add(tuple(f"{name}*".split(".")))
        todo += ast.iter_child_nodes(node)
    return frozenset(name for name in names if name[0] == "atlas")


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

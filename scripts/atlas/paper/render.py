"""The paper's last step: a .qmd becomes one HTML file or one PDF.

Two renderers read the same document. `quarto` is real Quarto, run in a copy of the paper's folder.
`builtin` needs only packages from PyPI: pandoc (pypandoc_binary) with paper/builtin/filter.lua,
and typst for the PDF. Whichever ran, the output is checked for what Quarto lets pass: unknown
variables, unresolved references, missing citations, missing images.

What the built-in renderer does beyond pandoc is in two places. Shortcodes (`var`, `meta`,
`include`, `pagebreak`) are expanded here, as text, because they also stand in formulas and in the
YAML header, which pandoc would have parsed by then. All else is in the filter.

A pipe table's column widths follow its content; set `tbl-colwidths` where that is not enough.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.paper.check import check
from atlas.paper.settings import (
    Loader,
    RenderError,
    as_list,
    authors_of,
    epoch_of,
    metadata_of,
    one_line,
    read_settings,
    split,
)
from atlas.paper.shortcodes import Shortcodes, no_citation

BUILTIN = Path(__file__).resolve().parents[3] / "paper" / "builtin"
SUFFIXES = {"html": "html", "typst": "pdf"}
RENDERERS = ("auto", "quarto", "builtin")

# Pandoc gives a pipe table relative widths if one of its source lines is longer than this, and
# then takes the shares from the dashes. Generated tables have long lines and arbitrary dashes.
LINE_LENGTH = 10_000


@dataclass(frozen=True)
class Renderer:
    """Who renders, as the paper's appendix records it: ("builtin", "pandoc 3.9, typst 0.15.2")."""

    name: str
    version: str


def resolve(renderer: str = "auto") -> Renderer:
    """Say which renderer would run, and its version.

    Raises RenderError if the name is unknown, or what it needs is not installed.
    """
    if renderer not in RENDERERS:
        raise RenderError(f"unknown renderer '{renderer}': choose one of {', '.join(RENDERERS)}")
    if renderer != "builtin" and (quarto := _find_quarto()):
        return Renderer("quarto", _version([quarto, "--version"]))
    if renderer == "quarto":
        wanted = os.environ.get("QUARTO_PATH")
        where = (
            f"QUARTO_PATH ('{wanted}') or PATH" if wanted else "PATH, and QUARTO_PATH is not set"
        )
        raise RenderError(
            f"Quarto is not found on {where}: install it, set QUARTO_PATH to its binary, "
            "or choose the renderer 'builtin'"
        )
    pandoc = _version([_find_pandoc(), "--version"])
    try:
        return Renderer("builtin", f"{pandoc}, typst {importlib.metadata.version('typst')}")
    except importlib.metadata.PackageNotFoundError:
        raise RenderError("the Python package typst is missing: pip install typst") from None


def render(paper: Path, to: str, output: Path, renderer: str = "auto") -> Renderer:
    """Render `paper` to `output`: `to` is "html", or "typst" for a PDF. Returns who rendered.

    The output appears complete or not at all; a failed run also removes an older one, which would
    look like its result. Nothing is written into the paper's folder.

    Raises RenderError for whatever its user can mend.
    """
    paper, output = Path(paper), Path(output)
    if to not in SUFFIXES:
        raise RenderError(f"unknown format '{to}': choose html, or typst for a PDF")
    if not paper.is_file():
        raise RenderError(f"{paper}: no such file")
    if not (paper.parent / "_quarto.yml").is_file():
        raise RenderError(
            f"{paper}: there is no _quarto.yml beside it; add one, as in the folder paper/"
        )
    if output.is_dir():
        raise RenderError(f"{output}: is a folder; --output names the file to write")
    try:
        used = resolve(renderer)
        run = _render_quarto if used.name == "quarto" else _render_builtin
        content = run(paper, to)
    except RenderError:
        output.unlink(missing_ok=True)
        raise
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(output)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RenderError(f"{output}: cannot be written: {error.strerror}") from None
    return used


def _find_quarto() -> str | None:
    found = shutil.which(os.environ.get("QUARTO_PATH") or "quarto") or shutil.which("quarto")
    return found and os.path.abspath(found)


def _find_pandoc() -> str:
    # Only pypandoc_binary's own pandoc: another one on PATH could be of any version.
    spec = importlib.util.find_spec("pypandoc")
    folder = Path(spec.origin).parent / "files" if spec and spec.origin else None
    pandoc = folder and shutil.which("pandoc", path=str(folder))
    if not pandoc:
        raise RenderError("the built-in renderer's pandoc is missing: pip install pypandoc_binary")
    return pandoc


def _version(command: list[str]) -> str:
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        return process.stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        raise RenderError(f"{command[0]} does not run: reinstall it") from None


def _render_quarto(paper: Path, to: str) -> bytes:
    settings = read_settings(paper, to)
    env = {"SOURCE_DATE_EPOCH": str(epoch_of(settings)), **os.environ}
    # A copy for each run: Quarto writes beside its source, and two runs there would race.
    with tempfile.TemporaryDirectory(prefix="paper-") as temporary:
        folder = Path(temporary).resolve() / "paper"
        left_out = shutil.ignore_patterns(".quarto", ".git", str(settings.get("output-dir", "")))
        shutil.copytree(paper.parent, folder, ignore=left_out)
        suffix = SUFFIXES[to]
        for stale in folder.rglob(f"{paper.stem}.{suffix}"):
            stale.unlink()
        # keep-typ: the text of a PDF can be checked in its Typst source
        command = [_find_quarto() or "quarto", "render", paper.name, "--to", to]
        command += ["--metadata", "keep-typ:true"] if to == "typst" else []
        process = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        log = re.sub(r"\x1b\[[0-9;]*m", "", process.stderr + "\n" + process.stdout)
        if process.returncode:
            said = re.search(r"^(?:ERROR|error)\b.*", log, re.MULTILINE)
            said = said[0] if said else (log.strip() or "nothing").splitlines()[-1]
            raise RenderError(f"{paper}: Quarto failed (exit {process.returncode}): {said}")
        made = sorted(folder.rglob(f"{paper.stem}.{suffix}"))
        if not made:
            raise RenderError(f"{paper}: Quarto wrote no {suffix.upper()}; try quarto render there")
        for key in re.findall(r"citation (\S+) not found", log):
            raise RenderError(f"{paper}: {no_citation([key])}")
        content = made[0].read_bytes()
        texts = [content.decode("utf-8")] if to == "html" else []
        texts += [typ.read_text("utf-8") for typ in folder.rglob(f"{paper.stem}.typ")]
        for text in texts:
            check(paper, text, to)
        return content


def _render_builtin(paper: Path, to: str) -> bytes:
    settings = read_settings(paper, to)
    shortcodes = Shortcodes(paper, to, settings)
    settings = shortcodes.expand_all(settings)
    text = _pandoc(paper, to, settings, shortcodes.expand(split(paper)[1]))
    check(paper, text, to)
    return text.encode() if to == "html" else _typst(paper, text, settings)


def _pandoc(paper: Path, to: str, settings: dict[str, Any], body: str) -> str:
    """The page, or the Typst source, of a Markdown text without header and shortcodes."""
    metadata = metadata_of(settings)
    for bibliography in as_list(metadata.get("bibliography")):
        if not (paper.parent / str(bibliography)).is_file():
            raise RenderError(f"{paper}: there is no bibliography {bibliography}")
    command = [_find_pandoc(), "--from=markdown", "--standalone", "--wrap=none"]
    command += ["--fail-if-warnings", f"--columns={LINE_LENGTH}", "--syntax-highlighting=none"]
    command += [f"--lua-filter={BUILTIN / 'filter.lua'}"]
    command += [f"--toc-depth={metadata['toc-depth']}"]
    if to == "html":
        command += ["--to=html5", "--mathml", f"--template={BUILTIN / 'template.html'}"]
        command += ["--toc"] if metadata.get("toc") is True else []
    else:
        # Citations are processed by then, and quotation marks are to be the same as in HTML.
        command += ["--to=typst-citations-smart", f"--template={BUILTIN / 'template.typ'}"]
    with tempfile.TemporaryDirectory(prefix="paper-") as temporary:
        file = Path(temporary) / "metadata.json"
        file.write_text(json.dumps(metadata), encoding="utf-8")
        process = subprocess.run(
            [*command, f"--metadata-file={file}"],
            cwd=paper.parent,
            input=body.encode(),
            capture_output=True,
            check=False,
        )
    log = process.stderr.decode("utf-8", "replace")
    if found := re.findall(r"^problem: (.+)$", log, re.MULTILINE):
        raise RenderError(f"{paper}: {found[0]}")
    if missing := re.findall(r"citation (\S+) not found", log):
        raise RenderError(f"{paper}: {no_citation(missing)}")
    if process.returncode:
        said = log.replace("Failing because there were warnings.", "")
        raise RenderError(f"{paper}: pandoc says {one_line(said)}")
    return process.stdout.decode("utf-8")


def _typst(paper: Path, text: str, settings: dict[str, Any]) -> bytes:
    import typst

    moment = datetime.datetime.fromtimestamp(epoch_of(settings), datetime.UTC)
    inputs = {
        "date": moment.date().isoformat(),
        "authors": json.dumps([author["plain"] for author in authors_of(settings)[0]]),
        "keywords": json.dumps([str(word) for word in as_list(settings.get("keywords"))]),
    }
    try:
        return typst.compile(
            text.encode(),
            root=str(paper.parent),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs=inputs,
            timestamp=moment,
        )
    except typst.TypstError as error:
        hints = "; ".join(error.hints)
        said = f"{error.message}{f' ({hints})' if hints else ''}"
        raise RenderError(f"{paper}: typst says {one_line(said)}") from None


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)

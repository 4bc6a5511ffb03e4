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

import datetime
import html.parser
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from atlas.errors import InputError

BUILTIN = Path(__file__).resolve().parents[2] / "paper" / "builtin"
SUFFIXES = {"html": "html", "typst": "pdf"}
RENDERERS = ("auto", "quarto", "builtin")

# The date of a PDF whose paper has none: any constant will do.
NO_DATE = datetime.date(2000, 1, 1)
RELATIVE_DATES = ("today", "now", "last-modified")

# Pandoc gives a pipe table relative widths if one of its source lines is longer than this, and
# then takes the shares from the dashes. Generated tables have long lines and arbitrary dashes.
LINE_LENGTH = 10_000


class RenderError(InputError):
    """The paper cannot be rendered; the message is one line: file, what, way out."""


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


# Finding and running programs


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


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Real Quarto


def _render_quarto(paper: Path, to: str) -> bytes:
    settings = _settings(paper, to)
    env = {"SOURCE_DATE_EPOCH": str(_epoch(settings)), **os.environ}
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
            raise RenderError(f"{paper}: {_no_citation([key])}")
        content = made[0].read_bytes()
        texts = [content.decode("utf-8")] if to == "html" else []
        texts += [typ.read_text("utf-8") for typ in folder.rglob(f"{paper.stem}.typ")]
        for text in texts:
            _check(paper, text, to)
        return content


# The built-in renderer


def _render_builtin(paper: Path, to: str) -> bytes:
    settings = _settings(paper, to)
    shortcodes = _Shortcodes(paper, to, settings)
    settings = shortcodes.expand_all(settings)
    text = _pandoc(paper, to, settings, shortcodes.expand(_split(paper)[1]))
    _check(paper, text, to)
    return text.encode() if to == "html" else _typst(paper, text, settings)


def _pandoc(paper: Path, to: str, settings: dict[str, Any], body: str) -> str:
    """The page, or the Typst source, of a Markdown text without header and shortcodes."""
    metadata = _metadata(settings)
    for bibliography in _as_list(metadata.get("bibliography")):
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
        raise RenderError(f"{paper}: {_no_citation(missing)}")
    if process.returncode:
        said = log.replace("Failing because there were warnings.", "")
        raise RenderError(f"{paper}: pandoc says {_one_line(said)}")
    return process.stdout.decode("utf-8")


def _typst(paper: Path, text: str, settings: dict[str, Any]) -> bytes:
    import typst

    moment = datetime.datetime.fromtimestamp(_epoch(settings), datetime.UTC)
    inputs = {
        "date": moment.date().isoformat(),
        "authors": json.dumps([author["plain"] for author in _authors(settings)[0]]),
        "keywords": json.dumps([str(word) for word in _as_list(settings.get("keywords"))]),
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
        raise RenderError(f"{paper}: typst says {_one_line(said)}") from None


# What the document says about itself


class _Loader(yaml.SafeLoader):
    """YAML whose plain values stay as they are written: 0.480, 1.10 and 2026-01-15 are text."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


def _yaml(text: str, file: Path) -> dict[str, Any]:
    try:
        value = yaml.load(text, _Loader) or {}
    except yaml.YAMLError as error:
        raise RenderError(f"{file}: is not valid YAML: {_one_line(str(error))}") from None
    if not isinstance(value, dict):
        raise RenderError(f"{file}: its YAML is not a list of 'key: value'")
    return value


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise RenderError(f"{file}: is not UTF-8 text; save it as UTF-8") from None


def _split(paper: Path) -> tuple[str, str]:
    """The paper's YAML header and its body."""
    text = _read(paper)
    header = re.match(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|$)", text, re.DOTALL)
    return (header[1] or "", text[header.end() :]) if header else ("", text)


def _merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    both = dict(low)
    for key, value in high.items():
        old = both.get(key)
        both[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def _settings(paper: Path, to: str) -> dict[str, Any]:
    """The metadata of the project and the paper; the more special one wins, as in Quarto."""
    project_file = paper.parent / "_quarto.yml"
    settings: dict[str, Any] = {}
    for file, text in ((project_file, _read(project_file)), (paper, _split(paper)[0])):
        part = _yaml(text, file)
        formats = part.pop("format", None)
        own = formats.get(to) if isinstance(formats, dict) else None
        if isinstance(project := part.pop("project", None), dict) and "output-dir" in project:
            settings["output-dir"] = project["output-dir"]
        settings = _merge(settings, part)
        settings = _merge(settings, own if isinstance(own, dict) else {})
    if settings.get("date") in RELATIVE_DATES and not os.environ.get("SOURCE_DATE_EPOCH"):
        raise RenderError(
            f"{paper}: the date '{settings['date']}' differs from day to day; "
            "write the day, or set SOURCE_DATE_EPOCH"
        )
    return settings


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


WORDS = {
    "en": {
        "abstract": "Abstract",
        "toc": "Table of contents",
        "keywords": "Keywords",
        "correspondence": "Correspondence",
    },
    "de": {
        "abstract": "Zusammenfassung",
        "toc": "Inhaltsverzeichnis",
        "keywords": "Schlagwörter",
        "correspondence": "Korrespondenz",
    },
}


def _metadata(settings: dict[str, Any]) -> dict[str, Any]:
    """What pandoc and the templates get: the settings, with authors, date and words worked out."""
    lang = str(settings.get("lang") or "en")
    words = WORDS.get(lang[:2].lower(), WORDS["en"])
    authors, affiliations = _authors(settings)
    day = _date(settings)
    corresponding = [a for a in authors if a["email"] and a["corresponding"]]
    defaults = {
        "title": "Untitled",
        "abstract-title": words["abstract"],
        "toc-title": words["toc"],
        "keywords-title": words["keywords"],
        "toc-depth": "3",
        "papersize": "a4",
        "fontsize": "10.5pt",
        "link-citations": True,
    }
    metadata = {**defaults, **settings, "lang": lang, "lang-code": lang[:2].lower()}
    metadata["keywords"] = _as_list(settings.get("keywords"))
    metadata["by-author"] = authors
    metadata["affiliations"] = affiliations
    metadata["correspondence"] = [
        {"label": words["correspondence"], "email": author["email"]} for author in corresponding
    ]
    metadata["generator"] = "Alpha Atlas"
    metadata.pop("author", None)
    if day:
        metadata["date-iso"] = day.isoformat()
        metadata["date"] = _format_date(day, settings.get("date-format"), lang)
    return metadata


def _authors(settings: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Authors with the numbers of their affiliations, and the affiliations in that order."""
    shared = {
        str(place["id"]): place
        for place in _as_list(settings.get("affiliations"))
        if isinstance(place, dict) and "id" in place
    }
    places: list[str] = []
    authors = []
    for entry in _as_list(settings.get("author") or settings.get("authors")):
        author = entry if isinstance(entry, dict) else {"name": entry}
        name = author.get("name", "")
        if isinstance(name, dict):
            parts = (name.get("given"), name.get("family"))
            name = name.get("literal") or " ".join(str(part) for part in parts if part)
        numbers = []
        for place in _as_list(author.get("affiliations") or author.get("affiliation")):
            if isinstance(place, dict) and "ref" in place:
                place = shared.get(str(place["ref"]), str(place["ref"]))
            place = shared.get(str(place), place) if not isinstance(place, dict) else place
            text = _affiliation(place)
            if text not in places:
                places.append(text)
            numbers.append(places.index(text) + 1)
        authors.append(
            {
                "name": str(name),
                "plain": str(name),
                "url": author.get("url"),
                "email": author.get("email"),
                "corresponding": author.get("corresponding") is True,
                "numbers": ",".join(map(str, numbers)),
            }
        )
    if len(places) == 1:  # one institute for all needs no number
        for author in authors:
            author["numbers"] = ""
    many = len(places) > 1
    listed = [{"number": str(n) if many else "", "text": t} for n, t in enumerate(places, 1)]
    return authors, listed


def _affiliation(place: Any) -> str:
    if not isinstance(place, dict):
        return str(place)
    fields = ("department", "name", "address", "city", "region", "state", "postal-code", "country")
    return ", ".join(str(place[field]) for field in fields if place.get(field))


# Dates


MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
}
STYLES = {
    "en": {
        "full": "dddd, MMMM D, YYYY",
        "long": "MMMM D, YYYY",
        "medium": "MMM D, YYYY",
        "short": "M/D/YY",
    },
    "de": {
        "full": "dddd, D. MMMM YYYY",
        "long": "D. MMMM YYYY",
        "medium": "DD.MM.YYYY",
        "short": "DD.MM.YY",
    },
}


def _date(settings: dict[str, Any]) -> datetime.date | None:
    """The paper's date, None if it has none or one that is not a day (such as "Spring 2026")."""
    text = str(settings.get("date") or "").strip()
    if text in RELATIVE_DATES:
        return datetime.datetime.fromtimestamp(_epoch({}), datetime.UTC).date()
    for pattern in ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y"):
        try:
            return datetime.datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    return None


def _epoch(settings: dict[str, Any]) -> int:
    """The moment that a PDF names as its creation: the same for the same paper."""
    if (epoch := os.environ.get("SOURCE_DATE_EPOCH", "")).isdigit():
        return int(epoch)
    day = _date(settings) or NO_DATE
    return int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp())


def _format_date(day: datetime.date, style: Any, lang: str) -> str:
    code = lang[:2].lower() if lang[:2].lower() in STYLES else "en"
    pattern = STYLES[code].get(str(style or "long"), str(style or "long"))
    pattern = {"iso": "YYYY-MM-DD"}.get(pattern, pattern)
    month, weekday = MONTHS[code].split()[day.month - 1], DAYS[code].split()[day.weekday()]
    tokens = {
        "YYYY": f"{day.year:04}",
        "YY": f"{day.year % 100:02}",
        "MMMM": month,
        "MMM": month[:3],
        "MM": f"{day.month:02}",
        "M": str(day.month),
        "DD": f"{day.day:02}",
        "D": str(day.day),
        "dddd": weekday,
        "ddd": weekday[:3],
    }
    return re.sub(
        r"\[(.*?)\]|YYYY|YY|M{1,4}|D{1,2}|d{3,4}",
        lambda m: m[1] if m[1] is not None else tokens[m[0]],
        pattern,
    )


# Shortcodes


class _Shortcodes:
    """Expands `{{< var x >}}`, `{{< meta x >}}`, `{{< include f >}}` and `{{< pagebreak >}}`.

    An unknown value becomes `?var:x`, as Quarto has it, and the check of the output finds it.
    `{{{< var x >}}}` and `{{</* var x */>}}` are escapes; a code block with `shortcodes=false`
    stays as it is.
    """

    PATTERN = re.compile(r"(\{?)\{\{<(/\*)?\s*(.*?)\s*(\*/)?>\}\}(\}?)")
    FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
    # what would start a list, a heading, a quotation or a table row at the head of a line
    BLOCK_START = re.compile(r"[-+*#>|:~=%](?=\s|$)|[#>|]")

    def __init__(self, paper: Path, to: str, settings: dict[str, Any]) -> None:
        variables = paper.parent / "_variables.yml"
        self.paper = paper
        self.to = to
        self.settings = settings
        self.variables = _yaml(_read(variables), variables) if variables.is_file() else {}
        self.open: list[str] = []  # what is being expanded, to notice circles

    def expand(self, text: str) -> str:
        """Expand the shortcodes of a Markdown text.

        Raises RenderError for an include that fails and for an unknown shortcode.
        """
        lines = []
        fence, literal = "", False
        for line in text.splitlines(keepends=True):
            if mark := self.FENCE.match(line):
                if not fence:
                    fence = mark[1]
                    literal = bool(re.search(r"""shortcodes=["']?false""", mark[2]))
                elif mark[1].startswith(fence) and not mark[2].strip():
                    fence, literal = "", False
            lines.append(line if literal else self._line(line))
        return "".join(lines)

    def expand_all(self, value: Any) -> Any:
        """Expand the shortcodes in all texts of a metadata value. Raises RenderError."""
        if isinstance(value, dict):
            return {key: self.expand_all(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.expand_all(item) for item in value]
        return self.expand(value) if isinstance(value, str) else value

    def _line(self, line: str) -> str:
        if "{{<" not in line:
            return line
        alone = self.PATTERN.fullmatch(line.strip())

        def replace(match: re.Match[str]) -> str:
            if (match[1] and match[5]) or match[2]:
                return "{{< " + match[3] + " >}}"
            words = [word.strip("\"'") for word in re.findall(r"\"[^\"]*\"|'[^']*'|\S+", match[3])]
            name, arguments = (words[0], words[1:]) if words else ("", [])
            text = self._value(name, arguments, bool(alone))
            if not alone and not line[: match.start()].strip():
                rest = line[match.end() :]
                if self.BLOCK_START.match(text):
                    text = "\\" + text
                elif text.isdigit() and rest[:1] in (".", ")"):
                    text += "\\"
            return match[1] + text + match[5]

        return self.PATTERN.sub(replace, line)

    def _value(self, name: str, arguments: list[str], alone: bool) -> str:
        if name == "pagebreak":
            raw = "#pagebreak()" if self.to == "typst" else '<div style="break-after: page"></div>'
            return f"\n```{{={self.to}}}\n{raw}\n```\n"
        if name in ("var", "meta", "include") and len(arguments) != 1:
            raise RenderError(f"{self.paper}: '{{{{< {name} >}}}}' needs one name")
        if name == "include":
            if not alone:
                raise RenderError(
                    f"{self.paper}: include {arguments[0]} must stand on a line of its own"
                )
            return self._include(arguments[0])
        if name in ("var", "meta"):
            return self._lookup(name, arguments[0], alone)
        raise RenderError(
            f"{self.paper}: unknown shortcode '{name}'; known are var, meta, include and pagebreak "
            "(write '{{{< ... >}}}' to show one)"
        )

    def _include(self, name: str) -> str:
        # As in Quarto, a path starts at the paper's folder, also inside an included file.
        file = self.paper.parent / name.lstrip("/")
        if not file.is_file():
            raise RenderError(
                f"{self.paper}: there is no {name} to include; write it, or correct its path, "
                "which starts at the paper's folder"
            )
        with self._inside(f"include {file.resolve()}"):
            text = self.expand(_read(file))
        return text.removesuffix("\n")

    def _lookup(self, kind: str, name: str, alone: bool) -> str:
        value: Any = self.variables if kind == "var" else self.settings
        for key in re.split(r"(?<!\\)\.", name):
            value = value.get(key.replace("\\.", ".")) if isinstance(value, dict) else None
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None:
            return f"?{kind}:{name}"
        if isinstance(value, dict | list):
            return f"?invalid {kind} type:{name}"
        text = str(value).lower() if isinstance(value, bool) else str(value).strip()
        with self._inside(f"{kind} {name}"):
            text = self.expand(text)
        return text if alone else _one_line(text) if "\n" in text else text

    @contextmanager
    def _inside(self, what: str) -> Iterator[None]:
        if what in self.open:
            raise RenderError(f"{self.paper}: {what} contains itself")
        self.open.append(what)
        yield
        self.open.pop()


# Checking the output


def _no_citation(keys: list[str]) -> str:
    names = ", ".join(f"@{key}" for key in dict.fromkeys(keys))
    return f"missing citation {names}; add it to the bibliography, or correct the key"


@dataclass
class _Content:
    """What of an output is checked."""

    text: str  # all that a reader sees, with the images' descriptions
    prose: str  # the same without code, which may show what a reference looks like
    images: list[str]  # that are not in the file
    citations: list[str]  # that have no entry


class _Page(html.parser.HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.prose: list[str] = []
        self.images: list[str] = []
        self.inside = dict.fromkeys(("script", "style", "code", "pre", "math", "annotation"), 0)
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.text.append(values.get("alt") or "")
        if tag in ("img", "embed"):
            self.images.append(values.get("src") or "")
        if tag in self.inside:
            self.inside[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if self.inside.get(tag):
            self.inside[tag] -= 1

    def handle_data(self, data: str) -> None:
        if self.inside["script"] or self.inside["style"]:
            return
        if self.inside["math"] and not self.inside["annotation"]:
            return  # a formula says the same once more as TeX, in one piece
        self.text.append(data)
        if not self.inside["code"] and not self.inside["pre"]:
            self.prose.append(data)


def _read_html(output: str) -> _Content:
    page = _Page(output)
    images = [src for src in page.images if not src.startswith("data:")]
    keys = {key for keys in re.findall(r'data-cites="([^"]*)"', output) for key in keys.split()}
    citations = [key for key in re.findall(r"<strong>([^<]+)\?</strong>", output) if key in keys]
    return _Content("".join(page.text), "".join(page.prose), images, citations)


def _read_typst(output: str) -> _Content:
    text = re.sub(r"\\(.)", r"\1", output)  # typst escapes "@" and "_"
    # in a formula, a word's letters stand apart
    text = re.sub(r"\? (v a r|m e t a) : \w[\w ]*", lambda m: m[0].replace(" ", ""), text)
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    # typst itself fails on an image that is missing
    return _Content(text, prose, [], re.findall(r"#strong\[([^\s\[\]]+)\?\]", prose))


def _check(paper: Path, output: str, to: str) -> None:
    """Raise RenderError if the output (HTML, or a PDF's Typst source) has a gap in it."""
    content = _read_html(output) if to == "html" else _read_typst(output)
    unknown = re.findall(r"\?(?:invalid )?(?:var|meta|env)(?::| type:)[\w.:-]*\w", content.text)
    references = re.findall(r"\?@[a-z]+-[\w.:-]*\w", content.prose)

    def names(found: list[str]) -> str:
        return ", ".join(dict.fromkeys(found))

    if unknown:
        way_out = "give it a value in _variables.yml (var) or the YAML header (meta)"
        raise RenderError(f"{paper}: unknown variable {names(unknown)}; {way_out}")
    if references:
        way_out = "give a figure, table, equation or numbered section that label, or correct it"
        raise RenderError(f"{paper}: unresolved reference {names(references)}; {way_out}")
    if content.citations:
        raise RenderError(f"{paper}: {_no_citation(content.citations)}")
    if content.images:
        shown = names(content.images)[:200]
        raise RenderError(f"{paper}: missing image {shown}; write it, or correct its path")

"""What a rendered paper must not have: unknown variables, references, citations, missing images."""

from __future__ import annotations

import html.parser
import re
from dataclasses import dataclass
from pathlib import Path

from atlas.paper.settings import RenderError
from atlas.paper.shortcodes import no_citation


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


def check(paper: Path, output: str, to: str) -> None:
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
        raise RenderError(f"{paper}: {no_citation(content.citations)}")
    if content.images:
        shown = names(content.images)[:200]
        raise RenderError(f"{paper}: missing image {shown}; write it, or correct its path")

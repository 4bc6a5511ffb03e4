"""Quarto's shortcodes in a paper's text: var, meta and include."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from atlas.paper.settings import RenderError, one_line, read_text, read_yaml


class Shortcodes:
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
        self.variables = read_yaml(read_text(variables), variables) if variables.is_file() else {}
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
            text = self.expand(read_text(file))
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
        return text if alone else one_line(text) if "\n" in text else text

    @contextmanager
    def _inside(self, what: str) -> Iterator[None]:
        if what in self.open:
            raise RenderError(f"{self.paper}: {what} contains itself")
        self.open.append(what)
        yield
        self.open.pop()


def no_citation(keys: list[str]) -> str:
    names = ", ".join(f"@{key}" for key in dict.fromkeys(keys))
    return f"missing citation {names}; add it to the bibliography, or correct the key"

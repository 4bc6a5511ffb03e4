"""Numbers, names and tables as Markdown that both renderers read alike.

Everything here returns text that is ready to stand in a sentence or in a cell of a table: names are
escaped, numbers rounded, counts agree with their nouns. Two languages: "en" and "de".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

MISSING = "–"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#$@^~|!&])")
_URL = re.compile(r"https?://[^\s|<>`]+")


def escape(text: object) -> str:
    """A name or a sentence of somebody else as literal text: one line, nothing in it is Markdown."""
    words = " ".join(str(text).split())
    words = _SPECIAL.sub(r"\\\1", words)
    # Runs of hyphens and dots would become dashes and an ellipsis, and quotes would be curled.
    words = re.sub(r"-(?=-)|\.(?=\.)|['\"]", r"\\\g<0>", words)
    # What starts a list or a heading at the head of a line.
    words = re.sub(r"^([-+:=%])(?=\s|$)", r"\\\1", words)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", words)


def prose(text: object) -> str:
    """Like `escape`, with the addresses in the text as links."""
    words = " ".join(str(text).split())
    parts, end = [], 0
    for found in _URL.finditer(words):
        address = found[0].rstrip(".,;:]'\"")
        if address.count(")") > address.count("("):
            address = address.rstrip(").")
        parts += [_keep_spaces(words[end : found.start()]), f"<{address}>"]
        end = found.start() + len(address)
    return "".join([*parts, _keep_spaces(words[end:])])


def _keep_spaces(text: str) -> str:
    return " " * text.startswith(" ") + escape(text) + " " * (text.endswith(" ") and text != " ")


def number(value: object, digits: int = 2, lang: str = "en") -> str:
    """A number with this many decimals; an en dash where it is missing, never a negative zero."""
    if not _finite(value):
        return MISSING
    text = f"{float(value):.{digits}f}"  # type: ignore[arg-type]
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace(".", ",") if lang == "de" else text


def integer(value: object, lang: str = "en") -> str:
    """A whole number with its thousands apart: 5,416,680 or 5.416.680."""
    if not _finite(value):
        return MISSING
    text = f"{round(float(value)):,}"  # type: ignore[arg-type]
    return text.replace(",", ".") if lang == "de" else text


def percent(share: object, digits: int = 0, lang: str = "en") -> str:
    """A share (0 to 1) in percent: 95% or, in German, 95 % with a space that does not break.

    A share that is not nothing is not rounded to it, and one that is not all not to 100%.
    """
    if not _finite(share):
        return MISSING
    share = float(share)  # type: ignore[arg-type]
    while digits < 4 and 0 < share < 1 and round(100 * share, digits) in (0, 100):
        digits += 1
    return number(100 * share, digits, lang) + ("\u00a0%" if lang == "de" else "%")


def p_value(value: object, lang: str = "en", sign: bool = False) -> str:
    """A p value: 0.012, or < 0.001; with `sign` "= 0.012" for a sentence."""
    if not _finite(value):
        return MISSING
    if float(value) < 0.001:  # type: ignore[arg-type]
        return "\\<\u00a0" + number(0.001, 3, lang)
    return "=\u00a0" * sign + number(value, 3, lang)


def equation(name: str, value: object, lang: str = "en") -> str:
    """A symbol and its value, which no line break parts: τ = -0.31."""
    return f"{name}\u00a0=\u00a0{number(value, lang=lang)}"


def p_equation(name: str, value: object, lang: str = "en") -> str:
    """A p value with its name, which no line break parts: p < 0.001."""
    return f"{name}\u00a0{p_value(value, lang, sign=True)}"


def scientific(value: object) -> str:
    """A small number in powers of ten as a formula: $3.0 \\times 10^{-13}$; 0 and missing plain."""
    if not _finite(value) or float(value) == 0:  # type: ignore[arg-type]
        return "0" if _finite(value) else MISSING
    mantissa, exponent = f"{float(value):.1e}".split("e")  # type: ignore[arg-type]
    if mantissa == "1.0":
        return f"$10^{{{int(exponent)}}}$"
    return f"${mantissa} \\times 10^{{{int(exponent)}}}$"


def interval(low: object, high: object, lang: str = "en") -> str:
    """An interval in brackets; an en dash where it is missing."""
    if not (_finite(low) and _finite(high)):
        return MISSING
    between = ";\u00a0" if lang == "de" else ",\u00a0"
    return f"\\[{number(low, lang=lang)}{between}{number(high, lang=lang)}\\]"


def percent_interval(low: object, high: object, lang: str = "en") -> str:
    """An interval of shares (0 to 1) in percent; an en dash where it is missing."""
    if not (_finite(low) and _finite(high)):
        return MISSING
    between = ";\u00a0" if lang == "de" else ",\u00a0"
    return f"\\[{percent(low, lang=lang)}{between}{percent(high, lang=lang)}\\]"


def estimate(value: object, low: object, high: object) -> str:
    """A value with its interval, as a cell shows it; the value alone where there is no interval."""
    bounds = interval(low, high)
    return number(value) if bounds == MISSING else f"{number(value)} {bounds}"


def count(value: object, one: str, many: str | None = None, lang: str = "en") -> str:
    """A number with its noun: 1 model, 18 models."""
    noun = one if value == 1 else many or f"{one}s"
    return f"{integer(value, lang)} {noun}"


def listing(items: Sequence[str], lang: str = "en", limit: int = 8) -> str:
    """Names in a sentence: a, b and c; past the limit, how many more there are."""
    last = " und " if lang == "de" else " and "
    items = list(items)
    if len(items) > limit:
        rest = len(items) - limit + 1
        items = [*items[: limit - 1], f"{rest} weitere" if lang == "de" else f"{rest} more"]
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + last + items[-1]


def pipe_table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table. `columns` are (title, "l" or "r"); without rows it says so in one row."""
    marks = {"l": ":--", "r": "--:"}
    rows = list(rows) or [["none", *[MISSING] * (len(columns) - 1)]]
    lines = [
        [title for title, _ in columns],
        [marks[side] for _, side in columns],
        *rows,
    ]
    assert all(len(line) == len(columns) for line in lines)
    return "".join(f"| {' | '.join(cell or MISSING for cell in line)} |\n" for line in lines)


def bullets(items: Sequence[str]) -> str:
    """A list, or a plain paragraph where there is only one item."""
    if len(items) == 1:
        return items[0] + "\n"
    return "".join(f"- {item}\n" for item in items)


def _finite(value: object) -> bool:
    try:
        return value is not None and math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False

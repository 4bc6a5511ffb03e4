"""Names are escaped, numbers are formatted."""

from __future__ import annotations

import math
import re

import pytest

from atlas.paper import markdown

NASTY = [
    "a|b",
    "*x*",
    "_y_",
    "[z](u)",
    "<b>",
    "$m$",
    "@fig-x",
    "{{< var x >}}",
    "#1",
    "a`b",
    "--",
    "~",
]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_escaped(name):
    import pypandoc

    plain = pypandoc.convert_text(markdown.escape(name), "plain", format="markdown").strip()
    assert plain == name
    cell = markdown.pipe_table([("A", "l"), ("B", "l")], [[markdown.escape(name), "x"]])
    html = pypandoc.convert_text(cell, "html", format="markdown")
    assert html.count("<td") == 2
    assert not re.search(r"<(em|strong|a|b|code|span)\b", html)


def test_addresses_become_links():
    assert markdown.prose("see https://a.org/x_(y), or") == "see <https://a.org/x_(y)>, or"
    assert markdown.prose("(https://a.org/x).") == r"\(<https://a.org/x>\)."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (markdown.number(-0.001), "0.00"),
        (markdown.number(math.nan), "–"),
        (markdown.number(-0.314, lang="de"), "-0,31"),
        (markdown.integer(5416680), "5,416,680"),
        (markdown.integer(5416680, "de"), "5.416.680"),
        (markdown.percent(0.95), "95%"),
        (markdown.percent(0.0003), "0.03%"),
        (markdown.percent(0.9999), "99.99%"),
        (markdown.p_value(0.00005), "\\<\u00a00.001"),
        (markdown.scientific(3.2e-13), r"$3.2 \times 10^{-13}$"),
        (markdown.scientific(1e-9), "$10^{-9}$"),
        (markdown.scientific(0), "0"),
        (markdown.listing(["a", "b", "c"], "de"), "a, b und c"),
        (markdown.listing(["a", "b", "c", "d"], limit=3), "a, b and 2 more"),
        (markdown.count(1, "family", "families"), "1 family"),
    ],
)
def test_formats(given, expected):
    assert given == expected

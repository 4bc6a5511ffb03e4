"""Both renderers: what the built-in one makes of a paper, what fails, and that bytes repeat."""

import base64
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from pypdf import PdfReader

from atlas.paper import render as paper_render
from atlas.paper.render import Renderer, render, resolve
from atlas.paper.settings import RenderError

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples" / "render"
CONFORMANCE = ROOT.parent / "shared" / "quarto-conformance"
FORMATS = {"html": "html", "typst": "pdf"}

needs_conformance = pytest.mark.skipif(
    not CONFORMANCE.is_dir(), reason="the shared conformance samples are not beside the repository"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No Quarto and no epoch of the machine that runs the tests."""
    monkeypatch.delenv("QUARTO_PATH", raising=False)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    path = os.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in path if not shutil.which("quarto", path=folder)]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))


def squeezed(text: str) -> str:
    """Text without spaces and zero-width characters, and with plain letters in formulas."""
    return re.sub(r"[\s\u2060\u200b]+", "", unicodedata.normalize("NFKC", text))


def pdf_text(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A sample's HTML (parsed) and PDF text, each made once."""
    made = {}

    def get(sample: str, to: str):
        if (sample, to) not in made:
            output = tmp_path_factory.mktemp("rendered") / f"paper.{FORMATS[to]}"
            render(SAMPLES / sample / "paper.qmd", to, output, "builtin")
            content = output.read_bytes()
            made[sample, to] = (
                BeautifulSoup(content, "html.parser") if to == "html" else pdf_text(content)
            )
        return made[sample, to]

    return get


@pytest.fixture
def page(rendered):
    return rendered("features", "html")


@pytest.fixture
def pdf(rendered):
    return rendered("features", "typst")


@pytest.fixture
def write(tmp_path):
    """Write a small paper: its body, and what else its folder holds."""

    def paper(body: str, header: str = 'title: "T"\n', **files: str) -> Path:
        folder = tmp_path / "paper"
        folder.mkdir(exist_ok=True)
        (folder / "_quarto.yml").write_text("number-sections: true\n")
        for name, text in files.items():
            file = folder / name.replace("__", "/")
            file = file if file.suffix else file.with_suffix(".yml")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        path = folder / "paper.qmd"
        path.write_text(f"---\n{header}---\n\n{body}\n", encoding="utf-8")
        return path

    return paper


def make(paper: Path, to: str = "html", renderer: str = "builtin") -> bytes:
    output = paper.parent.parent / f"made.{FORMATS.get(to, 'x')}"
    render(paper, to, output, renderer)
    return output.read_bytes()


def make_page(paper: Path) -> BeautifulSoup:
    return BeautifulSoup(make(paper), "html.parser")


def text_of(node) -> str:
    return re.sub(r"\s+", " ", node.get_text().replace("\u00a0", " ")).strip()


def paragraphs(page) -> list[str]:
    return [text_of(p) for p in page.select("main p")]


def fault(paper: Path, to: str = "html", renderer: str = "builtin") -> str:
    """The message of a rendering that must fail and leave nothing behind."""
    output = paper.parent.parent / "faulty"
    output.write_text("an older result")
    with pytest.raises(RenderError) as caught:
        render(paper, to, output, renderer)
    message = str(caught.value)
    assert not output.exists()
    assert not list(output.parent.glob(".faulty*"))
    assert "\n" not in message
    assert message.startswith(str(paper))
    return message


# Conformance with real Quarto


@needs_conformance
@pytest.mark.parametrize("sample", ["sample-a", "sample-b"])
def test_html_says_what_quarto_said(sample, tmp_path):
    output = tmp_path / "paper.html"
    render(CONFORMANCE / sample / "paper.qmd", "html", output, "builtin")
    facts = [sys.executable, CONFORMANCE / "facts.py", output]
    compared = subprocess.run(
        [*facts, CONFORMANCE / sample / "expected.json"], capture_output=True, text=True
    )
    assert "10 of 10 categories agree" in compared.stdout, compared.stdout


@needs_conformance
@pytest.mark.parametrize("sample", ["sample-a", "sample-b"])
def test_pdf_says_what_quarto_said(sample, tmp_path):
    output = tmp_path / "paper.pdf"
    render(CONFORMANCE / sample / "paper.qmd", "typst", output, "builtin")
    found = squeezed(pdf_text(output.read_bytes())).replace("(", "").replace(")", "")
    expected = json.loads((CONFORMANCE / sample / "expected.json").read_text())
    texts = [expected["title"], expected["abstract"], *expected["headings"]]
    texts += expected["captions"] + expected["citations"] + expected["bibliography"]
    texts += [cell for table in expected["tables"] for row in table for cell in row]
    texts += [label for _, label in expected["cross_references"]]
    for text in texts:
        # a formula's letters are not TeX in a PDF: what stands around it must be there
        for piece in re.split(r"\$[^$]*\$", text):
            assert squeezed(piece).replace("(", "").replace(")", "") in found


# What the features paper says, in HTML


def test_sections_are_numbered_from_the_shallowest_heading(page):
    headings = [text_of(h) for h in page.select("main h2, main h3, main h4")]
    assert headings == [
        "1 First",
        "Unnumbered one",
        "1.0.1 Numbered below",
        "1.1 Second level",
        "1.1.1 Third level",
        "2 After",
        "3 Callouts",
        "4 Conditions",
        "5 Text",
        "6 Appendix",
        "6.1 Appendix section",
        "References",
    ]


def test_captions(page):
    assert [text_of(caption) for caption in page.select("figcaption, caption")] == [
        "Figure 1: A caption citing Doe and Roe (2020) with α=0.480\\alpha = 0.480.",
        "A caption without a label.",
        "(a) Left part, from Müller (1999)",
        "(b) Right part",
        "(c)",
        "Figure 2: A pair and a bare one; p < 0.05.",
        "Figure 3: The caption is the last paragraph.",
        "Table 1: Aligned, with n = 12.",
        "Table 2: The caption of a table div.",
        "Table 3: The caption of the table inside.",
        "Table 4: Two tables.",
        "(a) Left table",
        "(b) Right table",
        "A caption without a number.",
        "Figure 4: From an included file, with n=12n = 12.",
        "Listing 1: A listing",
    ]


def test_references(page):
    links = page.select_one("p:-soup-contains('References:')").select("a.xref")
    assert [(a["href"], text_of(a)) for a in links] == [
        ("#fig-single", "Figure 1"),
        ("#fig-single", "Figure 1"),
        ("#fig-single", "1"),
        ("#fig-single", "see 1"),
        ("#fig-pair", "Figure 2"),
        ("#tbl-aligned", "Table 1"),
        ("#fig-left", "Figure 2 (a)"),
        ("#fig-right", "2 (b)"),
        ("#fig-left", "Figure 2 (a)"),
        ("#fig-right", "2 (b)"),
        ("#tbl-div", "Table 2"),
        ("#eq-one", "Equation 1"),
        ("#eq-two", "Equation 2"),
        ("#sec-deep", "Section 1.1.1"),
        ("#sec-after", "Section 2"),
        ("#fig-inner", "Figure 4"),
        ("#lst-code", "Listing 1"),
        ("#tbl-left", "Table 4 (a)"),
        ("#nte-aside", "Note 1"),
    ]
    assert "Figure 2, Table 1," in text_of(page.select_one("p:-soup-contains('References:')"))


def test_every_internal_link_has_its_target(page):
    targets = {node["id"] for node in page.select("[id]")}
    links = {a["href"][1:] for a in page.select('a[href^="#"]')}
    assert len(links) > 20
    assert links <= targets
    assert len(targets) == len(page.select("[id]"))


def test_citations_and_bibliography(page):
    assert "(Doe and Roe 2020, 3; Müller 1999), (2020), Müller (1999, ch. 2)" in text_of(page)
    assert [text_of(entry)[:15] for entry in page.select(".csl-entry")] == [
        "Doe, Jane, and ",
        "Müller, Jürgen.",
    ]
    assert page.select('.citation a[href="#ref-doe2020"]')


def test_shortcodes(page):
    texts = paragraphs(page)
    assert texts[0] == (
        "> 0.9 stands at the head of a line, -1.50 within it, version 1.10; 0.480 keeps its zero."
    )
    assert texts[1].startswith("12. is no list, and a linked value is a link. Formula x12=α")
    assert "x_{ 12 } = \\alpha" in page.select_one("main annotation").get_text()
    assert [text_of(code) for code in page.select("main p code")[:2]] == ["{{< var n >}}", "12"]
    assert text_of(page.select_one("pre")) == "{{< var untouched >}}"
    assert page.select_one("#fig-single img")["alt"] == "A dot among 12"
    assert "The outer part says 12." in texts
    assert texts.index("The inner part has its own figure.") < texts.index(
        "The outer part goes on."
    )


def test_title_block(page):
    header = page.select_one("#title-block-header")
    assert text_of(header.select_one("h1.title")) == "Features: 12 of them"
    assert header.select_one("h1.title em")
    assert text_of(header.select_one(".subtitle")) == "With said “so”: yes"
    assert text_of(header.select_one(".authors")) == "Ada Muster1,2, Ben Beispiel3, Cleo Example"
    assert text_of(header.select_one(".affiliations")) == (
        "1 First Institute 2 Spectra, Second Institute, Bonn, Germany 3 Third Institute"
    )
    assert header.select_one('a[href="mailto:ada@example.org"]')
    assert text_of(header.select_one(".date")) == "March 7, 2026"
    assert text_of(header.select_one(".keywords")) == "Keywords: tails, spectra, shapes"
    assert [text_of(p) for p in header.select(".abstract p")] == [
        "The first paragraph cites Doe and Roe (2020) and 12 models.",
        "The second one points to Figure 1.",
    ]
    assert "Features: 12 of them" in page.title.get_text()


def test_callouts(page):
    callouts = page.select(".callout")
    titles = [text_of(c.select_one("p > strong")) for c in callouts]
    assert titles == [
        "Note",
        "A tip’s title with xx",
        "Given as an attribute",
        "Caution",
        "Nested",
        "Note",
        "Note 1: Referenced",
        "Tip",
    ]
    assert callouts[5] in callouts[4].select(".callout")


def test_conditions(page, pdf):
    html = text_of(page.select_one("main"))
    for shown in ("Shown in HTML.", "Hidden in Typst.", "A sentence with web words."):
        assert shown in html
        assert shown not in pdf
    for shown in ("Shown unless HTML.", "Hidden unless Typst.", "A sentence with print words."):
        assert shown in pdf
        assert shown not in html
    assert "Final only." not in html + pdf


def test_tables(page):
    aligned = page.select_one("#tbl-aligned table")
    assert [text_of(cell) for cell in aligned.select("td")] == [
        *("a_b", "x", "yy", "-1.50"),
        *("c | d", "x", "y", "2"),
    ]
    assert [cell.get("style", "") for cell in aligned.select("thead th")] == [
        "",
        "text-align: left;",
        "text-align: center;",
        "text-align: right;",
    ]
    assert all(table.find_parent(class_="table-scroll") for table in page.select("table"))
    above = page.select_one("#tbl-div").find(["figcaption", "table"])
    assert above.name == "figcaption"


def test_panels(page):
    cells = page.select("#fig-pair > .panel > div")
    assert [bool(cell.select("figure[id]")) for cell in cells] == [True, True, True, False]
    assert not page.select("#fig-right img")[0].get("style")  # a share of the page, not the cell
    assert len(page.select("main > .panel img")) == 2


def test_images_are_embedded_as_they_are(page):
    figures = SAMPLES / "features" / "figures"
    originals = {file.read_bytes() for file in figures.iterdir()}
    sources = [img["src"] for img in page.select("img")]
    assert len(sources) == 9
    assert {base64.b64decode(src.split(";base64,")[1]) for src in sources} == originals
    kinds = [src.split(";")[0] for src in sources]
    assert set(kinds) == {"data:image/png", "data:image/svg+xml"}


@pytest.mark.parametrize("height", [900, 9000])
def test_an_image_taller_than_the_page_is_shown_whole(write, height):
    """The matrix in which the PDF draws an image has its size in points."""
    png = io.BytesIO()
    Image.new("L", (300, height)).save(png, "png")
    paper = write("![A](tall.png){#fig-a width=100%}\n")
    (paper.parent / "tall.png").write_bytes(png.getvalue())
    matrices = []

    def note(operator, _arguments, matrix, _text) -> None:
        if operator == b"Do":
            matrices.append(matrix)

    for page in PdfReader(io.BytesIO(make(paper, "typst"))).pages:
        page.extract_text(visitor_operand_before=note)
    assert matrices and max(abs(matrix[3]) / 72 * 25.4 for matrix in matrices) <= 210.5


def test_html_is_one_file_without_external_resources(page):
    for tag, attribute in (("script", None), ("link", None), ("iframe", None), ("img", "src")):
        for node in page.select(tag):
            assert attribute and node[attribute].startswith("data:")
    assert "url(" not in page.style.get_text()
    assert "@import" not in page.style.get_text()


def test_equations_are_mathml_with_their_number_beside(page):
    one = page.select_one("#eq-one")
    assert one.math["display"] == "block"
    assert text_of(one.select_one(".eq-number")) == "(1)"
    assert "(1)" not in one.math.get_text()


def test_table_of_contents_leads_to_the_sections(page):
    entries = page.select("nav#TOC a")
    assert (entries[0]["href"], text_of(entries[0])) == ("#sec-first", "1 First")
    assert text_of(entries[-1]) == "References"


# What the PDF says


def test_pdf_says_what_the_page_says(page, pdf):
    found = squeezed(pdf)
    for node in page.select(
        ".xref, .csl-entry, .citation, td, h1, h2, h3, h4, figcaption, caption"
    ):
        if node.find_parent(class_="content-visible") or node.find_parent("nav"):
            continue
        for formula in node.select("math"):
            formula.replace_with("\0")
        for piece in node.get_text().split("\0"):
            assert squeezed(piece) in found, piece


def test_pdf_describes_itself(tmp_path):
    output = tmp_path / "paper.pdf"
    render(SAMPLES / "features" / "paper.qmd", "typst", output, "builtin")
    reader = PdfReader(output)
    assert reader.metadata.title == "Features: 12 of them"
    assert reader.metadata.author == "Ada Muster, Ben Beispiel, Cleo Example"
    assert "tails" in reader.metadata["/Keywords"]
    assert reader.metadata.creation_date.isoformat().startswith("2026-03-07")
    assert reader.outline[0].title == "1 First"
    width, height = (round(float(x)) for x in reader.pages[0].mediabox[2:])
    assert (width, height) == (595, 842)


def test_long_table_breaks_over_pages_and_repeats_its_header(write):
    rows = "\n".join(f"| model_{i} | {i / 7:.3f} |" for i in range(190))
    paper = write(f"| Model | Alpha |\n|:--|--:|\n{rows}\n\n: All. {{#tbl-all}}\n\nSee @tbl-all.")
    pages = [p.extract_text() for p in PdfReader(io.BytesIO(make(paper, "typst"))).pages]
    assert len(pages) > 2
    assert all("Model" in text for text in pages)
    assert all(any(f"model_{i} " in text for text in pages) for i in range(190))


def test_wide_tables_use_small_type_and_break_long_names(write):
    name = "a_very_long_name_of_a_network_in1k"
    cells = " | ".join(["12,345,678"] * 9)
    head, line = " | ".join(["Parameters"] * 9), "|".join(["--:"] * 9)
    paper = write(f"| Model | {head} |\n|:--|{line}|\n| `{name}` | {cells} |")
    assert name in squeezed(pdf_text(make(paper, "typst")))


# German


def test_german(rendered):
    page, pdf = rendered("german", "html"), rendered("german", "typst")
    assert page.html["lang"] == "de"
    assert paragraphs(page)[0] == "Tabelle 1, Gleichung 1 und Abschnitt 1.1 zeigen es."
    assert text_of(page.select_one("figcaption")) == "Tabelle 1: Übliche Größen."
    assert text_of(page.select_one(".date")) == "7. März 2026"
    assert text_of(page.select_one(".abstract-title")) == "Zusammenfassung"
    for text in ("Über Größen", "Tabelle 1: Übliche Größen.", "7. März 2026", "1.1 Überblick"):
        assert squeezed(text) in squeezed(pdf)


# Details of the subset, one by one


def test_headings_of_level_one_shift_nothing(write):
    page = make_page(write("# A {#sec-a}\n\n## B {#sec-b}\n\n# C\n\n## D\n\n@sec-b"))
    assert [text_of(h) for h in page.select("main h1, main h2")] == ["1 A", "1.1 B", "2 C", "2.1 D"]
    assert paragraphs(page) == ["Section 1.1"]


def test_number_sections_and_number_depth(write):
    body = "## A {#sec-a}\n\n### B {#sec-b}\n\n@sec-a @sec-b"
    page = make_page(write(body, "number-sections: false\n"))
    assert [text_of(h) for h in page.select("h2, h3")] == ["A", "B"]
    assert paragraphs(page) == ["Section 1 Section 1.1"]
    page = make_page(write(body, "number-depth: 2\n"))
    assert [text_of(h) for h in page.select("h2, h3")] == ["1 A", "B"]


def test_callout_titles_are_no_sections(write):
    page = make_page(write("::: {.callout-note}\n# Title\nText\n:::\n\n## A\n\n### B"))
    assert [text_of(h) for h in page.select("main h2, main h3")] == ["1 A", "1.1 B"]


def test_crossref_words_can_be_changed(write):
    header = "crossref:\n  tbl-title: Tab.\n  tbl-prefix: tab.\ntbl-cap-location: bottom\n"
    page = make_page(write("| a |\n|---|\n| 1 |\n\n: C {#tbl-x}\n\n@tbl-x", header))
    assert text_of(page.select_one("figcaption")) == "Tab. 1: C"
    assert paragraphs(page) == ["tab. 1"]
    assert page.select_one("#tbl-x").find(["figcaption", "table"]).name == "table"


def test_rows_of_a_layout(write):
    body = '::: {layout="[[1,2],[1,-1,1]]"}\nA\n\nB\n\nC\n\nD\n:::'
    rows = make_page(write(body)).select(".panel")
    assert [row["style"] for row in rows] == [
        "grid-template-columns: 1fr 2fr",
        "grid-template-columns: 1fr 1fr 1fr",
    ]
    assert [text_of(cell) for cell in rows[1].select(":scope > div")] == ["C", "", "D"]
    body = "::: {layout='[1]'}\nA\n\nB\n:::"
    assert [text_of(row) for row in make_page(write(body)).select(".panel")] == ["A", "B"]
    body = "::: {layout-nrow=2}\nA\n\nB\n\nC\n:::"
    assert len(make_page(write(body)).select(".panel > div")) == 4


def test_column_widths(write):
    long = "word " * 40
    table = f"| a | b |\n|---|---|\n| {long} | 2 |\n\n: C"
    assert not make_page(write(table)).select("colgroup")
    page = make_page(write(table + ' {#tbl-x tbl-colwidths="[30,70]"}'))
    assert [col["style"] for col in page.select("col")] == ["width: 30%", "width: 70%"]
    grid = "+---+------+\n| a | b    |\n+===+======+\n| x | y    |\n+---+------+"
    page = make_page(write(grid))
    assert len(page.select("col")) == 2
    widths = [int(re.sub(r"\D", "", col["style"])) for col in page.select("col")]
    assert sum(widths) >= 99


def test_values_are_text_as_written(write):
    variables = "a: 0.480\nb: 1e-5\nc: 2026-01-01\nd: yes\ne: true\nf: [only]\n"
    page = make_page(
        write(
            "{{< var a >}}, {{< var b >}}, {{< var c >}}, {{< var d >}}, {{< var e >}}, "
            "{{< var f >}}, {{< meta x.y >}}, {{</* var a */>}}",
            "x:\n  y: 1.10\n",
            _variables=variables,
        )
    )
    assert paragraphs(page) == ["0.480, 1e-5, 2026-01-01, yes, true, only, 1.10, {{< var a >}}"]


def test_include_of_include_starts_at_the_papers_folder(write):
    files = {"a__one.md": "One.\n\n{{< include a/two.md >}}\n", "a__two.md": "Two.\n\n## Three"}
    page = make_page(write("{{< include a/one.md >}}\n\nLast.", **files))
    assert paragraphs(page) == ["One.", "Two.", "Last."]
    assert text_of(page.h2) == "1 Three"


def test_format_options_win_over_general_ones(write):
    header = "toc: true\nformat:\n  html:\n    toc: false\n  typst:\n    papersize: us-letter\n"
    paper = write("## A\n\nText", header)
    assert not make_page(paper).select("nav")
    assert round(float(PdfReader(io.BytesIO(make(paper, "typst"))).pages[0].mediabox[2])) == 612


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("date: 2026-01-02\n", "January 2, 2026"),
        ("date: 2026-01-02\ndate-format: iso\n", "2026-01-02"),
        ("date: 2026-01-02\ndate-format: full\n", "Friday, January 2, 2026"),
        ("date: 2026-01-02\ndate-format: 'D. MMM YY [at] dddd'\n", "2. Jan 26 at Friday"),
        ("date: 2026-01-02\nlang: de\ndate-format: medium\n", "02.01.2026"),
        ("date: Spring 2026\n", "Spring 2026"),
    ],
)
def test_dates(write, header, shown):
    assert text_of(make_page(write("Text", header)).select_one(".date")) == shown


def test_authors_in_short_forms(write):
    page = make_page(write("Text", "author: A. Person\n"))
    assert text_of(page.select_one(".authors")) == "A. Person"
    header = "author:\n  - {name: A, affiliation: X}\n  - {name: B, affiliation: X}\n"
    page = make_page(write("Text", header))
    assert text_of(page.select_one(".authors")) == "A, B"
    assert text_of(page.select_one(".affiliations")) == "X"


# Faults: one line that names the file, what is wrong and the way out


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{< var missing.one >}}", r"unknown variable \?var:missing.one; .*_variables.yml"),
        ("$x = {{< var none_such >}}$", r"unknown variable \?var:none_such"),
        ("`{{< meta nothing >}}`", r"unknown variable \?meta:nothing"),
        ("{{< meta tree >}}", r"unknown variable \?invalid meta type:tree"),
        ("See @fig-none and [-@tbl-none].", r"unresolved reference \?@fig-none, \?@tbl-none"),
        ("## A {#sec-a .unnumbered}\n\n@sec-a", r"unresolved reference \?@sec-a"),
        ("As @nobody2020 said.", "missing citation @nobody2020; .*bibliography"),
        ("![Cap](none.png){#fig-a}", "missing image none.png; .*path"),
        ("Inline ![](https://example.org/a.png).", "https://example.org/a.png is not a file"),
        ("{{< include none.md >}}", "no none.md to include; .*path"),
        ("A {{< include none.md >}}", "include none.md must stand on a line of its own"),
        ("{{< include self.md >}}", "contains itself"),
        ("{{< vra x >}}", "unknown shortcode 'vra'"),
        ("{{< var >}}", "needs one name"),
        ("$$x$$ {#eq-a}\n\n$$y$$ {#eq-a}", "label 'eq-a' is used twice"),
        ("## A {#sec-a}\n\n[@sec-a; @nobody]", "'nobody' shares its brackets"),
        ("$\\frac{1$", "pandoc says .*Could not convert TeX"),
    ],
)
def test_faults(write, body, said):
    files = {"self.md": "{{< include self.md >}}"}
    assert re.search(said, fault(write(body, "tree: {a: 1, b: 2}\n", **files)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{< var missing.one_two >}}", r"unknown variable \?var:missing.one_two"),
        ("$x = {{< var none >}}$", r"unknown variable \?var:n"),
        ("See [-@tbl-none].", r"unresolved reference \?@tbl-none"),
        ("As [@nobody2020] said.", "missing citation @nobody2020"),
        ("![Cap](none.png){#fig-a}", "missing image none.png"),
    ],
)
def test_faults_of_a_pdf(write, body, said):
    assert re.search(said, fault(write(body), "typst"))


def test_faults_of_the_folder(write, tmp_path):
    paper = write("Text", "bibliography: none.bib\n")
    assert "no bibliography none.bib" in fault(paper)
    write("Text", "date: today\n")
    assert "SOURCE_DATE_EPOCH" in fault(paper)
    paper.write_text("---\ntitle: [\n---\n")
    assert "is not valid YAML" in fault(paper)
    paper.write_bytes(b"caf\xe9")
    assert "UTF-8" in fault(paper)
    (paper.parent / "_quarto.yml").unlink()
    with pytest.raises(RenderError, match=r"there is no _quarto\.yml"):
        render(paper, "html", tmp_path / "x.html")
    with pytest.raises(RenderError, match="no such file"):
        render(tmp_path / "none.qmd", "html", tmp_path / "x.html")
    with pytest.raises(RenderError, match="unknown format 'pdf'"):
        render(paper, "pdf", tmp_path / "x.pdf")


def test_dangling_link_fails_the_pdf(write):
    assert "typst says" in fault(write("[there](#nowhere)"), "typst")


def test_code_may_show_what_a_reference_looks_like(write):
    make(write("A broken one looks like `?@fig-x`."))
    make(write("A broken one looks like `?@fig-x`."), "typst")


def test_command_says_one_line(write, tmp_path):
    def run(*arguments):
        script = ROOT / "scripts" / "render_paper.py"
        command = [sys.executable, script, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    paper = write("Text")
    good = run(paper, "--to", "html", "--output", "deep/er/out.html", "--renderer", "builtin")
    assert (good.returncode, good.stderr) == (0, "")
    assert "by builtin (pandoc 3" in good.stdout
    assert b"Text" in (tmp_path / "deep/er/out.html").read_bytes()
    write("{{< var no >}}")
    bad = run(paper, "--to", "html", "--output", "deep/er/out.html", "--renderer", "builtin")
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert len(bad.stderr.splitlines()) == 1
    assert not (tmp_path / "deep/er/out.html").exists()
    for arguments in (("--to", "docx"), ("--to", "html", "--renderer", "latex")):
        bad = run(paper, "--output", "out", *arguments)
        assert bad.returncode == 1
        assert len(bad.stderr.splitlines()) == 1
        assert "choose" in bad.stderr


# Reproducible bytes


@pytest.mark.parametrize("to", FORMATS)
def test_same_paper_same_bytes(to, tmp_path):
    made = []
    for name in ("one", "two"):
        # another place and another time make no difference
        folder = tmp_path / name / "paper"
        shutil.copytree(SAMPLES / "features", folder)
        os.utime(folder / "paper.qmd", (1, len(made)))
        made.append(make(folder / "paper.qmd", to))
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]


def test_source_date_epoch_is_honoured(write, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    paper = write("Text", "date: today\n")
    reader = PdfReader(io.BytesIO(make(paper, "typst")))
    assert reader.metadata.creation_date.date().isoformat() == "1970-01-02"
    assert "January 2, 1970" in reader.pages[0].extract_text()


def test_nothing_is_written_beside_the_paper(write):
    paper = write("Text")
    before = {p: p.stat().st_mtime_ns for p in [paper.parent, *paper.parent.rglob("*")]}
    for to in FORMATS:
        make(paper, to)
    assert {p: p.stat().st_mtime_ns for p in [paper.parent, *paper.parent.rglob("*")]} == before


# Real Quarto, played by a script


QUARTO = """#!{python}
import os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("1.10.18")
    sys.exit()
folder = pathlib.Path("_output")
assert not list(pathlib.Path(".").glob("**/stale.txt")), "the old output was copied"
to = sys.argv[sys.argv.index("--to") + 1]
folder.mkdir()
pathlib.Path("beside.log").write_text("Quarto writes where it runs")
name = pathlib.Path(sys.argv[2]).stem
if not os.environ.get("FAKE_NOTHING"):
    text = os.environ.get("FAKE_TEXT", "") + "<p>" + os.environ["SOURCE_DATE_EPOCH"]
    if to == "typst":
        assert "keep-typ:true" in sys.argv
        pathlib.Path(name + ".typ").write_text(text)
        (folder / (name + ".pdf")).write_bytes(b"%PDF")
    else:
        (folder / (name + ".html")).write_text(text)
print(os.environ.get("FAKE_LOG", ""), file=sys.stderr)
sys.exit(int(os.environ.get("FAKE_EXIT", "0")))
"""


@pytest.fixture
def quarto(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "quarto"
    program.parent.mkdir()
    program.write_text(QUARTO.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("QUARTO_PATH", str(program))
    return program


def test_resolve_finds_quarto_first(quarto, monkeypatch):
    expected = Renderer("quarto", "1.10.18")
    assert resolve("auto") == resolve("quarto") == expected
    assert resolve("builtin").name == "builtin"
    monkeypatch.delenv("QUARTO_PATH")
    monkeypatch.setenv("PATH", str(quarto.parent), prepend=os.pathsep)
    assert resolve("auto") == expected


def test_resolve_without_quarto(monkeypatch):
    found = resolve("auto")
    assert found.name == "builtin"
    assert re.fullmatch(r"pandoc 3\S*, typst \d\S*", found.version)
    with pytest.raises(RenderError, match="QUARTO_PATH is not set"):
        resolve("quarto")
    monkeypatch.setenv("QUARTO_PATH", "/nowhere/quarto")
    with pytest.raises(RenderError, match=r"'/nowhere/quarto'.*or choose the renderer 'builtin'"):
        resolve("quarto")
    with pytest.raises(RenderError, match="choose one of auto, quarto, builtin"):
        resolve("latex")


@pytest.mark.parametrize("to", FORMATS)
def test_quarto_renders_in_a_copy(quarto, write, to):
    stale = {"_output__stale.txt": "old"}
    project = "project:\n  output-dir: _output\n"
    paper = write("Text", "date: 1970-01-02\n", _quarto=project, **stale)
    before = sorted(paper.parent.rglob("*"))
    content = make(paper, to, "auto")
    assert content == {"html": b"<p>86400", "typst": b"%PDF"}[to]
    assert sorted(paper.parent.rglob("*")) == before
    assert not list(paper.parent.parent.glob(".made*"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<p>n = <strong>?var:n</strong></p>", r"unknown variable \?var:n"),
        ("<p><strong>?meta:n.m</strong></p>", r"unknown variable \?meta:n.m"),
        ("<p>See <strong>?@fig-x</strong></p>", r"unresolved reference \?@fig-x"),
        (
            '<span class="citation" data-cites="no2020">(<a><strong>no2020?</strong></a>)</span>',
            "missing citation @no2020",
        ),
        ('<img alt="x" src="figures/none.png">', "missing image figures/none.png"),
    ],
)
def test_gaps_that_quarto_lets_pass(quarto, write, monkeypatch, text, said):
    monkeypatch.setenv("FAKE_TEXT", text)
    assert re.search(said, fault(write("Text"), "html", "quarto"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#strong[?var:a\\_b]", r"\?var:a_b"),
        ("#strong[?\\@fig-x]", r"\?@fig-x"),
        ("\\(#link(<ref-no>)[#strong[no2020?]])", "missing citation @no2020"),
    ],
)
def test_gaps_in_the_pdf_that_quarto_lets_pass(quarto, write, monkeypatch, text, said):
    monkeypatch.setenv("FAKE_TEXT", text)
    assert re.search(said, fault(write("Text"), "typst", "quarto"))


def test_quartos_own_failures(quarto, write, monkeypatch):
    paper = write("Text")
    monkeypatch.setenv("FAKE_LOG", "[WARNING] Citeproc: citation no2020 not found")
    assert "missing citation @no2020" in fault(paper, "html", "quarto")
    monkeypatch.setenv("FAKE_LOG", "much talk\n\x1b[31mERROR: it broke\x1b[0m\nmore talk")
    monkeypatch.setenv("FAKE_EXIT", "3")
    assert fault(paper, "html", "quarto").endswith("Quarto failed (exit 3): ERROR: it broke")
    monkeypatch.setenv("FAKE_EXIT", "0")
    monkeypatch.setenv("FAKE_NOTHING", "1")
    assert "wrote no HTML" in fault(paper, "html", "quarto")


def test_renderer_needs_no_import_of_typst_to_be_named():
    code = "import sys; from atlas.paper.render import resolve; resolve('builtin'); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    assert not {"typst", "pandas", "numpy"} & set(run.stdout.split())


def test_builtin_files_are_where_the_module_looks():
    assert {"filter.lua", "template.html", "template.typ"} <= {
        file.name for file in paper_render.BUILTIN.iterdir()
    }

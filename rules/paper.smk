"""The paper: its numbers and sentences from the tables, its source as a project, its renderings."""

PAPER = RESULTS / "paper"
SOURCE = PAPER / "source"

PAPER_TABLES = [
    "a",
    "answers",
    "audit",
    "b",
    "c",
    "collections",
    "controls",
    "layers",
    "meta",
    "metrics",
    "models",
    "provenance",
    "qualities",
    "recipes",
    "sources",
    "variants",
    "versions",
    "zoo",
]
PAPER_TEXTS = ["controls", "data", "excluded", "results_a", "results_b", "results_c"]
PAPER_FILES = ["paper.qmd", "_quarto.yml", "references.bib"]

GENERATED = [
    *expand(SOURCE / "tables" / "{name}.md", name=PAPER_TABLES),
    *expand(SOURCE / "text" / "{name}.md", name=PAPER_TEXTS),
]
COPIED = [
    *expand(SOURCE / "{name}", name=PAPER_FILES),
    *expand(SOURCE / "figures" / "{figure}.svg", figure=FIGURE_TABLES),
]


rule write_paper:
    """Write the paper's numbers, tables and sentences from the results."""
    input:
        **STATISTICS,
        models=TABLES["models"],
        layers=TABLES["layers"],
        excluded=TABLES["excluded"],
        audit=RESULTS / "audit.csv",
        runs=expand(RESULTS / "weightwatcher" / "{model}" / "run.json", model=MODELS),
    output:
        variables=SOURCE / "_variables.yml",
        generated=GENERATED,
    log:
        LOGS / "write_paper.log",
    conda:
        "../envs/paper.yaml"
    params:
        code=code("write_paper"),
        # Without how figures look and where the paper goes: they change no word of it.
        config={
            name: part for name, part in STUDY.config.items() if name not in ("figures", "paper")
        }
        | {"date": STUDY.config["paper"].get("date")},
        versions=versions("numpy", "pandas", "scipy", "snakemake", "statsmodels"),
        renderer=renderer,
    message:
        "Writing the tables and sentences of the paper"
    script:
        "../scripts/write_paper.py"


rule assemble_paper:
    """Put text, references and figures beside them: a Quarto project of its own."""
    input:
        files=expand("paper/{name}", name=PAPER_FILES),
        figures=expand(RESULTS / "figures" / "{figure}.svg", figure=FIGURE_TABLES),
    output:
        COPIED,
    log:
        LOGS / "assemble_paper.log",
    conda:
        "../envs/paper.yaml"
    params:
        folder=SOURCE,
    message:
        "Putting the paper's source together: a Quarto project of its own"
    shell:
        "(cp {input.files:q} {params.folder:q}/ && cp {input.figures:q} {params.folder:q}/figures/) 2> {log:q}"


rule typeset_paper:
    """Render the paper to HTML or PDF."""
    input:
        COPIED,
        GENERATED,
        variables=SOURCE / "_variables.yml",
        builtin=expand(
            "paper/builtin/{name}",
            name=["filter.lua", "template.html", "template.typ"],
        ),
    output:
        PAPER / "paper.{format}",
    log:
        LOGS / "typeset_paper.{format}.log",
    wildcard_constraints:
        format="html|pdf",
    conda:
        "../envs/paper.yaml"
    params:
        code=code("typeset_paper"),
        source=SOURCE / "paper.qmd",
        renderer=renderer,
    message:
        "Rendering the paper to {wildcards.format}"
    script:
        "../scripts/typeset_paper.py"

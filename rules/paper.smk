"""The paper: its numbers and sentences from the tables, its source as a project, its renderings."""

PAPER = RESULTS / "paper"
SOURCE = PAPER / "source"

# Sections that only some studies have, with the figures in them: paper/parts/<name>.md.
PARTS = contents.parts_of(STUDY, DRAWINGS)
PAPER_FILES = ["paper.qmd", "_quarto.yml", "references.bib"]

GENERATED = [
    *expand(SOURCE / "tables" / "{name}.md", name=contents.TABLES),
    *expand(SOURCE / "text" / "{name}.md", name=[*contents.TEXTS, *contents.PARTS]),
    SOURCE / "sources.json",
]
COPIED = [
    *expand(SOURCE / "{name}", name=PAPER_FILES),
    *expand(SOURCE / "figures" / "{figure}.svg", figure=DRAWINGS),
]


rule write_paper:
    """Write the paper's numbers, tables and sentences from the results."""
    input:
        **STATISTICS,
        models=MERGED["models"],
        layers=MERGED["layers"],
        excluded=MERGED["excluded"],
        audit=RESULTS / "audit.csv",
        runs=expand(RUN, model=MODELS),
        parts=expand("paper/parts/{name}.md", name=PARTS),
    output:
        variables=SOURCE / "_variables.yml",
        generated=GENERATED,
    log:
        LOGS / "write_paper.log",
    conda:
        "../envs/paper.yaml"
    params:
        code=code("write_paper", *contents.modules()),
        # Without how figures look and where the paper goes: they change no word of it.
        config={
            name: part
            for name, part in STUDY.config.items()
            if name not in ("figures", "network", "paper")
        }
        | {"date": STUDY.config["paper"].get("date")},
        versions=versions("numpy", "pandas", "scipy", "snakemake", "statsmodels"),
        parts=list(contents.PARTS),
        figures=list(DRAWINGS),
        statistics=list(STATISTICS),
        renderer=renderer,
    message:
        "Writing the tables and sentences of the paper"
    script:
        "../scripts/write_paper.py"


rule assemble_paper:
    """Put text, references and figures beside them: a Quarto project of its own."""
    input:
        files=expand("paper/{name}", name=PAPER_FILES),
        figures=expand(RESULTS / "figures" / "{figure}.svg", figure=DRAWINGS),
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

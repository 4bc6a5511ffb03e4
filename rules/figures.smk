"""Figures: one job each, so that each depends on just the tables and options that it shows."""

DRAWINGS = figures.figures_of(STUDY)

FIGURES = expand(
    RESULTS / "figures" / "{figure}.{format}",
    figure=DRAWINGS,
    format=["svg", "png"],
)


rule draw_figure:
    """Draw one figure, as SVG and PNG."""
    input:
        unpack(tables_of_figure),
    output:
        svg=RESULTS / "figures" / "{figure}.svg",
        png=RESULTS / "figures" / "{figure}.png",
    log:
        LOGS / "figures" / "{figure}.log",
    wildcard_constraints:
        figure=ids(DRAWINGS),
    conda:
        "../envs/analysis.yaml"
    params:
        code=lambda wildcards: code("draw_figure", figures.module_of(wildcards.figure)),
        module=lambda wildcards: figures.module_of(wildcards.figure),
        look={name: STUDY.config["figures"][name] for name in ("width_mm", "wide_mm", "dpi")},
        ask=lambda wildcards: figures.ask_of(wildcards.figure, STUDY),
        versions=versions("matplotlib", "seaborn"),
    message:
        "Drawing the figure {wildcards.figure}"
    script:
        "../scripts/draw_figure.py"

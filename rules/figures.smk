"""Figures: one job each, so that each depends on just the tables and options that it shows."""

LAYER = STUDY.config["figures"]["layer"]
DENSITY_OF = LAYER["model"] or next(iter(WEIGHED), None)

SCATTER = ["primary_metric", "primary_quality", "reference_recipe", "controls"]

FIGURE_TABLES = {
    "overview": {
        "models": TABLES["models"],
        "correlations": STATISTICS["correlations"],
    },
    "quality_metrics": {
        "models": TABLES["models"],
        "correlations": STATISTICS["correlations"],
    },
    "generalization_gap": {
        "models": TABLES["models"],
        "correlations": STATISTICS["correlations"],
    },
    "within_families": {
        "models": TABLES["models"],
        "correlations": STATISTICS["correlations"],
    },
    "forest": {"correlations": STATISTICS["correlations"]},
    "alpha_depth": {"models": TABLES["models"], "layers": TABLES["layers"]},
    "spectral_density": {
        "spectra": SPECTRA.format(model=DENSITY_OF),
        "details": str(DETAILS).format(model=DENSITY_OF),
    },
    "controls": {"models": TABLES["models"], "controls": STATISTICS["controls"]},
    "training": {"models": TABLES["models"], "layers": TABLES["layers"]},
    "alternatives": {"alternatives": STATISTICS["alternatives"]},
    "explanations": {"explanations": STATISTICS["explanations"]},
    "shape": {"models": TABLES["models"], "shape": STATISTICS["shape"]},
    "traits": {"traits": STATISTICS["traits"]},
}
if all(row.step is None for row in STUDY.rows):
    del FIGURE_TABLES["training"]  # a study without checkpoints has nothing to show there

ASKED = STUDY.config["experiments"]
if not WEIGHED or not (ASKED["shuffled"] or ASKED["gaussian"]):
    del FIGURE_TABLES["shape"]
if not DENSITY_OF:
    del FIGURE_TABLES["spectral_density"]
if not STUDY.config["statistics"]["controls"]:
    del FIGURE_TABLES["controls"]
if not ZOO and all(row.quality_metric != "generalization_gap" for row in STUDY.rows):
    del FIGURE_TABLES["generalization_gap"]

# The options of the statistics that a figure shows; no other one redraws it.
FIGURE_OPTIONS = {
    "overview": [*SCATTER, "confidence"],
    "quality_metrics": ["metrics", "primary_quality", "reference_recipe", "controls"],
    "generalization_gap": ["metrics", "reference_recipe", "controls"],
    "within_families": SCATTER,
    "forest": ["primary_metric", "primary_quality", "controls", "confidence"],
    "alpha_depth": ["controls"],
    "spectral_density": [],
    "controls": ["metrics", *SCATTER, "confidence"],
    "training": ["primary_quality"],
    "alternatives": ["primary_quality", "controls", "confidence"],
    "explanations": ["primary_quality", "controls", "confidence"],
    "shape": ["reference_recipe", "controls"],
    "traits": ["primary_quality", "controls", "confidence"],
}

FIGURES = expand(
    RESULTS / "figures" / "{figure}.{format}",
    figure=FIGURE_TABLES,
    format=["svg", "png"],
)


# What each figure shows: options of the statistics, or the layer of the spectral density.
FIGURE_ASKS = {
    figure: {name: STUDY.config["statistics"][name] for name in names}
    for figure, names in FIGURE_OPTIONS.items()
} | {"spectral_density": {"model": DENSITY_OF, "layer": LAYER["layer"]}}


rule draw_figure:
    """Draw one figure, as SVG and PNG."""
    input:
        unpack(lambda wildcards: FIGURE_TABLES[wildcards.figure]),
    output:
        svg=RESULTS / "figures" / "{figure}.svg",
        png=RESULTS / "figures" / "{figure}.png",
    log:
        LOGS / "figures" / "{figure}.log",
    wildcard_constraints:
        figure=ids(FIGURE_TABLES),
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("draw_figure"),
        look={name: STUDY.config["figures"][name] for name in ("width_mm", "wide_mm", "dpi")},
        ask=lambda wildcards: FIGURE_ASKS[wildcards.figure],
        versions=versions("matplotlib", "seaborn"),
    message:
        "Drawing the figure {wildcards.figure}"
    script:
        "../scripts/draw_figure.py"

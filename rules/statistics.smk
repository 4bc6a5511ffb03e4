"""Correlations, baselines, meta-analysis, controls."""

STATISTICS = {
    name: RESULTS / "statistics" / f"{name}.csv"
    for name in (
        "correlations",
        "baselines",
        "between_families",
        "meta",
        "controls",
        "simpson",
    )
}


rule compute_statistics:
    """Compute correlations, baselines, meta-analysis and controls from the table of models."""
    input:
        models=TABLES["models"],
    output:
        **STATISTICS,
    log:
        LOGS / "statistics.log",
    benchmark:
        BENCHMARKS / "statistics.tsv"
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("compute_statistics"),
        options=STUDY.config["statistics"],
        versions=versions("scipy", "statsmodels", "pandas", "numpy"),
    message:
        "Computing the statistics"
    script:
        "../scripts/compute_statistics.py"

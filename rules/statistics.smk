"""Correlations, baselines, meta-analysis, controls."""

STATISTICS = {
    name: RESULTS / "statistics" / f"{name}.csv"
    for name in ("correlations", "baselines", "between_families", "meta", "controls", "simpson")
}


rule compute_statistics:
    input:
        models=TABLES["models"],
        code=code("compute_statistics"),
    output:
        **STATISTICS,
    log:
        LOGS / "statistics.log",
    benchmark:
        BENCHMARKS / "statistics.tsv"
    params:
        options=STUDY.config["statistics"],
        versions=versions("scipy", "statsmodels", "pandas", "numpy"),
    conda:
        "../envs/analysis.yaml"
    message:
        "Computing the statistics"
    script:
        "../scripts/compute_statistics.py"

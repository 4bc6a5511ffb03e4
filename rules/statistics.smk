"""Correlations and what explains them: a job for each table."""

MADE_FROM = statistics.tables_of(STUDY)
STATISTICS = {name: RESULTS / "statistics" / f"{name}.csv" for name in MADE_FROM}
GIVEN = {"values": STUDY.config["printed"]}


rule compute_statistics:
    """Compute one table of the statistics from the table of models."""
    input:
        lambda wildcards: [(MERGED | GIVEN | STATISTICS)[n] for n in MADE_FROM[wildcards.table]],
    output:
        RESULTS / "statistics" / "{table}.csv",
    log:
        LOGS / "statistics" / "{table}.log",
    benchmark:
        BENCHMARKS / "statistics" / "{table}.tsv"
    wildcard_constraints:
        table=ids(STATISTICS),
    conda:
        "../envs/analysis.yaml"
    params:
        code=lambda wildcards: code("compute_statistics", statistics.module_of(wildcards.table)),
        options=STUDY.config["statistics"],
        versions=versions("scipy", "statsmodels", "scikit-learn", "pandas", "numpy"),
    message:
        "Computing the statistics: {wildcards.table}"
    script:
        "../scripts/compute_statistics.py"

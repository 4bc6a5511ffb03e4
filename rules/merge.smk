"""One table of models, one of layers, one of the models that did not make it."""

MERGED = {
    "models": RESULTS / "tables" / "models.csv",
    "layers": RESULTS / "tables" / "layers.parquet",
    "excluded": RESULTS / "tables" / "excluded.csv",
}

LOOKED_UP = any(row.source == "timm" and row.quality is None for row in STUDY.rows)


rule merge_tables:
    """Merge all models into one table of models, one of layers, one of excluded models."""
    input:
        summaries=expand(SUMMARY, model=MODELS),
        runs=expand(RUN, model=MODELS),
        details=expand(DETAILS, model=MODELS),
        experiments=expand(EXPERIMENT_FITS, model=WEIGHED if HAS_EXPERIMENTS else []),
        qualities=expand(QUALITIES, model=ZOO),
        labels=FETCHED.format(set="timm-results") if LOOKED_UP else [],
    output:
        **MERGED,
    log:
        LOGS / "merge.log",
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("merge_tables"),
        rows=[row.labels() for row in STUDY.rows],
    message:
        "Merging the results of all models"
    script:
        "../scripts/merge_tables.py"

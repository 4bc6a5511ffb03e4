"""What others published: fetched once for all studies, and brought into the form of our own fits."""


rule fetch_published:
    """Download one set of published results or labels, checked file by file."""
    output:
        FETCHED,
    log:
        "results/fetched/logs/{set}.log",
    wildcard_constraints:
        set=ids(published.SETS),
    conda:
        "../envs/analysis.yaml"
    resources:
        downloads=1,
    params:
        code=code("fetch_published"),
        registry=lambda wildcards: published.registry(wildcards.set),
        attempt=lambda wildcards: ATTEMPTS.get(wildcards.set, 0),
    message:
        "Downloading {wildcards.set}"
    script:
        "../scripts/fetch_published.py"


rule import_published:
    """Write details, summary and provenance of all models whose results others published."""
    input:
        expand(FETCHED, set=sorted({published.locate(row.location)[0] for row in PUBLISHED})),
    output:
        details=expand(DETAILS, model=[row.model for row in PUBLISHED]),
        summary=expand(SUMMARY, model=[row.model for row in PUBLISHED]),
        run=expand(RUN, model=[row.model for row in PUBLISHED]),
    log:
        LOGS / "import_published.log",
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("import_published"),
        models=[
            {"model": row.model, "location": row.location, "parameters": row.parameters}
            for row in PUBLISHED
        ],
    message:
        "Importing published results"
    script:
        "../scripts/import_published.py"

"""weightwatcher's metrics: our fit on the spectra, or weightwatcher itself on the weights."""

ENGINE = STUDY.config["weightwatcher"]["engine"]


rule fit_layers:
    """Fit each layer's tail and compute weightwatcher's metrics of one model."""
    input:
        spectra=SPECTRA,
        experiments=EXPERIMENTS if HAS_EXPERIMENTS else [],
        reference=REFERENCE if ENGINE == "weightwatcher" else [],
    output:
        **({"experiments": EXPERIMENT_FITS} if HAS_EXPERIMENTS else {}),
        details=DETAILS,
        summary=SUMMARY,
        run=RUN,
    log:
        LOGS / "weightwatcher" / "{model}.log",
    benchmark:
        BENCHMARKS / "weightwatcher" / "{model}.tsv"
    wildcard_constraints:
        model=ids(WEIGHED),
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("fit_layers"),
        options=STUDY.config["weightwatcher"],
        versions=versions("weightwatcher", "numpy"),
    message:
        "Fitting the layers of {wildcards.model}"
    script:
        "../scripts/fit_layers.py"


rule run_weightwatcher:
    """Run weightwatcher itself on one model, for the audit or as the engine."""
    input:
        weights=WEIGHTS,
    output:
        REFERENCE,
    log:
        LOGS / "reference" / "{model}.log",
    benchmark:
        BENCHMARKS / "reference" / "{model}.tsv"
    priority: 10
    conda:
        "../envs/torch.yaml"
    params:
        code=code("run_weightwatcher"),
        identity=identity,
        options={
            "min_evals": STUDY.config["weightwatcher"]["min_evals"],
            "max_evals": STUDY.config["spectra"]["max_evals"],
            "max_N": STUDY.config["spectra"]["max_N"],
        },
        versions=lambda wildcards: versions("weightwatcher", "numpy", "scipy")
        | decides_weights(wildcards),
    message:
        "Running weightwatcher itself on {wildcards.model}"
    script:
        "../scripts/run_weightwatcher.py"

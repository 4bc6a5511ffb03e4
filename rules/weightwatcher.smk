"""weightwatcher's metrics: our fit on the spectra, or weightwatcher itself on the weights."""

ENGINE = STUDY.config["weightwatcher"]["engine"]


rule fit_layers:
    input:
        spectra=SPECTRA,
        reference=REFERENCE if ENGINE == "weightwatcher" else [],
        code=code("fit_layers"),
    output:
        details=DETAILS,
        summary=RESULTS / "weightwatcher" / "{model}" / "summary.json",
        run=RESULTS / "weightwatcher" / "{model}" / "run.json",
    log:
        LOGS / "weightwatcher" / "{model}.log",
    benchmark:
        BENCHMARKS / "weightwatcher" / "{model}.tsv"
    params:
        options=STUDY.config["weightwatcher"],
        versions=versions("weightwatcher", "numpy"),
    conda:
        "../envs/analysis.yaml"
    message:
        "Fitting the layers of {wildcards.model}"
    script:
        "../scripts/fit_layers.py"


rule run_weightwatcher:
    input:
        weights=WEIGHTS,
        code=code("run_weightwatcher"),
    output:
        REFERENCE,
    log:
        LOGS / "reference" / "{model}.log",
    benchmark:
        BENCHMARKS / "reference" / "{model}.tsv"
    params:
        identity=identity,
        options={
            "min_evals": STUDY.config["weightwatcher"]["min_evals"],
            "max_evals": STUDY.config["spectra"]["max_evals"],
            "max_N": STUDY.config["spectra"]["max_N"],
        },
        versions=lambda wildcards: versions("weightwatcher", "numpy", "scipy") | decides_weights(wildcards),
    conda:
        "../envs/torch.yaml"
    message:
        "Running weightwatcher itself on {wildcards.model}"
    script:
        "../scripts/run_weightwatcher.py"

"""Eigenvalues: the expensive step, shared by all studies."""


rule compute_spectra:
    """Compute the eigenvalues of every layer of one model."""
    input:
        weights=WEIGHTS,
    output:
        **({"experiments": EXPERIMENTS} if HAS_EXPERIMENTS else {}),
        spectra=SPECTRA,
    log:
        "results/spectra/logs/{model}.log",
    benchmark:
        "results/spectra/benchmarks/{model}.tsv"
    # Before any further download: a model's weights are deleted as soon as this is done.
    priority: 10
    conda:
        "../envs/analysis.yaml"
    threads: 1
    params:
        code=code("compute_spectra"),
        options=STUDY.config["spectra"],
        experiments=STUDY.config["experiments"] if HAS_EXPERIMENTS else None,
        identity=identity,
        versions=lambda wildcards: versions("numpy") | decides_weights(wildcards),
    message:
        "Computing the eigenvalues of {wildcards.model}"
    script:
        "../scripts/compute_spectra.py"

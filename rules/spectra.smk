"""Eigenvalues: the expensive step, shared by all studies."""


rule compute_spectra:
    input:
        weights=WEIGHTS,
        code=code("compute_spectra"),
    output:
        SPECTRA,
    log:
        "results/spectra/logs/{model}.log",
    benchmark:
        "results/spectra/benchmarks/{model}.tsv"
    params:
        options=STUDY.config["spectra"],
        identity=identity,
        versions=lambda wildcards: versions("numpy") | decides_weights(wildcards),
    threads: 1
    conda:
        "../envs/analysis.yaml"
    message:
        "Computing the eigenvalues of {wildcards.model}"
    script:
        "../scripts/compute_spectra.py"

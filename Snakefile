"""From a list of neural networks to a paper. `snakemake --list-rules` explains each rule."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))


# Another study is a config of its own, not a patch on the default one.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/published.smk"
include: "rules/obtain.smk"
include: "rules/spectra.smk"
include: "rules/weightwatcher.smk"
include: "rules/audit.smk"
include: "rules/merge.smk"
include: "rules/statistics.smk"
include: "rules/figures.smk"
include: "rules/paper.smk"


localrules:
    paper,
    figures,
    tables,
    statistics,
    weightwatcher,
    spectra,
    retry,
    clean,


# Each target also asks for what it was made from, so that a result that was deleted or half made is
# made again, whatever was made from it before.
rule spectra:
    """Compute every model's eigenvalues."""
    input:
        expand(SPECTRA, model=WEIGHED),
        expand(EXPERIMENTS, model=WEIGHED if HAS_EXPERIMENTS else []),


rule weightwatcher:
    """Analyse every model."""
    input:
        rules.spectra.input,
        expand([DETAILS, SUMMARY, RUN], model=MODELS),
        expand(EXPERIMENT_FITS, model=WEIGHED if HAS_EXPERIMENTS else []),


rule tables:
    """Make the merged tables."""
    input:
        rules.weightwatcher.input,
        MERGED.values(),


rule statistics:
    """Compute all statistics."""
    input:
        rules.tables.input,
        STATISTICS.values(),


rule figures:
    """Draw all figures."""
    input:
        rules.statistics.input,
        FIGURES,


rule paper:
    """Build the paper as HTML and PDF, and all that it needs (the default)."""
    default_target: True
    input:
        rules.figures.input,
        expand(REFERENCE, model=AUDITED),
        RESULTS / "audit.csv",
        GENERATED,
        COPIED,
        SOURCE / "_variables.yml",
        expand(PAPER / "paper.{format}", format=["html", "pdf"]),


rule clean:
    """Delete the study's results; spectra and the zoo, which all studies share, are kept."""
    log:
        ".snakemake/log/clean.log",
    conda:
        "envs/paper.yaml"
    params:
        results=RESULTS,
    message:
        "Deleting {params.results}; spectra and the zoo, which all studies share, are kept"
    shell:
        "rm -rf {params.results} > {log} 2>&1"


rule retry:
    """Ask again for the models that could not be obtained; the next run tries it."""
    log:
        ".snakemake/log/retry.log",
    conda:
        "envs/analysis.yaml"
    params:
        spectra=expand(SPECTRA, model=WEIGHED),
        fetched=expand(FETCHED, set=published.SETS),
        attempts=ATTEMPTS_FILE,
    message:
        "Asking again for the models that could not be obtained"
    script:
        "scripts/retry.py"


onstart:
    try:
        lock_folder()
    except InputError as error:
        raise WorkflowError(str(error)) from None
    # The limit is for cluster schedulers. Here it costs: each round of scheduling starts a timer that
    # causes the next one, and with many jobs the main process takes half a core.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    print(tell_excluded(Path(RESULTS)), file=sys.stderr, end="")

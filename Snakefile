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


rule paper:
    """Build the paper as HTML and PDF, and all that it needs (the default)."""
    default_target: True
    input:
        expand(RESULTS / "paper" / "paper.{format}", format=["html", "pdf"]),
        RESULTS / "audit.csv",
        RESULTS / "tables" / "excluded.csv",


rule figures:
    """Draw all figures."""
    input:
        FIGURES,


rule statistics:
    """Compute all statistics."""
    input:
        STATISTICS.values(),


rule tables:
    """Make the merged tables."""
    input:
        TABLES.values(),


rule weightwatcher:
    """Analyse every model."""
    input:
        expand(DETAILS, model=MODELS),


rule spectra:
    """Compute every model's eigenvalues."""
    input:
        expand(SPECTRA, model=WEIGHED),


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


onsuccess:
    print(tell_excluded(Path(RESULTS)), file=sys.stderr, end="")

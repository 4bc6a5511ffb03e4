"""Our numbers against weightwatcher's, layer by layer; the build fails beyond the tolerance."""


rule audit_fits:
    """Compare every layer of the audited models with weightwatcher itself; fail beyond the tolerance."""
    input:
        details=expand(DETAILS, model=AUDITED),
        references=expand(REFERENCE, model=AUDITED),
        spectra=expand(SPECTRA, model=AUDITED),
    output:
        RESULTS / "audit.csv",
    log:
        LOGS / "audit.log",
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("audit_fits"),
        models=AUDITED,
        layers=STUDY.config["spectra"]["layers"],
        tolerance=STUDY.config["audit"]["tolerance"],
    message:
        "Comparing the layers of the audited models with weightwatcher"
    script:
        "../scripts/audit_fits.py"

"""Our numbers against weightwatcher's, layer by layer; the build fails beyond the tolerance."""


rule audit_fits:
    input:
        details=expand(DETAILS, model=AUDITED),
        references=expand(REFERENCE, model=AUDITED),
        code=code("audit_fits"),
    output:
        RESULTS / "audit.csv",
    log:
        LOGS / "audit.log",
    params:
        models=AUDITED,
        tolerance=STUDY.config["audit"]["tolerance"],
    conda:
        "../envs/analysis.yaml"
    message:
        "Comparing the layers of the audited models with weightwatcher"
    script:
        "../scripts/audit_fits.py"

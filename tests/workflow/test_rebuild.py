"""What runs again after a change: exactly the jobs that depend on it."""

import base64
import os
import shutil
import time

import pytest

from atlas.figures import registry as figures
from atlas.statistics import registry as statistics

pytestmark = pytest.mark.xdist_group("workflow")

MODELS, TABLES = 11, len(statistics.TABLES)
FIGURES = len(figures.FIGURES) - 1  # the study has no steps, which `training` shows
RENDER = {"assemble_paper": 1, "typeset_paper": 2}
PAPER = {"write_paper": 1, **RENDER}
TEXT = {"write_paper": 1, "typeset_paper": 2}
# One figure shows a single model's spectrum and depends on no table.
MERGED = {"merge_tables": 1, "compute_statistics": TABLES, "draw_figure": FIGURES - 1, **PAPER}


def with_times(project, name):
    time.sleep(0.01)
    os.utime(project.path / name)


def touch(project):
    for name in ("scripts/fit_layers.py", "scripts/atlas/weights/layers.py", "Snakefile"):
        with_times(project, name)
    for name in ("config.yaml", "models/mine.csv", "paper/paper.qmd", "mine/good.safetensors"):
        with_times(project, name)


def add_row(project):
    shutil.copy(project.path / "mine/good.safetensors", project.path / "mine/more.safetensors")
    with (project.path / "models/mine.csv").open("a") as file:
        file.write("more,file,mine/more.safetensors,mine,net,net-6,my-data,accuracy,60,mine\n")


def replace_by_an_older_file(project):
    older = project.path / "mine/older.safetensors"
    shutil.copy(project.path / "mine/scaled.safetensors", older)
    os.utime(older, (1e9, 1e9))
    older.replace(project.path / "mine/bias.safetensors")


def edit_quality(project):
    project.edit("models/mine.csv", "71.5", "71.6")


def rename_family(project):
    project.edit("models/mine.csv", "mine,net,net-1", "mine,other,net-1")


def remove_row(project):
    project.edit(
        "models/mine.csv",
        "mine-bias,file,mine/bias.safetensors,mine,net,net-4,my-data,accuracy,68.5,my own test set\n",
        "",
    )


def add_recipe(project):
    project.configure(
        lambda c: c["zoo"]["recipes"].update({"quarter-data": {"train_fraction": 0.25}})
    )


def edit_recipe(project):
    project.configure(lambda c: c["zoo"]["recipes"].update({"label-noise": {"label_noise": 0.3}}))


def edit_experiments(project):
    project.configure(lambda c: c["experiments"].update(shuffled=2))


def edit_fit(project):
    project.configure(lambda c: c["weightwatcher"].update(min_evals=12))


def edit_permutations(project):
    project.configure(lambda c: c["statistics"].update(permutations=199))


def edit_tolerance(project):
    project.configure(lambda c: c["audit"].update(tolerance=1e-8))


def edited(module):
    """An edit of one module of the package that changes what it does in no way."""
    return lambda project: project.edit(f"scripts/atlas/{module}.py", '"""', '"""New: ')


def label(old, new):
    return lambda project: project.edit("scripts/atlas/terms/words.py", old, new)


def add_a_package(project):
    folder = project.path / "scripts/atlas/dashboard"
    folder.mkdir()
    (folder / "views.py").write_text("from atlas.tables.read import read_table\n")


def edit_width(project):
    project.configure(lambda c: c["figures"].update(width_mm=80))


def edit_text(project):
    project.edit("paper/paper.qmd", "## ", "A new sentence.\n\n## ")


def edit_reference(project):
    project.edit("paper/references.bib", "title", "note = {New}, title")


def edit_script(project):
    project.edit("scripts/compute_statistics.py", '"""', '"""New: ')


def delete_paper(project):
    (project.path / "results/small/paper/paper.pdf").unlink()


def delete_table(project):
    (project.path / "results/small/tables/layers.parquet").unlink()


def delete_statistic(project):
    (project.path / "results/small/statistics/controls.csv").unlink()


def delete_figure(project):
    (project.path / "results/small/figures/forest.png").unlink()


def delete_fit(project):
    (project.path / "results/small/weightwatcher/zoo-mlp-s-label-noise-0/summary.json").unlink()


def delete_sentences(project):
    (project.path / "results/small/paper/source/text/results_a.md").unlink()


def leave_half_made(project):
    """What a run that was killed while it computed this table leaves: Snakemake's mark."""
    name = "results/small/statistics/shape.csv"
    marks = project.path / ".snakemake/incomplete"
    marks.mkdir(exist_ok=True)
    (marks / base64.b64encode(name.encode()).decode()).touch()


def delete_weights(project):
    kept = list((project.path / "weights").iterdir())
    assert {path.stem for path in kept} == {"zoo-mlp-s-baseline-0", "mine"}  # the audited ones
    shutil.rmtree(project.path / "weights")


def delete_spectrum(project):
    (project.path / "results/spectra/zoo-mlp-s-label-noise-0.parquet").unlink()


def move_to_a_fresh_clone(project):
    """Only results travel; everything else is as new as a clone makes it, also the files it needs."""
    shutil.rmtree(project.path / ".snakemake")
    shutil.rmtree(project.path / "weights")
    for path in project.path.rglob("*"):
        if "results" not in path.relative_to(project.path).parts and path.is_file():
            os.utime(path)


FITTED = {"fit_layers": MODELS, "run_weightwatcher": 2, "audit_fits": 1, **MERGED}
ALL_FITTED = FITTED | {"draw_figure": FIGURES}

CHANGES = {
    "nothing": (lambda project: None, {}),
    "a touched file": (touch, {}),
    "a row added": (
        add_row,
        {"obtain_weights": 1, "compute_spectra": 1, "fit_layers": 1, **MERGED},
    ),
    "a file replaced by an older one": (
        replace_by_an_older_file,
        {"obtain_weights": 1, "compute_spectra": 1, "fit_layers": 1, **MERGED},
    ),
    "a quality edited": (edit_quality, MERGED),
    "a family renamed": (rename_family, MERGED),
    "a row removed": (remove_row, MERGED),
    "a recipe added": (
        add_recipe,
        {"train_network": 2, "compute_spectra": 2, "fit_layers": 2, **MERGED},
    ),
    "a recipe edited": (
        edit_recipe,
        {"train_network": 2, "compute_spectra": 2, "fit_layers": 2, **MERGED},
    ),
    # They need the weights, which are there for the audited models only.
    "the experiments' options": (
        edit_experiments,
        {
            "train_network": 5,
            "obtain_weights": 4,
            "compute_spectra": MODELS,
            "fit_layers": MODELS,
            "audit_fits": 1,
            **MERGED,
            "draw_figure": FIGURES,
        },
    ),
    "the fit's options": (edit_fit, ALL_FITTED),
    "the statistics' options": (
        edit_permutations,
        {"compute_statistics": TABLES, "draw_figure": FIGURES - 2, **PAPER},
    ),
    "the audit's tolerance": (
        edit_tolerance,
        {"audit_fits": 1, "write_paper": 1, "typeset_paper": 2},
    ),
    "the style of all figures": (edited("figures/style"), {"draw_figure": FIGURES, **RENDER}),
    "one figure": (edited("figures/traits"), {"draw_figure": 1, **RENDER}),
    "a figure's width": (edit_width, {"draw_figure": FIGURES, **RENDER}),
    "the paper's text": (edit_text, RENDER),
    "a reference": (edit_reference, RENDER),
    "a script": (
        edit_script,
        {"compute_statistics": TABLES, "draw_figure": FIGURES - 2, **PAPER},
    ),
    "a fit": (
        edited("fits/powerlaw"),
        {name: n for name, n in ALL_FITTED.items() if name != "run_weightwatcher"},
    ),
    "a source": (
        edited("weights/hub"),
        {
            "obtain_weights": 4,
            "obtain_kept_weights": 1,
            "compute_spectra": 5,
            "fit_layers": 5,
            "run_weightwatcher": 2,
            "audit_fits": 1,
            **MERGED,
            "draw_figure": FIGURES,
        },
    ),
    "the networks": (
        edited("zoo/networks"),
        {
            "train_network": 5,
            "train_kept_network": 1,
            "compute_spectra": 6,
            "fit_layers": 6,
            "run_weightwatcher": 2,
            "audit_fits": 1,
            **MERGED,
        },
    ),
    "the validation": (edited("study/lists"), {}),
    "the merge": (edited("tables/merge"), MERGED),
    "one table": (edited("statistics/prediction"), {"compute_statistics": 1, **TEXT}),
    "the list of tables": (edited("statistics/registry"), TEXT),
    "decided or open": (edited("findings/outcome"), {"draw_figure": 6, **PAPER}),
    "a section of the paper": (edited("paper/pairs"), TEXT),
    "an English label": (label('"stable rank"', '"stable ranks"'), {"draw_figure": 10, **PAPER}),
    "a German label": (label('"stabiler Rang"', '"Rang"'), {"draw_figure": 10, **PAPER}),
    "a package that nothing uses": (add_a_package, {}),
    "a deleted paper": (delete_paper, {"typeset_paper": 1}),
    # Whatever was made from them is there: every result is asked for.
    "a deleted table": (delete_table, MERGED),
    "a deleted statistic": (delete_statistic, {"compute_statistics": 1, "draw_figure": 1, **PAPER}),
    "a half-made statistic": (
        leave_half_made,
        {"compute_statistics": 1, "draw_figure": 1, **PAPER},
    ),
    "a deleted figure": (delete_figure, {"draw_figure": 1, **RENDER}),
    "a deleted fit": (delete_fit, {"fit_layers": 1, **MERGED}),
    "a deleted sentence": (delete_sentences, {"write_paper": 1, "typeset_paper": 2}),
    "a deleted spectrum": (
        delete_spectrum,
        {"train_network": 1, "compute_spectra": 1, "fit_layers": 1, **MERGED},
    ),
    # Weights are no result: they are made again when something needs them.
    "deleted weights": (delete_weights, {}),
    "a fresh clone with the results": (move_to_a_fresh_clone, {}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_reruns_exactly_what_depends_on_it(project, change):
    apply, expected = CHANGES[change]
    apply(project)
    assert project.jobs() == expected


@pytest.mark.parametrize("package", ["weightwatcher"])
def test_another_version_reruns_what_it_decides(project, tmp_path, package):
    folder = tmp_path / "site" / f"{package}-99.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    jobs = project.jobs(env={"PYTHONPATH": str(tmp_path / "site")})
    assert jobs == ALL_FITTED


def test_the_number_of_cores_reruns_nothing(project):
    assert project.jobs("--cores", "7") == {}


def test_a_quality_edit_reaches_the_paper_and_then_nothing_is_left_to_do(project):
    edit_quality(project)
    output = project.snakemake("--cores", "2", "paper").stdout
    assert "Training" not in output and "Fitting" not in output and "eigenvalues" not in output
    assert ",71.6," in (project.path / "results/small/tables/models.csv").read_text()
    assert project.jobs() == {}

"""The figure of alpha over training: what it draws is in the tables, and little breaks it."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers.stages import draw

from atlas.figures import style, training
from atlas.tables.read import read_table

STEPS = (0, 1, 2, 5, 10)


def study(
    runs: tuple[str, ...] = ("cnn", "vit"), steps: tuple[int, ...] = STEPS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs whose alpha falls, a model that is no checkpoint; one layer in ten has a failed fit."""
    rng = np.random.default_rng(0)
    models: list[dict[str, Any]] = []
    layers: list[dict[str, Any]] = []
    for r, run in enumerate(runs):
        for step in steps:
            alpha = (8 / (1 + step) + 3 + r) * np.exp(rng.normal(0, 0.3, 10))
            model = f"{run}-{step}"
            about = {"collection": "mine", "family": "f", "variant": "v", "dataset": "d"}
            about |= {"model": model, "run": run, "step": step, "alpha": alpha[1:].mean()}
            about |= {"weightwatcher_version": "0.7.7", "parameters": 100}
            models.append(about | {"quality_metric": "accuracy", "quality": 50 + step + r})
            models.append(about | {"quality_metric": "generalization_gap", "quality": 5 + r})
            for index, value in enumerate(alpha):
                fit = ("failed", -1.0) if index == 0 else ("success", value)
                layers.append({"model": model, "status": fit[0], "alpha": fit[1]})
    models.append({"model": "other", "collection": "x", "alpha": 99.0, "quality": 1.0})
    return pd.DataFrame(models), pd.DataFrame(layers)


def drawn(models: pd.DataFrame, layers: pd.DataFrame, **ask: Any) -> Any:
    tables = {"models": models, "layers": layers}
    figure = draw("training", tables, style.Look(dpi=60), ask)
    with style.style():
        figure.draw_without_rendering()
    return figure


def words(figure: Any) -> str:
    texts = figure.findobj(matplotlib.text.Text)
    return " ".join(" ".join(text.get_text().split()) for text in texts)


def courses(ax: Any) -> list[np.ndarray]:
    """The lines of the runs: not the guides, not the marks beside names."""
    lines = [line for line in ax.lines if line.get_transform() == ax.transData]
    return [line.get_xydata() for line in lines]


def test_the_lines_are_mean_alpha_and_the_bands_the_quartiles_of_good_layers():
    models, layers = study()
    figure = drawn(models, layers)
    upper, lower = figure.axes
    for run, line, band in zip(("cnn", "vit"), courses(upper), upper.collections, strict=True):
        own = models[models["run"] == run].drop_duplicates("model").sort_values("step")
        assert np.allclose(line, own[["step", "alpha"]].to_numpy(float))
        corners = band.get_paths()[0].vertices
        for row in own.itertuples():
            good = layers[(layers["model"] == row.model) & (layers["status"] == "success")]
            at = corners[corners[:, 0] == row.step][:, 1]
            assert np.allclose([at.min(), at.max()], good["alpha"].quantile([0.25, 0.75]))
    guides = [line.get_ydata()[0] for line in upper.lines if list(line.get_xdata()) == [0, 1]]
    assert guides == [2, 6]
    assert [list(line[:, 1]) for line in courses(lower)] == [
        [50 + step + r for step in STEPS] for r in (0, 1)
    ]
    text = words(figure)
    assert "cnn" in text and "vit" in text and "2 runs, 10 checkpoints" in text
    assert "other" not in text and "accuracy" in text


def test_the_wanted_quality_is_shown_and_another_where_it_is_unknown():
    models, layers = study()
    figure = drawn(models, layers, primary_quality="generalization_gap")
    assert "generalisation gap" in words(figure)
    assert figure.axes[1].yaxis_inverted()  # better is up
    assert "top-1 accuracy" in words(drawn(models, layers, primary_quality="error"))


def test_qualities_of_two_data_sets_are_not_joined():
    models, layers = study(("cnn",))
    other = models[models["step"] < 2].assign(dataset="a", quality=lambda t: t["quality"] - 40)
    lines = courses(drawn(pd.concat([models, other]), layers).axes[1])
    assert [list(line[:, 1]) for line in lines] == [[50 + step for step in STEPS]]


def test_without_a_course_of_the_quality_there_is_one_panel():
    models, layers = study()
    models.loc[models["step"] < max(STEPS), "quality"] = np.nan  # only the last one's is known
    assert len(drawn(models, layers).axes) == 1


@pytest.mark.parametrize("drop", [["step"], ["step", "run"]])
def test_without_a_step_the_figure_says_so(drop):
    models, layers = study()
    assert "No checkpoint" in words(drawn(models.drop(columns=drop), layers))
    assert "No checkpoint" in words(drawn(models.iloc[:0], layers.iloc[:0]))


def test_one_run_is_named_in_the_title_and_a_checkpoint_without_layers_has_no_band():
    models, layers = study(("cnn",))
    layers = layers[layers["model"] != "cnn-5"]
    text = words(drawn(models, layers))
    assert "cnn: 5 checkpoints" in text
    assert "No checkpoint" not in words(drawn(models, layers.iloc[:0]))


def test_one_checkpoint_is_a_figure():
    drawn(*study(("cnn",), (7,)))


def test_steps_that_grow_by_large_factors_have_a_logarithmic_axis():
    figure = drawn(*study(steps=(0, 1, 10, 100, 1000, 143000)))
    assert figure.axes[0].get_xscale() == "symlog"
    labels = [text.get_text() for text in figure.axes[1].get_xticklabels()]
    assert labels[:1] == ["0"] and "100k" in labels
    assert drawn(*study()).axes[0].get_xscale() == "linear"


def test_many_runs_are_cut_and_their_names_do_not_cover_each_other():
    runs = tuple(f"a-rather-long-name-of-run-{i}" for i in range(12))
    figure = drawn(*study(runs))
    text = words(figure)
    assert "7 runs, 35 checkpoints" in text and "5 runs with fewer checkpoints not shown" in text
    names = [t for t in figure.axes[0].texts if t.get_text().startswith("a-rath")]
    assert len({name.get_text() for name in names}) == 7
    boxes = [name.get_window_extent() for name in names]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    page = figure.bbox.padded(1)
    ticks = {text for ax in figure.axes for text in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    for shown in set(figure.findobj(matplotlib.text.Text)) - ticks:
        if shown.get_visible() and shown.get_text().strip():
            box = shown.get_window_extent()
            assert page.x0 <= box.x0 and box.x1 <= page.x1, shown.get_text()
            assert 6 <= shown.get_fontsize() <= 8


def test_runs_that_are_alike_in_name_but_in_two_collections_are_two_runs():
    models, layers = study(("cnn",))
    second = models.dropna(subset=["run"]).assign(collection="yours")
    second["model"] = "y-" + second["model"]
    figure = drawn(pd.concat([models, second]), layers)
    assert len(courses(figure.axes[0])) == 2
    assert "cnn (mine)" in words(figure) and "cnn (yours)" in words(figure)


def test_places_are_moved_apart_by_little():
    assert training._apart([0.1, 0.5, 0.9], 0.1) == pytest.approx([0.1, 0.5, 0.9])
    assert training._apart([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])
    assert training._apart([0.1, 0.5, 0.52], 0.1) == pytest.approx([0.1, 0.46, 0.56])


def test_equal_tables_in_any_order_give_equal_bytes(tmp_path):
    written = []
    for seed in (1, 2):
        models, layers = (table.sample(frac=1, random_state=seed) for table in study())
        svg, png = tmp_path / f"{seed}.svg", tmp_path / f"{seed}.png"
        tables = {"models": models, "layers": layers}
        style.save(draw("training", tables, style.Look(), {}), svg, png, 60)
        written.append((svg.read_bytes(), png.read_bytes()))
    assert written[0] == written[1]


def test_runs_are_text_also_where_they_look_like_numbers(tmp_path):
    models, layers = study(("007", "8"))
    models.to_csv(tmp_path / "models.csv", index=False)
    text = words(drawn(read_table(tmp_path / "models.csv"), layers))
    assert "007" in text

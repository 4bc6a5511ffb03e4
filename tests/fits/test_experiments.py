"""Nulls, windows and the other rule's layers: what each spectrum is, and what its fit says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from atlas.fits import (
    experiment_fits,
    experiments,
    metrics,
    spectra,
)
from atlas.weights import layers as weights_layers
from atlas.weights.layers import tensors_of_module
from atlas.weights.store import save

LIMITS = {"max_evals": 15000, "max_N": 50000}
OPTIONS = {
    "shuffled": 2,
    "gaussian": 2,
    "windows": {"size": 16, "most": 8},
    "other_layers": True,
    "seed": 7,
}


class Mixed(nn.Module):
    """Layers that weightwatcher takes, leaves out (transposed, recurrent) and misreads (conv1d)."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(60, 40)
        self.conv = nn.Conv2d(32, 24, 3)
        self.depthwise = nn.Conv2d(30, 30, 3, groups=30)
        self.misread = nn.Conv1d(30, 28, 5)
        self.up = nn.ConvTranspose2d(32, 20, 2)
        self.recurrent = nn.LSTM(20, 30)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = Mixed()
    path = tmp_path_factory.mktemp("weights") / "mixed.safetensors"
    save(path, model.state_dict(), tensors_of_module(model))
    return path


def run(weights, layers="weightwatcher", **changes):
    """The spectra of a model, those of its experiments, and their fits."""
    rows, _ = spectra.spectra(weights, layers=layers, **LIMITS)
    tried = experiments.experiments(weights, OPTIONS | changes, layers=layers, **LIMITS)
    return rows, tried, experiment_fits.fit(rows, tried, 8)


def of(rows, experiment, name):
    return [r for r in rows if r["experiment"] == experiment and r["longname"] == name]


def test_a_shuffled_matrix_has_the_same_entries_in_each_slice_and_another_spectrum(weights):
    rng = np.random.default_rng(0)
    stack = rng.standard_normal((9, 24, 32)) * np.arange(1, 10)[:, None, None]
    null = experiments.shuffled(stack, np.random.default_rng(1))
    assert null.shape == stack.shape and not np.array_equal(null, stack)
    flat = np.sort(stack.reshape(9, -1), axis=1)
    assert np.array_equal(np.sort(null.reshape(9, -1), axis=1), flat)
    rows, tried, _ = run(weights)
    evals = next(row["evals"] for row in rows if row["longname"] == "conv")
    nulls = of(tried, "shuffled", "conv")
    assert [row["draw"] for row in nulls] == [0, 1]
    for row in nulls:
        # The squared Frobenius norm is the sum of the eigenvalues, and permuting keeps it.
        assert row["evals"].sum() == pytest.approx(evals.sum())
        assert not np.allclose(row["evals"], evals)
    assert not np.allclose(nulls[0]["evals"], nulls[1]["evals"])


def test_gaussian_noise_has_the_scale_of_each_slice():
    stack = np.ones((2, 400, 300)) * np.array([0.5, 3.0])[:, None, None]
    noise = experiments.gaussian(stack, np.random.default_rng(0))
    assert np.sqrt((noise**2).mean(axis=(1, 2))) == pytest.approx([0.5, 3.0], rel=0.01)
    assert abs(noise.mean()) < 0.02


def test_draws_depend_on_seed_layer_and_draw_alone(weights):
    again, less, other = run(weights)[1], run(weights, gaussian=0)[1], run(weights, seed=8)[1]
    first = run(weights)[1]
    for a, b in zip(first, again, strict=True):
        assert a["experiment"] == b["experiment"] and np.array_equal(a["evals"], b["evals"])
    mine, theirs = of(first, "shuffled", "dense"), of(less, "shuffled", "dense")
    assert all(np.array_equal(a["evals"], b["evals"]) for a, b in zip(mine, theirs, strict=True))
    assert not np.allclose(mine[0]["evals"], of(other, "shuffled", "dense")[0]["evals"])


@pytest.mark.parametrize(
    ("shape", "size", "most", "count"),
    [((1, 64, 32), 16, 99, 8), ((1, 40, 20), 16, 99, 6), ((9, 32, 32), 16, 8, 8)],
)
def test_windows_lie_on_an_even_grid_and_cover_the_matrix(shape, size, most, count):
    stack = np.arange(np.prod(shape), dtype=float).reshape(shape)
    cut = experiments.windows(stack, size, most)
    assert cut.shape == (count, size, size)
    assert len(np.unique(cut[:, 0, 0])) == count  # no window twice
    if count < most:
        assert set(cut.ravel()) == set(stack.ravel())
    else:  # of a larger grid, from all slices
        assert len(np.unique(cut[:, 0, 0] // (32 * 32))) == 8


def test_a_layer_smaller_than_a_window_has_none(weights):
    _, tried, _ = run(weights)
    assert len(of(tried, "windows", "dense")) == 1
    assert not of(tried, "windows", "depthwise")
    assert len(of(tried, "windows", "dense")[0]["evals"]) == 8 * 16


def test_windows_take_the_shape_out_of_hills_estimate():
    """On noise, Hill's estimate over the whole spectrum depends on the aspect ratio, that over
    windows does not (Hu et al. 2025, figure 1)."""
    options = OPTIONS | {"shuffled": 0, "gaussian": 0, "windows": {"size": 64, "most": 64}}
    found = {}
    for shape in ((512, 512), (2048, 256)):
        stack = np.random.default_rng(0).standard_normal((1, *shape))
        matrices = weights_layers.Matrices(stack, max(shape), min(shape), 1)
        (row,) = experiments.on_layer(matrices, options, "noise")
        whole = np.sort(spectra.singular_values(matrices).ravel() ** 2)
        found[shape] = experiment_fits.hill(whole), experiment_fits.hill(row["evals"])
    (square, cut), (long, cut_too) = found.values()
    assert long > square + 1
    assert cut_too == pytest.approx(cut, abs=0.1)


def test_hill_by_hand():
    evals = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    # k = 3: ln(8/4) + ln(16/4) + ln(32/4) = 6 ln 2.
    assert experiment_fits.hill(evals) == pytest.approx(1 + 3 / (6 * np.log(2)))
    assert experiment_fits.hill(np.array([1.0, 2.0, 3.0])) is None
    assert experiment_fits.hill(np.full(10, 2.0)) is None
    # What weightwatcher does not fit is not counted.
    assert experiment_fits.hill(np.r_[np.zeros(5), evals]) == experiment_fits.hill(evals)
    # A Pareto sample with density exponent 3 is found again.
    sample = (1 - np.random.default_rng(0).random(20_000)) ** (-1 / 2)
    assert experiment_fits.hill(np.sort(sample)) == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize("layers", ["weightwatcher", "complete"])
def test_the_other_rules_alpha_is_that_of_a_study_with_the_other_rule(weights, layers):
    rows, _, fits = run(weights, layers)
    mine = experiment_fits.averages(metrics.details(rows, 8), fits, OPTIONS)
    other = {"weightwatcher": "complete", "complete": "weightwatcher"}[layers]
    others, _ = spectra.spectra(weights, layers=other, **LIMITS)
    expected = metrics.summarise(metrics.details(others, 8), others, 8)["alpha"]
    assert mine["alpha_other_layers"] == pytest.approx(expected, rel=1e-12)
    assert expected != pytest.approx(metrics.averages(metrics.details(rows, 8))["alpha"])


def test_without_other_layers_it_is_alpha_itself(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(60, 40), nn.Linear(40, 30))
    save(tmp_path / "m.safetensors", model.state_dict(), tensors_of_module(model))
    rows, tried, fits = run(tmp_path / "m.safetensors")
    details = metrics.details(rows, 8)
    found = experiment_fits.averages(details, fits, OPTIONS)
    assert not [row for row in tried if row["experiment"] == "other_layers"]
    assert found["alpha_other_layers"] == pytest.approx(metrics.averages(details)["alpha"])


def test_averages_by_hand():
    details = [
        {"longname": "a", "status": "success", "alpha": 4.0},
        {"longname": "b", "status": "failed", "alpha": -1},
        {"longname": "c", "status": "success", "alpha": 2.0},
    ]

    def fit(name, experiment, draw, alpha, hill=None):
        status = "success" if alpha else "failed"
        row = {"longname": name, "experiment": experiment, "draw": draw, "alpha": alpha}
        return row | {"num_evals": 9, "D": 0.1, "status": status, "hill": hill}

    fits = [
        *(fit(n, "weights", 0, a, h) for n, a, h in (("a", 4, 2), ("b", None, 3), ("c", 2, 4))),
        *(fit("a", "shuffled", i, alpha) for i, alpha in enumerate((40.0, 8.0, 10.0))),
        *(fit("b", "shuffled", i, alpha) for i, alpha in enumerate((6.0, None, None))),
        *(fit("c", "shuffled", i, None) for i in range(3)),
        fit("a", "windows", 0, 3.0, 2.5),
        fit("c", "other_layers", 0, 5.0),
        fit("new", "other_layers", 0, 6.0),
    ]
    layers = experiment_fits.by_layer(fits)
    assert layers["a"] == {"hill": 2, "alpha_shuffled": 10, "alpha_windows": 3, "hill_windows": 2.5}
    assert layers["c"] == {"hill": 4}
    found = experiment_fits.averages(details, fits, OPTIONS | {"gaussian": 0})
    assert found == {
        "alpha_shuffled": 8,  # of a and b
        "alpha_windows": 3,
        "hill": 3,
        "hill_windows": 2.5,
        "alpha_over_shuffled": pytest.approx(np.log10(0.4)),  # a alone has both
        "alpha_other_layers": 5,  # a as it is, c by the other rule, and the new one
        # The variance of a's median of three stands for b's single draw, too.
        "alpha_shuffled_se": pytest.approx(
            np.sqrt(np.var([40, 8, 10], ddof=1) * experiment_fits.MEDIAN_VARIANCE[3] / 2)
        ),
    }


@pytest.mark.parametrize("draws", [2, 3, 4, 5, 8])
def test_standard_errors_are_those_of_repeated_draws(draws):
    rng = np.random.default_rng(draws)
    spread = np.array([1.0, 2.0, 5.0])
    alphas = rng.normal(10, spread[:, None, None], (3, 4000, draws))
    again = np.median(alphas, axis=2).mean(axis=0)  # the model's value, 4000 times
    errors = [
        experiment_fits.standard_error(dict(enumerate(alphas[:, i].tolist()))) for i in range(4000)
    ]
    expected = pytest.approx(again.std(), rel=0.2 if draws > 5 else 0.05)
    assert np.sqrt(np.mean(np.square(errors))) == expected
    assert experiment_fits.standard_error({"a": [3.0], "b": [4.0]}) is None
    assert experiment_fits.standard_error({}) is None


def test_fits_survive_the_way_through_a_file(weights, tmp_path):
    from atlas.io import write_rows
    from atlas.tables.read import read_rows

    rows, tried, fits = run(weights)
    spectra.write(tmp_path / "e.parquet", tried, {"experiments": OPTIONS}, experiments.SCHEMA)
    back, about = spectra.read(tmp_path / "e.parquet")
    assert about["experiments"] == OPTIONS
    assert experiment_fits.fit(rows, back, 8) == fits
    write_rows(tmp_path / "fits.csv", experiment_fits.FITS, fits)
    assert experiment_fits.by_layer(read_rows(tmp_path / "fits.csv")) == experiment_fits.by_layer(
        fits
    )


def test_layers_with_too_few_eigenvalues_take_no_part(weights):
    rows, tried, _ = run(weights)
    fits = experiment_fits.fit(rows, tried, 50)
    names = {row["longname"] for row in fits if row["experiment"] != "other_layers"}
    assert names == {"conv"}  # it has 216, the others 40, 9 and, misread, 5


# --- what layers are like ------------------------------------------------------------------------


def layer(layer_type, N, M, rf, alpha=3.0, **more):
    evals = M * rf
    row = {"layer_type": layer_type, "N": N, "M": M, "rf": rf, "alpha": alpha, "D": 0.1}
    row |= {"status": "success" if alpha > 0 else "failed", "num_evals": evals, "rank_loss": 0}
    return row | {"num_pl_spikes": evals // 4} | dict.fromkeys(metrics.SUMMARY[1:], 1.0) | more


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (layer("conv2d", 64, 32, 9), "conv"),
        (layer("conv2d", 64, 32, 1), "pointwise"),
        (layer("conv2d", 64, 1, 9), "depthwise"),
        (layer("conv_transpose", 64, 32, 4), "conv"),
        (layer("dense", 64, 32, 1), "dense"),
        (layer("attention", 64, 32, 1), "dense"),
        (layer("embedding", 64, 32, 1), ""),
    ],
)
def test_the_kind_of_a_layer(row, kind):
    assert metrics.kind_of(row) == kind


def test_traits_and_selections_by_hand():
    rows = [
        layer("conv2d", 64, 1, 9, alpha=9.0),
        layer("conv2d", 64, 32, 1, alpha=3.0, rank_loss=16),
        layer("conv2d", 64, 32, 9, alpha=5.0),
        layer("dense", 200, 100, 1, alpha=-1),
        layer("dense", 10, 100, 1, alpha=1.5, num_evals=100),  # N and M exchanged, as happens
    ]
    found = metrics.averages(rows)
    assert found["N_median"] == 64 and found["M_median"] == 32
    assert found["aspect_median"] == 2
    assert found["evals_median"] == 100
    shares = [found[f"{kind}_share"] for kind in metrics.KINDS]
    assert shares == [0.2, 0.2, 0.2, 0.4]
    assert found["rank_loss_share"] == pytest.approx(16 / (9 + 32 + 288 + 100 + 100))
    assert found["tail_share"] == pytest.approx(np.mean([2 / 9, 0.25, 0.25, 25 / 100]))
    assert found["alpha_enough"] == pytest.approx(np.mean([5.0, 1.5]))
    assert found["alpha_inner"] == pytest.approx(4)
    assert found["alpha_in_range"] == pytest.approx(4)
    kinds = [found[f"alpha_{kind}"] for kind in metrics.KINDS]
    assert kinds == [9, 3, 5, 1.5]


def test_a_published_table_that_lacks_columns_has_traits_where_it_can():
    rows = [layer("dense", 64, 32, 1, num_evals=None, rank_loss=None, num_pl_spikes=None)] * 3
    found = metrics.averages(rows)
    assert found["M_median"] == 32 and found["dense_share"] == 1
    missing = ("evals_median", "rank_loss_share", "tail_share", "alpha_enough", "evals_50")
    assert [found[name] for name in missing] == [None] * 5

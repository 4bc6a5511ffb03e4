"""Downloads: every fault ends as the right file or as one line, never as a wrong file."""

import csv
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

from helpers.server import Fault, Server

from atlas.errors import (
    KnownFailure,
    Unreachable,
)
from atlas.weights import download
from atlas.weights import network as weights_network
from atlas.weights.download import (
    fetch,
    fetch_all,
)
from atlas.weights.network import (
    DiskFull,
    Network,
    Refused,
)

PUBLISHED = ROOT.parent / "shared" / "published"
CONTENT = hashlib.shake_128(b"weights").digest(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Network(timeout=0.3, retries=2)


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.bin").write_bytes(CONTENT)
    with Server(folder) as running:
        yield running


@pytest.fixture
def target(tmp_path):
    return tmp_path / "here" / "a.bin"


def get(server, target, known_hash=SHA256, network=QUICK):
    return fetch(f"{server.url}/files/a.bin", target, known_hash=known_hash, network=network)


def nothing_left(target):
    return not target.parent.exists() or list(target.parent.iterdir()) == []


def sends(server):
    return [request.sent for request in server.seen("a.bin")]


@pytest.mark.parametrize(
    "known_hash",
    [SHA256, f"sha256:{SHA256.upper()}", f"md5:{hashlib.md5(CONTENT).hexdigest()}", None],
)
def test_a_file_is_fetched_once_and_verified(server, target, known_hash):
    assert get(server, target, known_hash) == SHA256
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]
    assert get(server, target, known_hash) == SHA256
    assert len(server.seen("a.bin")) == 1
    assert target.stat().st_mode & 0o777 == 0o666 & ~download._umask()


def test_a_wrong_file_at_the_path_is_replaced_or_gone(server, target):
    target.parent.mkdir()
    target.write_bytes(b"another")
    get(server, target)
    assert target.read_bytes() == CONTENT
    target.write_bytes(b"another")
    server.fault("a.bin", always=Fault("status", 404))
    with pytest.raises(KnownFailure):
        get(server, target)
    assert nothing_left(target)


PASSING = {
    "500": Fault("status", 500),
    "429": Fault("status", 429),
    "429 with a date": Fault("status", 429, (("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),)),
    "503": Fault("status", 503, (("Retry-After", "1"),)),
    "cut at once": Fault("cut", 0),
    "cut": Fault("cut", 100_000),
    "hang": Fault("hang", 1),
    "wrong": Fault("wrong"),
    "short": Fault("short"),
    "drip": Fault("drip", 0.05),
}


@pytest.mark.parametrize("known_hash", [SHA256, None])
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_ends_as_the_file(server, target, fault, known_hash):
    if fault in ("wrong", "short") and known_hash is None:
        pytest.skip("another content is no fault where the content is not known")
    server.fault("a.bin", PASSING[fault])
    assert get(server, target, known_hash) == SHA256
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


STAYING = {
    "404": (Fault("status", 404), "HTTP 404", KnownFailure, 1),
    "403": (Fault("status", 403), "HTTP 403", Refused, 1),
    "410": (Fault("status", 410), "HTTP 410", KnownFailure, 1),
    "401": (Fault("status", 401), "HTTP 401", Refused, 1),
    "500": (Fault("status", 500), "HTTP 500", Unreachable, 3),
    "429": (Fault("status", 429), "HTTP 429", Unreachable, 3),
    "cut": (Fault("cut", 50_000), "cut at 150000 of 300000", Unreachable, 3),
    "hang": (Fault("hang", 1), "no answer within 0.3 s", Unreachable, 3),
    "drip": (Fault("drip", 0.05), "stalled", Unreachable, 3),
    "wrong": (Fault("wrong"), "wrong checksum", KnownFailure, 2),
    "short": (Fault("short"), "wrong checksum", KnownFailure, 2),
}


@pytest.mark.parametrize("fault", STAYING)
def test_a_fault_that_stays_ends_as_one_line_and_no_file(server, target, fault):
    kind, words, error, attempts = STAYING[fault]
    server.tags = False
    server.fault("a.bin", always=kind)
    with pytest.raises(KnownFailure) as caught:
        get(server, target)
    assert type(caught.value) is error
    assert words in caught.value.reason and f"{server.url}/files/a.bin" in caught.value.reason
    assert "\n" not in caught.value.reason and len(caught.value.reason) < 250
    assert (caught.value.status, caught.value.stage) == ("failed", "obtain")
    assert not target.exists()
    assert len(server.seen("a.bin")) == attempts
    if error is not Unreachable:
        assert nothing_left(target)


def test_a_server_that_is_not_there_is_unreachable(target):
    with pytest.raises(Unreachable, match=r"connection was refused in 3 attempts; .*mirror"):
        fetch("http://127.0.0.1:9/a.bin", target, known_hash=None, network=QUICK)
    with pytest.raises(Unreachable, match="host is not found"):
        fetch("http://no-such-host.invalid/a", target, known_hash=None, network=QUICK)
    assert nothing_left(target)


def test_an_address_that_is_none_is_a_lasting_failure(target):
    with pytest.raises(KnownFailure) as caught:
        fetch("gopher://host/a.bin", target, known_hash=None, network=QUICK)
    assert not isinstance(caught.value, Unreachable)


def test_secrets_of_an_address_are_not_shown(server, target):
    url = server.url.replace("//", "//me:word@") + "/files/none?signature=secret"
    with pytest.raises(KnownFailure) as caught:
        fetch(url, target, known_hash=None, network=QUICK)
    assert "word" not in caught.value.reason and "secret" not in caught.value.reason


def test_an_unreachable_survives_pickling():
    error = pickle.loads(pickle.dumps(Unreachable("failed", "no luck", "obtain")))
    assert (type(error), error.reason, error.stage) == (Unreachable, "no luck", "obtain")


def test_what_is_no_checksum_is_an_error(server, target):
    with pytest.raises(ValueError, match="no checksum"):
        get(server, target, "sha256:12")


def test_a_network_has_defaults():
    assert Network.from_config(None) == Network()
    assert Network.from_config({"timeout": 5}) == Network(None, 5, 4)


@pytest.mark.parametrize("known_hash", [SHA256, None])
def test_an_attempt_goes_on_where_the_last_one_was_cut(server, target, known_hash):
    server.fault("a.bin", Fault("cut", 100_000), Fault("cut", 150_000))
    get(server, target, known_hash)
    assert target.read_bytes() == CONTENT
    first, second, third = server.seen("a.bin")
    assert "Range" not in first.headers
    assert second.headers["Range"] == "bytes=100000-"
    assert third.headers["Range"] == "bytes=250000-"
    assert sends(server) == [100_000, 150_000, 50_000]
    assert ("If-Range" in second.headers) == (known_hash is None)


def test_a_later_run_goes_on_too(server, target):
    server.fault("a.bin", Fault("cut", 200_000))
    with pytest.raises(Unreachable):
        get(server, target, network=Network(timeout=0.3, retries=0))
    assert [path.name for path in target.parent.iterdir()] == [".a.bin.download"]
    get(server, target)
    assert sends(server) == [200_000, 100_000]
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("known_hash", [SHA256, None])
def test_a_killed_run_is_resumed(server, target, known_hash):
    pace = 0.05
    server.fault("a.bin", Fault("drip", pace))
    program = (
        "import sys; from pathlib import Path\n"
        "from atlas.weights.download import fetch; from atlas.weights.network import Network\n"
        f"fetch(sys.argv[1], Path(sys.argv[2]), known_hash={known_hash!r}, network=Network(None, 60))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, f"{server.url}/files/a.bin", str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )
    partial = target.with_name(".a.bin.download") / "partial"
    deadline = time.monotonic() + 20
    while not (partial.is_file() and partial.stat().st_size > 3):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not target.exists()
    had = partial.stat().st_size
    get(server, target, known_hash)
    assert target.read_bytes() == CONTENT
    assert server.seen("a.bin")[1].headers["Range"] == f"bytes={had}-"
    assert sends(server)[1] == len(CONTENT) - had
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


def test_a_server_without_ranges_starts_again(server, target):
    server.fault("a.bin", Fault("cut", 100_000), Fault("whole"))
    get(server, target)
    assert sends(server) == [100_000, 300_000]
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_at_the_server_is_not_mixed(server, target):
    server.fault("a.bin", Fault("cut", 100_000))
    with pytest.raises(Unreachable):
        get(server, target, None, Network(timeout=0.3, retries=0))
    other = bytes(reversed(CONTENT))
    (server.root / "a.bin").write_bytes(other)
    get(server, target, None)
    assert target.read_bytes() == other


def test_a_first_part_that_is_wrong_is_thrown_away(server, target):
    server.fault("a.bin", Fault("cut", 100_000))
    with pytest.raises(Unreachable):
        get(server, target, network=Network(timeout=0.3, retries=0))
    partial = target.with_name(".a.bin.download") / "partial"
    partial.write_bytes(b"x" * 100_000)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert sends(server) == [100_000, 200_000, 300_000]


@pytest.mark.parametrize("size", [300_000, 300_001])
def test_a_first_part_that_is_everything_or_more_is_no_problem(server, target, size):
    server.fault("a.bin", Fault("cut", 100_000))
    with pytest.raises(Unreachable):
        get(server, target, network=Network(timeout=0.3, retries=0))
    partial = target.with_name(".a.bin.download") / "partial"
    partial.write_bytes((CONTENT + b"x")[:size])
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert sends(server) == [100_000, 0] + ([] if size == 300_000 else [300_000])


def test_a_cut_without_an_announced_length_is_told_by_the_checksum(server, target):
    server.fault("a.bin", Fault("silent", 100_000))
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_attempts_that_get_further_are_not_counted(server, target, monkeypatch):
    monkeypatch.setattr(weights_network, "HEADWAY", 40_000)
    server.fault("a.bin", *[Fault("cut", 50_000)] * 5)
    get(server, target, network=Network(timeout=0.1, retries=1))
    assert sends(server) == [50_000] * 6


def test_a_server_is_asked_again_when_it_says(server, target):
    server.fault("a.bin", Fault("status", 503, (("Retry-After", "1"),)))
    started = time.monotonic()
    get(server, target)
    assert 0.9 < time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "-7"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"RateLimit": '"api";r=0;t=55'}, 55),
    ],
)
def test_how_long_a_server_asks_to_wait_is_understood(headers, seconds):
    assert weights_network.waiting(headers) == seconds


def test_a_large_file_says_how_far_it_is(server, target, monkeypatch, capsys):
    monkeypatch.setattr(download, "PROGRESS_FROM", 1000)
    now = iter(range(10_000))
    monkeypatch.setattr(download.time, "monotonic", lambda: next(now))
    get(server, target, network=Network(timeout=1e9))
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("a.bin: 0.") for line in lines)
    assert lines[0].endswith(" of 0.3 MB") and len(lines) <= 10


def test_a_small_file_says_nothing(server, target, capsys):
    get(server, target)
    assert capsys.readouterr() == ("", "")


def test_a_full_disk_is_one_line_and_leaves_nothing(server, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (server.root / "a.bin").write_bytes(os.urandom(3_000_000))
    options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(["mount", *options]).returncode:
        pytest.skip("a small file system cannot be mounted")
    try:
        for url in (f"{server.url}/files/a.bin", str(server.root / "a.bin")):
            with pytest.raises(DiskFull) as caught:
                fetch(url, disk / "sub" / "a.bin", known_hash=None, network=QUICK, label="net")
            assert caught.value.reason == ("no space left on device while downloading net (3.0 MB)")
            assert caught.value.stage == "obtain"
            assert list((disk / "sub").iterdir()) == []
        (server.root / "b.bin").write_bytes(b"b")
        registry = {"a.bin": server.sha256(server.root / "a.bin")}
        with pytest.raises(DiskFull):
            fetch_all([f"{server.url}/files"], registry, disk, QUICK)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_size_limit_is_one_line_too(server, target):
    program = (
        "import resource, signal, sys\n"
        "from atlas.weights.download import fetch; from atlas.weights.network import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: fetch(sys.argv[1], sys.argv[2], known_hash=None, network=Network(None, 0.3, 0))\n"
        "except DiskFull as error: print(error.reason)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, f"{server.url}/files/a.bin", str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert run.stdout == "no space left on device while downloading a.bin (0.3 MB)\n", run.stderr
    assert nothing_left(target)


def test_a_place_that_cannot_be_written_is_one_line(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(KnownFailure, match="cannot be written"):
        get(server, tmp_path / "file" / "a.bin")


@pytest.mark.parametrize("form", ["path", "folder", "address"])
def test_a_local_file_is_copied_and_verified(server, target, form):
    source = server.root / "a.bin"
    url = {"path": str(source), "folder": str(server.root), "address": source.as_uri()}[form]
    assert fetch(url, target, known_hash=SHA256, network=QUICK) == SHA256
    assert target.read_bytes() == CONTENT and source.exists()
    target.unlink()
    source.write_bytes(b"another")
    with pytest.raises(KnownFailure, match="wrong checksum"):
        fetch(url, target, known_hash=SHA256, network=QUICK)
    source.unlink()
    with pytest.raises(KnownFailure, match="no such file"):
        fetch(url, target, known_hash=SHA256, network=QUICK)
    assert nothing_left(target)


@pytest.fixture
def many(server):
    registry = {}
    for index in range(20):
        path = server.root / "set" / f"part {index % 3}" / f"{index}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(index))
        registry[str(path.relative_to(server.root / "set"))] = server.sha256(path)
    return registry


def complete(registry, folder):
    return all(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        for name, digest in registry.items()
    ) and len([path for path in folder.rglob("*") if path.is_file()]) == len(registry)


def test_many_files_are_fetched_once(server, many, tmp_path):
    server.fault("7.txt", Fault("status", 500))
    fetch_all([f"{server.url}/files/set/"], many, tmp_path / "out", QUICK)
    assert complete(many, tmp_path / "out")
    count = len(server.requests)
    fetch_all([f"{server.url}/files/set/"], many, tmp_path / "out", QUICK)
    assert len(server.requests) == count == 21


def test_the_mirror_is_first_and_the_original_fills_its_gaps(server, many, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "part 0").mkdir()
    for index in (0, 3):
        (mirror / "part 0" / f"{index}.txt").write_text(str(index))
    (mirror / "part 0" / "6.txt").write_text("wrong")
    fetch_all([str(mirror), f"{server.url}/files/set"], many, tmp_path / "out", QUICK)
    assert complete(many, tmp_path / "out")
    assert len(server.requests) == 18


def test_a_mirror_that_is_down_is_not_asked_for_every_file(server, many, tmp_path):
    with Server(tmp_path) as mirror:
        mirror.fault("", always=Fault("status", 503))
        fetch_all([mirror.url, f"{server.url}/files/set"], many, tmp_path / "out", QUICK)
        assert len(mirror.requests) <= download.AT_A_TIME * 3
    assert complete(many, tmp_path / "out")


def test_missing_files_are_listed_and_lasting(server, many, tmp_path):
    wrong = {f"gone/{index}.txt": "0" * 64 for index in range(5)}
    with pytest.raises(KnownFailure, match=r"^failed: 5 of 25 files .*404.*; \.\.\.$") as caught:
        fetch_all([f"{server.url}/files/set"], {**many, **wrong}, tmp_path / "out", QUICK)
    assert type(caught.value) is KnownFailure and caught.value.reason.count("404") == 3
    assert not any((tmp_path / "out").rglob("gone/*"))
    with pytest.raises(Unreachable, match="20 of 20"):
        fetch_all(["http://127.0.0.1:9/set"], many, tmp_path / "elsewhere", QUICK)


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", ""])
def test_a_path_out_of_the_folder_is_an_error(server, tmp_path, name):
    with pytest.raises(ValueError, match="relative path"):
        fetch_all([server.url], {name: "0" * 64}, tmp_path / "out", QUICK)


def test_published_tables_arrive_with_the_checksums_of_their_manifest(tmp_path):
    if not (PUBLISHED / "MANIFEST.csv").is_file():
        pytest.skip("the folder of published tables is not beside this checkout")
    with (PUBLISHED / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        registry = {row["path"]: row["sha256"] for row in csv.DictReader(file)}
    with Server(PUBLISHED) as server:
        server.fault("summary.json", *[Fault("status", 503), None, Fault("cut", 10), None] * 5)
        fetch_all([f"{server.url}/files"], registry, tmp_path / "out", QUICK)
        assert len(server.requests) > len(registry)
    assert complete(registry, tmp_path / "out")

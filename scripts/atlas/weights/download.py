"""Downloading of files: resumed, verified, and never a wrong file at the path that was asked for.

pooch verifies what arrives and renames it. What a download has so far lies in a hidden folder beside
its target (``.<name>.download``), so that an attempt after a cut connection, or a run after a killed
one, goes on where the last one stopped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from atlas.errors import KnownFailure, Unreachable
from atlas.io import sha256
from atlas.job import logger
from atlas.weights.network import (
    BUSY,
    FULL,
    PROGRESS_EVERY,
    DiskFull,
    Network,
    Refused,
    Transient,
    cut,
    innermost,
    mb,
    meaning,
    retrying,
    waiting,
    why,
)

if TYPE_CHECKING:
    import requests

AT_A_TIME = 8  # downloads in parallel, of many small files
CHUNK = 1 << 20  # bytes
SLOWEST = 1000  # bytes per second; slower than this for `timeout` seconds is a stalled download
PROGRESS_FROM = 20_000_000  # bytes; a smaller file says nothing while it arrives
CHECKSUMS = 2  # wrong checksums of a whole file before it is given up


def fetch(
    url: str,
    path: str | Path,
    *,
    known_hash: str | None,
    network: Network,
    label: str | None = None,
    headers: Mapping[str, str] | None = None,
    session: requests.Session | None = None,
) -> str:
    """Have the file at ``path``, verified; its SHA-256 as hexadecimal text.

    ``url`` is an address, a ``file://`` address, a local file, or a local folder with a file of
    ``path``'s name. ``known_hash`` is ``sha256:...``, ``md5:...`` or a bare SHA-256; None accepts
    what comes. A file that is there and right is not downloaded again; a wrong one is removed first.
    ``label`` names the download in progress lines; ``headers`` are sent along (an authorization not
    beyond the address's own host).

    Raises Unreachable for what may succeed later, DiskFull, KnownFailure for what will not
    (HTTP 404, a wrong checksum), and ValueError for a ``known_hash`` that is none.
    """
    path = Path(path)
    known_hash = _hash(known_hash)
    if path.is_file():
        if known_hash is None or _matches(path, known_hash):
            return _sha256(path, known_hash)
        path.unlink()
    label = label or path.name
    local = _local(url)
    shown = str(local) if local else _shown(url)
    beside = path.with_name(f".{path.name}.download")
    if local is not None:
        download: _Copy | _Resume = _Copy(local / path.name if local.is_dir() else local)
    else:
        session = session or _session()
        download = _Resume(beside, url, known_hash, network, label, dict(headers or {}), session)
    try:
        beside.mkdir(parents=True, exist_ok=True)
        complete = retrying(
            lambda: _attempt(url, beside, known_hash, download), network, shown, download.size
        )
        complete.replace(path)
        shutil.rmtree(beside, ignore_errors=True)
    except Unreachable:
        if download.size() == 0:
            shutil.rmtree(beside, ignore_errors=True)
        raise
    except KnownFailure:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        if error.errno in FULL:
            total = download.total
            size = f" ({mb(total)} MB)" if total else ""
            raise DiskFull(
                "failed",
                f"no space left on device while downloading {label}{size}",
                stage="obtain",
            ) from None
        raise KnownFailure(
            "failed", f"{shown}: cannot be written to {path} ({error.strerror or error})", "obtain"
        ) from None
    return _sha256(path, known_hash)


def fetch_all(
    base_urls: Sequence[str | Mapping[str, str]],
    registry: Mapping[str, str],
    folder: str | Path,
    network: Network,
) -> None:
    """Have every file of ``registry`` (relative path: hash) in ``folder``, verified.

    Each file comes from the first of ``base_urls`` (addresses or folders, a mirror first; or the
    address of each file) that has it; a base that does not answer is not asked again. Files that are
    there and right are kept.

    Raises KnownFailure that names the first three failures (Unreachable where all of them may pass,
    DiskFull), and ValueError for a path that leads out of ``folder``.
    """
    folder = Path(folder)
    for name in registry:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts:
            raise ValueError(f"{name!r} is no relative path within a folder")
    session = _session()
    down: dict[int, KnownFailure] = {}
    full: list[DiskFull] = []

    def one(name: str) -> KnownFailure | None:
        failure: KnownFailure | None = None
        for place, base in enumerate(base_urls):
            if full:
                return full[0]
            if place in down:
                failure = down[place]
                continue
            url = _join(base, name) if isinstance(base, str) else base[name]
            try:
                known_hash = registry[name]
                fetch(url, folder / name, known_hash=known_hash, network=network, session=session)
            except DiskFull as error:
                full.append(error)
                return error
            except Unreachable as error:
                down[place] = failure = error
            except KnownFailure as error:
                failure = error
            else:
                return None
        return failure or KnownFailure("failed", f"{name}: no address to download it from")

    with session, ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = list(pool.map(one, registry))
    if full:
        raise full[0]
    failures = [failure for failure in outcomes if failure is not None]
    if failures:
        kind = (
            Unreachable if all(isinstance(one, Unreachable) for one in failures) else KnownFailure
        )
        reasons = list(dict.fromkeys(failure.reason for failure in failures))
        more = "; ..." if len(reasons) > 3 else ""
        raise kind(
            "failed",
            f"{len(failures)} of {len(registry)} files could not be downloaded: "
            + "; ".join(reasons[:3])
            + more,
            "obtain",
        )


class _Copy:
    """pooch's downloader for a local file."""

    total = None

    def __init__(self, source: Path) -> None:
        self.source = source

    def size(self) -> int:
        return 0

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        if not self.source.is_file():
            raise KnownFailure("failed", f"{self.source}: no such file", "obtain")
        self.total = self.source.stat().st_size
        shutil.copyfile(self.source, output_file)
        Path(output_file).chmod(0o666 & ~_umask())  # pooch's temporary files are private

    def wrong(self) -> Exception:
        return KnownFailure("failed", f"{self.source}: wrong checksum", "obtain")


class _Resume:
    """pooch's downloader over HTTP, which goes on with what an earlier attempt or run received."""

    def __init__(
        self,
        folder: Path,
        url: str,
        known_hash: str | None,
        network: Network,
        label: str,
        headers: dict[str, str],
        session: requests.Session,
    ) -> None:
        self.partial, self.state = folder / "partial", folder / "state.json"
        self.url, self.known_hash, self.network = url, known_hash, network
        self.label, self.headers, self.session = label, headers, session
        self.total: int | None = None
        self.resumed, self.checksums = False, 0

    def size(self) -> int:
        """Bytes received so far."""
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        import requests
        import urllib3

        start, validator = self._usable()
        headers = {**self.headers, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if validator:
                headers["If-Range"] = validator
        try:
            with self.session.get(
                self.url, headers=headers, stream=True, timeout=self.network.timeout
            ) as response:
                self._receive(response, start)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise Transient(f"no answer within {self.network.timeout:g} s") from None
        except requests.exceptions.SSLError as error:
            raise Transient(f"no trusted connection ({innermost(error)})") from None
        except (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            urllib3.exceptions.HTTPError,
        ) as error:
            raise Transient(why(error, self.size(), self.total)) from None
        except requests.RequestException as error:  # no valid address, a circle of redirections
            raise KnownFailure(
                "failed", f"{_shown(self.url)}: {innermost(error)}", "obtain"
            ) from None
        self.partial.replace(output_file)

    def wrong(self) -> Exception:
        """What a wrong checksum means: another attempt, from the first byte, or the end."""
        resumed, self.resumed = self.resumed, False
        self.checksums += not resumed
        if self.checksums >= CHECKSUMS:
            return KnownFailure(
                "failed",
                f"{_shown(self.url)}: wrong checksum, {self.checksums} times; "
                "the file is not the one that was expected",
                "obtain",
            )
        return Transient("wrong checksum", lasting=True)

    def _usable(self) -> tuple[int, str | None]:
        """How much of the partial file can be kept, and what must be unchanged at the server."""
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0, None
        if self.known_hash:  # the checksum decides in the end, wherever the first part came from
            return (self.size() if state.get("hash") == self.known_hash else 0), None
        same = state.get("url") == self.url and state.get("hash") is None
        return (self.size(), state["validator"]) if same and state.get("validator") else (0, None)

    def _receive(self, response: requests.Response, start: int) -> None:
        status = response.status_code
        span = re.fullmatch(
            r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "")
        )
        if status == 416 and start and span and span[2] == str(start):
            self.resumed = True
            return  # it was complete already
        if status == 416 or (status == 206 and not (span and span[1] == str(start))):
            self.partial.unlink(missing_ok=True)
            raise Transient("the server cannot go on where the download stopped")
        if status in BUSY or status >= 500:
            raise Transient(f"HTTP {status}", waiting(response.headers))
        if status not in (200, 206):
            kind = Refused if status in (401, 403) else KnownFailure
            raise kind("failed", f"{_shown(self.url)}: {meaning(status)}", "obtain")
        if status == 200:
            start = 0
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        length = response.headers.get("Content-Length")
        self.total = None
        if span and span[2] != "*":
            self.total = int(span[2])
        elif length is not None and not encoded:
            self.total = start + int(length)
        self.resumed = start > 0
        with self.partial.open("ab" if start else "wb") as file:
            if not start:
                self._remember(response)
            received = start
            progress = _Progress(self.label, self.total, start)
            window, seen = time.monotonic(), 0
            for chunk in _chunks(response, encoded):
                file.write(chunk)
                file.flush()  # so that a killed run leaves all of it
                received += len(chunk)
                seen += len(chunk)
                now = time.monotonic()
                if now - window >= self.network.timeout:
                    if seen < SLOWEST * (now - window):
                        raise Transient(f"stalled at less than {SLOWEST // 1000} kB/s")
                    window, seen = now, 0
                progress.at(received, now)
            os.fsync(file.fileno())
        if self.total is not None and received < self.total:
            raise Transient(cut(received, self.total))
        if self.total is not None and received > self.total:
            self.partial.unlink()
            raise Transient(f"{received} bytes came where {self.total} were announced")

    def _remember(self, response: requests.Response) -> None:
        """Note what the partial file is part of, so that a later attempt knows."""
        tag = response.headers.get("ETag", "")
        validator = tag if tag and not tag.startswith("W/") else None
        if not validator and not tag:
            validator = response.headers.get("Last-Modified")
        state = {"url": self.url, "hash": self.known_hash, "validator": validator}
        self.state.write_text(json.dumps(state), encoding="utf-8")


class _Progress:
    """One line now and then for a large file; several downloads may write to the same terminal."""

    def __init__(self, label: str, total: int | None, start: int) -> None:
        self.label, self.total = label, total
        self.time, self.bytes = time.monotonic(), start

    def at(self, received: int, now: float) -> None:
        if (self.total or received) < PROGRESS_FROM or received == self.total:
            return
        waited = now - self.time
        further = bool(self.total) and received - self.bytes >= self.total * PROGRESS_EVERY / 100
        if waited >= PROGRESS_EVERY or (further and waited >= 1):
            of = f" of {mb(self.total)}" if self.total else ""
            line = f"{self.label}: {mb(received)}{of} MB"
            logger.info("%s", line)
            print(line, file=sys.stderr, flush=True)
            self.time, self.bytes = now, received


def _attempt(url: str, beside: Path, known_hash: str | None, download: _Copy | _Resume) -> Path:
    """One attempt: the complete and verified file, still in the hidden folder."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(
            pooch.retrieve(
                url, known_hash, fname="complete", path=beside.absolute(), downloader=download
            )
        )
    except ValueError:  # pooch's word for a wrong checksum; the file is gone by now
        raise download.wrong() from None


def _chunks(response: requests.Response, encoded: bool) -> Any:
    if encoded:  # against our wish; its length says nothing
        yield from response.iter_content(CHUNK)
        return
    # Whatever has arrived, at once: waiting for a full chunk would hide a stalled download.
    while chunk := response.raw.read1(CHUNK):
        yield chunk


def _session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=AT_A_TIME))
    return session


def _hash(known_hash: str | None) -> str | None:
    """A hash as pooch wants it, ``algorithm:digits``."""
    if known_hash is None:
        return None
    algorithm, _, digits = known_hash.strip().lower().rpartition(":")
    algorithm = algorithm or "sha256"
    if not re.fullmatch(r"[0-9a-f]+", digits) or (algorithm == "sha256" and len(digits) != 64):
        raise ValueError(f"{known_hash!r} is no checksum")
    return f"{algorithm}:{digits}"


def _matches(path: Path, known_hash: str) -> bool:
    import pooch

    algorithm, digits = known_hash.split(":")
    return pooch.file_hash(str(path), alg=algorithm) == digits


def _sha256(path: Path, known_hash: str | None) -> str:
    if known_hash and known_hash.startswith("sha256:"):
        return known_hash.removeprefix("sha256:")  # verified already
    return sha256(path)


def _local(url: str) -> Path | None:
    """The local path that an address means, or None for one of the network."""
    if url.startswith("file:"):
        return Path(unquote(urlsplit(url).path))
    return None if "://" in url else Path(url).expanduser()


def _join(base: str, name: str) -> str:
    remote = "://" in base
    return f"{base.rstrip('/')}/{quote(name) if remote else name}"


def _shown(url: str) -> str:
    """An address without what may be secret in it: a password, a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask

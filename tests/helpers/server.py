"""A local server for tests: real files, a Hugging Face-shaped endpoint, and faults on request."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Fault:
    """What a request meets instead of its answer.

    kind: "status" (value: the HTTP status), "cut" (value: bytes before the connection is cut),
    "wrong" (other bytes of the same length), "short" (fewer bytes, with a length that agrees),
    "hang" (value: seconds without an answer), "drip" (a byte every `value` seconds),
    "whole" (the answer, but any Range is ignored), "silent" (cut, without a Content-Length).
    """

    kind: str
    value: float = 0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Request:
    """A request as the server saw it; `sent` is the number of body bytes."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


@dataclass
class Repository:
    """A model repository: the files of each commit, and where its branches stand."""

    commits: dict[str, Path] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False


class Server:
    """Serves `root` under /files/ and repositories as a hub does; use as a context manager."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.tags = True  # whether answers carry an ETag
        self.in_git: set[str] = {".json", ".md"}  # suffixes of files that are not redirected
        self._faults: dict[str, list[Fault | None]] = defaultdict(list)
        self._always: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._hashes: dict[tuple[Path, float], str] = {}
        handler = type("Handler", (_Handler,), {"server_": self})
        self._http = _Quiet(("127.0.0.1", 0), handler)
        port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{port}"
        self.cdn = f"http://localhost:{port}/cdn"  # another host, as far as a client can tell

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def fault(self, path: str, *faults: Fault | None, always: Fault | None = None) -> None:
        """Script the answers to a path (or its end): one fault per request (None: no fault)."""
        self._faults[path].extend(faults)
        if always:
            self._always[path] = always

    def add(self, repo: str, folder: Path, branch: str = "main") -> str:
        """Serve a folder as the newest commit of a repository; the commit's hash."""
        found = self.repositories.setdefault(repo, Repository())
        commit = hashlib.sha1(f"{repo}{len(found.commits)}".encode()).hexdigest()
        found.commits[commit] = Path(folder)
        found.refs[branch] = commit
        return commit

    def seen(self, path: str = "", method: str = "GET") -> list[Request]:
        """The requests whose path ends so, in order."""
        with self._lock:
            return [
                one for one in self.requests if one.method == method and one.path.endswith(path)
            ]

    def sha256(self, path: Path) -> str:
        key = (path, path.stat().st_mtime)
        if key not in self._hashes:
            self._hashes[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._hashes[key]

    def take_fault(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for path, faults in self._faults.items():
                if request.path.endswith(path) and faults:
                    return faults.pop(0)
            for path, fault in self._always.items():
                if request.path.endswith(path):
                    return fault
        return None


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server_: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.request_ = Request(
            self.command, path, {name.title(): text for name, text in self.headers.items()}
        )
        fault = self.server_.take_fault(self.request_)
        try:
            if fault and fault.kind == "hang":
                self.server_.stopping.wait(fault.value)
                self.close_connection = True
            elif fault and fault.kind == "status":
                self._text(int(fault.value), b"", dict(fault.headers))
            elif path.startswith("/files/"):
                self._file(self.server_.root / path.removeprefix("/files/"), fault)
            elif path.startswith("/cdn/"):
                self._stored(path.split("/")[2], fault)
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                self._about(match[1], match[2] or "main", "blobs" in parse_qs(parts.query))
            elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._resolve(match[1], match[2], match[3], fault)
            else:
                self._text(404, b"")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _commit(self, repo: str, revision: str) -> str | None:
        """The commit that a revision means; None after an answer that says there is none."""
        found = self.server_.repositories.get(repo)
        if found is None:
            self._text(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif found.refs.get(revision, revision) not in found.commits:
            self._text(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            return found.refs.get(revision, revision)
        return None

    def _about(self, repo: str, revision: str, blobs: bool) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        siblings = []
        for path in sorted(self.server_.repositories[repo].commits[commit].iterdir()):
            entry: dict = {"rfilename": path.name}
            if blobs:
                size = path.stat().st_size
                entry |= {"size": size, "blobId": _blob(path)}
                if path.suffix not in self.server_.in_git:
                    digest = self.server_.sha256(path)
                    entry["lfs"] = {"size": size, "sha256": digest, "pointerSize": 134}
            siblings.append(entry)
        about = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings}
        self._text(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def _resolve(self, repo: str, revision: str, name: str, fault: Fault | None) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        path = self.server_.repositories[repo].commits[commit] / name
        headers = {"X-Repo-Commit": commit}
        if self.server_.repositories[repo].gated:  # what it holds is public, the files are not
            self._text(403, b"", {**headers, "X-Error-Code": "GatedRepo"})
        elif not path.is_file():
            self._text(404, b"", {**headers, "X-Error-Code": "EntryNotFound"})
        elif path.suffix in self.server_.in_git:
            self._file(path, fault, headers, f'"{_blob(path)}"')
        else:
            digest = self.server_.sha256(path)
            headers["X-Linked-Etag"] = f'"{digest}"'
            headers["X-Linked-Size"] = str(path.stat().st_size)
            headers["Location"] = f"{self.server_.cdn}/{digest}/{name}?signature=secret"
            self._text(302, b"", headers)

    def _stored(self, digest: str, fault: Fault | None) -> None:
        for repository in self.server_.repositories.values():
            for folder in repository.commits.values():
                for path in folder.iterdir():
                    if self.server_.sha256(path) == digest:
                        self._file(path, fault, {}, f'"{digest}"')
                        return
        self._text(404, b"")

    def _file(
        self,
        path: Path,
        fault: Fault | None,
        headers: dict[str, str] | None = None,
        tag: str | None = None,
    ) -> None:
        if not path.is_file():
            self._text(404, b"")
            return
        body = path.read_bytes()
        headers = dict(headers or {})
        if self.server_.tags:
            tag = tag or f'"{self.server_.sha256(path)[:16]}"'
            headers["ETag"] = tag
        headers["Accept-Ranges"] = "bytes"
        status, total = 200, len(body)
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range") in (None, tag)
        if span and unchanged and not (fault and fault.kind == "whole"):
            start = int(span[1])
            if start >= total:
                self._text(416, b"", {**headers, "Content-Range": f"bytes */{total}"})
                return
            body, status = body[start:], 206
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        kind = fault.kind if fault else ""
        if kind == "wrong":
            body = body.translate(bytes(byte ^ 1 for byte in range(256)))
        elif kind == "short":
            body = body[: len(body) // 2]
            headers.pop("Content-Range", None)
        if kind == "silent":
            headers["Connection"] = "close"
        else:
            headers["Content-Length"] = str(len(body))
        self._head(status, headers)
        if self.command == "HEAD":
            return
        if kind in ("cut", "silent"):
            self._send(body[: int(fault.value)])
            self.close_connection = True
        elif kind == "drip":
            for index in range(len(body)):
                if self.server_.stopping.is_set():
                    break
                self._send(body[index : index + 1])
                time.sleep(fault.value)
        else:
            self._send(body)

    def _text(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, {**(headers or {}), "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self._send(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.request_.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes) -> None:
        for start in range(0, len(body), 1 << 16):
            piece = body[start : start + (1 << 16)]
            self.wfile.write(piece)
            self.request_.sent += len(piece)


def _blob(path: Path) -> str:
    """The name git gives a file's content."""
    data = path.read_bytes()
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()

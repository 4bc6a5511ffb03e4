"""Weights from Hugging Face: timm's pretrained networks, and any model repository's tensors.

Weights files are temporary: they are downloaded to a folder of their own, which stays only where a
later run can go on with it, unless they are in the user's own Hugging Face cache, where they are
read and left. Nothing here runs a repository's code.

huggingface_hub reads its settings (HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE, HF_TOKEN, ...) when it is
imported; all of them are honoured.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from atlas.errors import KnownFailure, Unreachable
from atlas.io import sha256 as sha256_of
from atlas.job import logger
from atlas.weights.download import fetch
from atlas.weights.layers import network_order
from atlas.weights.network import BUSY, Network, Refused, Transient, retrying, waiting

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
DOWNLOADS = Path("weights/.download")
RESTRICTED = "access is restricted; accept its terms on its page and log in (hf auth login)"
COMMIT = re.compile(r"[0-9a-f]{40}")
PLAIN_NAME = re.compile(r"\w[\w.\-]*")
INDEX = ".index.json"

# What is read of a repository: the first of these that it has; safetensors before pickles.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_pytorch_model.bin",
)

# What timm takes instead of a pickle, if the repository has it.
SAFER = {
    "pytorch_model.bin": "model.safetensors",
    "open_clip_pytorch_model.bin": "open_clip_model.safetensors",
}


def timm_weights(
    name: str,
    revision: str | None,
    sha256: str | None,
    network: Network,
    folder: Path = DOWNLOADS,
) -> tuple[torch.nn.Module, dict[str, str | None]]:
    """One of timm's networks with its pretrained weights, in evaluation mode, and what was read.

    ``name`` is timm's, with or without a tag; ``revision`` is a commit, branch or tag of its
    repository (None: the newest); ``sha256`` is what the weights file must be. The second result
    has ``revision`` (the commit; None for the few networks that are not on Hugging Face),
    ``source_sha256`` and ``file``. The weights are downloaded below ``folder`` and deleted again.

    Raises KnownFailure for a name that timm does not have, a network without pretrained weights,
    other weights than expected; Unreachable for what may succeed later; DiskFull.
    """
    _environment(network)
    name, settings = _pretrained(name)
    overlay: dict[str, Any] = {}
    with _temporary(folder / _folder_name(name)) as own:
        if settings.hf_hub_id:
            wanted = settings.hf_hub_filename or "pytorch_model.bin"
            safer = SAFER.get(wanted, re.sub(r"\.bin$", ".safetensors", wanted))
            names = list(dict.fromkeys([safer, wanted]))
            repo, _, pinned = settings.hf_hub_id.partition("@")
            found = _repository(repo, revision or pinned or None, names, network)
            file = found.first(names)
            path, digest = found.file(file, own, network, sha256, name)
            # Naming a source makes timm forget the format of the one it knows.
            overlay = {
                "hf_hub_id": f"{repo}@{found.commit}",
                "custom_load": settings.custom_load,
            }
            cache = own if own in path.parents else None
            about = {"revision": found.commit, "source_sha256": digest, "file": file}
        else:
            path, digest = _from_url(settings.url, own, network, sha256, name)
            cache = path.parent
            about = {"revision": None, "source_sha256": digest, "file": path.name}
        module = _create(name, cache, overlay)
    return module.eval(), about


def huggingface_weights(
    repo: str,
    revision: str | None,
    sha256: str | None,
    network: Network,
    folder: Path = DOWNLOADS,
) -> tuple[dict[str, torch.Tensor], dict[str, str | None]]:
    """The tensors of a model repository (``organisation/name``), by name, and what was read.

    The first of ``WEIGHTS`` that the repository has is read, with its shards if it is an index, and
    nothing else is downloaded. The second result has ``revision`` (the commit), ``source_sha256``
    and ``file``. The SHA-256 of a sharded checkpoint is, as in ``files.digest``,
    that of the sorted lines ``<name>:<sha256>``, each with a newline, of the index and its shards.

    Raises KnownFailure for a repository that does not exist, is gated or has no such file, and for
    other weights than expected; Unreachable for what may succeed later; DiskFull.
    """
    _environment(network)
    with _temporary(folder / _folder_name(repo)) as own:
        found = _repository(repo, revision, WEIGHTS, network)
        file = found.first(WEIGHTS)
        if file.endswith(INDEX):
            tensors, digest = _sharded(found, file, own, network, sha256)
        else:
            path, digest = found.file(file, own, network, sha256, repo)
            tensors = _read(path)
    return tensors, {"revision": found.commit, "source_sha256": digest, "file": file}


@dataclass(frozen=True)
class _Repository:
    """A repository at one commit: its files, with their SHA-256 where it is known.

    cached: whether this is what the user's cache holds of it, because nothing else was asked.
    """

    repo: str
    commit: str
    files: Mapping[str, str | None] = field(default_factory=dict)
    cached: bool = False

    def first(self, names: Sequence[str]) -> str:
        """The first of these names that the repository has; raises KnownFailure for none."""
        for name in names:
            if name in self.files:
                return name
        where = "of it in the cache of Hugging Face" if self.cached else f"at {self.commit[:7]}"
        raise KnownFailure("failed", f"{self.repo}: there is no {' or '.join(names)} {where}")

    def file(
        self, name: str, folder: Path, network: Network, expected: str | None, label: str
    ) -> tuple[Path, str]:
        """A file and its SHA-256: from the user's cache if it is there and right, else downloaded.

        It is put where huggingface_hub looks for it if ``folder`` is its cache.
        """
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import repo_folder_name
        from huggingface_hub.utils import build_hf_headers

        listed = self.files.get(name)
        what = f"{self.repo}: {name}"
        if listed:
            _agree(listed, expected, what)
        cached = _in_cache(self.repo, name, self.commit)
        if cached:
            digest = sha256_of(cached)
            if digest == (listed or digest):
                _agree(digest, expected, what)
                return cached, digest
            logger.warning("%s in the cache of Hugging Face is damaged and is not used", what)
        if self.cached:
            raise Unreachable("failed", f"{what} is not in the cache of Hugging Face", "obtain")
        snapshot = folder / repo_folder_name(repo_id=self.repo, repo_type="model") / "snapshots"
        path = snapshot / self.commit / name
        try:
            digest = fetch(
                hf_hub_url(self.repo, name, revision=self.commit),
                path,
                known_hash=listed,
                network=network,
                label=label,
                headers=build_hf_headers(),
            )
        except Refused:
            raise KnownFailure("failed", f"{self.repo}: {RESTRICTED}", "obtain") from None
        _agree(digest, expected, what)
        return path, digest


def _environment(network: Network) -> None:
    """Settings of huggingface_hub that the user did not make, for when it is imported."""
    seconds = str(max(1, math.ceil(network.timeout)))  # it reads whole seconds only
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", seconds)
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", seconds)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Its other way to download keeps its parts in the user's cache, and mirrors do not offer it.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A folder that is deleted at the end; one that a later run can go on with stays."""
    try:
        yield folder
    except Unreachable:
        if not any(path.is_file() for path in folder.rglob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _repository(
    repo: str, revision: str | None, names: Sequence[str], network: Network
) -> _Repository:
    """The repository as the hub lists it, or, without a hub, as the user's cache holds it."""
    if revision and COMMIT.fullmatch(revision) and _in_cache(repo, names[0], revision):
        return _cached(repo, revision, names[:1])  # pinned, and there: nothing to ask
    try:
        return _listing(repo, revision, network)
    except Unreachable as failure:
        found = _cached(repo, revision, names)
        if not found.files:
            raise
        logger.warning("%s; the copy in the cache of Hugging Face is used", failure.reason)
        return found


def _listing(repo: str, revision: str | None, network: Network) -> _Repository:
    from huggingface_hub import HfApi

    info = _asked(
        lambda: HfApi().model_info(
            repo, revision=revision, timeout=network.timeout, files_metadata=True
        ),
        repo,
        revision,
        network,
    )
    if not info.sha or info.siblings is None:
        raise KnownFailure("failed", f"{repo}: the endpoint (HF_ENDPOINT) answers as no hub does")
    files = {one.rfilename: one.lfs.sha256 if one.lfs else None for one in info.siblings}
    return _Repository(repo, info.sha, files)


def _cached(repo: str, revision: str | None, names: Sequence[str]) -> _Repository:
    for name in names:
        if path := _in_cache(repo, name, revision):
            files = dict.fromkeys(one.name for one in path.parent.iterdir())
            return _Repository(repo, path.parent.name, files, cached=True)
    return _Repository(repo, revision or "", {}, cached=True)


def _in_cache(repo: str, name: str, revision: str | None) -> Path | None:
    """A file in the user's cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(repo, name, revision=revision)
    except HFValidationError as error:
        raise KnownFailure("failed", f"{repo!r} is no name of a repository ({error})") from None
    return Path(path) if isinstance(path, str) else None


def _asked(ask: Callable[[], T], repo: str, revision: str | None, network: Network) -> T:
    """The hub's answer; its errors as ours, in one line."""
    import httpx2
    from huggingface_hub import errors

    def attempt() -> T:
        try:
            return ask()
        except errors.OfflineModeIsEnabled:
            raise Unreachable(
                "failed",
                f"{repo} is not in the cache of Hugging Face, and HF_HUB_OFFLINE is set; unset it, "
                "or put the model there first",
                "obtain",
            ) from None
        except errors.GatedRepoError:
            why = RESTRICTED
        except errors.RepositoryNotFoundError:
            why = "there is no such repository, or it is private and needs a login (hf auth login)"
        except errors.RevisionNotFoundError:
            why = f"it has no revision {revision}"
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status in BUSY or status >= 500:
                raise Transient(f"HTTP {status}", waiting(error.response.headers)) from None
            why = f"HTTP {status}"
        except errors.HFValidationError as error:
            why = str(error)
        except httpx2.TimeoutException:
            raise Transient(f"no answer within {network.timeout:g} s") from None
        except httpx2.TransportError as error:
            raise Transient(f"no connection ({error})") from None
        except (ValueError, KeyError, TypeError, httpx2.HTTPError):
            why = "the endpoint (HF_ENDPOINT) answers as no hub does"
        raise KnownFailure("failed", f"{repo}: {why}", "obtain")

    return retrying(attempt, network, repo)


def _pretrained(name: str) -> tuple[str, Any]:
    """A network's current name in timm and the settings of its pretrained weights."""
    import timm
    from timm.models import get_arch_pretrained_cfgs, get_deprecated_models, get_pretrained_cfg

    renamed = get_deprecated_models()
    if name in renamed:
        if not renamed[name]:
            raise KnownFailure("failed", f"timm has removed {name!r}{_like(name)}", "obtain")
        logger.info("%s is %s by now", name, renamed[name])
        name = renamed[name]
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture) or ":" in name:
        raise KnownFailure("failed", f"timm has no network {name!r}{_like(name)}", "obtain")
    try:
        settings = get_pretrained_cfg(name)
    except RuntimeError:
        tags = [one.partition(".")[2] for one in get_arch_pretrained_cfgs(architecture)]
        near = difflib.get_close_matches(tag, tags, 3, 0.0)
        hint = f"; there are {', '.join(near)}" if any(near) else ""
        raise KnownFailure(
            "failed", f"timm's {architecture} has no weights {tag!r}{hint}", "obtain"
        ) from None
    if settings is None or not (settings.hf_hub_id or settings.url):
        raise KnownFailure(
            "failed", f"timm has no pretrained weights for {name!r}{_like(name)}", "obtain"
        )
    return name, settings


def _like(name: str) -> str:
    import timm

    known = timm.list_models(pretrained=True)
    known += sorted({one.partition(".")[0] for one in known})
    near = difflib.get_close_matches(name, known, 3)
    return f"; did you mean {' or '.join(near)}?" if near else "; see timm.list_pretrained()"


def _create(name: str, cache: Path | None, overlay: Mapping[str, Any]) -> torch.nn.Module:
    """timm's own loading, from a cache folder (None: the user's) that has the file already."""
    import timm

    try:
        return timm.create_model(
            name,
            pretrained=True,
            cache_dir=None if cache is None else str(cache),
            pretrained_cfg_overlay=dict(overlay),
        )
    except (MemoryError, KnownFailure):
        raise
    except Exception as error:  # whatever a file that is not the network's makes timm raise
        line = (str(error).strip().splitlines() or [""])[0]
        raise KnownFailure(
            "failed", f"timm cannot load {name} ({type(error).__name__}: {line})", "obtain"
        ) from None


def _from_url(
    url: str, folder: Path, network: Network, expected: str | None, label: str
) -> tuple[Path, str]:
    """The file of one of the few networks of timm that have no repository, and its SHA-256."""
    import torch

    name = url.rpartition("/")[2]
    theirs = Path(torch.hub.get_dir()) / "checkpoints" / name
    if theirs.is_file():
        path, digest = theirs, sha256_of(theirs)
    else:
        path = folder / name
        digest = fetch(url, path, known_hash=expected, network=network, label=label)
    promised = re.search(r"-([0-9a-f]{8,})\.", name)  # of the file's SHA-256, in its name
    if promised and not digest.startswith(promised[1]):
        raise KnownFailure("failed", f"{path.name}: its checksum is not that of its name", "obtain")
    _agree(digest, expected, name)
    return path, digest


def _sharded(
    found: _Repository, index: str, folder: Path, network: Network, expected: str | None
) -> tuple[dict[str, torch.Tensor], str]:
    """The tensors of a checkpoint in several files, and their common SHA-256."""
    path, own = found.file(index, folder, network, None, found.repo)
    try:
        where = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(where.values()))
        plain = all(PLAIN_NAME.fullmatch(shard) for shard in shards)
    except (ValueError, KeyError, TypeError, AttributeError):
        shards, plain = [], False
    if not shards or not plain:
        raise KnownFailure("failed", f"{found.repo}: {index} is no index of shards", "obtain")
    missing = [shard for shard in shards if shard not in found.files]
    if missing and not found.cached:
        raise KnownFailure("failed", f"{found.repo}: {missing[0]} is missing", "obtain")
    listed = {shard: found.files.get(shard) for shard in shards}
    what = f"{found.repo}: its {len(shards)} shards"
    if all(listed.values()):
        _agree(_common({**listed, index: own}), expected, what)  # before gigabytes are downloaded
    read = {}
    for number, shard in enumerate(shards, start=1):
        label = f"{found.repo} {number}/{len(shards)}"
        read[shard] = found.file(shard, folder, network, None, label)
    digest = _common({index: own, **{shard: digest for shard, (_, digest) in read.items()}})
    _agree(digest, expected, what)
    tensors: dict[str, torch.Tensor] = {}
    for path, _ in read.values():
        tensors |= _read(path)
    absent = sorted(set(where) - set(tensors))
    if absent:
        raise KnownFailure("failed", f"{found.repo}: no shard has {absent[0]}", "obtain")
    if index.startswith("model.safetensors"):  # each shard is in order, but not all together
        tensors = {name: tensors[name] for name in network_order(tensors)}
    return tensors, digest


def _common(digests: Mapping[str, str | None]) -> str:
    text = "".join(sorted(f"{name}:{digest}\n" for name, digest in digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, torch.Tensor]:
    from atlas.weights.files import read_state_dict

    return read_state_dict(path)


def _agree(found: str, expected: str | None, what: str) -> None:
    if expected and found != expected.lower():
        raise KnownFailure(
            "failed", f"{what}: sha256 is {found}, but the row says {expected}", "obtain"
        )


def _folder_name(name: str) -> str:
    return re.sub(r"[^\w.\-]", "--", name)

"""The sets of results that others published: where their files are, and how they are fetched.

A set is a folder of a repository at one commit. ``models/published/<set>.txt`` lists its files with
their SHA-256, so what is downloaded is what was looked at. Nothing of it is copied into this
project, since two of the three repositories state no licence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atlas.errors import KnownFailure

if TYPE_CHECKING:
    from atlas.weights.network import Network

HOST = "https://raw.githubusercontent.com"
REGISTRIES = Path(__file__).resolve().parents[3] / "models" / "published"


@dataclass(frozen=True)
class Set:
    """A folder of a repository at one commit, and the weightwatcher version that its results have."""

    repository: str
    commit: str
    folder: str = ""
    weightwatcher: str = ""

    @property
    def base(self) -> str:
        """The address under which the set's files lie."""
        parts = [HOST, self.repository, self.commit, self.folder]
        return "/".join(part for part in parts if part)


SETS = {
    "seed-keras": Set(
        "radiachkik/WeightWatcher-Analysis",
        "d177830a4ff7ea5de589654eb487031b2d34aee8",
        weightwatcher="0.6.1",
    ),
    "ww-trends-2020": Set(
        "CalculatedContent/ww-trends-2020",
        "efe472321357d1257d3bc731e94646923d733480",
        weightwatcher="0.2.7",
    ),
    "timm-results": Set(
        "huggingface/pytorch-image-models",
        "aa4b5850c1543fa488abf260f18390eda46cf85d",
        folder="results",
    ),
}

ALL_OSMR = "data/osmr/df_all.csv"


@cache
def registry(name: str) -> dict[str, str]:
    """The files of a set, by their path in it, with their SHA-256."""
    return {path: digest for path, digest, _ in _lines(name)}


def _sources(name: str) -> dict[str, str]:
    """What each file of a set is called in its repository: a few names have spaces there."""
    return {path: source or path for path, _, source in _lines(name)}


def _lines(name: str) -> Iterator[tuple[str, str, str]]:
    """The lines of a registry: path, SHA-256, and the name upstream where it is another."""
    for line in (REGISTRIES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            path, digest, source = [*line.split(" ", 2), ""][:3]
            yield path, digest, source


def locate(location: str) -> tuple[str, str]:
    """The set and the model of a location; raises LookupError with the way out for an unknown one.

    Whether ``osmr/<model>`` exists is only known when its table is there.
    """
    name, _, model = location.partition("/")
    if name not in SETS or not SETS[name].weightwatcher:
        known = ", ".join(sorted(key for key, value in SETS.items() if value.weightwatcher))
        raise LookupError(f"{location!r} begins with no published set; use one of: {known}")
    if not model.startswith("osmr/") and files_of_model(name, model)[0] not in registry(name):
        raise LookupError(
            f"{location!r} is not in that set; 'python scripts/list_models.py published' lists it"
        )
    return name, model


def fetch(name: str, folder: Path, network: Network) -> dict[str, Any]:
    """Download the files of a set into ``folder``, and say what was downloaded from where.

    Asks the mirror first. Files that are there already are kept. A file that cannot be had is named
    under ``missing`` with the reason, and its models are excluded. Raises KnownFailure for labels
    that are not all there: with a part of them it would be another study.
    """
    from atlas.weights.download import fetch_all

    upstream = {
        path: f"{SETS[name].base}/{quote(source)}" for path, source in _sources(name).items()
    }
    bases: list[str | Mapping[str, str]] = [upstream]
    if network.mirror:
        bases.insert(0, f"{network.mirror.rstrip('/')}/{name}")
    missing: dict[str, str] = {}
    try:
        fetch_all(bases, registry(name), folder, network)
    except KnownFailure as failure:
        # What is there has been verified: a download is renamed when its checksum is right.
        missing = {path: failure.reason for path in registry(name) if not (folder / path).is_file()}
        if not SETS[name].weightwatcher:
            raise
    return {
        "set": name,
        "repository": SETS[name].repository,
        "commit": SETS[name].commit,
        "files": registry(name),
        "missing": missing,
    }


def files_of_model(name: str, model: str) -> tuple[str, ...]:
    if name == "seed-keras":
        return (f"results/{model}/details.csv",)
    if model.startswith("osmr/"):
        return (ALL_OSMR,)
    return f"data/{model}.csv", f"data/{model}.txt"

"""Partitions and their primary quality: the only rule for what may be compared, and by what.

A partition is the models of one collection on one data set, measured by one version of
weightwatcher. Claims about it are about one quality, its primary one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from atlas.terms.keys import PARTITION

Partition = tuple[str, str, str]


def partition_of(row: Mapping[str, Any]) -> Partition:
    """The partition of a row of ``models.csv`` or of a table of the statistics."""
    collection, dataset, version = (row[name] for name in PARTITION)
    return collection, dataset, version


def primary_quality(present: Iterable[str], wanted: str) -> str:
    """The quality that claims about a partition are about, of those ``present`` in it; "" for none.

    It is the ``wanted`` one, failing that its error, failing that the first by name. ``present``
    may be a column of a table; empty names and missing values are none.
    """
    found = {name for name in present if isinstance(name, str) and name}
    return next((name for name in (wanted, "error", *sorted(found)) if name in found), "")

"""Labels that others measured: timm's results tables, looked up by model and image size.

timm's authors run every pretrained model on ImageNet and on five other test sets with ImageNet's
classes. A model that is tested at two image sizes has two rows in each table, so the key is (model,
image size). The tables are read from a folder and never copied into the project.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from atlas.errors import InputError

COMMIT = "aa4b5850"  # of huggingface/pytorch-image-models, whose folder results/ holds the tables

# ImageNet itself comes first: its labels are those that the others are compared with.
DATASETS = {
    "results-imagenet.csv": "imagenet-1k",
    "results-imagenet-real.csv": "imagenet-real",
    "results-imagenetv2-matched-frequency.csv": "imagenet-v2",
    "results-imagenet-a.csv": "imagenet-a",
    "results-imagenet-r.csv": "imagenet-r",
    "results-sketch.csv": "imagenet-sketch",
}

METADATA = "model_metadata-in1k.csv"
Labels = dict[tuple[str, int], dict[str, Any]]


def timm_labels(folder: Path) -> Labels:
    """The labels of timm's results tables in a folder: {(model, image size in pixels): entry}.

    An entry is {"parameters": number of parameters, or None if no table gives it, "labels": {data
    set: top-1 accuracy in percent}}, with the data sets in the order of `DATASETS`. The tables give
    parameters in millions with two decimals, so the number is good to 5,000.

    Raises InputError if a table is missing, has not the columns, has a cell that is no number, or
    has two rows for the same model and size that disagree.
    """
    found: Labels = {}
    for file, dataset in DATASETS.items():
        for name, size, top1, parameters, place in _measurements(Path(folder) / file):
            entry = found.setdefault((name, size), {"parameters": parameters, "labels": {}})
            if entry["labels"].setdefault(dataset, top1) != top1:
                other = entry["labels"][dataset]
                raise InputError(
                    f"{place}: {name} at {size} has top1 {top1} here and {other} above"
                )
            if entry["parameters"] is None:
                entry["parameters"] = parameters
            elif parameters not in (None, entry["parameters"]):
                raise InputError(
                    f"{place}: {name} at {size} has {parameters} parameters here and "
                    f"{entry['parameters']} in another row"
                )
    return found


def metadata(folder: Path) -> dict[str, str]:
    """What each model was pretrained on, by timm's name: in1k, in21k, in1k-adv, ...

    timm wrote this table for the names it had before 2023, which carry no tag; `pretraining` looks
    up either. Raises InputError if the table is missing or has not the columns.
    """
    path = Path(folder) / METADATA
    return {row["model"]: row["pretrain"] for _, row in _rows(path, ("model", "pretrain"))}


def pretraining(name: str, known: Mapping[str, str]) -> str:
    """What a timm model was pretrained on before ImageNet-1k, or "" if nothing says so.

    The tag says it, where there is one: the part before the last "_ft_", as in
    `augreg_in21k_ft_in1k`. `known` is what `metadata` returns.
    """
    if name in known:
        return known[name]
    tag = name.partition(".")[2]
    return tag.rpartition("_ft_")[0]


def label_rows(name: str, size: int, labels: Labels) -> list[dict[str, Any]]:
    """The labels of one model at one image size (pixels), a row per data set.

    Rows have the columns dataset, quality_metric ("accuracy"), quality (percent) and quality_source.
    `labels` is what `timm_labels` returns. Raises InputError, with what is there instead, if it has
    no such model or not at this size.
    """
    if (name, size) not in labels:
        sizes = sorted(other for model, other in labels if model == name)
        if not sizes:
            raise InputError(
                f"timm's results tables have no model {name!r}; leave it without label"
            )
        shown = ", ".join(map(str, sizes))
        raise InputError(f"timm's results tables have no {name!r} at {size}; use one of: {shown}")
    files = {dataset: file for file, dataset in DATASETS.items()}
    return [
        {
            "dataset": dataset,
            "quality_metric": "accuracy",
            "quality": top1,
            "quality_source": f"timm {files[dataset]} @ {COMMIT}, column top1, img_size {size}",
        }
        for dataset, top1 in labels[name, size]["labels"].items()
    ]


def _measurements(path: Path) -> Iterator[tuple[str, int, float, int | None, str]]:
    """Name, image size, top-1, parameters and place of each row of a results table."""
    for line, row in _rows(path, ("model", "img_size", "top1", "param_count")):
        place = f"{path}, line {line}"
        try:
            size, top1 = int(row["img_size"]), float(row["top1"])
            parameters = _parameters(row["param_count"])
        except ValueError as error:
            raise InputError(f"{place}: {error}; is it timm's table?") from None
        if not 0 <= top1 <= 100:  # also false for NaN
            raise InputError(f"{place}: top1 {top1} is not from 0 to 100")
        yield row["model"], size, top1, parameters, place


def _parameters(millions: str) -> int | None:
    """The number of parameters from text in millions, which has commas between the thousands."""
    text = millions.replace(",", "")
    return round(float(text) * 1e6) if text else None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table, each with its line. Raises InputError if it is none of ours."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: has no column {', '.join(missing)}; is it timm's table?")
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; it is one of timm's results tables") from None

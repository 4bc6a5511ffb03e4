"""A folder with the checkpoints of one training run."""

from __future__ import annotations

import re
from pathlib import Path

from atlas.weights.files import (
    BESIDE,
    CHECKPOINTS,
    INTEGER,
    ONE_FILE,
    SHARD,
    is_model,
    model_in,
    no_parts,
    stem,
)


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints of one training run: their numbers, ascending, and where they are.

    A checkpoint is a file of ``CHECKPOINTS`` or a folder with a model (``checkpoint-1000``). Its
    number, an epoch or a step, is the last integer in its name without ending; one in a decimal
    number does not count. Hidden files and those of optimisers, schedulers, random states and
    training arguments are left out; so is, beside folders ``checkpoint-N``, the model that
    Hugging Face's trainer saves at the end, which has no number.

    Raises ValueError (one line) for a folder without checkpoints, a checkpoint without a number,
    two with the same.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    found = [path for path in entries if path.is_dir() and _is_checkpoint_folder(path)]
    trainer = any(path.name.startswith("checkpoint-") for path in found)
    for path in entries:
        name = path.name.lower()
        if path.is_dir() or not name.endswith(CHECKPOINTS) or BESIDE.search(stem(path)):
            continue
        shard = SHARD.search(stem(path))
        if trainer and (shard or name in ONE_FILE.values()):
            continue
        if shard:
            raise ValueError(
                f"{folder}: {path.name} is one shard of a model; name the model's index, or give "
                "each checkpoint in shards a folder of its own"
            )
        found.append(path)
    if not found:
        endings = ", ".join(CHECKPOINTS)
        raise ValueError(f"{folder}: it holds no checkpoints (files that end in {endings})")
    no_parts(folder, found)
    numbered: dict[int, Path] = {}
    for path in found:
        numbers = INTEGER.findall(path.name if path.is_dir() else stem(path))
        if not numbers:
            raise ValueError(
                f"{folder}: {path.name} has no number in its name; write its epoch or step there, "
                "or move it elsewhere"
            )
        number = int(numbers[-1])
        if number in numbered:
            names = f"{numbered[number].name} and {path.name}"
            raise ValueError(f"{folder}: {names} have the same number {number}; rename one")
        numbered[number] = path
    return sorted(numbered.items())


def _is_checkpoint_folder(path: Path) -> bool:
    """A folder with a model; raises ValueError where its name promises one, or it has several."""
    if not is_model(path) and not re.fullmatch(r"checkpoint-[0-9]+", path.name):
        return False
    model_in(path)
    return True

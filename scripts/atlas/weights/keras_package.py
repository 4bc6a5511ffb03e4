"""Keras 3 and its predecessor tf_keras, imported when they are needed."""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atlas.errors import KnownFailure

if TYPE_CHECKING:
    import keras

LEGACY = "tf_keras"


def import_keras() -> types.ModuleType:
    return import_package("keras")


def is_legacy(package: types.ModuleType) -> bool:
    return package.__name__ == LEGACY


def package_of(layer: keras.Layer) -> types.ModuleType:
    """The package that a layer, or a model, is of: Keras or tf_keras."""
    legacy = sys.modules.get(LEGACY)
    return legacy if legacy and isinstance(layer, legacy.layers.Layer) else import_keras()


def import_package(name: str) -> types.ModuleType:
    """Keras or tf_keras, imported once and quietly.

    Keras is on TensorFlow where that is installed, else PyTorch. Raises KnownFailure where the
    package is not installed.
    """
    if package := sys.modules.get(name):
        return package
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a GPU is of no use here, and would be filled
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    installed = importlib.util.find_spec("tensorflow") is not None
    os.environ.setdefault("KERAS_BACKEND", "tensorflow" if installed else "torch")
    try:
        with _quiet_stderr():
            # Both bring their own LLVM: TensorFlow first, and the process dies when PyTorch's
            # compiler is imported later (timm does so).
            if importlib.util.find_spec("triton") is not None:
                importlib.import_module("triton")
            return importlib.import_module(name)
    except ImportError as error:
        reason = {
            "keras": "Keras is not installed (make install)",
            LEGACY: f"it needs the package {LEGACY} (make .venv/keras.installed)",
        }[name]
        raise KnownFailure("failed", f"{reason}: {first_line(error)}") from None


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what is written to the process's standard error: TensorFlow logs before it can be told."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def first_line(error: BaseException) -> str:
    """The beginning of an error's message: Keras' run over many lines."""
    text = " ".join(str(error).split()) or type(error).__name__
    first = text.split(". ")[0]
    return first if len(first) <= 200 else f"{first[:197]}..."

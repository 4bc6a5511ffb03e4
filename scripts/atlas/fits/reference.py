"""weightwatcher itself: what the audit holds our numbers against, and the other engine."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from typing import Any

from atlas.errors import KnownFailure

COLUMNS = (
    "layer_id",
    "name",
    "D",
    "M",
    "N",
    "Q",
    "alpha",
    "alpha_weighted",
    "entropy",
    "has_esd",
    "lambda_max",
    "layer_type",
    "log_alpha_norm",
    "log_norm",
    "log_spectral_norm",
    "longname",
    "matrix_rank",
    "norm",
    "num_evals",
    "num_pl_spikes",
    "rank_loss",
    "rf",
    "sigma",
    "spectral_norm",
    "stable_rank",
    "status",
    "sv_max",
    "sv_min",
    "warning",
    "weak_rank_loss",
    "xmax",
    "xmin",
)
"""The columns of weightwatcher's details, in its order."""


def details(model: Any, min_evals: int, max_evals: int, max_N: int) -> list[dict[str, Any]]:
    """The details as weightwatcher itself computes them, for the same options.

    ``model`` is a PyTorch module or a state dict. Columns and order are ``COLUMNS``.
    Raises KnownFailure where weightwatcher finds no layer or gives up.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # with CUDA it casts weights to half precision
    level = logging.getLogger().level
    filters = list(warnings.filters)
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a line per small layer
        try:
            import weightwatcher

            logging.getLogger().setLevel(level)  # importing it sets the root logger to INFO
            warnings.filters[:] = filters  # ... and silences all warnings
            watcher = weightwatcher.WeightWatcher(model=model)
            table = watcher.analyze(min_evals=min_evals, max_evals=max_evals, max_N=max_N)
        except Exception as error:  # one odd layer, and it gives up the whole model
            reason = f"weightwatcher cannot analyse it: {type(error).__name__}: {error}"
            raise KnownFailure("failed", reason) from error
        finally:
            logging.disable(logging.NOTSET)
    if table.empty:
        raise KnownFailure("unsupported", "weightwatcher finds no layer to analyse")
    return table.reindex(columns=list(COLUMNS)).to_dict("records")

"""What every script's thin tail shares: its log, its warnings, its provenance."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

logger = logging.getLogger("atlas")


@contextmanager
def logged(snakemake: Any) -> Iterator[None]:
    """Run a script's work with messages, warnings and tracebacks in the rule's log file.

    An error also gives one line on standard error, and the job fails with it.
    """
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    warnings.showwarning = lambda message, category, *_: logger.warning(
        "%s: %s", category.__name__, message
    )
    try:
        yield
    except Exception as error:
        logger.error("%s", traceback.format_exc())
        print(f"{snakemake.rule}: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        handler.close()
        logger.removeHandler(handler)


def note_excluded(model: str, stage: str, failure: Any) -> None:
    """Say that a model leaves the study here, in the log and on standard error."""
    line = f"excluded: {model}: {failure.status} at {stage}: {failure.reason}"
    logger.warning("%s", line)
    print(line, file=sys.stderr)

"""How long do the tables of the statistics take for hundreds of models?

    python benchmarks/table_times.py [--models 450] [--jobs 2]

Families, variants and recipes are those of models/timm.csv (whole families, drawn until there are
as many models), options those of studies/timm.yaml. Every model is labelled on ImageNet-1k and on
two robustness variants. What weightwatcher would say of them is drawn at random: times depend on
the numbers of models and on whether values differ, and here every column that the statistics read
differs, also the two treatments of failed fits, so no row can be copied from another.

Each table is made by `atlas.statistics` in a fresh process, as a job of the workflow makes it,
`--jobs` at a time. Prints seconds per table (imports included), the seconds of all, and the peak
memory.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from atlas.statistics import registry
from atlas.statistics.alternatives import ALTERNATIVES
from atlas.statistics.options import Options
from atlas.statistics.traits import NUMBERS
from atlas.study.schema import defaults
from atlas.tables.read import read_table
from atlas.terms.keys import NAMES, SIZE

ROOT = Path(__file__).resolve().parents[1]
DATASETS = ("imagenet-1k", "imagenet-a", "imagenet-real")


def simulate(count: int, options: Options, seed: int = 0) -> pd.DataFrame:
    """A table of models like a study's, with `count` models or a few more."""
    rng = np.random.default_rng(seed)
    with (ROOT / "models" / "timm.csv").open(newline="") as file:
        rows = pd.DataFrame(csv.DictReader(line for line in file if not line.startswith("#")))
    families = rng.permutation(rows["family"].unique())
    sizes = rows.groupby("family").size()[families].cumsum()
    chosen = sizes.index[: int((sizes < count).sum()) + 1]
    table = rows[rows["family"].isin(chosen)][
        ["model", "collection", "family", "variant", "recipe"]
    ]
    table = table.assign(seed="", quality_metric="accuracy", weightwatcher_version="0.7.7")
    n = len(table)
    table["parameters"] = 10 ** rng.uniform(6, 8.4, n)
    table["layers"] = rng.integers(20, 200, n)
    latent = rng.normal(size=n)
    metrics = [*options.metrics, *(f"{m}_stored" for m in options.metrics), *ALTERNATIVES]
    for name in dict.fromkeys([*metrics, *NUMBERS, "D"]):
        if name not in (SIZE, "layers", "metric_sd", "quality_sd"):
            table[name] = latent + rng.normal(size=n)
    labels = [
        table.assign(dataset=dataset, quality=70 + latent + rng.normal(size=n))
        for dataset in DATASETS
    ]
    return pd.concat(labels, ignore_index=True)


def make(name: str, folder: Path, options: Options) -> tuple[str, float, int, float]:
    """One table as a job: its name, seconds, rows and the process's peak memory in GB."""
    start = time.perf_counter()
    models = pd.read_csv(folder / "models.csv", dtype=dict.fromkeys(NAMES, str))
    others = [read_table(folder / f"{n}.csv", missing="") for n in registry.TABLES[name][1:]]
    table = getattr(import_module(registry.module_of(name)), name)(models, *others, options)
    table.to_csv(folder / f"{name}.csv", index=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return name, time.perf_counter() - start, len(table), peak / unit


def measure(folder: Path, options: Options, jobs: int) -> tuple[list[tuple], float]:
    """All tables, those from the correlations as soon as these are there; and the seconds of all."""
    start = time.perf_counter()
    spawn = multiprocessing.get_context("spawn")
    found: list[tuple] = []
    waiting = set(registry.TABLES)
    with ProcessPoolExecutor(jobs, spawn, max_tasks_per_child=1) as pool:
        running: set[Future] = set()
        while waiting or running:
            done = {row[0] for row in found}
            ready = [
                name
                for name in registry.TABLES
                if name in waiting and set(registry.TABLES[name][1:]) <= done
            ]
            for name in ready[: jobs - len(running)]:
                running.add(pool.submit(make, name, folder, options))
                waiting.remove(name)
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            found += [job.result() for job in finished]
    return found, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=450)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    study = yaml.safe_load((ROOT / "studies" / "timm.yaml").read_text("utf-8"))
    options = Options.from_config(defaults("statistics") | study["statistics"])
    with tempfile.TemporaryDirectory() as folder:
        models = simulate(arguments.models, options)
        models.to_csv(Path(folder) / "models.csv", index=False)
        found, seconds = measure(Path(folder), options, arguments.jobs)
    reference = models[models["dataset"] == DATASETS[0]]
    print(
        f"{len(reference)} models, {reference['family'].nunique()} families, {len(DATASETS)} data sets"
    )
    print("\n| table | rows | seconds | GB |\n|---|--:|--:|--:|")
    for name, own, rows, peak in sorted(found, key=lambda row: -row[1]):
        print(f"| {name} | {rows:,} | {own:.1f} | {peak:.1f} |")
    print(f"\n{arguments.jobs} at a time: {seconds:.0f} s.")


if __name__ == "__main__":
    main()

"""The benchmark of the intervals' coverage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_benchmark_counts_alike_however_it_is_cut(tmp_path):
    """Every study draws from a seed of its own: no row depends on the number of processes."""
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage.py"
    tables = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.md"
        arguments = ["--studies", "5", "--only", "meta", "--jobs", jobs, "--output", str(out)]
        run = subprocess.run(
            [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True
        )
        assert out.read_text(encoding="utf-8") == run.stdout
        tables.append(run.stdout)
    assert tables[0] == tables[1]
    lines = [line.split(" | ") for line in tables[0].splitlines()[2:] if line]
    rows = [cells for cells in lines if len(cells) == 9]
    assert {cells[1] for cells in rows} == {"pearson hksj", "pearson_p", "mean_r_p"}
    assert all(0 <= float(cells[-1].split()[0].strip("*")) <= 100 for cells in rows)

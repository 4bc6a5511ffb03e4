"""timm's results tables: the real ones where they are fetched, and small ones."""

from pathlib import Path

import pytest

from atlas.study.labels import DATASETS, METADATA

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    ROOT / "results" / "fetched" / "timm-results",
    ROOT.parent / "shared" / "published" / "timm-results",
)
TABLES = next((place for place in PLACES if (place / METADATA).is_file()), None)
needs_tables = pytest.mark.skipif(TABLES is None, reason="timm's results tables are not fetched")

HEADER = "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation\n"
ROW = 'big.x_in1k,224,80.5,19.5,95.0,5.0,"1,014.45",1.0,bicubic\n'


def write(folder, text=HEADER + ROW, **others):
    for file in DATASETS:
        (folder / file).write_text(others.get(DATASETS[file].replace("-", "_"), text))
    return folder

"""Names are text in every table, also where they look like numbers."""

import json

import numpy as np
import pandas as pd
import pytest

from atlas.fits import experiment_fits, reference
from atlas.fits.metrics import details
from atlas.io import read_cells, write_rows
from atlas.tables.read import TEXT, read_rows, read_table

NAMES = ["1.1", "1.10", "007", "7", "1e3", "1000.0", "1_0", "10", "nan", "inf", "True", "NA"]


def test_rows_survive_a_csv_file_exactly(tmp_path):
    rows = [
        {"x": 0.1 + 0.2, "y": 3, "name": "x, y", "has_esd": True},
        {"x": float("inf"), "y": -1, "name": "", "has_esd": False},
        {"x": None, "y": 0, "name": 'say "so"\n', "has_esd": True},
    ]
    write_rows(tmp_path / "t.csv", rows[0], rows)
    again = read_rows(tmp_path / "t.csv")
    assert again == rows
    assert [type(row["y"]) for row in again] == [int] * 3
    assert read_cells(tmp_path / "t.csv")[2]["x"] == ""


def test_a_number_that_is_none_is_no_name(tmp_path):
    (tmp_path / "t.csv").write_text("name,alpha\n1,two\n")
    with pytest.raises(ValueError, match="two"):
        read_rows(tmp_path / "t.csv")


@pytest.mark.parametrize("column", sorted(TEXT))
def test_names_stay_as_they_are_in_both_forms(tmp_path, column):
    path = tmp_path / "t.csv"
    rows = [{column: name, "alpha": i / 3} for i, name in enumerate(NAMES)]
    write_rows(path, [column, "alpha"], [*rows, {column: "", "alpha": None}])
    assert [row[column] for row in read_rows(path)] == [*NAMES, ""]
    table = read_table(path)
    assert table[column].tolist()[:-1] == NAMES and table[column].isna().sum() == 1
    assert table["alpha"].dtype == float and table["alpha"].isna().tolist()[-2:] == [False, True]
    assert read_table(path, missing="")[column].tolist() == [*NAMES, ""]
    table.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")[column].tolist()[:-1] == NAMES


def spectrum(name, i):
    return {
        "tensor": name, "name": name, "longname": name, "layer_id": i, "layer_type": "dense",
        "parameters": 400, "N": 20, "M": 20, "rf": 1, "sv_max": 1.0, "sv_min": 0.1, "rank_loss": 0,
        "reason": "", "evals": np.sort(np.random.default_rng(i).pareto(2, 20) + 1),
    }  # fmt: skip


def test_layers_keep_their_names_and_their_nulls_through_all_stages(tmp_path):
    from atlas.fits import experiments as fits_experiments
    from atlas.fits import spectra as fits_spectra
    from audit_fits import audit_fits
    from fit_layers import fit_layers
    from merge_tables import merge_tables

    rows = [spectrum(name, i) for i, name in enumerate(NAMES)]
    asked = {
        "shuffled": 1, "gaussian": 0, "windows": {"size": 0, "most": 0}, "other_layers": False,
    }  # fmt: skip
    about = {"status": "ok", "versions": {}, "identity": {}}
    fits_spectra.write(tmp_path / "s.parquet", rows, about)
    tried = [
        {key: row.get(key) for key in fits_experiments.SCHEMA}
        | {"experiment": "shuffled", "draw": 0, "evals": row["evals"] ** 1.1}
        for row in rows
    ]
    about = about | {"experiments": asked}
    fits_spectra.write(tmp_path / "e.parquet", tried, about, fits_experiments.SCHEMA)
    mine = details(rows, 8)
    write_rows(tmp_path / "reference.csv", reference.COLUMNS, mine)
    options = {"min_evals": 8, "engine": "weightwatcher"}
    files = (tmp_path / "s.parquet", tmp_path / "e.parquet", tmp_path / "reference.csv")
    fit_layers("m", *files, options, {"weightwatcher": "0.7.7"}, tmp_path / "m")
    assert (tmp_path / "m/details.csv").read_bytes() == (tmp_path / "reference.csv").read_bytes()
    summary = json.loads((tmp_path / "m/summary.json").read_text())
    assert summary["layers"] == len(NAMES) and summary["alpha_shuffled"] < summary["alpha"]

    outputs = [tmp_path / name for name in ("models.csv", "layers.parquet", "excluded.csv")]
    row = {"model": "m", "source": "file", "quality": None}
    merge_tables([row], [tmp_path / "m"], {}, None, {"m"}, *outputs)
    layers = pd.read_parquet(outputs[1])
    assert layers["longname"].tolist() == NAMES and layers["name"].tolist() == NAMES
    assert layers["alpha_shuffled"].notna().all()
    fitted = experiment_fits.by_layer(read_rows(tmp_path / "m/experiments.csv"))
    assert list(fitted) == NAMES

    ours, theirs = tmp_path / "m/details.csv", tmp_path / "reference.csv"
    audit_fits(
        ["m"],
        [ours],
        [theirs],
        [tmp_path / "s.parquet"],
        1e-9,
        "weightwatcher",
        tmp_path / "audit.csv",
    )
    assert read_rows(tmp_path / "audit.csv")[0]["agree"] == len(NAMES)

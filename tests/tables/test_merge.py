"""The merge keeps every model, in one table or the other, with its labels as they were given."""

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import atlas
from atlas.io import atomic, write_csv, write_json, write_parquet
from atlas.tables.merge import excluded_table, layers_table, models_table
from atlas.tables.read import read_table

SCRIPTS = str(Path(atlas.__file__).parents[1])
RUN = {"weightwatcher": {"engine": "exact"}, "versions": {"weightwatcher": "0.7.7"}}


def row(model, **more):
    labels = {"source": "file", "collection": "c", "family": "f", "variant": "v", "seed": None}
    return {"model": model, **labels, "quality": 70.0, "quality_metric": "accuracy", **more}


def summary(model, **more):
    return {"model": model, "status": "ok", "alpha": 3.0, "layers": 2, "left_out": {}, **more}


def failed(model):
    return {"model": model, "status": "failed", "stage": "obtain", "reason": "no luck"}


def test_a_listed_model_has_one_row_and_a_trained_one_a_row_for_each_quality():
    rows = [row("a"), row("zoo-a", source="zoo", seed=0, quality=None, quality_metric=None)]
    table = models_table(
        rows,
        {name: summary(name) for name in ("a", "zoo-a")},
        dict.fromkeys(("a", "zoo-a"), RUN),
        {"zoo-a": {"accuracy": 91.0, "generalization_gap": 4.0, "train_loss": 0.1}},
    )
    found = table[["model", "quality_metric", "quality"]].to_numpy().tolist()
    assert found == [
        ["a", "accuracy", 70.0],
        ["zoo-a", "accuracy", 91.0],
        ["zoo-a", "generalization_gap", 4.0],
    ]
    assert table["seed"].tolist() == [pd.NA, 0, 0]
    assert (table["engine"] == "exact").all() and (table["alpha"] == 3.0).all()


def test_a_model_that_failed_is_excluded_with_its_reason_and_in_no_other_table():
    rows = [row("a"), row("b")]
    summaries = {"a": summary("a"), "b": failed("b")}
    table = models_table(rows, summaries, {"a": RUN, "b": RUN}, {})
    assert table["model"].tolist() == ["a"]
    assert excluded_table(summaries).to_dict("records") == [
        {"model": "b", "stage": "obtain", "status": "failed", "reason": "no luck"}
    ]


def test_a_model_without_a_summary_is_an_error_and_not_a_gap():
    with pytest.raises(KeyError):
        models_table([row("a")], {}, {}, {})


def test_a_study_in_which_all_failed_has_tables_with_columns_and_no_rows():
    table = models_table([row("a")], {"a": failed("a")}, {"a": RUN}, {})
    assert len(table) == 0 and {"model", "quality", "parameters"} <= set(table)
    assert list(layers_table({}).columns) == ["model", "depth"]


def test_layers_carry_model_and_depth_and_keep_names_that_look_like_numbers(tmp_path):
    details = pd.DataFrame({"longname": [0, 2, 4], "name": [0, 2, 4], "warning": [None] * 3})
    details["alpha"] = [2.0, 3.0, 4.0]
    other = pd.DataFrame({"longname": ["a.b"], "name": ["b"], "warning": ["over"], "alpha": [5.0]})
    table = layers_table({"m": details, "n": other})
    assert table["depth"].tolist() == [0.0, 0.5, 1.0, 0.0]
    assert table["longname"].tolist() == ["0", "2", "4", "a.b"]
    write_parquet(tmp_path / "layers.parquet", table)
    assert len(pd.read_parquet(tmp_path / "layers.parquet")) == 4


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"b": float("nan"), "a": 1})
    assert path.read_text() == '{\n  "a": 1,\n  "b": null\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(AttributeError):
        write_csv(path, object())
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert path.read_text().startswith('{\n  "a": 1')


def test_a_killed_write_leaves_no_result_and_the_next_one_nothing_beside_it(tmp_path):
    path = tmp_path / "x[1].svg"
    killed = (
        "import os, signal, sys\n"
        "from atlas.io import atomic\n"
        "with atomic(sys.argv[1]) as beside:\n"
        "    beside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    neighbours = ["x[1].svg.svg", ".x[1].svg.note", ".x1.svg.partial-a.svg"]
    for name in neighbours:
        (tmp_path / name).touch()
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", killed, path], env={"PYTHONPATH": SCRIPTS})
        assert done.returncode == -signal.SIGKILL and not path.exists()
        assert len(list(tmp_path.iterdir())) == len(neighbours) + 1
    with atomic(path) as beside:
        beside.write_text("whole")
    assert path.read_text() == "whole"
    assert {p.name for p in tmp_path.iterdir()} == {path.name, *neighbours}


def test_a_writer_that_was_given_up_does_not_disturb_the_one_that_repeats_its_job(tmp_path):
    path = tmp_path / "x.csv"
    with pytest.raises(FileNotFoundError), atomic(path) as lost:
        lost.write_text("lost")
        with atomic(path) as again:
            again.write_text("again")
    assert path.read_text() == "again"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_factors_are_columns_of_the_models_and_their_levels_text(tmp_path):
    rows = [row("one") | {"factor_batch_size": "32"}, row("two") | {"factor_noise": "0.10"}]
    summaries = {name: summary(name) for name in ("one", "two")}
    table = models_table(rows, summaries, dict.fromkeys(("one", "two"), RUN), {})
    table.to_csv(tmp_path / "models.csv", index=False)
    found = read_table(tmp_path / "models.csv", missing="")
    assert found[["factor_batch_size", "factor_noise"]].to_numpy().tolist() == [
        ["32", ""],
        ["", "0.10"],
    ]

"""The study that is held against print, as far as that table: the rule that only such studies have."""

import csv
from pathlib import Path

import pytest
import yaml

MIRROR = Path(__file__).resolve().parents[3] / "shared" / "published"
TABLE = "results/natcom-2021/statistics/printed.csv"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("printed"),
    pytest.mark.skipif(
        not MIRROR.is_dir(), reason="no mirror of the published data is beside the checkout"
    ),
]


@pytest.fixture(scope="module")
def project(blank, tmp_path_factory):
    project = blank.copy(tmp_path_factory.mktemp("printed") / "atlas")
    path = project.path / "studies" / "natcom-2021.yaml"
    config = yaml.safe_load(path.read_text()) | {"network": {"mirror": str(MIRROR)}}
    path.write_text(yaml.safe_dump(config))
    project.snakemake("--cores", "1", "--configfile", "studies/natcom-2021.yaml", "--", TABLE)
    return project


def agreeing(project):
    with (project.path / TABLE).open(newline="") as file:
        return sum(row["agrees"] == "True" for row in csv.DictReader(file))


def test_every_model_is_there_and_print_agrees_but_for_seven_values(project):
    folder = project.path / "results" / "natcom-2021" / "tables"
    assert (folder / "excluded.csv").read_text().splitlines() == ["model,stage,status,reason"]
    assert agreeing(project) == 389


def test_a_changed_printed_value_makes_that_table_anew_and_nothing_else(project):
    value = "VGG,rmse,log_norm,0.5"
    project.edit("models/natcom-2021-printed.csv", f"{value}6", f"{value}7")
    output = project.snakemake(
        *("--cores", "1", "--configfile", "studies/natcom-2021.yaml", "--", TABLE)
    )
    assert agreeing(project) == 388
    assert "1 of 1 steps" in output.stdout

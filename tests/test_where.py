"""Every number, table and figure of the paper leads back to what was read for it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from helpers.decided import made, with_tables
from helpers.papers import CONFIG, DRAWN, PARTS, QMD, ROOT, models_frame, study, used_variables

import where
from atlas.findings.results import FILES, Results, key_of
from atlas.paper import source
from atlas.paper.contents import TABLES, TEXTS
from atlas.paper.variables import VARIABLES

PLUS = {"pearson": "0.9", "pearson_low": "0.8", "pearson_high": "0.95", "pearson_p": "0.001"}
MINUS = {
    f"partial{end}": text
    for end, text in (("", "-0.9"), ("_low", "-0.95"), ("_high", "-0.8"), ("_p_holm", "0.01"))
}

PIECES = VARIABLES | TABLES | TEXTS


@pytest.fixture(scope="module")
def given() -> Results:
    families = ("mlp", "convnet", "resnet")
    plain = study(models_frame(families=families, sizes=2, failed=1), config={"zoo": CONFIG["zoo"]})
    return with_tables(plain, **made())


def sources_of(given: Results) -> dict:
    return json.loads(source.compose(given, PARTS, DRAWN)["sources.json"])


def fresh(given: Results) -> Results:
    """The same study, of which nothing was read yet."""
    return dataclasses.replace(given)


def read_by(name: str, given: Results) -> set[tuple[str, str]]:
    with given.reading() as used:
        PIECES[name](given)
    return used


# --- what is written down -------------------------------------------------------------------------


def test_every_variable_table_and_figure_of_the_paper_has_its_source(given):
    sources = sources_of(given)
    assert set(sources["variables"]) >= used_variables(QMD)
    assert set(sources["tables"]) >= set(re.findall(r"include tables/(\w+)\.md", QMD))
    assert set(sources["figures"]) >= set(re.findall(r"\(figures/(\w+)\.svg\)", QMD))
    assert set(sources["texts"]) | set(PARTS) >= set(re.findall(r"include text/(\w+)\.md", QMD))


def test_the_makers_and_rules_that_are_named_exist(given):
    rules = "\n".join(path.read_text("utf-8") for path in (ROOT / "rules").glob("*.smk"))
    known = set(re.findall(r"^rule (\w+):", rules, re.MULTILINE))
    assert set(re.findall(r"rule (\w+)", (ROOT / "scripts/where.py").read_text("utf-8"))) <= known
    for pieces in sources_of(given).values():
        for piece in pieces.values():
            assert re.search(r"\.py:\d+$", where.line_of(piece["module"], piece["function"]))
            assert {piece["rule"]} | {
                read.get("rule", "merge_tables") for read in piece["reads"]
            } <= (known)
            assert {read["file"] for read in piece["reads"] if "rule" not in read} <= {"config"}


def test_no_module_of_the_paper_reads_past_the_record():
    for path in (ROOT / "scripts" / "atlas" / "paper").glob("*.py"):
        assert not re.search(r"study\.(tables|_\w+)\b", path.read_text("utf-8")), path


def test_keys_tell_rows_apart(given):
    for name, rows in given.tables.items():
        assert len({key_of(row) for row in rows}) == len(rows), name


def test_a_record_is_short_and_counts_the_rest(given, monkeypatch):
    monkeypatch.setattr(source, "KEYS", 2)
    [read] = [
        read
        for read in sources_of(given)["tables"]["metrics"]["reads"]
        if read["file"] == "statistics/correlations.csv"
    ]
    used = read_by("metrics", given)
    keys = sorted(key for file, key in used if file == "statistics/correlations.csv" and key)
    assert read["rows"] == len(keys) > 2
    assert read["keys"] == keys[:2]


# --- a record is complete -------------------------------------------------------------------------


def test_a_record_is_the_same_whatever_was_made_before(given):
    once = fresh(given)
    for make in PIECES.values():
        make(once)
    for name in PIECES:
        assert read_by(name, once) == read_by(name, fresh(given)), name
    assert sources_of(once) == sources_of(fresh(given))


def test_a_verdict_reads_the_rows_of_its_own_comparison(given):
    for comparison in "abc":
        keys = [key for _, key in read_by(f"verdict_{comparison}", given) if "comparison=" in key]
        assert keys
        assert all(f"comparison={comparison} " in key for key in keys)


@pytest.mark.parametrize("name", list(PIECES))
def test_what_is_not_in_a_record_changes_nothing(given, name):
    """Other rows of the statistics may say anything."""
    used = read_by(name, fresh(given))
    numbers = (
        "kendall",
        "kendall_low",
        "kendall_high",
        "kendall_p",
        "pearson",
        "q_p",
        "concordance",
    )
    tables = {
        table: [
            row
            if (f"statistics/{table}.csv", key_of(row)) in used
            else row | {column: "0.123" for column in numbers if row.get(column)}
            for row in rows
        ]
        for table, rows in given.tables.items()
    }
    assert PIECES[name](dataclasses.replace(given, tables=tables)) == PIECES[name](given)


@pytest.mark.parametrize(
    ("name", "table", "changes"),
    [
        ("verdict_a", "correlations", {"kendall": "0.5", "kendall_low": "", "kendall_high": ""}),
        ("verdict_families", "meta", {"q_p": "0.0001"}),
        ("verdict_pairs", "pairs", {"concordance": "0.123"}),
        ("verdict_size", "baselines", MINUS),
        ("shape_alone", "shape", PLUS),
        ("power_families", "correlations", {"detectable_pearson": "0.987"}),
        ("b", "baselines", {"kendall_size": "0.1234"}),
    ],
)
def test_changing_a_recorded_row_changes_the_text(given, name, table, changes):
    used = {key for file, key in read_by(name, given) if file == f"statistics/{table}.csv"}
    rows = [row | changes if key_of(row) in used else row for row in given.tables[table]]
    changed = dataclasses.replace(given, tables=given.tables | {table: rows})
    assert PIECES[name](changed) != PIECES[name](given)


def test_what_is_read_as_a_whole_is_recorded(given):
    for name, part in {
        "models": "models",
        "failed_layers": "layers",
        "excluded": "excluded",
        "audited": "audit",
        "provenance": "runs",
        "seed": "config",
    }.items():
        made_of = VARIABLES.get(name) or TABLES[name]
        unread = fresh(given)
        with unread.reading() as used:
            made_of(unread)
        assert (FILES[part], "") in used
    assert not read_by("range_low", given)


# --- make where -----------------------------------------------------------------------------------


@pytest.fixture
def built(given, tmp_path, monkeypatch) -> Path:
    """A folder with a study whose paper was written."""
    config = {"study": "small", "title": "A study", "zoo": CONFIG["zoo"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    path = tmp_path / "results" / "small" / "paper" / "source" / "sources.json"
    path.parent.mkdir(parents=True)
    path.write_text(source.compose(given, PARTS, DRAWN)["sources.json"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return path


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        (
            "verdict_a",
            [
                'atlas.paper.variables:VARIABLES["verdict_a"], rule write_paper',
                "scripts/atlas/paper/variables.py:",
                "results/small/statistics/correlations.csv <- rule compute_statistics "
                "(atlas.statistics.correlations) <- tables/models.csv",
                "collection=zoo dataset=mnist-1d weightwatcher_version=0.7.7 comparison=a",
            ],
        ),
        ("tbl-c-pairs", ["atlas.paper.pairs:pairs_table", "statistics/pairs.csv"]),
        ("answers", ["atlas.paper.comparisons:answers_table", "comparison=b"]),
        ("fig-metrics", ["atlas.figures.metrics:quality_metrics", "rule draw_figure"]),
        ("figures/forest.svg", ["scripts/atlas/figures/forest.py:", "statistics/correlations.csv"]),
    ],
)
def test_where_tells_the_way_to_the_model_list(built, capsys, name, steps):
    assert where.main([name]) == 0
    said = capsys.readouterr().out
    last = [
        "results/small/tables/ <- rule merge_tables <- results/small/weightwatcher/<model>/",
        "rule fit_layers <- results/spectra/<model>.parquet",
        "rule compute_spectra <- weights/<model>.safetensors",
        "rule train_network <- the zoo in config.yaml",
    ]
    places = [said.find(step) for step in [*steps, *last]]
    assert -1 not in places, said
    assert places == sorted(places)


def test_where_tells_what_comes_from_the_config_or_from_nothing(built, capsys):
    assert where.main(["seed"]) == 0
    assert "reads config.yaml\n" in (said := capsys.readouterr().out)
    assert "merge_tables" not in said
    assert where.main(["range_low"]) == 0
    assert "the same in every study" in capsys.readouterr().out


def test_where_tells_all_that_share_a_name(built, capsys):
    assert where.main(["shape"]) == 0
    said = capsys.readouterr().out
    assert "shape: a table of the paper" in said
    assert "shape: a figure of the paper" in said


@pytest.mark.parametrize(
    ("name", "close"), [("verdict_d", "verdict_"), ("tbl-answer", "tbl-answers")]
)
def test_where_refuses_an_unknown_name_in_one_line(built, capsys, name, close):
    assert where.main([name]) == 1
    told = capsys.readouterr()
    assert not told.out
    assert told.err.count("\n") == 1
    assert repr(name) in told.err
    assert close in told.err.split("close to it are")[1]


def test_where_says_how_to_build_a_study_that_is_not_built(built, capsys):
    built.unlink()
    assert where.main(["verdict_a"]) == 1
    assert capsys.readouterr().err == (
        "results/small/paper/source/sources.json is not there; 'make paper' builds the study\n"
    )
    other = Path("other.yaml")
    Path("config.yaml").rename(other)
    assert where.main(["verdict_a", "--study", "other.yaml"]) == 1
    assert "'make paper STUDY=other.yaml'" in capsys.readouterr().err

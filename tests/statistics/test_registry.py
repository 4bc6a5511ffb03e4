"""Every table of the statistics: what it cannot answer is said, not raised; equal bytes."""

from __future__ import annotations

import inspect
import math
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from helpers.models import QUICK, family, one, several, zoo
from helpers.options import options_with
from helpers.stages import compute_all
from scipy import stats

from atlas.statistics import correlations as statistics_correlations
from atlas.statistics import describe
from atlas.statistics.correlations import correlations
from atlas.statistics.registry import TABLES, module_of
from atlas.study.schema import defaults
from atlas.terms.notes import Note, join
from compute_statistics import compute_statistics

ONLY_CORRELATIONS = list(describe.KINDS)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_made_by_the_function_of_its_name_from_its_inputs_and_the_options(table):
    assert module_of(table) == f"atlas.statistics.{table}"
    make = getattr(import_module(module_of(table)), table)
    assert make.__module__ == module_of(table)
    assert tuple(inspect.signature(make).parameters) == (*TABLES[table], "options")


def test_a_table_is_made_from_tables_before_it():
    names = ["models", *TABLES]
    for table, inputs in TABLES.items():
        assert all(names.index(name) < names.index(table) for name in inputs)


def test_notes_say_why():
    options = options_with(metrics=("alpha", "absent"), permutations=99, bootstrap=99)

    def note(x, y, metric="alpha"):
        found = one(correlations(family(x, y), options), scope="family", metric=metric)
        assert found[ONLY_CORRELATIONS].isna().all()
        return found["note"]

    nan = np.nan
    assert note([1, 1, 1, 1], [1, 2, 3, 4]) == Note.METRIC_CONSTANT
    assert note([1, 2, 3, 4], [5, 5, 5, 5]) == Note.QUALITY_CONSTANT
    assert note([1, 1, 1], [5, 5, 5]) == join(Note.METRIC_CONSTANT, Note.QUALITY_CONSTANT)
    assert note([0.1 + 0.2, 0.3, 0.3], [1, 2, 3]) == Note.METRIC_CONSTANT  # rounding is no signal
    assert note([1, 2], [1, 2]) == Note.TOO_FEW_MODELS
    assert note([nan, nan, nan], [1, 2, 3]) == Note.NO_VALUES
    assert note([1, 2, np.inf, 4], [1, 2, 3, nan]) == Note.TOO_FEW_MODELS
    assert note([1, 2, 3], [1, 2, 3], "absent") == Note.NO_VALUES


def test_missing_values_are_left_out_and_counted():
    x, y = [1, 2, np.nan, 4, 5, 6], [2, 1, 5, np.nan, 6, 7]
    found = one(correlations(family(x, y), QUICK), scope="family")
    assert (found["n"], found["missing"]) == (4, 2)
    assert found["kendall"] == pytest.approx(stats.kendalltau([1, 2, 5, 6], [2, 1, 6, 7]).statistic)


EDGES = {
    "empty": family([], []),
    "no columns": pd.DataFrame(),
    "one model": family([3], [70]),
    "two models": family([3, 4], [70, 71]),
    "one family": family(range(9), [3, 1, 4, 1, 5, 9, 2, 6, 5]),
    "equal qualities": several({f: (range(5), [70] * 5) for f in "abc"}),
    "all fits failed": several({f: ([np.nan] * 5, range(5)) for f in "abc"}),
    "all missing": several({f: ([np.nan] * 5, [np.nan] * 5) for f in "abc"}),
    "families of one": several({f: ([i], [i % 3]) for i, f in enumerate("abcdefgh")}),
    "mixed sizes": several({f: (range(i), range(i)) for i, f in enumerate("abcdefgh")}),
    "perfect": several({f: (np.arange(9.0), -np.arange(9.0)) for f in "abcdef"}),
    "no parameters": several({f: (range(6), [3, 1, 4, 1, 5, 9]) for f in "ab"}, parameters=np.nan),
    "negative parameters": family(range(6), [3, 1, 4, 1, 5, 9], parameters=-1),
    "one control model": family([3], [70], collection="zoo-untrained"),
    "metric is size": family(np.log10(np.arange(1, 11)), [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]).assign(
        parameters=np.arange(1, 11)
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("edge", EDGES)
def test_no_legal_table_raises(edge):
    options = options_with(
        metrics=("alpha", "log_norm"),
        permutations=99,
        bootstrap=99,
        controls={"zoo-untrained": "c", "gone": "c", "c": "gone"},
    )
    tables = compute_all(EDGES[edge], options)
    assert list(tables["correlations"]) == statistics_correlations.CORRELATIONS
    for table in tables.values():
        assert table.map(lambda v: not (isinstance(v, float) and math.isinf(v))).all(axis=None)
    found = tables["correlations"]
    silent = found[found["kendall"].isna()]
    assert (silent["note"] != "").all()
    assert len(found) > 0 or edge in ("empty", "no columns")


def test_bytes_do_not_depend_on_the_order_of_rows_or_of_work(tmp_path):
    rng = np.random.default_rng(17)
    table = zoo(rng, families=2, recipes=2)
    config = defaults("statistics") | {"metrics": ["alpha"], "permutations": 99, "bootstrap": 99}
    config |= {"seed": 0, "controls": {"zoo-untrained": "zoo"}}
    written = []
    for name, models_table in {
        "first": table,
        "shuffled": table.sample(frac=1, random_state=3),
        "alone": table[table["quality_metric"] == "accuracy"],
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        models_table.to_csv(folder / "models.csv", index=False)
        outputs = {key: folder / f"{key}.csv" for key in TABLES}
        for key, path in outputs.items():  # the correlations come first
            made_from = {"models": folder / "models.csv", **outputs}
            compute_statistics(key, [made_from[name] for name in TABLES[key]], config, path)
        written.append({key: path.read_bytes() for key, path in outputs.items()})
    assert written[0] == written[1]
    # A row does not change because other rows are there (multiplicity apart).
    drop = ["kendall_p_holm", "kendall_p_bh"]
    both = [pd.read_csv(tmp_path / name / "correlations.csv") for name in ("first", "alone")]
    both = [
        frame[frame["quality_metric"] == "accuracy"].drop(columns=drop).reset_index(drop=True)
        for frame in both
    ]
    pd.testing.assert_frame_equal(*both)

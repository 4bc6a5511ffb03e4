"""Other metrics beside alpha, on the same models."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from helpers.explained import QUICK, ROUGH, families, one, table_of, zoo
from helpers.options import options_with
from scipy import stats
from statsmodels.stats.multitest import multipletests

from atlas.statistics import alternatives as statistics_alternatives
from atlas.statistics.alternatives import ALTERNATIVES, alternatives
from atlas.statistics.correlations import correlations
from atlas.statistics.shape import shape
from atlas.statistics.traits import traits
from atlas.terms.notes import Note


def test_an_alternative_that_restores_the_relation_is_better():
    rng = np.random.default_rng(1)
    table = families(rng, [0.0] * 12, size=4, noise=3)
    table["hill"] = -table["quality"] + 0.1 * rng.normal(size=48)
    table["alpha_median"] = table["alpha"] + 0.3 * rng.normal(size=48)
    found = alternatives(table, QUICK)
    assert list(found) == statistics_alternatives.ALTERNATIVE
    assert found[["comparison", "metric"]].to_numpy().tolist() == [
        [c, m] for c in "ab" for m in ("alpha_median", "hill", "random")
    ]
    for comparison in "ab":
        better = one(found, metric="hill", comparison=comparison)
        assert better["difference"] == better["kendall"] - better["kendall_alpha"] < 0
        assert better["difference_high"] < 0 and better["kendall_p_holm"] < 0.05
        other = one(found, metric="alpha_median", comparison=comparison)
        assert other["difference_low"] < 0 < other["difference_high"]
        assert other["kendall_p_holm"] > 0.05


def test_estimates_are_those_of_the_correlations():
    """The same models and resamples: a metric of both tables has the same numbers in both."""
    table = zoo(np.random.default_rng(2), groups=4, recipes=6)  # in (c), six recipes move as one
    options = options_with(
        metrics=("hill",), permutations=99, bootstrap=99, controls={"zoo-untrained": "zoo"}
    )
    found = alternatives(table, options)
    expected = correlations(table, options)
    names = 2 * 3 * (len(ALTERNATIVES) + 2)
    assert set(found["collection"]) == {"zoo"} and len(found) == names
    assert set(found.loc[found["kind"] == "baseline", "metric"]) == {"random", "untrained_alpha"}
    same = ["n", "units", "groups", "kendall", "kendall_low", "kendall_high"]
    for comparison, quality in itertools.product("bc", ("accuracy", "generalization_gap")):
        labels = {"comparison": comparison, "quality_metric": quality, "metric": "hill"}
        row = one(found, **labels)
        other = one(expected, **labels, scope="within", family="", treatment="dropped",
                    collection="zoo")  # fmt: skip
        assert row[same].tolist() == pytest.approx(other[same].tolist(), abs=1e-12)
        assert row["kendall_p"] == other["kendall_p"]


def test_in_a_the_family_is_the_unit():
    """Means over units, of which one has more seeds; a family weighs as much as any other."""
    rows = [
        {"family": f, "variant": f"{f}{v}", "seed": str(s), "recipe": r, "alpha": a, "quality": q}
        for f, v, s, r, a, q in (
            ("f", "v", 0, "baseline", 1, 70),
            ("f", "v", 1, "baseline", 3, 72),
            ("f", "w", 0, "baseline", 6, 80),
            ("f", "w", 0, "noise", 99, 10),
            ("g", "v", 0, "baseline", 3, 60),
            ("h", "v", 0, "baseline", 5, 90),
            ("i", "v", 0, "baseline", 7, 50),
        )
    ]
    table = table_of(pd.DataFrame(rows).to_dict("list"))
    table["hill"] = -table["quality"]
    row = one(alternatives(table, QUICK), comparison="a", metric="hill")
    assert (row["n"], row["units"], row["groups"]) == (6, 4, 1)
    expected = stats.kendalltau([4, 3, 5, 7], [(71 + 80) / 2, 60, 90, 50]).statistic
    assert row["kendall_alpha"] == pytest.approx(expected) and row["kendall"] == -1
    assert row["kendall_p"] == pytest.approx(2 / 24)
    two = table[table["family"].isin(["f", "g"])]
    assert one(alternatives(two, QUICK), comparison="a", metric="hill")["note"] == (
        Note.TOO_FEW_FAMILIES
    )


def test_smallest_p_is_that_of_one_finding_among_all_tests():
    table = families(np.random.default_rng(3), [1.0] * 5, size=3, noise=1.0)
    table["hill"], table["alpha_median"] = -table["quality"], table["quality"]
    table["log_norm"] = table["quality"]
    found = alternatives(table, QUICK).query("comparison == 'a'").set_index("metric")
    # Two of the 120 orders of five families are as extreme as can be; there are two tests each.
    assert found["smallest_p"].tolist() == pytest.approx([2 * 2 / 120] * 4)
    assert found.loc["hill", "kendall_p"] == pytest.approx(2 / 120)
    assert found.loc["hill", "kendall_p_holm"] == found.loc["hill", "smallest_p"]


def test_baselines_need_no_sign():
    """A norm that orders the qualities, the other way round than alpha does."""
    rng = np.random.default_rng(4)
    table = families(rng, [-1.0] * 10, size=4, noise=0.1)
    table["log_norm"] = table["quality"]
    table["log_spectral_norm"] = rng.normal(size=len(table))
    found = alternatives(table, QUICK)
    labels = {"comparison": "b", "kind": "baseline"}
    norm = one(found, metric="log_norm", **labels)
    assert norm["difference_low"] > 1 and norm["gain"] == 1 + norm["kendall_alpha"]
    noise = one(found, metric="log_spectral_norm", **labels)
    assert noise["gain"] == abs(noise["kendall"]) - abs(noise["kendall_alpha"])
    assert noise["gain_low"] < noise["gain"] < noise["gain_high"] < 0


def test_the_interval_of_the_gain_by_hand():
    gain = statistics_alternatives._gain
    assert gain((0.1, 0.3), (0.5, 0.9)) == (0.1, 0.3)  # both positive: a - b
    assert gain((-0.3, -0.1), (-0.9, -0.5)) == pytest.approx((0.1, 0.3))  # both negative: b - a
    assert gain((0.5, 0.9), (-0.3, -0.1)) == pytest.approx((-0.3, -0.1))  # a > 0 > b: a + b
    assert gain((-0.2, 0.2), (-0.3, 0.3)) == (-0.3, 0.2)  # the wider sum below
    assert np.isnan(gain((math.nan, math.nan), (0.1, 0.2))).all()


def test_the_untrained_network_of_the_same_variant():
    table = zoo(np.random.default_rng(6), groups=4, recipes=3)
    options = options_with(metrics=("alpha",), permutations=99, bootstrap=9,
                           controls={"zoo-untrained": "zoo"})  # fmt: skip
    found = alternatives(table, options)
    row = one(found, metric="untrained_alpha", comparison="b", quality_metric="accuracy")
    once = table[table["quality_metric"] == "accuracy"]
    untrained = once[once["collection"] == "zoo-untrained"].groupby("variant")["alpha"].mean()
    trained = once[(once["collection"] == "zoo") & (once["recipe"] == "baseline")]
    x, y = trained["variant"].map(untrained), trained["quality"]
    units = pd.DataFrame({"x": x, "y": y}).groupby([trained["family"], trained["variant"]]).mean()
    centred = [v - v.groupby("family").transform("mean") for v in (units["x"], units["y"])]
    assert row["kendall"] == pytest.approx(stats.kendalltau(*centred).statistic)
    # All trainings of a variant start from the same networks.
    assert one(found, metric="untrained_alpha", comparison="c", quality_metric="accuracy")[
        "note"
    ] == (Note.METRIC_CONSTANT)
    none = alternatives(table, options_with(metrics=("alpha",), permutations=9, bootstrap=9))
    assert "untrained_alpha" not in set(none["metric"])


def test_random_numbers_depend_on_names_alone():
    table = families(np.random.default_rng(7), [1.0] * 4)
    found = alternatives(table, ROUGH).query("metric == 'random'")
    again = alternatives(table.sample(frac=1, random_state=1), ROUGH).query("metric == 'random'")
    pd.testing.assert_frame_equal(found, again)
    renamed = alternatives(table.assign(model="x" + table["model"]), ROUGH)
    assert renamed.query("metric == 'random'")["kendall"].tolist() != found["kendall"].tolist()


def test_recipes_common_to_all_variants_bound_p_in_c():
    rows = [
        {"variant": f"v{v}", "recipe": f"r{r}", "hill": r, "quality": r, "alpha": (7 * r + v) % 5}
        for v in range(10)
        for r in range(5)
    ]
    found = alternatives(table_of(pd.DataFrame(rows).to_dict("list")), QUICK)
    assert one(found, comparison="c", metric="hill")["kendall_p"] == pytest.approx(2 / 120)


def test_alternatives_equal_to_alpha():
    rng = np.random.default_rng(4)
    table = families(rng, [1.0] * 10)
    table["alpha_inner"] = table["alpha"] * (1 + 1e-13)
    table["alpha_enough"] = np.where(np.arange(60) < 12, table["alpha"], rng.normal(size=60))
    table["hill"] = rng.normal(size=60)
    found = alternatives(table, QUICK).query("kind == 'alternative'")
    for comparison, n, equal in (("a", 10, 2), ("b", 60, 12)):
        rows = found[found["comparison"] == comparison]
        same = one(rows, metric="alpha_inner")
        assert (same["equal"], same["difference"], same["gain"]) == (n, 0, 0)
        assert same["kendall"] == pytest.approx(same["kendall_alpha"])
        silent = ["difference_low", "difference_high", "gain_low", "gain_high", "kendall_p_holm"]
        assert np.isnan(same[silent].tolist()).all()
        assert same["note"] == Note.EQUAL_TO_ALPHA
        assert same["kendall_low"] < same["kendall"] < same["kendall_high"]
        other = one(rows, metric="alpha_enough")
        assert other["equal"] == equal and other["difference_low"] < other["difference_high"]
        tested = rows[rows["metric"] != "alpha_inner"]  # two hypotheses, not three
        assert tested["kendall_p_holm"].tolist() == pytest.approx(
            multipletests(tested["kendall_p"], method="holm")[1].tolist()
        )


def test_holm_by_hand():
    tests = (0.01, 0.04, 0.03, math.nan)
    rows = [{"kendall_p": p, "smallest_p": 0.02, "equal": 0, "units": 9} for p in tests]
    rows.append({"kendall_p": 0.001, "smallest_p": 0.001, "equal": 9, "units": 9})
    found = statistics_alternatives._holm(rows)
    assert [row["smallest_p"] for row in found] == [0.06, 0.06, 0.06, 0.02, 0.001]
    assert [row.get("kendall_p_holm") for row in found] == [0.03, 0.06, 0.06, None, None]


def test_alpha_is_compared_on_the_same_models():
    rng = np.random.default_rng(5)
    table = families(rng, [1.0, -1.0, 1.0], size=6)
    table["alpha_depthwise"] = rng.normal(size=18)
    table.loc[[0, 5, 8], "alpha_depthwise"] = np.nan
    table["alpha_dense"] = rng.normal(size=18)
    found = alternatives(table, QUICK)
    kept = table[table["alpha_depthwise"].notna()]
    columns = ["alpha_depthwise", "alpha", "quality"]
    means = kept.groupby("family")[columns].mean()
    centred = kept[columns] - kept.groupby("family")[columns].transform("mean")
    for comparison, frame in (("a", means), ("b", centred)):
        row = one(found, comparison=comparison, metric="alpha_depthwise")
        assert (row["n"], row["units"]) == (15, len(frame))
        for name, metric in (("kendall", "alpha_depthwise"), ("kendall_alpha", "alpha")):
            expected = stats.kendalltau(frame[metric], frame["quality"]).statistic
            assert row[name] == pytest.approx(expected)
    table.loc[table["family"] == "f00", "alpha_depthwise"] = (
        np.nan
    )  # of three families, two are left
    row = one(alternatives(table, QUICK), comparison="a", metric="alpha_depthwise")
    assert (row["n"], row["units"], row["note"]) == (11, 2, Note.TOO_FEW_FAMILIES)


def test_the_reference_is_alpha_whatever_the_primary_metric():
    table = families(np.random.default_rng(6), [1.0] * 3)
    table["hill"] = table["alpha"] ** 2
    table["log_norm"] = -table["quality"]
    options = options_with(
        metrics=("log_norm",), primary_metrics=("log_norm",), permutations=99, bootstrap=99
    )
    pd.testing.assert_frame_equal(alternatives(table, options), alternatives(table, ROUGH))


def test_the_interval_of_the_difference_leaves_out_one_unit_at_a_time():
    rng = np.random.default_rng(9)
    n = 9
    table = table_of({name: rng.normal(size=n) for name in ("alpha", "hill", "quality")})
    table["family"] = [f"f{i}" for i in range(n)]
    row = one(alternatives(table, QUICK), comparison="a", metric="hill")

    def difference(frame: pd.DataFrame) -> float:
        taus = [stats.kendalltau(frame[x], frame["quality"]).statistic for x in ("hill", "alpha")]
        return taus[0] - taus[1]

    without = [difference(table.drop(index=i)) for i in range(n)]
    error = math.sqrt((n - 1) * np.var(without))
    half = stats.t.ppf(0.975, n - 2) * error
    value = difference(table)
    found = row[["difference", "difference_low", "difference_high"]].tolist()
    assert found == pytest.approx([value, value - half, value + half])


@pytest.mark.parametrize(("n", "interval"), [(4, ""), (5, "fisher-z"), (9, "fisher-z")])
def test_intervals_of_alternatives_by_number(n, interval):
    rng = np.random.default_rng(7)
    table = table_of({"alpha": rng.normal(size=n), "quality": rng.normal(size=n)})
    table["hill"] = rng.normal(size=n)
    table["family"] = [f"f{i}" for i in range(n)]
    row = one(alternatives(table, QUICK), comparison="a", metric="hill")
    assert row["interval"] == interval
    assert np.isfinite(row["kendall_low"]) == bool(interval)
    assert np.isfinite(row["difference_low"]) == np.isfinite(row["gain_low"]) == bool(interval)
    assert row["note"] == ("" if interval else Note.NO_INTERVAL_SMALL_N)
    assert np.isfinite(row["difference"]) and 0 < row["kendall_p"] <= 1


def test_further_data_sets_of_the_same_models_are_left_out():
    rng = np.random.default_rng(8)
    table = families(rng, [1.0, 1.0, -1.0])
    table["hill"] = table["alpha_shuffled"] = rng.normal(size=18)
    both = pd.concat([table, table.iloc[:9].assign(dataset="e", quality=rng.random(9))])
    assert set(alternatives(both, ROUGH)["dataset"]) == {"d"}
    assert set(shape(both, ROUGH)["dataset"]) == {"d"}
    assert set(traits(both, correlations(both, ROUGH), ROUGH)["dataset"]) == {"d", "e"}

"""Tables and texts about pairs, families together, families never seen, and explanations.

Like `atlas.paper_tables` and `atlas.paper`: rows of the statistics are selected, formatted and
worded; nothing is computed from models here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from atlas import wording, wording_why
from atlas.markdown import (
    MISSING,
    bullets,
    escape,
    estimate,
    integer,
    interval,
    number,
    p_value,
    percent,
    percent_interval,
    pipe_table,
)
from atlas.paper_study import (
    COMPARISONS,
    TREATMENTS,
    Partition,
    Row,
    Study,
    number_of,
    partition_of,
    value,
)
from atlas.paper_tables import WORDS
from atlas.wording import Finding, Text, judge
from atlas.wording_why import (
    NULLS,
    Candidate,
    Mixed,
    Pairs,
    Predicted,
    Shape,
    Tried,
    candidate_of,
    effect,
)

ALL = ("all", "", "")
"""The partition of rows that hold the families of all collections together."""


# --- what the study found ---------------------------------------------------------------------


def found_pairs(study: Study) -> list[Pairs]:
    """Comparison (c), pair by pair, over all families of each collection that has pairs."""
    return [
        Pairs(
            study.name(partition),
            effect(row, "concordance", study.confidence, null=0.5),
            effect(row, "gain", study.confidence),
            int(value(row, "pairs") or 0),
            row["quality_metric"],
        )
        for partition, row in study.named("pairs", metric=study.metric, family="")
    ]


def found_mixed(study: Study, comparison: str) -> list[Mixed]:
    """The mixed models of one comparison."""
    rows = {
        adjusted: dict(
            study.named("mixed", metric=study.metric, comparison=comparison, adjusted=adjusted)
        )
        for adjusted in ("False", "True")
    }
    return [
        Mixed(
            study.name(partition),
            *(effect(row, part, study.confidence) for part in ("within", "between", "difference")),
            effect(rows["True"].get(partition), "within", study.confidence),
        )
        for partition, row in rows["False"].items()
    ]


def found_predictions(study: Study) -> list[Predicted]:
    """How models of families left out of the fit are ordered, by the metric and by size."""
    names = (study.metric, "size")
    rows = [dict(study.named("prediction", predictor=name)) for name in names]
    return [
        Predicted(
            study.name(partition),
            *(
                effect(r.get(partition), "concordance_within", study.confidence, null=0.5)
                for r in rows
            ),
        )
        for partition in rows[0]
    ]


def found_shapes(study: Study) -> list[Shape]:
    """Alpha against its nulls, without the controls."""
    return [
        Shape(
            _name(study, row),
            f"alpha_{row['null']}",
            row["level"],
            _pearson(study, row),
            number_of(row, "reliability"),
        )
        for row in study.tables["shape"]
        if not study.is_control(row)
    ]


def _pearson(study: Study, row: Row) -> Finding:
    return judge(row, study.confidence, "pearson")


def _name(study: Study, row: Row) -> str:
    """A collection's name, also where it is a control or has no part in the comparisons."""
    partition = partition_of(row)
    return study.name(partition) if partition in study.partitions else escape(row["collection"])


def found_alternatives(study: Study) -> list[Tried]:
    """Every alternative of alpha in every comparison, also the nulls."""
    own = {
        (partition, comparison): judge(
            study.row("correlations", partition, comparison, metric="alpha"), study.confidence
        ).outcome
        for partition in study.partitions
        for comparison in COMPARISONS
    }
    return [
        Tried(
            study.name(partition),
            row["comparison"],
            row["metric"],
            judge(row, study.confidence),
            own[partition, row["comparison"]],
            effect(row, "difference", study.confidence),
            value(row, "n") is not None and value(row, "equal") == value(row, "n") != 0,
        )
        for partition, row in study.named("alternatives")
    ]


def null_findings(tried: Sequence[Tried]) -> dict[str, list[Finding]]:
    """The correlations of alphas without training with quality."""
    return {null: [item.finding for item in tried if item.metric == null] for null in NULLS}


def explanation_rows(study: Study, level: str, comparison: str) -> list[tuple[str, Row]]:
    """The candidates at a level and in a comparison, with the name of the collection.

    They are those of all collections together, or else of each collection.
    """
    together = [
        ("all collections", row)
        for row in study.tables["explanations"]
        if partition_of(row) == ALL and (row["level"], row["comparison"]) == (level, comparison)
    ]
    return together or [
        (study.name(partition), row)
        for partition, row in study.named("explanations", level=level, comparison=comparison)
    ]


def found_candidates(study: Study, level: str, comparison: str) -> dict[str, list[Candidate]]:
    """What could explain, against the correlations of families or variants, by collection."""
    found: dict[str, list[Candidate]] = {}
    for name, row in explanation_rows(study, level, comparison):
        found.setdefault(name, []).append(_candidate(study, row))
    return found


def _candidate(study: Study, row: Row) -> Candidate:
    finding = judge(row, study.confidence)
    low, high, tau = (number_of(row, c) for c in ("left_out_low", "left_out_high", "kendall"))
    return Candidate(
        row["candidate"],
        int(value(row, "n") or 0),
        finding,
        number_of(row, "eta2") if row["kind"] == "category" else math.nan,
        (tau > 0 and low > 0) or (tau < 0 and high < 0),
    )


def main_candidates(study: Study) -> list[Candidate]:
    """The candidates that the paper's sum is about: against families' correlations, (b) before (c)."""
    for comparison in ("b", "c"):
        found = found_candidates(study, "family", comparison)
        for candidates in found.values():
            if any(item.tested for item in candidates):
                return candidates
    return []


# --- sentences --------------------------------------------------------------------------------


def why_variables(study: Study) -> dict[str, str | Text]:
    """The sentences of the paper's own text that this module knows, by name."""
    confidence = study.confidence
    tried = found_alternatives(study)
    shapes, tested = found_shapes(study), null_findings(tried)
    rows = [row for p in study.partitions for row in study.group_rows(p, "b")]
    detectable = [number_of(row, "detectable_pearson") for row in rows]
    untested = sum(not math.isfinite(value) for value in detectable)
    return {
        "verdict_pairs": wording_why.verdict_pairs(found_pairs(study), study.metric, confidence),
        "verdict_mixed": " ".join(
            wording_why.verdict_mixed(
                found_mixed(study, comparison), study.metric, comparison, confidence
            )
            for comparison in ("b", "c")
        ),
        "verdict_prediction": wording_why.verdict_prediction(
            found_predictions(study), study.metric, confidence
        ),
        "verdict_shape": wording_why.verdict_shape(shapes, tested, confidence),
        "shape_alone": wording_why.shape_alone(shapes, tested),
        "verdict_alternatives": wording_why.verdict_alternatives(tried),
        "verdict_explanations": explanations_text(study),
        "verdict_why": wording_why.verdict_why(
            main_candidates(study), tried, shapes, tested, study.metric
        ),
        "power_families": wording_why.power_of_groups(detectable, untested, wording.POWER),
        "enough_eigenvalues": wording_why.against_alpha("alpha_enough", tried),
        "other_layers": wording_why.against_alpha("alpha_other_layers", tried),
    }


def explanations_text(study: Study) -> str:
    """What goes with the correlations of families and of variants, as sentences."""
    found = {
        whose: found_candidates(study, level, comparison)
        for (level, comparison), whose in wording_why.WHOSE.items()
    }
    return wording_why.verdict_explanations(found, study.confidence)


def experiment_list(study: Study) -> str:
    """The experiments that this study makes on the weights, one item for each."""
    asked = study.config["experiments"]
    windows = asked["windows"]
    items = []
    if asked["shuffled"]:
        items.append(
            "*Permuted matrices.* The entries of each matrix are permuted at random, "
            f"{_times(asked['shuffled'])}. What alpha says about these matrices follows from their "
            "shape and from the distribution of their entries, not from the order that training "
            "gave them."
        )
    if asked["gaussian"]:
        items.append(
            "*Noise.* Gaussian noise takes the place of each matrix, of the same shape and with the "
            f"same root mean square, {_times(asked['gaussian'])}. Here only the shape is left."
        )
    if windows["size"]:
        items.append(
            f"*Square windows.* Of each matrix, submatrices of {integer(windows['size'])} rows and "
            f"columns are taken, evenly spaced and at most {integer(windows['most'])} of a layer, and "
            "their eigenvalues are pooled. So size and aspect ratio are the same in all layers "
            "[@hu2025]. Smaller layers have none. The power law is fitted to the pooled eigenvalues, "
            "and Hill's exponent taken of them."
        )
    items.append(
        "*Hill's exponent* takes the upper half of the eigenvalues for the tail, so that no start of "
        "the tail has to be fitted [@hill1975; @zhou2023]."
    )
    if asked["other_layers"]:
        other = {"weightwatcher": "also layers that WeightWatcher leaves out or misreads"}.get(
            study.config["spectra"]["layers"], "the layers that WeightWatcher takes, and only these"
        )
        items.append(f"*Other rule for layers.* Alpha is averaged over another choice: {other}.")
    text = bullets(items)
    if asked["shuffled"] or asked["gaussian"]:
        text += (
            "\nWhere there are several draws, the median over them counts, and the generators start "
            f"from seed {asked['seed']}.\n"
        )
    return text


def _times(amount: int) -> str:
    return "once" if amount == 1 else f"{integer(amount)} times"


# --- tables -----------------------------------------------------------------------------------


def pairs_table(study: Study) -> str:
    """Comparison (c) pair by pair: all families under both treatments, and each family."""
    rows = []
    for partition in study.partitions:
        chosen = [
            (f"all, {WORDS[treatment]}", row)
            for treatment in TREATMENTS
            for p, row in study.named("pairs", metric=study.metric, family="", treatment=treatment)
            if p == partition
        ]
        chosen += [
            (escape(row["family"]), row)
            for p, row in study.named("pairs", metric=study.metric)
            if p == partition and row["family"]
        ]
        for label, row in chosen:
            rows.append(
                [
                    study.name(partition),
                    label,
                    *(integer(value(row, name)) for name in ("pairs", "variants", "recipes")),
                    _estimate(row, "concordance"),
                    p_value(value(row, "concordance_p")),
                    _estimate(row, "gain"),
                ]
            )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Models", "l"),
            ("Pairs", "r"),
            ("Variants", "r"),
            ("Recipes", "r"),
            ("Concordance", "r"),
            ("$p$", "r"),
            ("Gain", "r"),
        ],
        rows,
    )


def _estimate(row: Row | None, name: str) -> str:
    """A value of a row with its interval."""
    return estimate(value(row, name), value(row, f"{name}_low"), value(row, f"{name}_high"))


HELD = {"False": "nothing", "True": "size, depth"}


def mixed_table(study: Study) -> str:
    """The mixed models: effects inside and between groups, with and without size and depth."""
    rows = []
    for partition in study.partitions:
        for comparison in ("b", "c"):
            for adjusted, held in HELD.items():
                labels = {"comparison": comparison, "adjusted": adjusted}
                for p, row in study.named("mixed", metric=study.metric, **labels):
                    if p == partition and value(row, "within") is not None:
                        rows.append(
                            [
                                study.name(partition),
                                COMPARISONS[comparison],
                                held,
                                f"{integer(value(row, 'n'))} in {integer(value(row, 'groups'))}",
                                _estimate(row, "within"),
                                p_value(value(row, "within_p")),
                                _estimate(row, "between"),
                                _estimate(row, "difference"),
                                p_value(value(row, "difference_p")),
                            ]
                        )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Of", "l"),
            ("Held fixed", "l"),
            ("$n$", "r"),
            ("Within", "r"),
            ("$p$", "r"),
            ("Between", "r"),
            ("Difference", "r"),
            ("$p$", "r"),
        ],
        rows,
    )


def prediction_table(study: Study) -> str:
    """What is predicted of a family left out, by each predictor."""
    rows = [
        [
            study.name(partition),
            _predictor(row["predictor"]),
            integer(value(row, "n")),
            integer(value(row, "families")),
            _estimate(row, "concordance_within"),
            p_value(value(row, "concordance_within_p")),
            _estimate(row, "concordance_between"),
            number(value(row, "r2")),
            number(value(row, "rmse")),
        ]
        for partition, row in study.named("prediction")
        if value(row, "concordance_within") is not None or value(row, "r2") is not None
    ]
    return pipe_table(
        [
            ("Collection", "l"),
            ("Predictor", "l"),
            ("$n$", "r"),
            ("Families", "r"),
            ("Inside families", "r"),
            ("$p$", "r"),
            ("Between families", "r"),
            ("$R^2$", "r"),
            ("RMSE", "r"),
        ],
        rows,
    )


def _predictor(name: str) -> str:
    parts = name.split(" + ")
    return " + ".join(
        part if part in ("size", "forest") else wording.metric_of(part).label for part in parts
    )


NULL_LABELS = {"shuffled": "permuted", "gaussian": "noise"}
LEVEL_LABELS = {"variants": "variants", "families": "families", "within": "inside families"}


def shape_table(study: Study) -> str:
    """Alpha against its nulls: means, correlation and shared differences."""
    rows = []
    order = [*LEVEL_LABELS]
    found = [row for row in study.tables["shape"] if value(row, "pearson") is not None]
    for row in sorted(found, key=lambda r: (partition_of(r), r["null"], order.index(r["level"]))):
        low, high = value(row, "pearson_low"), value(row, "pearson_high")
        share = percent(value(row, "r2"))
        if low is not None and high is not None:
            share += f" {percent_interval(*wording_why.squared(low, high))}"
        rows.append(
            [
                _name(study, row),
                NULL_LABELS[row["null"]],
                LEVEL_LABELS[row["level"]],
                integer(value(row, "n")),
                number(value(row, "alpha")),
                number(value(row, "null_alpha")),
                number(value(row, "pearson")),
                p_value(value(row, "pearson_p")),
                share,
                percent(value(row, "reliability")),
                number(value(row, "kendall")),
            ]
        )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Null", "l"),
            ("Between", "l"),
            ("$n$", "r"),
            ("$\\alpha$", "r"),
            ("of null", "r"),
            ("$r$", "r"),
            ("$p$", "r"),
            ("$r^2$", "r"),
            ("Reliable", "r"),
            ("$\\tau$", "r"),
        ],
        rows,
    )


def alternatives_table(study: Study) -> str:
    """Kendall's tau of each alternative in each comparison, with its difference to alpha's."""
    columns = [("Collection", "l"), ("Instead of $\\alpha$", "l")]
    for mark in COMPARISONS.values():
        columns += [(mark, "r"), ("$\\Delta$", "r")]
    rows = []
    for name, metric, found in _alternatives(study):
        cells = []
        for comparison in COMPARISONS:
            row = found.get(comparison)
            cells += [_marked(study, row), _difference(study, row)]
        rows.append([name, metric, *cells])
    return pipe_table(columns, rows)


def alternative_differences_table(study: Study) -> str:
    """The differences to alpha with their intervals, and in how many models they were taken."""
    columns = [("Collection", "l"), ("Instead of $\\alpha$", "l")]
    for mark in COMPARISONS.values():
        columns += [(f"$n$ {mark}", "r"), (f"$\\Delta$ {mark}", "r")]
    rows = []
    for name, metric, found in _alternatives(study):
        cells = []
        for comparison in COMPARISONS:
            row = found.get(comparison)
            cells += [integer(value(row, "n")), _difference(study, row, bounds=True)]
        rows.append([name, metric, *cells])
    return pipe_table(columns, rows)


def _alternatives(study: Study) -> Iterable[tuple[str, str, dict[str, Row]]]:
    """Collection, alternative and its rows by comparison, where any has a correlation."""
    found: dict[tuple[Partition, str], dict[str, Row]] = {}
    for partition, row in study.named("alternatives"):
        if value(row, "kendall") is not None:
            found.setdefault((partition, row["metric"]), {})[row["comparison"]] = row
    order = list(wording.METRICS)
    for (partition, metric), rows in sorted(
        found.items(),
        key=lambda item: (
            list(study.partitions).index(item[0][0]),
            order.index(item[0][1]) if item[0][1] in order else len(order),
        ),
    ):
        yield study.name(partition), wording.metric_of(metric).label, rows


def _marked(study: Study, row: Row | None) -> str:
    text = _estimate(row, "kendall")
    return f"**{text}**" if judge(row, study.confidence).outcome.decided else text


def _difference(study: Study, row: Row | None, bounds: bool = False) -> str:
    """The difference to alpha, bold where its interval excludes zero, "same" where there is none."""
    if row is not None and value(row, "equal") == value(row, "n"):
        return "same"
    found = effect(row, "difference", study.confidence)
    text = _estimate(row, "difference") if bounds else number(found.value)
    return f"**{text}**" if found.outcome.decided else text


def explanations_table(study: Study) -> str:
    """Each candidate against the families' correlations between variants."""
    return _candidates_table(
        [(name, "", row) for name, row in explanation_rows(study, "family", "b")], study
    )


OF = {"family": "families", "variant": "variants"}


def explanations_more_table(study: Study) -> str:
    """The candidates against the other correlations, and what is decided in single collections."""
    rows = []
    shown = {id(row) for _, row in explanation_rows(study, "family", "b")}
    for level, comparison in wording_why.WHOSE:
        of = f"{COMPARISONS[comparison]} {OF[level]}"
        block = explanation_rows(study, level, comparison)
        if (level, comparison) != ("family", "b"):
            rows += [(name, of, row) for name, row in block]
            shown |= {id(row) for _, row in block}
        for partition, row in study.named("explanations", level=level, comparison=comparison):
            if id(row) not in shown and _candidate(study, row).remains:
                rows.append((study.name(partition), of, row))
    return _candidates_table(rows, study, several=True)


def _candidates_table(
    rows: Sequence[tuple[str, str, Row]], study: Study, several: bool = False
) -> str:
    cells = [
        [
            name,
            *[of] * several,
            wording.first(candidate_of(row["candidate"]).en),
            integer(value(row, "n")),
            _candidate_cell(study, row),
            p_value(value(row, "kendall_p")),
            p_value(value(row, "kendall_p_bh")),
            interval(value(row, "left_out_low"), value(row, "left_out_high")),
        ]
        for name, of, row in sorted(
            rows, key=lambda item: (item[1], item[0], _order(item[2]["candidate"]))
        )
        if value(row, "kendall") is not None or value(row, "eta2") is not None
    ]
    return pipe_table(
        [
            ("Collection", "l"),
            *[("Of", "l")] * several,
            ("Candidate", "l"),
            ("$n$", "r"),
            ("$\\tau$", "r"),
            ("$p$", "r"),
            ("$p$, corrected", "r"),
            ("One left out", "r"),
        ],
        cells,
    )


def _order(candidate: str) -> int:
    order = list(wording_why.CANDIDATES)
    return order.index(candidate) if candidate in order else len(order)


def _candidate_cell(study: Study, row: Row) -> str:
    """tau with its interval, or for a category its share of the variance; bold where it remains."""
    eta2 = value(row, "eta2")
    text = _estimate(row, "kendall") if eta2 is None else f"$\\eta^2$ = {number(eta2)}"
    return f"**{text}**" if _candidate(study, row).remains else text


TRAITS = {
    "shapes": ("log_parameters", "layers", "N_median", "M_median", "aspect_median", "evals_median"),
    "layers": (
        *("evals_50", "depthwise_share", "pointwise_share", "conv_share", "dense_share"),
        *("rank_loss_share", "tail_share", "coverage"),
    ),
    "fits": (
        *("D", "outside_share", "failed_share", "alpha_sd", "metric_sd", "quality_sd"),
        *("alpha_shuffled", "alpha_gaussian"),
    ),
}
"""The candidates in each of the three tables of traits."""

WHOLE = ("layers", "N_median", "M_median", "evals_median")
SHARES = ("evals_50", "outside_share", "coverage")


def traits_table(study: Study, part: str) -> str:
    """One of the three tables of families with their candidates; the first has the correlations."""
    first = part == "shapes"
    rows = []
    for partition, row in study.named("traits"):
        cells = [_trait(name, value(row, name)) for name in TRAITS[part]]
        taus = [number(value(row, f"kendall_{comparison}")) for comparison in ("b", "c")]
        cells = [*taus * first, *cells]
        if any(cell != MISSING for cell in cells):
            rows.append([study.name(partition), escape(row["family"]), *cells])
    heads = [("$\\tau$ (b)", "r"), ("$\\tau$ (c)", "r")] * first
    heads += [(candidate_of(name).label, "r") for name in TRAITS[part]]
    return pipe_table([("Collection", "l"), ("Family", "l"), *heads], rows)


def _trait(name: str, found: float | None) -> str:
    if name in SHARES or name.endswith("_share"):
        return percent(found)
    return integer(found) if name in WHOLE else number(found)


def tables(study: Study) -> dict[str, str]:
    """The tables of this module by the name of their file."""
    return {
        "c_pairs": pairs_table(study),
        "mixed": mixed_table(study),
        "prediction": prediction_table(study),
        "shape": shape_table(study),
        "alternatives": alternatives_table(study),
        "alternative_differences": alternative_differences_table(study),
        "explanations": explanations_table(study),
        "explanations_more": explanations_more_table(study),
        **{f"traits_{part}": traits_table(study, part) for part in TRAITS},
    }


def texts(study: Study) -> dict[str, str]:
    """The texts of this module by the name of their file."""
    return {"experiment_list": experiment_list(study)}

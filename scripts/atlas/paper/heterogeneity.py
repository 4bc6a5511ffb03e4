"""Whether families differ: meta-analysis, and what could have been found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from atlas.findings.results import Answer, Results, number_of, value
from atlas.paper.clauses import first
from atlas.paper.markdown import (
    MISSING,
    count,
    escape,
    estimate,
    integer,
    listing,
    number,
    p_value,
    percent,
    pipe_table,
)
from atlas.terms.keys import COMPARISONS
from atlas.terms.words import Text, metric_of


def verdict_families(answers: Sequence[Answer], level: float) -> Text:
    """Whether architectures differ: the test that all families share one correlation."""
    metric = metric_of(answers[0].metric if answers else "alpha")
    differ = [escape(answer.name) for answer in answers if answer.q_p <= level]
    alike = [escape(answer.name) for answer in answers if answer.q_p > level]
    untested = [escape(answer.name) for answer in answers if not math.isfinite(answer.q_p)]
    if not differ and not alike:
        return Text(
            f"Whether the relation between {metric.en} and quality depends on the family could not be "
            "tested: too few families have more than three independent models.",
            f"Ob der Zusammenhang zwischen {metric.de} und Qualität von der Familie abhängt, ließ sich "
            "nicht prüfen: Zu wenige Familien haben mehr als drei unabhängige Modelle.",
        )
    clauses = []
    if differ:
        clauses.append(
            Text(
                f"for {listing(differ)}, families differ by more than chance",
                f"bei {listing(differ, 'de')} unterscheiden sich die Familien stärker als durch Zufall",
            )
        )
    if alike:
        clauses.append(
            Text(
                f"for {listing(alike)}, no difference between families beyond chance is found",
                f"bei {listing(alike, 'de')} findet sich kein Unterschied über den Zufall hinaus",
            )
        )
    if untested:
        clauses.append(
            Text(
                f"for {listing(untested)}, too few families can be tested",
                f"bei {listing(untested, 'de')} lassen sich zu wenige Familien prüfen",
            )
        )
    return Text(
        f"Does the relation between {metric.en} and quality depend on the family? "
        f"{first('; '.join(clause.en for clause in clauses))}.",
        f"Hängt der Zusammenhang zwischen {metric.de} und Qualität von der Familie ab? "
        f"{first('; '.join(clause.de for clause in clauses))}.",
    )


def power_of_groups(detectable: Sequence[float], untested: int, power: float) -> str:
    """Which correlations the families could have shown at all, as a sentence."""
    known = sorted(value for value in detectable if math.isfinite(value))
    if not known:
        return "No family is large enough to say how strong a correlation it could have shown"
    chance = percent(power)
    if len(known) == 1:
        text = (
            "One family is large enough to say so: with a probability of "
            f"{chance}, it would have shown a Pearson correlation of {number(known[0])} or stronger"
        )
    else:
        middle = known[len(known) // 2] if len(known) % 2 else math.nan
        if math.isnan(middle):
            middle = (known[len(known) // 2 - 1] + known[len(known) // 2]) / 2
        text = (
            f"With a probability of {chance}, a family would have shown a Pearson correlation only if "
            f"it is at least {number(known[0])} (the largest family) to {number(known[-1])} (the "
            f"smallest), in the median {number(middle)}"
        )
    if untested:
        noun = count(untested, "family", "families")
        text += f"; {noun} {'is' if untested == 1 else 'are'} too small even for that"
    return text


def meta_table(study: Results) -> str:
    """Families (b) and variants (c) put together."""
    rows = []
    for partition in study.partitions:
        for comparison in ("b", "c"):
            row = study.one("meta", partition, comparison=comparison)
            if row is None:
                continue
            rows.append(
                [
                    escape(study.name(partition)),
                    COMPARISONS[comparison],
                    f"{integer(value(row, 'k'))} of "
                    f"{integer(number_of(row, 'k') + number_of(row, 'k_left_out'))}",
                    estimate(
                        value(row, "pearson"), value(row, "pearson_low"), value(row, "pearson_high")
                    ),
                    number(value(row, "i2"), 0),
                    p_value(value(row, "q_p")),
                    number(value(row, "mean_r")),
                    p_value(value(row, "mean_r_p")),
                ]
            )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Of", "l"),
            ("Groups", "r"),
            ("$r$", "r"),
            ("$I^2$ in %", "r"),
            ("$p$ of $Q$", "r"),
            ("Mean $r$", "r"),
            ("$p$ of mean", "r"),
        ],
        [[cell or MISSING for cell in row] for row in rows],
    )

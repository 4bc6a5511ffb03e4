"""Sentences about pairs, families together, families never seen, and what could explain it all.

As in `atlas.wording`, words follow from results: an `Effect` or a `Finding` has one of five
outcomes, and each sentence says which collections have which. Collections stand with their numbers
where a clause has few of them; the tables have all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from atlas.markdown import (
    MISSING,
    count,
    integer,
    interval,
    listing,
    number,
    p_equation,
    percent,
    percent_interval,
)
from atlas.wording import (
    Finding,
    Metric,
    Outcome,
    Text,
    first,
    level_of,
    metric_of,
    numbers,
)

FEW_NAMES = 3
"""Up to so many collections, a clause has their numbers."""

NULLS = ("alpha_shuffled", "alpha_gaussian")
"""Alphas of matrices without training: no alternatives, but what shape alone gives."""

CANDIDATES = {
    "log_parameters": Metric(
        "$\\log_{10}$ parameters", "number of parameters", "Zahl der Parameter"
    ),
    "layers": Metric("layers", "number of layers", "Zahl der Schichten"),
    "N_median": Metric("$N$", "longer side of the matrices", "längere Seite der Matrizen"),
    "M_median": Metric("$M$", "shorter side of the matrices", "kürzere Seite der Matrizen"),
    "aspect_median": Metric(
        "$N/M$", "aspect ratio of the matrices", "Seitenverhältnis der Matrizen"
    ),
    "evals_median": Metric("eigenvalues", "eigenvalues of a layer", "Eigenwerte einer Schicht"),
    "evals_50": Metric("large", "share of large layers", "Anteil großer Schichten"),
    "depthwise_share": Metric(
        "depthwise", "share of depthwise convolutions", "Anteil tiefenweiser Faltungen"
    ),
    "pointwise_share": Metric(
        "pointwise", "share of pointwise convolutions", "Anteil punktweiser Faltungen"
    ),
    "conv_share": Metric("conv.", "share of other convolutions", "Anteil übriger Faltungen"),
    "dense_share": Metric("dense", "share of dense layers", "Anteil dichter Schichten"),
    "rank_loss_share": Metric("rank loss", "rank loss", "Rangverlust"),
    "tail_share": Metric(
        "tail", "share of eigenvalues in the tail", "Anteil der Eigenwerte im Schwanz"
    ),
    "D": Metric("$D$", "KS distance of the fits", "KS-Abstand der Anpassungen"),
    "outside_share": Metric(
        "out of range",
        "share of layers out of range",
        "Anteil der Schichten außerhalb des Bereichs",
    ),
    "failed_share": Metric("failed", "share of failed fits", "Anteil gescheiterter Anpassungen"),
    "coverage": Metric("coverage", "coverage", "Abdeckung"),
    "alpha_sd": Metric(
        "SD, layers", "spread of alpha over layers", "Streuung von Alpha über die Schichten"
    ),
    "alpha_shuffled": Metric(
        "$\\alpha$, permuted", "alpha of the permuted matrices", "Alpha der durchmischten Matrizen"
    ),
    "alpha_gaussian": Metric(
        "$\\alpha$, noise", "alpha of noise of the same shape", "Alpha von Rauschen gleicher Form"
    ),
    "metric_sd": Metric(
        "SD, metric", "spread of the metric over models", "Streuung des Maßes über die Modelle"
    ),
    "quality_sd": Metric(
        "SD, quality", "spread of the quality over models", "Streuung der Qualität über die Modelle"
    ),
    "recipe": Metric("recipe", "training recipe", "Trainingsrezept"),
    "dataset": Metric("data set", "data set", "Datensatz"),
    "weightwatcher_version": Metric(
        "version", "version of WeightWatcher", "Version von WeightWatcher"
    ),
}
"""What could explain where the metric works: label in a table, English and German name."""


def candidate_of(name: str) -> Metric:
    """The names of a candidate; an unknown one is called as a metric of that name."""
    return CANDIDATES.get(name, metric_of(name))


# --- estimates beside chance ------------------------------------------------------------------


@dataclass(frozen=True)
class Effect:
    """An estimate: `outcome` says whether it is below (NEGATIVE) or above what chance gives."""

    outcome: Outcome
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    note: str = ""

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval; the value alone where it is decided without one: no resample differs."""
        known = math.isfinite(self.low) or not self.outcome.decided
        return (self.low, self.high) if known else (self.value, self.value)


def effect(
    row: Mapping[str, Any] | None, name: str, confidence: float, null: float = 0.0
) -> Effect:
    """What columns ``name``, ``name_low``, ``name_high`` and ``name_p`` of a row say beside ``null``.

    Decided where the interval excludes ``null`` and the p value is small; where the table has no
    p value for it, the interval decides alone. Where all resamples are equal, as with a share of
    1, there is no interval, and the value takes its place.
    """
    if row is None:
        return Effect(Outcome.NONE, note="the study has no models for it")
    value, low, high, p = (_number(row.get(f"{name}{end}")) for end in ("", "_low", "_high", "_p"))
    facts: dict[str, Any] = {"value": value, "low": low, "high": high, "p": p}
    facts["note"] = str(row.get("note") or "")
    if not math.isfinite(value):
        return Effect(Outcome.NONE, **facts)
    if "do not vary" in facts["note"] and "fewer than" not in facts["note"]:
        low, high = (value if math.isnan(bound) else bound for bound in (low, high))
    if not (math.isfinite(low) and math.isfinite(high)):
        return Effect(Outcome.FEW, **facts)
    small = p <= level_of(confidence) if f"{name}_p" in row else True
    if small and high < null and value < null:
        return Effect(Outcome.NEGATIVE, **facts)
    if small and low > null and value > null:
        return Effect(Outcome.POSITIVE, **facts)
    return Effect(Outcome.OPEN, **facts)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _with_interval(text: str, bounds: str, confidence: float, p: float = math.nan) -> str:
    """A value with its interval and p value, as they stand in brackets."""
    parts = [text]
    parts += [f"{percent(confidence)} CI {bounds}"] * (bounds != MISSING)
    return ", ".join([*parts, p_equation("p", p)] if math.isfinite(p) else parts)


def share_of(found: Effect, what: str, confidence: float) -> str:
    """An effect that is a share, in percent of ``what``."""
    bounds = percent_interval(found.low, found.high)
    return _with_interval(f"{percent(found.value)} {what}", bounds, confidence, found.p)


def slope_of(found: Effect, confidence: float) -> str:
    """An effect that is a slope."""
    bounds = interval(found.low, found.high)
    return _with_interval(f"slope {number(found.value)}", bounds, confidence, found.p)


Named = tuple[str, Any]


def grouped(
    named: Sequence[Named], words: Mapping[Outcome, str], say: Callable[[Any], str] | None = None
) -> str:
    """One clause for each outcome that occurs: ``words`` with the collections at ``{who}``.

    ``named`` are names and what has an ``outcome``; ``say`` gives the numbers of one.
    """
    clauses = []
    for outcome in Outcome:
        chosen = [(name, found) for name, found in named if found.outcome is outcome]
        if not chosen:
            continue
        shown = say and outcome not in (Outcome.FEW, Outcome.NONE) and len(chosen) <= FEW_NAMES
        names = [f"{name} ({say(found)})" if say and shown else name for name, found in chosen]
        clauses.append(words[outcome].replace("{who}", listing(names)))
    return "; ".join(clauses)


# --- pairs of trainings -----------------------------------------------------------------------


UNITS = dict.fromkeys(("accuracy", "error", "generalization_gap"), "percentage points")
"""The unit of a quality; others have none of their own."""


class Pairs(NamedTuple):
    """Comparison (c) in one collection, pair by pair; `unit` is that of the gain."""

    name: str
    concordance: Effect  # share of pairs in which the smaller metric has the better quality
    gain: Effect
    pairs: int
    quality: str

    @property
    def outcome(self) -> Outcome:
        return self.concordance.outcome


def verdict_pairs(found: Sequence[Pairs], metric: str, confidence: float) -> str:
    """Of two trainings of one variant, which one is better, and what choosing by the metric gains."""
    name = metric_of(metric).en
    if not any(pair.outcome is not Outcome.NONE for pair in found):
        return "No variant has two trainings that could be compared with each other as a pair."
    words = {
        Outcome.POSITIVE: f"the one with the smaller {name} is the better one more often than by "
        "chance for {who}",
        Outcome.NEGATIVE: f"the one with the larger {name} is the better one more often than by "
        "chance for {who}" + ", against the theory" * metric_of(metric).theory,
        Outcome.OPEN: f"it stays open whether the one with the smaller {name} is the better one for "
        "{who}",
        Outcome.FEW: "there are too few pairs for a conclusion for {who}",
        Outcome.NONE: "there is no pair to compare for {who}",
    }

    def say(pair: Pairs) -> str:
        won = share_of(pair.concordance, f"of {count(pair.pairs, 'pair')}", confidence)
        return f"the smaller one is better in {won}{_gained(pair, confidence)}"

    text = grouped([(pair.name, pair) for pair in found], words, say)
    return f"Of two trainings of one variant, {text}."


def _gained(pair: Pairs, confidence: float) -> str:
    """What choosing by the smaller metric wins or loses against a random choice."""
    gain = pair.gain
    if gain.outcome is Outcome.NONE:
        return ""
    way = "gains" if gain.value >= 0 else "loses"
    unit = UNITS.get(pair.quality, "units of quality")
    text = f"; to choose it {way} {number(abs(gain.value))} {unit} over a random choice"
    if not math.isfinite(gain.low):
        return text
    low, high = sorted((gain.low, gain.high) if gain.value >= 0 else (-gain.low, -gain.high))
    text += f", {percent(confidence)} CI {interval(low, high)}"
    return text + ", which includes zero" * (gain.outcome is Outcome.OPEN)


# --- families together ------------------------------------------------------------------------


class Mixed(NamedTuple):
    """The mixed model of one collection, as it is and with size and depth held fixed."""

    name: str
    within: Effect
    between: Effect
    difference: Effect
    adjusted: Effect  # of `within`


GROUPS = {"b": ("families", "means of families"), "c": ("variants", "means of variants")}


def verdict_mixed(found: Sequence[Mixed], metric: str, comparison: str, confidence: float) -> str:
    """The effects inside and between groups, whether they differ, and what size leaves of them."""
    inside, means = GROUPS[comparison]
    known = [model for model in found if model.within.outcome is not Outcome.NONE]
    if not known:
        return f"A mixed model of all {inside} together could not be fitted."
    name = metric_of(metric).en
    words = {
        Outcome.NEGATIVE: f"smaller {name} goes with better models for {{who}}",
        Outcome.POSITIVE: f"larger {name} goes with better models for {{who}}",
        Outcome.OPEN: "the direction stays open for {who}",
        Outcome.FEW: "there is no interval for {who}",
        Outcome.NONE: "nothing can be said for {who}",
    }
    differ = {
        **dict.fromkeys(
            (Outcome.NEGATIVE, Outcome.POSITIVE),
            "the two effects differ by more than chance for {who}",
        ),
        Outcome.OPEN: "no difference between the two effects beyond chance is found for {who}",
    }

    def numbers_of(item: Effect) -> str:
        return slope_of(item, confidence)

    said = [
        f"Inside {inside}, " + grouped([(m.name, m.within) for m in known], words, numbers_of),
    ]
    between = [(m.name, m.between) for m in known if m.between.outcome is not Outcome.NONE]
    if between:
        said.append(f"Between the {means}, " + grouped(between, words, numbers_of))
    tested = [
        (m.name, m.difference)
        for m in known
        if m.difference.outcome not in (Outcome.FEW, Outcome.NONE)
    ]
    if tested:
        said.append(first(_merged(tested, differ)))
    said.append(f"With size and depth held fixed, {_adjusted(known, name, inside)}")
    return " ".join(f"{sentence}." for sentence in said)


def _merged(named: Sequence[Named], words: Mapping[Outcome, str]) -> str:
    """Like `grouped` without numbers, with outcomes of the same words in one clause."""
    clauses: dict[str, list[str]] = {}
    for name, found in named:
        clauses.setdefault(words[found.outcome], []).append(name)
    return "; ".join(text.replace("{who}", listing(names)) for text, names in clauses.items())


def _adjusted(found: Sequence[Mixed], name: str, inside: str) -> str:
    """What becomes of the effect inside groups once size and depth are held fixed."""
    clauses: dict[str, list[str]] = {}
    for model in found:
        before, after = model.within.outcome, model.adjusted.outcome
        way = "smaller" if after is Outcome.NEGATIVE else "larger"
        if after in (Outcome.FEW, Outcome.NONE):
            text = f"the effect inside {inside} cannot be tested for {{who}}"
        elif before.decided and after is before:
            text = f"the effect inside {inside} stays for {{who}}"
        elif before.decided and after.decided:
            text = f"the effect inside {inside} turns round for {{who}}"
        elif before.decided:
            text = f"the effect inside {inside} is no longer clear for {{who}}"
        elif after.decided:
            text = f"{way} {name} goes with better models inside {inside} for {{who}}"
        else:
            text = f"the direction inside {inside} stays open for {{who}}"
        clauses.setdefault(text, []).append(model.name)
    return "; ".join(text.replace("{who}", listing(names)) for text, names in clauses.items())


# --- families never seen ----------------------------------------------------------------------


class Predicted(NamedTuple):
    """How well models in a family left out of the fit are ordered, in one collection."""

    name: str
    own: Effect  # by the primary metric: share of pairs in the right order
    size: Effect

    @property
    def beside_size(self) -> Outcome:
        """POSITIVE where the metric is better than size alone: the intervals do not overlap.

        They are too narrow, so one of the two must also be decided on its own, by its p value.
        """
        if not (self.own.outcome.decided or self.size.outcome.decided):
            return Outcome.OPEN
        (low, high), (size_low, size_high) = self.own.bounds, self.size.bounds
        if low > size_high:
            return Outcome.POSITIVE
        return Outcome.NEGATIVE if high < size_low else Outcome.OPEN


def verdict_prediction(found: Sequence[Predicted], metric: str, confidence: float) -> str:
    """Whether the metric orders models in a family that the fit has not seen, and size beside it."""
    name = metric_of(metric).en
    known = [item for item in found if item.own.outcome not in (Outcome.FEW, Outcome.NONE)]
    few = [item.name for item in found if item.own.outcome is Outcome.FEW]
    late = [f"There are too few families for an interval for {listing(few)}"] * bool(few)
    if not known:
        text = (
            f"Whether {name} orders the models of a family that no fit has seen could not be tested"
        )
        return " ".join(f"{sentence}." for sentence in [text, *late])
    words = {
        Outcome.POSITIVE: "more often than chance for {who}",
        Outcome.NEGATIVE: "less often than chance for {who}",
        Outcome.OPEN: "not clearly more or less often than chance for {who}",
    }

    def say(item: Effect) -> str:
        return share_of(item, "of pairs", confidence)

    said = [
        f"In a family that the fit has not seen, {name} puts pairs of models in the right order "
        + grouped([(item.name, item.own) for item in known], words, say)
    ]
    sized = [item for item in known if item.size.outcome not in (Outcome.FEW, Outcome.NONE)]
    if sized:
        said.append(
            "Size alone does so " + grouped([(item.name, item.size) for item in sized], words, say)
        )
    against = {
        Outcome.POSITIVE: f"{name} is the better of the two for {{who}}",
        Outcome.NEGATIVE: "size is the better of the two for {who}",
        Outcome.OPEN: "which of the two is better stays open for {who}",
    }
    beside = [(item.name, Effect(item.beside_size)) for item in sized]
    if beside:
        said.append(first(_merged(beside, against)))
    return " ".join(f"{sentence}." for sentence in [*said, *late])


# --- shape alone ------------------------------------------------------------------------------


class Shape(NamedTuple):
    """Alpha against the alpha of a null in one collection; `finding` is Pearson's correlation."""

    name: str
    null: str  # as in `NULLS`
    level: str  # "variants", "families" or "within"
    finding: Finding
    reliability: float = math.nan  # share of the null's own differences that are not its draws'

    @property
    def outcome(self) -> Outcome:
        return self.finding.outcome

    @property
    def share(self) -> Effect:
        """The share of the differences in alpha that goes with the null: the square of r."""
        low, high = squared(self.finding.low, self.finding.high)
        return Effect(self.outcome, self.finding.tau**2, low, high, self.finding.p)


def squared(low: float, high: float) -> tuple[float, float]:
    """The bounds of r squared, from those of r."""
    largest = max(low**2, high**2)
    return (0.0 if low <= 0 <= high else min(low**2, high**2)), largest


LEVELS = {
    "variants": "between variants",
    "families": "between the means of families",
    "within": "inside families",
}


def verdict_shape(
    found: Sequence[Shape], tested: Mapping[str, Sequence[Finding]], confidence: float
) -> str:
    """How much of alpha goes with that of a null, and whether the null itself orders quality.

    ``tested`` are the null's own correlations with quality, by its name in `NULLS`. The first null
    that the study has is worded in full, a second one counted.
    """
    said: list[str] = []
    for null in NULLS:
        rows = [item for item in found if item.null == null and item.outcome is not Outcome.NONE]
        if rows:
            said += _counted_shapes(rows, null) if said else _with_null(rows, null, confidence)
        said += _null_and_quality(null, tested.get(null, ()))
    return " ".join(said) or (
        "How much of alpha is shape alone was not measured in this study, or could not be."
    )


def _with_null(rows: Sequence[Shape], null: str, confidence: float) -> list[str]:
    """A sentence for each level at which alpha is set against that of the null."""
    name = metric_of(null).en.removeprefix("alpha of ")
    words = {
        Outcome.POSITIVE: f"alpha goes with that of {name} for {{who}}",
        Outcome.NEGATIVE: f"alpha runs against that of {name} for {{who}}",
        Outcome.OPEN: f"no clear relation of alpha with that of {name} is found for {{who}}",
        Outcome.FEW: f"there are too few to set alpha against that of {name} for {{who}}",
    }
    said = []
    for level, where in LEVELS.items():
        chosen = [(item.name, item) for item in rows if item.level == level]
        if chosen:
            text = grouped(chosen, words, lambda item: _share_with_null(item, confidence))
            said.append(f"{first(where)}, {text}.")
    return said + _reliable(rows, name)


def _reliable(rows: Sequence[Shape], name: str) -> list[str]:
    """How much of the null's own differences between variants other draws would show again."""
    known = [item for item in rows if item.level == "variants" and math.isfinite(item.reliability)]
    if not known:
        return []
    shares = [f"{percent(item.reliability)} for {item.name}" for item in known]
    return [
        f"Of the differences that alpha of {name} itself shows {LEVELS['variants']}, other draws of the "
        f"null would show {listing(shares)} again; alpha can hardly share more."
    ]


def _counted_shapes(rows: Sequence[Shape], null: str) -> list[str]:
    """In how many comparisons alpha goes with a further null."""
    outcomes = [item.outcome for item in rows]
    found = outcomes.count(Outcome.POSITIVE)
    m = found + outcomes.count(Outcome.NEGATIVE) + outcomes.count(Outcome.OPEN)
    if not m:
        return []
    amount = integer(found) if found else "none"
    name = metric_of(null).en.removeprefix("alpha of ")
    return [f"Alpha goes with that of {name} in {amount} of {count(m, 'such comparison')}."]


def _share_with_null(item: Shape, confidence: float) -> str:
    share = item.share
    text = f"{percent(share.value)} of the differences in alpha"
    return _with_interval(text, percent_interval(share.low, share.high), confidence, share.p)


def _null_and_quality(null: str, findings: Sequence[Finding]) -> list[str]:
    """Whether an alpha without training is itself related to quality."""
    outcomes = [finding.outcome for finding in findings]
    smaller, larger = outcomes.count(Outcome.NEGATIVE), outcomes.count(Outcome.POSITIVE)
    m = smaller + larger + outcomes.count(Outcome.OPEN)
    if not m:
        return []
    name = first(metric_of(null).en)
    if not smaller and not larger:
        return [f"{name} itself shows no relation to quality that {count(m, 'test')} could detect."]
    return [
        f"{name} is itself related to quality in {integer(smaller + larger)} of {count(m, 'test')}: "
        f"smaller goes with better models in {integer(smaller)}, larger in {integer(larger)}. What it "
        "says there is no effect of training on the order of the weights."
    ]


# --- another alpha ----------------------------------------------------------------------------


class Tried(NamedTuple):
    """An alternative of alpha in one comparison of one collection, beside alpha itself."""

    name: str
    comparison: str
    metric: str
    finding: Finding
    alpha: Outcome  # what alpha shows in this comparison
    difference: Effect  # Kendall's tau less that of alpha in the same models
    equal: bool  # to alpha in every model

    @property
    def tested(self) -> bool:
        return self.finding.outcome.decided or self.finding.outcome is Outcome.OPEN


def compared(tried: Iterable[Tried]) -> list[Tried]:
    """Those that say something of their own: tested, no null, and not alpha once more."""
    return [item for item in tried if item.tested and not item.equal and item.metric not in NULLS]


def restored(found: Sequence[Tried]) -> tuple[list[Tried], list[Tried]]:
    """Those where alpha does not show what the theory expects, and which of them do show it."""
    missing = [item for item in found if item.alpha is not Outcome.NEGATIVE]
    return missing, [item for item in missing if item.finding.outcome is Outcome.NEGATIVE]


def verdict_alternatives(tried: Sequence[Tried]) -> str:
    """How many alternatives show a relation, which restore it, and which differ from alpha."""
    found = compared(tried)
    m = len(found)
    same = _equal(tried)
    if not m:
        return " ".join(["No alternative of alpha could be tested.", *same])
    outcomes = [item.finding.outcome for item in found]
    smaller, larger = outcomes.count(Outcome.NEGATIVE), outcomes.count(Outcome.POSITIVE)
    k = smaller + larger
    text = f"Of {count(m, 'test')} of another alpha, {integer(k) if k else 'none'} "
    text += "is decided" if k < 2 else "are decided"
    if k:
        text += f": a smaller one goes with better models in {integer(smaller)}, a larger one in "
        text += integer(larger)
    said = [f"{text}."]
    missing, back = restored(found)
    if not missing:
        said.append("Alpha itself shows what the theory expects in all of these comparisons.")
    elif not back:
        said.append("None brings the expected relation back where alpha does not show it.")
    else:
        clear = sum(item.difference.outcome is Outcome.NEGATIVE for item in back)
        names = [f"{metric_of(i.metric).en} in ({i.comparison}) for {i.name}" for i in back]
        said.append(
            f"The expected relation comes back in {integer(len(back))} of "
            f"{count(len(missing), 'test')} where alpha does not show it: {listing(names)}."
        )
        said.append(
            "None of these differs from alpha by more than chance."
            if not clear
            else f"Of these, {integer(clear)} {'differs' if clear == 1 else 'differ'} from alpha by "
            "more than chance."
        )
    lost = sum(i.alpha is Outcome.NEGATIVE and not i.finding.outcome.decided for i in found)
    if lost:
        said.append(
            f"In {count(lost, 'test')}, the relation that alpha shows is no longer clear with another."
        )
    said.append(_differences(found))
    return " ".join([*said, *same])


def _differences(found: Sequence[Tried]) -> str:
    """How many alternatives differ from alpha in the same models."""
    known = [i for i in found if i.difference.outcome in (*DECIDED, Outcome.OPEN)]
    lower = sum(item.difference.outcome is Outcome.NEGATIVE for item in known)
    higher = sum(item.difference.outcome is Outcome.POSITIVE for item in known)
    if not known:
        return "Whether they differ from alpha could not be tested."
    if not lower and not higher:
        return (
            "In the same models, no alternative differs from alpha by more than chance in any of "
            f"{count(len(known), 'test')}."
        )
    return (
        "In the same models, an alternative differs from alpha by more than chance in "
        f"{integer(lower + higher)} of {count(len(known), 'test')}: with a lower τ, closer to the "
        f"theory, in {integer(lower)}, with a higher one in {integer(higher)}."
    )


DECIDED = (Outcome.NEGATIVE, Outcome.POSITIVE)


def _equal(tried: Sequence[Tried]) -> list[str]:
    """Which alternatives are alpha itself, and therefore test nothing."""
    names: dict[str, list[str]] = {}
    for item in tried:
        if item.equal and item.metric not in NULLS:
            collections = names.setdefault(metric_of(item.metric).en, [])
            collections += [item.name] * (item.name not in collections)
    if not names:
        return []
    said = [f"{name} for {listing(where)}" for name, where in names.items()]
    return [f"Equal to alpha in every model, and therefore no test: {listing(said)}."]


def against_alpha(metric: str, tried: Sequence[Tried]) -> str:
    """Whether one alternative says anything else than alpha, as a sentence."""
    chosen = [item for item in tried if item.metric == metric]
    known = [
        item
        for item in chosen
        if not item.equal and item.difference.outcome in (*DECIDED, Outcome.OPEN)
    ]
    name = first(metric_of(metric).en)
    if not known:
        if chosen and all(item.equal for item in chosen):
            return f"{name} is equal to alpha here"
        return f"{name} could not be compared with alpha"
    differ = sum(item.difference.outcome.decided for item in known)
    m = count(len(known), "comparison")
    if not differ:
        return f"{name} differs from alpha by more than chance in none of {m}"
    return f"{name} differs from alpha by more than chance in {integer(differ)} of {m}"


# --- what goes with a family's correlation ----------------------------------------------------


class Candidate(NamedTuple):
    """A trait of families (or variants) against their own correlation of metric and quality."""

    name: str
    n: int
    finding: Finding  # Kendall's tau; of a category only its corrected p value
    eta2: float  # of a category: the share of the variance between its values
    holds: bool  # the sign stays with every single family left out

    @property
    def category(self) -> bool:
        return math.isfinite(self.eta2)

    @property
    def tested(self) -> bool:
        if self.category:
            return math.isfinite(self.finding.p)
        return self.finding.outcome.decided or self.finding.outcome is Outcome.OPEN

    @property
    def remains(self) -> bool:
        """Whether it is decided after correction."""
        if self.category:
            return self.finding.p <= self.finding.level + 1e-12
        return self.finding.outcome.decided


WHOSE = {
    ("family", "b"): "the correlation between the variants of a family",
    ("family", "c"): "the correlation between the trainings in a family",
    ("variant", "a"): "a variant's part in the correlation between architectures",
    ("variant", "b"): "a variant's part in the correlation inside its family",
    ("variant", "c"): "the correlation between the trainings of a variant",
}
"""What the candidates are set against: by level and comparison."""


def verdict_explanations(found: Mapping[str, Found], confidence: float) -> str:
    """Which candidates go with which correlations after correction.

    ``found`` are the candidates by what they are set against. The first that could be tested is
    worded in any case, others where a candidate remains.
    """
    tested = {whose: _tested(items) for whose, items in found.items()}
    tested = {whose: items for whose, items in tested.items() if items}
    if not tested:
        return (
            "What goes with a family's correlation could not be tested: too few families have one."
        )
    said, nothing, tests = [], [], 0
    for whose, items in tested.items():
        remains = any(item.remains for candidates in items.values() for item in candidates)
        if remains or not (said or nothing):
            said.append(_explained(items, whose, confidence))
        else:
            nothing.append(whose)
            tests += sum(len(candidates) for candidates in items.values())
    if nothing:
        said.append(
            f"Against {listing(nothing)}, none of {count(tests, 'test')} is decided after correction."
        )
    return " ".join(said)


Found = Mapping[str, Sequence[Candidate]]  # by collection


def _tested(found: Found) -> Found:
    tested = {name: [item for item in items if item.tested] for name, items in found.items()}
    return {name: items for name, items in tested.items() if items}


def _explained(tested: Found, whose: str, confidence: float) -> str:
    """The candidates of one collection in full, those of several counted."""
    if len(tested) > 1:
        return _counted(tested, whose)
    ((collection, items),) = tested.items()
    remaining = [item for item in items if item.remains]
    lead = f"Of {count(len(items), 'candidate')} that could be set against {whose} ({collection}), "
    if not remaining:
        return f"{lead}none goes with it after correction for multiple tests."
    text = (
        f"{lead}{integer(len(remaining))} {'goes' if len(remaining) == 1 else 'go'} with it after "
    )
    text += f"correction: {listing([_candidate(item, confidence) for item in remaining])}."
    numeric = [item for item in remaining if not item.category]
    holding = [candidate_of(item.name).en for item in numeric if item.holds]
    if numeric and not holding:
        text += " No sign stays the same whichever family is left out."
    elif numeric:
        text += f" Whichever family is left out, the sign stays for: {listing(holding)}."
    return text


def _counted(tested: Found, whose: str) -> str:
    """How many tests of candidates remain in several collections, and which."""
    m = sum(len(items) for items in tested.values())
    remaining = [
        f"{candidate_of(item.name).en} for {name}"
        for name, items in tested.items()
        for item in items
        if item.remains
    ]
    lead = f"Against {whose}, in each collection on its own, "
    if not remaining:
        return f"{lead}none of {count(m, 'test')} is decided after correction."
    return (
        f"{lead}{integer(len(remaining))} of {count(m, 'test')} "
        f"{'is' if len(remaining) == 1 else 'are'} decided after correction: {listing(remaining)}."
    )


def _candidate(item: Candidate, confidence: float) -> str:
    name = candidate_of(item.name).en
    if item.category:
        share = f"{percent(item.eta2)} of the differences between its values"
        return f"{name} ({share}, {p_equation('corrected p', item.finding.p)})"
    way = "lower" if item.finding.outcome is Outcome.NEGATIVE else "higher"
    return f"{name} (the larger, the {way} the correlation; {numbers(item.finding, confidence)})"


# --- the sum ----------------------------------------------------------------------------------


def verdict_why(
    candidates: Sequence[Candidate],
    tried: Sequence[Tried],
    shapes: Sequence[Shape],
    tested: Mapping[str, Sequence[Finding]],
    metric: str,
) -> Text:
    """Which explanation stands, in one sentence: traits, other alphas, and what the nulls say."""
    clauses = [
        clause
        for clause in (
            _why_traits(candidates, metric),
            _why_alternatives(tried),
            _why_shape(shapes, tested),
        )
        if clause
    ]
    if not clauses:
        name = metric_of(metric)
        return Text(
            f"What could explain where {name.en} works could not be tested.",
            f"Was erklären könnte, wo {name.de} etwas aussagt, ließ sich nicht prüfen.",
        )
    english = "; ".join(clause.en for clause in clauses)
    german = "; ".join(clause.de for clause in clauses)
    return Text(f"{first(english)}.", f"{first(german)}.")


def _why_traits(candidates: Sequence[Candidate], metric: str) -> Text | None:
    name = metric_of(metric)
    tested = [item for item in candidates if item.tested]
    if not tested:
        return None
    m = len(tested)
    remaining = [item for item in tested if item.remains]
    standing = [item for item in remaining if item.holds]
    lead = Text(
        f"of {count(m, 'trait')} that could explain in which families {name.en} works",
        f"von {count(m, 'Merkmal', 'Merkmalen', 'de')}, {'das' if m == 1 else 'die'} erklären "
        f"{'könnte' if m == 1 else 'könnten'}, in welchen Familien {name.de} etwas aussagt",
    )
    if not remaining:
        return Text(
            f"{lead.en}, none goes with it after correction",
            f"{lead.de}, hängt nach Korrektur keines damit zusammen",
        )
    if not standing:
        return Text(
            f"{lead.en}, none goes with it both after correction and with every single family left "
            "out",
            f"{lead.de}, hängt keines nach Korrektur und auch ohne jede einzelne Familie damit "
            "zusammen",
        )
    k = len(standing)
    names = [candidate_of(item.name) for item in standing]
    english, german = listing([n.en for n in names]), listing([n.de for n in names], "de")
    return Text(
        f"{lead.en}, {integer(k)} {'goes' if k == 1 else 'go'} with it after correction ({english})",
        f"{lead.de}, {'hängt' if k == 1 else 'hängen'} nach Korrektur {integer(k, 'de')} damit "
        f"zusammen ({german})",
    )


def _why_alternatives(tried: Sequence[Tried]) -> Text | None:
    found = compared(tried)
    if not found:
        return None
    missing, back = restored(found)
    if not missing:
        return Text(
            "wherever another alpha could be tested, alpha itself shows the relation",
            "wo sich ein anderes Alpha prüfen ließ, zeigt Alpha selbst den Zusammenhang",
        )
    if not back:
        return Text(
            "no other alpha brings the relation back where alpha does not show it",
            "kein anderes Alpha bringt den Zusammenhang zurück, wo Alpha ihn nicht zeigt",
        )
    k, m = len(back), len(missing)
    clear = sum(item.difference.outcome is Outcome.NEGATIVE for item in back)
    english, german = (
        f"{integer(clear)} of them with a clear difference from alpha",
        f"{integer(clear, 'de')} davon mit klarem Unterschied zu Alpha",
    )
    if not clear:
        english, german = (
            "none with a clear difference from alpha",
            ("keine davon mit klarem Unterschied zu Alpha"),
        )
    return Text(
        f"where alpha does not show the relation, another alpha does in {integer(k)} of "
        f"{count(m, 'test')}, {english}",
        f"wo Alpha den Zusammenhang nicht zeigt, tut es ein anderes Alpha in {integer(k, 'de')} von "
        f"{count(m, 'Prüfung', 'Prüfungen', 'de')}, {german}",
    )


def shape_alone(shapes: Sequence[Shape], tested: Mapping[str, Sequence[Finding]]) -> str:
    """What the nulls say, as one short sentence."""
    clause = _why_shape(shapes, tested)
    return f"{first(clause.en)}." if clause else "This study has no null that would tell how much."


def _why_shape(shapes: Sequence[Shape], tested: Mapping[str, Sequence[Finding]]) -> Text | None:
    """The first null that was computed, between variants; and what it says about quality."""
    for null in NULLS:
        items = [
            item
            for item in shapes
            if (item.null, item.level) == (null, "variants")
            and item.outcome not in (Outcome.FEW, Outcome.NONE)
        ]
        if items:
            break
    else:
        return None
    name = metric_of(null)
    found = [item for item in items if item.outcome is Outcome.POSITIVE]
    if not found:
        text = Text(
            f"alpha does not clearly go with {name.en}",
            f"ein klarer Zusammenhang von Alpha mit {_dative(name.de)} ist nicht zu sehen",
        )
    else:
        shares = sorted(item.share.value for item in found)
        ranges = [
            percent(shares[0], lang=lang)
            if len(shares) == 1
            else f"{percent(shares[0], lang=lang)} {to} {percent(shares[-1], lang=lang)}"
            for lang, to in (("en", "to"), ("de", "bis"))
        ]
        where = Text("", "")
        if len(items) > 1:
            where = Text(
                f" in {integer(len(found))} of {integer(len(items))} collections",
                f" in {integer(len(found), 'de')} von {integer(len(items), 'de')} Sammlungen",
            )
        text = Text(
            f"{ranges[0]} of the differences in alpha between variants go with {name.en}{where.en}",
            f"{ranges[1]} der Unterschiede in Alpha zwischen Varianten gehen{where.de} mit "
            f"{_dative(name.de)} einher",
        )
    outcomes = [finding.outcome for finding in tested.get(null, ())]
    decided = sum(outcome.decided for outcome in outcomes)
    m = decided + outcomes.count(Outcome.OPEN)
    if not m:
        return text
    amount = Text(integer(decided), integer(decided, "de")) if decided else Text("none", "keiner")
    return Text(
        f"{text.en}; the latter is itself related to quality in {amount.en} of {count(m, 'test')}",
        f"{text.de}; jenes Alpha hängt selbst in {amount.de} von "
        f"{count(m, 'Prüfung', 'Prüfungen', 'de')} mit der Qualität zusammen",
    )


def _dative(name: str) -> str:
    """The German name behind "mit"."""
    return f"dem {name}"


# --- power and notes --------------------------------------------------------------------------


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

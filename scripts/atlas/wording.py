"""Sentences chosen by results: what the paper says follows from the numbers, in English and German.

`judge` turns a row of the statistics into a `Finding` with one of five outcomes; the `verdict_*`
functions turn findings into sentences for abstract and conclusion, as a `Text` in both languages.
A comparison is decided only if its interval excludes zero *and* its p value, corrected for multiple
tests, is small enough; everything else stays open, and the words say so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from atlas.markdown import (
    count,
    equation,
    escape,
    integer,
    interval,
    listing,
    number,
    p_equation,
    percent,
)

POWER = 0.8
"""The probability of finding a correlation as strong as the statistics' `detectable_pearson`."""


class Text(NamedTuple):
    """The same sentence in both languages."""

    en: str
    de: str


class Outcome(StrEnum):
    """What a comparison shows about metric and quality."""

    NEGATIVE = "negative"  # smaller metric, better models: what the theory expects
    POSITIVE = "positive"
    OPEN = "open"  # an interval or a p value does not decide it
    FEW = "few"  # a correlation, but too few models for an interval
    NONE = "none"  # nothing could be computed

    @property
    def decided(self) -> bool:
        return self in (Outcome.NEGATIVE, Outcome.POSITIVE)


@dataclass(frozen=True)
class Finding:
    """One comparison's result: `p` is the corrected p value, `note` why nothing was computed."""

    outcome: Outcome
    n: int = 0
    units: int = 0
    groups: int = 0
    tau: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_recipes: float = math.nan
    detectable: float = math.nan
    level: float = 0.05
    note: str = ""
    corrected: bool = False

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def level_of(confidence: float) -> float:
    """The largest p value that decides, without the rounding that 1 - 0.9 leaves."""
    return round(1 - confidence, 12)


def judge(row: Mapping[str, Any] | None, confidence: float, kind: str = "kendall") -> Finding:
    """The finding of one row of the statistics; None is a comparison that the study does not have.

    A correlation of plus or minus 1 has no interval where one was tried: its p value decides.
    """
    level = level_of(confidence)
    if row is None:
        return Finding(Outcome.NONE, level=level, note="the study has no models for it")
    value = {
        name: _number(row.get(f"{kind}{part}"))
        for name, part in (
            ("tau", ""),
            ("low", "_low"),
            ("high", "_high"),
            ("raw", "_p"),
            ("holm", "_p_holm"),
            ("bh", "_p_bh"),
            ("p_recipes", "_p_recipes"),
        )
    }
    raw, holm, bh = value.pop("raw"), value.pop("holm"), value.pop("bh")
    p = next((v for v in (holm, bh, raw) if math.isfinite(v)), math.nan)
    facts: dict[str, Any] = {
        **value,
        "n": _count(row.get("n")),
        "units": _count(row.get("units", row.get("n"))),
        "groups": _count(row.get("groups")),
        "p": p,
        "detectable": _number(row.get("detectable_pearson")),
        "level": level,
        "note": str(row.get("note") or "") if row.get("note") == row.get("note") else "",
        "corrected": math.isfinite(holm) or math.isfinite(bh),
    }
    tau, low, high = facts["tau"], facts["low"], facts["high"]
    if not math.isfinite(tau):
        return Finding(Outcome.NONE, **facts)
    tried = str(row.get("interval") or "") in ("bca", "fisher-z")
    perfect = tried and abs(tau) > 1 - 1e-9
    if not (math.isfinite(low) and math.isfinite(high)) and not perfect:
        return Finding(Outcome.OPEN if tried else Outcome.FEW, **facts)
    excludes = perfect or (low > 0 and tau > 0) or (high < 0 and tau < 0)
    small = math.isfinite(p) and p <= level and not facts["p_recipes"] > level
    if excludes and small:
        return Finding(Outcome.NEGATIVE if tau < 0 else Outcome.POSITIVE, **facts)
    return Finding(Outcome.OPEN, **facts)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _count(value: Any) -> int:
    value = _number(value)
    return int(value) if math.isfinite(value) else 0


# --- names ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metric:
    """How the paper calls a metric: in a table, in a sentence, and in a German one."""

    label: str
    en: str
    de: str
    theory: bool = False  # whether the theory expects smaller values in better models


METRICS = {
    "alpha": Metric("$\\alpha$", "alpha", "Alpha", True),
    "alpha_weighted": Metric("$\\hat\\alpha$", "weighted alpha", "gewichtetes Alpha", True),
    "log_alpha_norm": Metric("log alpha-norm", "log alpha-norm", "Log-Alpha-Norm", True),
    "log_norm": Metric("log norm", "log norm", "Log-Norm", True),
    "log_spectral_norm": Metric("log spectral norm", "log spectral norm", "Log-Spektralnorm", True),
    "stable_rank": Metric("stable rank", "stable rank", "stabiler Rang"),
    "entropy": Metric("entropy", "entropy", "Entropie"),
    "D": Metric("$D$", "KS distance", "KS-Abstand"),
    "alpha_median": Metric("median $\\alpha$", "median alpha", "medianes Alpha", True),
    "alpha_by_size": Metric(
        "$\\alpha$ by size", "size-weighted alpha", "nach Größe gewichtetes Alpha", True
    ),
    "alpha_sd": Metric("spread of $\\alpha$", "spread of alpha", "Streuung von Alpha"),
    "alpha_2_to_6": Metric(
        "share in range", "share of layers in range", "Anteil der Schichten im Bereich"
    ),
    "evals_50": Metric(
        "share of large layers", "share of large layers", "Anteil der großen Schichten"
    ),
    "failed_share": Metric(
        "failed share", "share of failed fits", "Anteil gescheiterter Anpassungen"
    ),
    "coverage": Metric("coverage", "coverage", "Abdeckung"),
    "log_parameters": Metric("size", "size", "Größe"),
    "alpha_enough": Metric(
        "$\\alpha$, large layers", "alpha of the large layers", "Alpha der großen Schichten", True
    ),
    "alpha_inner": Metric(
        "$\\alpha$, inner layers",
        "alpha without the first and the last layer",
        "Alpha ohne die erste und die letzte Schicht",
        True,
    ),
    "alpha_in_range": Metric(
        "$\\alpha$, layers in range",
        "alpha of the layers in range",
        "Alpha der Schichten im Bereich",
        True,
    ),
    "alpha_depthwise": Metric(
        "$\\alpha$, depthwise",
        "alpha of the depthwise convolutions",
        "Alpha der tiefenweisen Faltungen",
        True,
    ),
    "alpha_pointwise": Metric(
        "$\\alpha$, pointwise",
        "alpha of the pointwise convolutions",
        "Alpha der punktweisen Faltungen",
        True,
    ),
    "alpha_conv": Metric(
        "$\\alpha$, other convolutions",
        "alpha of the other convolutions",
        "Alpha der übrigen Faltungen",
        True,
    ),
    "alpha_dense": Metric(
        "$\\alpha$, dense", "alpha of the dense layers", "Alpha der dichten Schichten", True
    ),
    "alpha_other_layers": Metric(
        "$\\alpha$, other rule",
        "alpha of the layers that the other rule takes",
        "Alpha der Schichten nach der anderen Regel",
        True,
    ),
    "alpha_windows": Metric(
        "$\\alpha$, windows", "alpha of square windows", "Alpha quadratischer Ausschnitte", True
    ),
    "hill": Metric("Hill", "Hill's exponent", "Hills Exponent", True),
    "hill_windows": Metric(
        "Hill, windows",
        "Hill's exponent of square windows",
        "Hills Exponent quadratischer Ausschnitte",
        True,
    ),
    "alpha_over_shuffled": Metric(
        "$\\alpha$ over permuted",
        "alpha relative to that of the permuted matrices",
        "Alpha im Verhältnis zu dem der durchmischten Matrizen",
        True,
    ),
    "alpha_shuffled": Metric(
        "$\\alpha$, permuted", "alpha of the permuted matrices", "Alpha der durchmischten Matrizen"
    ),
    "alpha_gaussian": Metric(
        "$\\alpha$, noise",
        "alpha of noise of the same shape",
        "Alpha von Rauschen gleicher Form",
    ),
}

QUALITIES = {
    "accuracy": Text("accuracy", "Genauigkeit"),
    "error": Text("error", "Fehlerrate"),
    "generalization_gap": Text("generalisation gap", "Generalisierungslücke"),
    "perplexity": Text("perplexity", "Perplexität"),
}
BETTER = {
    "accuracy": Text("higher accuracy", "höherer Genauigkeit"),
    "error": Text("lower error", "kleinerer Fehlerrate"),
    "generalization_gap": Text("a smaller generalisation gap", "kleinerer Generalisierungslücke"),
    "perplexity": Text("lower perplexity", "kleinerer Perplexität"),
}


def metric_of(name: str) -> Metric:
    """The names of a metric; an unknown one is called as its column."""
    return METRICS.get(name, Metric(escape(name), escape(name), escape(name)))


def quality_of(name: str) -> str:
    """The English name of a quality metric."""
    return QUALITIES[name].en if name in QUALITIES else escape(name)


def better(name: str) -> Text:
    """What a better model has more of."""
    return BETTER.get(name, Text("better quality", "besserer Qualität"))


# --- one comparison in one population: English, for the results --------------------------------


def models_of(finding: Finding) -> str:
    """The models of a finding and, where they differ, how many of them are independent."""
    text = count(finding.n, "model")
    if finding.units and finding.units != finding.n:
        text += f", {integer(finding.units)} of them independent"
    return text


def numbers(finding: Finding, confidence: float, lang: str = "en") -> str:
    """The correlation with its interval and p value, as it stands in a sentence."""
    label = "p (korrigiert)" if lang == "de" else "corrected p"
    label = label if finding.corrected else "p"
    between = "; " if lang == "de" else ", "
    parts = [equation("τ", finding.tau, lang)]
    if finding.has_interval:
        name = f"{percent(confidence)}-KI" if lang == "de" else f"{percent(confidence)} CI"
        name = name.replace("%", "\u00a0%", 1) if lang == "de" else name
        parts.append(f"{name} {interval(finding.low, finding.high, lang)}")
    if math.isfinite(finding.p):
        parts.append(p_equation(label, finding.p, lang))
    if math.isfinite(finding.p_recipes):
        over = "p über Rezepte" if lang == "de" else "p over recipes"
        parts.append(p_equation(over, finding.p_recipes, lang))
    return between.join(parts)


def result(finding: Finding, who: str, metric: str, quality: str, confidence: float) -> str:
    """What one comparison shows, as English sentences; `who` is the subject of "among"."""
    name = metric_of(metric)
    good = better(quality).en
    if finding.outcome is Outcome.NONE:
        return f"This comparison cannot be made {who}: {reason(finding.note)}."
    if finding.outcome is Outcome.FEW:
        return (
            f"{first(who)}, {equation('τ', finding.tau)} over {models_of(finding)}. "
            "That is too few for an interval, and we draw no conclusion."
        )
    values = f"{numbers(finding, confidence)}; {models_of(finding)}"
    if finding.outcome is Outcome.OPEN:
        return (
            f"{first(who)}, the direction stays open ({values}): {_why_open(finding)}."
            f"{_power(finding)}"
        )
    smaller = "smaller" if finding.outcome is Outcome.NEGATIVE else "larger"
    sentence = f"{first(who)}, {smaller} {name.en} goes with {good} ({values})."
    if name.theory:
        agrees = finding.outcome is Outcome.NEGATIVE
        sentence += (
            " This is the direction that the theory expects."
            if agrees
            else " This is the opposite of what the theory expects."
        )
    return sentence


def _why_open(finding: Finding) -> str:
    """Which of the conditions for a decision are not met."""
    reasons = []
    if not finding.has_interval and abs(finding.tau) < 1 - 1e-9:
        reasons.append("no interval could be computed")
    if finding.has_interval and finding.low <= 0 <= finding.high:
        reasons.append("the interval includes zero")
    if not finding.p <= finding.level:
        which = "corrected p value" if finding.corrected else "p value"
        reasons.append(f"the {which} is above {number(finding.level)}")
    if finding.p_recipes > finding.level:
        reasons.append(
            "the p value that exchanges the recipes of all variants at once is too large"
        )
    return listing(reasons) or "interval and p value do not agree"


def _power(finding: Finding) -> str:
    if not math.isfinite(finding.detectable):
        return ""
    return (
        f" With so many models a Pearson correlation of {number(finding.detectable)} or stronger "
        f"would have been found with a probability of {percent(POWER)}."
    )


REASONS = {
    "no model has all values": "no model has both a metric and a quality",
    "metric constant": "the metric is the same in all models",
    "quality constant": "the quality is the same in all models",
    "metric and quality constant": "metric and quality are the same in all models",
    "n <= 4: feeds the meta-analysis only": "there are too few models for an interval",
    "fewer than two groups with two units: nothing to put together": (
        "fewer than two groups have two independent models"
    ),
    "one family: no comparison between architectures": "there is only one family",
    "fewer than 3 models": "there are fewer than 3 models",
    "fewer than 3 independent units (seeds are replicates, groups are centred)": (
        "there are fewer than 3 independent models"
    ),
    "fewer than 4 independent units: no partial correlation": (
        "there are fewer than 4 independent models"
    ),
    "metric or quality is a function of size": "metric or quality follows from size",
    "no model has the reference recipe: recipes are mixed": (
        "no model has the reference recipe, so recipes are mixed"
    ),
    "size is constant: it explains nothing here": "all models have the same size",
}
"""Notes of the statistics in plain words; others stand as they are."""


def reason(note: str) -> str:
    """A note of the statistics as part of a sentence."""
    parts = [part.strip() for part in note.split(";") if part.strip()]
    return "; ".join(REASONS.get(part, escape(part)) for part in parts) or "no reason was recorded"


def first(text: str) -> str:
    """The text with a capital letter at its head."""
    return text[:1].upper() + text[1:]


# --- what a metric adds to size ---------------------------------------------------------------


@dataclass(frozen=True)
class Beyond:
    """A metric beside the size-only baseline: the outcome is that of the partial correlation."""

    outcome: Outcome
    tau: float = math.nan
    tau_size: float = math.nan
    partial: float = math.nan
    low: float = math.nan
    high: float = math.nan
    note: str = ""


def judge_beyond(row: Mapping[str, Any] | None) -> Beyond:
    """What a row of the baselines says: its interval alone decides, there is no p value for it."""
    if row is None:
        return Beyond(Outcome.NONE, note="the study has no models for it")
    partial = _number(row.get("partial_kendall"))
    low, high = _number(row.get("partial_kendall_low")), _number(row.get("partial_kendall_high"))
    note = row.get("note")
    facts: dict[str, Any] = {
        "tau": _number(row.get("kendall")),
        "tau_size": _number(row.get("kendall_size")),
        "partial": partial,
        "low": low,
        "high": high,
        "note": note if isinstance(note, str) else "",
    }
    if not math.isfinite(partial):
        return Beyond(Outcome.NONE, **facts)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Beyond(Outcome.FEW, **facts)
    if high < 0:
        return Beyond(Outcome.NEGATIVE, **facts)
    return Beyond(Outcome.POSITIVE if low > 0 else Outcome.OPEN, **facts)


def beyond_size(beyond: Beyond, metric: str, quality: str, confidence: float) -> str:
    """The size-only baseline beside the metric, as English sentences."""
    name = metric_of(metric).en
    if not math.isfinite(beyond.tau_size):
        return f"The size-only baseline cannot be computed: {reason(beyond.note)}."
    size, own = abs(beyond.tau_size), abs(beyond.tau)
    order = "as well as" if round(size, 2) == round(own, 2) else "better than"
    order = "less well than" if round(size, 2) < round(own, 2) else order
    text = (
        f"The number of parameters alone reaches {equation('τ', beyond.tau_size)}: "
        f"it ranks the models {order} {name}."
    )
    value = equation("partial τ", beyond.partial)
    if math.isfinite(beyond.low) and math.isfinite(beyond.high):
        value += f", {percent(confidence)} CI {interval(beyond.low, beyond.high)}"
    good = better(quality).en
    return (
        f"{text} "
        + {
            Outcome.NEGATIVE: f"With size held fixed, smaller {name} goes with {good} ({value}).",
            Outcome.POSITIVE: f"With size held fixed, larger {name} goes with {good} ({value}).",
            Outcome.OPEN: f"With size held fixed, no clear relation of {name} is visible ({value}).",
            Outcome.FEW: f"With size held fixed, {value}; there are too few models for an interval.",
            Outcome.NONE: f"A partial correlation cannot be computed: {reason(beyond.note)}.",
        }[beyond.outcome]
    )


# --- verdicts over all populations: English and German -----------------------------------------


@dataclass(frozen=True)
class Answer:
    """The findings of one population (a collection, say): its name, ready for a sentence."""

    name: str
    metric: str
    quality: str
    a: Finding
    b: Finding
    c: Finding
    stored: Mapping[str, Finding] = field(default_factory=dict)  # by comparison
    beyond: Mapping[str, Beyond] = field(default_factory=dict)
    families: int = 0  # with a correlation of their own
    q_p: float = math.nan  # of the test that all families have the same correlation
    failed: int = 0  # layers whose fit failed

    def finding(self, comparison: str) -> Finding:
        return {"a": self.a, "b": self.b, "c": self.c}[comparison]


LEADS = {
    "a": Text("Between different architectures", "Zwischen verschiedenen Architekturen"),
    "b": Text("Between variants of one architecture", "Zwischen Varianten einer Architektur"),
    "c": Text(
        "Between differently trained models of one variant",
        "Zwischen verschieden trainierten Modellen einer Variante",
    ),
}


def verdict(comparison: str, answers: Sequence[Answer], confidence: float) -> Text:
    """The answer to (a), (b) or (c): one clause for each outcome that occurs."""
    lead = LEADS[comparison]
    if not answers:
        return Text(
            f"{lead.en}: the study has no models with which to answer this.",
            f"{lead.de}: Die Studie hat keine Modelle, mit denen sich das beantworten ließe.",
        )
    clauses = []
    for outcome in Outcome:
        chosen = [answer for answer in answers if answer.finding(comparison).outcome is outcome]
        if chosen:
            clauses.append(_clause(outcome, comparison, chosen, confidence))
    english = "; ".join(clause.en for clause in clauses)
    german = "; ".join(clause.de for clause in clauses)
    return Text(f"{lead.en}: {english}.", f"{lead.de}: {first(german)}.")


def _clause(
    outcome: Outcome, comparison: str, answers: Sequence[Answer], confidence: float
) -> Text:
    metric = metric_of(answers[0].metric)
    qualities = {answer.quality for answer in answers}
    good = better(qualities.pop() if len(qualities) == 1 else "")

    def items(lang: str) -> str:
        # Numbers where a reader can take them in; the tables have all of them.
        shown = outcome not in (Outcome.FEW, Outcome.NONE) and len(answers) <= 3
        return listing(
            [
                f"{answer.name} ({numbers(answer.finding(comparison), confidence, lang)})"
                if shown
                else answer.name
                for answer in answers
            ],
            lang,
        )

    en, de = items("en"), items("de")
    expected = Text(", as the theory expects", ", wie es die Theorie erwartet")
    against = Text(", against the theory", ", entgegen der Theorie")
    if not metric.theory:
        expected = against = Text("", "")
    return {
        Outcome.NEGATIVE: Text(
            f"for {en}, smaller {metric.en} goes with {good.en}{expected.en}",
            f"bei {de} geht kleineres {metric.de} mit {good.de} einher{expected.de}",
        ),
        Outcome.POSITIVE: Text(
            f"for {en}, larger {metric.en} goes with {good.en}{against.en}",
            f"bei {de} geht größeres {metric.de} mit {good.de} einher{against.de}",
        ),
        Outcome.OPEN: Text(
            f"for {en}, the direction stays open", f"bei {de} bleibt die Richtung offen"
        ),
        Outcome.FEW: Text(
            f"for {en}, there are too few models for a conclusion",
            f"bei {de} sind es zu wenige Modelle für eine Aussage",
        ),
        Outcome.NONE: Text(
            f"for {en}, the comparison cannot be made", f"bei {de} ist der Vergleich nicht möglich"
        ),
    }[outcome]


def verdict_size(answers: Sequence[Answer]) -> Text:
    """Whether the primary metric says more than size, over all comparisons that can tell."""
    outcomes = [
        beyond.outcome
        for answer in answers
        for beyond in answer.beyond.values()
        if beyond.outcome not in (Outcome.FEW, Outcome.NONE)
    ]
    metric = metric_of(answers[0].metric if answers else "alpha")
    m = len(outcomes)
    negative, positive = outcomes.count(Outcome.NEGATIVE), outcomes.count(Outcome.POSITIVE)
    if not m:
        return Text(
            f"Whether {metric.en} says more than the number of parameters could not be tested.",
            f"Ob {metric.de} mehr aussagt als die Zahl der Parameter, ließ sich nicht prüfen.",
        )
    tested = Text(
        f"the {count(m, 'comparison') if m > 1 else 'one comparison'} that can tell",
        f"{'dem einen Vergleich, der' if m == 1 else f'den {m} Vergleichen, die'} das prüfen "
        f"{'kann' if m == 1 else 'können'}",
    )
    if not negative and not positive:
        return Text(
            f"With the number of parameters held fixed, {metric.en} shows no clear relation to "
            f"quality in {tested.en}.",
            f"Bei festgehaltener Parameterzahl zeigt {metric.de} in {tested.de}, keinen klaren "
            "Zusammenhang mit der Qualität.",
        )
    if m in (negative, positive):
        smaller = Text("smaller", "kleineres") if negative else Text("larger", "größeres")
        return Text(
            f"With the number of parameters held fixed, {smaller.en} {metric.en} goes with better "
            f"models in {'each of ' * (m > 1)}{tested.en}.",
            f"Bei festgehaltener Parameterzahl geht in {'allen' if m > 1 else 'dem einen'} "
            f"{'Vergleichen, die' if m > 1 else 'Vergleich, der'} das prüfen "
            f"{'können' if m > 1 else 'kann'}, {smaller.de} {metric.de} mit besseren Modellen einher.",
        )
    return Text(
        f"With the number of parameters held fixed, smaller {metric.en} goes with better models "
        f"in {negative} of {tested.en}, larger {metric.en} in {positive}.",
        f"Bei festgehaltener Parameterzahl geht in {tested.de}, kleineres {metric.de} {negative}-mal "
        f"mit besseren Modellen einher, größeres {positive}-mal.",
    )


def verdict_families(answers: Sequence[Answer], level: float) -> Text:
    """Whether architectures differ: the test that all families share one correlation."""
    metric = metric_of(answers[0].metric if answers else "alpha")
    differ = [answer.name for answer in answers if answer.q_p <= level]
    alike = [answer.name for answer in answers if answer.q_p > level]
    untested = [answer.name for answer in answers if not math.isfinite(answer.q_p)]
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


def verdict_treatment(answers: Sequence[Answer]) -> Text:
    """Whether it matters that failed fits are left out instead of averaged in."""
    if not any(answer.failed for answer in answers):
        return Text(
            "No tail fit of these models failed, so the two treatments of failed fits coincide.",
            "Keine Anpassung dieser Modelle ist gescheitert; die beiden Behandlungen gescheiterter "
            "Anpassungen fallen also zusammen.",
        )
    pairs = [
        (answer.finding(key).outcome, stored.outcome)
        for answer in answers
        for key, stored in answer.stored.items()
        if Outcome.NONE not in (answer.finding(key).outcome, stored.outcome)
    ]
    changed = sum(dropped is not stored for dropped, stored in pairs)
    if not pairs:
        return Text(
            "Whether the treatment of failed fits matters could not be tested.",
            "Ob die Behandlung gescheiterter Anpassungen etwas ändert, ließ sich nicht prüfen.",
        )
    if not changed:
        return Text(
            "Averaging failed fits in, as weightwatcher's own summary does, changes no conclusion.",
            "Gescheiterte Anpassungen mitzumitteln, wie es die Zusammenfassung von weightwatcher tut, "
            "ändert keine Aussage.",
        )
    return Text(
        "Averaging failed fits in, as weightwatcher's own summary does, would change the conclusion "
        f"in {changed} of {count(len(pairs), 'comparison')}.",
        "Gescheiterte Anpassungen mitzumitteln, wie es die Zusammenfassung von weightwatcher tut, "
        f"würde die Aussage in {changed} von "
        f"{count(len(pairs), 'Vergleich', 'Vergleichen')} ändern.",
    )


def verdict_controls(findings: Iterable[Finding], metric: str) -> Text:
    """Whether the metric of untrained networks predicts anything."""
    name = metric_of(metric)
    outcomes = [finding.outcome for finding in findings]
    found = sum(outcome.decided for outcome in outcomes)
    tested = found + outcomes.count(Outcome.OPEN)
    if not outcomes:
        return Text(
            "The study has no untrained networks as controls.",
            "Die Studie hat keine untrainierten Netze als Kontrollen.",
        )
    if not tested:
        return Text(
            f"Whether {name.en} predicts anything in untrained networks could not be tested: there "
            "are too few of them.",
            f"Ob {name.de} in untrainierten Netzen etwas vorhersagt, ließ sich nicht prüfen: Es sind "
            "zu wenige.",
        )
    if not found:
        return Text(
            f"In untrained networks, {name.en} predicts nothing that {count(tested, 'test')} could "
            "detect.",
            f"In untrainierten Netzen sagt {name.de} nichts vorher, was sich in "
            f"{count(tested, 'Test', 'Tests')} zeigen würde.",
        )
    return Text(
        f"In untrained networks, {name.en} is related to quality in {found} of "
        f"{count(tested, 'test')}: what it measures there is shape and initialisation, not training.",
        f"In untrainierten Netzen hängt {name.de} in {found} von {count(tested, 'Test', 'Tests')} "
        "mit der Qualität zusammen: Was es dort misst, sind Form und Initialisierung, nicht das "
        "Training.",
    )


def verdict_overall(answers: Sequence[Answer]) -> Text:
    """The one-sentence answer: how often the metric orders the models, and in which direction."""
    metric = metric_of(answers[0].metric if answers else "alpha")
    outcomes = [answer.finding(key).outcome for answer in answers for key in LEADS]
    answered = [o for o in outcomes if o not in (Outcome.FEW, Outcome.NONE)]
    m = len(answered)
    negative, positive = answered.count(Outcome.NEGATIVE), answered.count(Outcome.POSITIVE)
    if not m:
        return Text(
            "The study has too few models to say what the architecture changes.",
            "Die Studie hat zu wenige Modelle, um zu sagen, was die Architektur ändert.",
        )
    every = Text(
        f"in each of the {count(m, 'comparison')} that could be made"
        if m > 1
        else "in the one comparison that could be made",
        f"in jedem der {m} möglichen Vergleiche" if m > 1 else "im einzigen möglichen Vergleich",
    )
    if negative == m:
        return Text(
            f"Smaller {metric.en} goes with better models {every.en}.",
            f"Kleineres {metric.de} geht {every.de} mit besseren Modellen einher.",
        )
    if positive == m:
        return Text(
            f"Larger {metric.en} goes with better models {every.en}, the opposite of what is expected.",
            f"Größeres {metric.de} geht {every.de} mit besseren Modellen einher, anders als erwartet.",
        )
    comparisons = Text(
        count(m, "comparison") + " that could be made",
        "einem möglichen Vergleich" if m == 1 else f"{m} möglichen Vergleichen",
    )
    if not negative and not positive:
        return Text(
            f"None of the {comparisons.en} shows that {metric.en} orders models by their quality."
            if m > 1
            else f"The one comparison that could be made does not show that {metric.en} orders models "
            "by their quality.",
            f"In keinem von {comparisons.de} zeigt sich, dass {metric.de} Modelle nach ihrer Qualität "
            "ordnet."
            if m > 1
            else f"Im einzigen möglichen Vergleich zeigt sich nicht, dass {metric.de} Modelle nach "
            "ihrer Qualität ordnet.",
        )
    if negative and not positive:
        return Text(
            f"Smaller {metric.en} goes with better models in {negative} of the {comparisons.en}; the "
            "others stay open, so it depends on what is compared.",
            f"Kleineres {metric.de} geht in {negative} von {comparisons.de} mit besseren Modellen "
            "einher; die übrigen bleiben offen. Es kommt also darauf an, was verglichen wird.",
        )
    if positive and not negative:
        return Text(
            f"Larger {metric.en} goes with better models in {positive} of the {comparisons.en}, the "
            "opposite of what is expected; the others stay open.",
            f"Größeres {metric.de} geht in {positive} von {comparisons.de} mit besseren Modellen "
            "einher, anders als erwartet; die übrigen bleiben offen.",
        )
    return Text(
        f"The direction itself changes: smaller {metric.en} goes with better models in {negative} of "
        f"the {comparisons.en}, larger {metric.en} in {positive}.",
        f"Die Richtung selbst wechselt: In {negative} von {comparisons.de} geht kleineres {metric.de} "
        f"mit besseren Modellen einher, in {positive} größeres.",
    )


def verdict_use(answers: Sequence[Answer], controls: Iterable[Finding]) -> Text:
    """What follows for somebody who would choose a model by the metric."""
    metric = metric_of(answers[0].metric if answers else "alpha")
    ordered = [
        (answer, key)
        for answer in answers
        for key in LEADS
        if answer.finding(key).outcome is Outcome.NEGATIVE
    ]
    kept = [
        (answer, key)
        for answer, key in ordered
        if answer.beyond.get(key, Beyond(Outcome.NONE)).outcome is Outcome.NEGATIVE
    ]
    # Models of one variant have the same size, so size cannot be the explanation.
    same_size = [
        (answer, key)
        for answer, key in ordered
        if key in answer.beyond and answer.beyond[key].note.startswith("size is constant")
    ]
    alarmed = any(finding.outcome.decided for finding in controls)
    if not ordered:
        return Text(
            f"Nothing in this study supports choosing a model by its {metric.en}.",
            f"Nichts in dieser Studie spricht dafür, ein Modell nach seinem {metric.de} auszuwählen.",
        )
    if not kept and not same_size:
        return Text(
            f"Where {metric.en} orders the models, size is not ruled out as the reason: we would not "
            "choose a model by it.",
            f"Wo {metric.de} die Modelle ordnet, ist ihre Größe als Grund nicht ausgeschlossen: "
            "Wir würden kein Modell danach auswählen.",
        )
    found = {key for _, key in [*kept, *same_size]}
    where = Text(
        listing([_lower(lead.en) for key, lead in LEADS.items() if key in found]),
        listing([_lower(lead.de) for key, lead in LEADS.items() if key in found], "de"),
    )
    if alarmed:
        return Text(
            f"Size does not explain the relation {where.en}, but shape and initialisation may, since "
            "the untrained controls show a relation too.",
            f"Die Größe erklärt den Zusammenhang {where.de} nicht, Form und Initialisierung "
            "vielleicht schon, denn auch die untrainierten Kontrollen zeigen einen Zusammenhang.",
        )
    return Text(
        f"Size does not explain the relation {where.en}; there, {metric.en} can help to compare models.",
        f"Die Größe erklärt den Zusammenhang {where.de} nicht; dort kann {metric.de} helfen, Modelle "
        "zu vergleichen.",
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

"""The sentences that sum up: overall, what it is good for, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from atlas.findings.outcome import Beyond, Finding, Outcome
from atlas.findings.results import Answer
from atlas.paper.alternatives import Tried, why_alternatives
from atlas.paper.clauses import first
from atlas.paper.explanations import Candidate, why_traits
from atlas.paper.markdown import count, listing
from atlas.paper.shape import Shape, why_shape
from atlas.terms.notes import Note
from atlas.terms.words import LEADS, Text, metric_of


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
        if key in answer.beyond and Note.SIZE_CONSTANT in answer.beyond[key].notes
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
            why_traits(candidates, metric),
            why_alternatives(tried),
            why_shape(shapes, tested),
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

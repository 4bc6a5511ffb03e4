"""Failed fits, and what averaging them in would change."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

from atlas.findings.outcome import Outcome
from atlas.findings.results import Answer, Cells, Results, value
from atlas.fits.metrics import layer_counts
from atlas.paper import cells
from atlas.paper.cells import share
from atlas.paper.markdown import MISSING, count, escape, integer, number, percent, pipe_table
from atlas.terms.words import Text


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


def failed_layers(failed: int, layers: int) -> str:
    """How many fits failed, as a sentence."""
    if not failed:
        return f"No fit failed among {count(layers, 'layer')}."
    return f"Of {count(layers, 'fit')}, {integer(failed)} failed ({share(failed, layers)})."


def treatment_text(answer: Answer, comparison: str) -> list[str]:
    """What averaging failed fits in would change."""
    if not answer.failed:
        return []
    dropped, stored = answer.finding(comparison), answer.stored[comparison]
    if stored.outcome is Outcome.NONE:
        return []
    if stored.tau == dropped.tau:
        return ["Averaging failed fits in changes nothing here."]
    text = f"With failed fits averaged in, τ would be {number(stored.tau)}"
    if stored.outcome is dropped.outcome:
        return [f"{text}, and the conclusion the same."]
    return [f"{text}, and the conclusion another: {cells.CELLS[stored.outcome]}."]


def layers_table(study: Results) -> str:
    """What the fits are worth, for each family: sizes, failures, range and coverage."""
    layers = study.layers
    groups: dict[tuple[str, str], list[Cells]] = defaultdict(list)
    for row in study.each:
        groups[row["collection"], row["family"]].append(row)
    rows = []
    for (collection, family), models in sorted(groups.items()):
        ids = {row["model"] for row in models}
        counts = layer_counts(layers[layers["model"].isin(ids)])
        coverage = [c for row in models if (c := value(row, "coverage")) is not None]
        rows.append(
            [
                escape(collection),
                escape(family),
                integer(len(models)),
                integer(counts["all"]),
                share(counts["failed"], counts["all"]),
                share(counts["small"], counts["sized"]),
                share(counts["short"], counts["tailed"]),
                share(counts["outside"], counts["fitted"]),
                percent(statistics.fmean(coverage)) if coverage else MISSING,
            ]
        )
    return pipe_table(
        [
            ("Collection", "l"),
            ("Family", "l"),
            ("Models", "r"),
            ("Layers", "r"),
            ("Failed", "r"),
            ("Small", "r"),
            ("Short tail", "r"),
            ("Out of range", "r"),
            ("Coverage", "r"),
        ],
        rows,
    )

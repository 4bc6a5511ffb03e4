"""Other alphas in alpha's place: findings, sentences and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from atlas.findings.outcome import Effect, Finding, Outcome, effect, judge, level_of
from atlas.findings.power import within_power
from atlas.findings.results import Cells, Results, kept, number_of, value
from atlas.paper.cells import estimate_of
from atlas.paper.clauses import first
from atlas.paper.markdown import count, escape, integer, listing, number, pipe_table
from atlas.tables.parts import Partition
from atlas.terms import words
from atlas.terms.experiments import NULLS, alpha_of
from atlas.terms.keys import COMPARISONS
from atlas.terms.words import Text, metric_of


class Tried(NamedTuple):
    """An alternative of alpha in one comparison of one collection, beside alpha itself."""

    name: str
    comparison: str
    metric: str
    finding: Finding
    alpha: Outcome  # what alpha shows in this comparison
    difference: Effect  # Kendall's tau less that of alpha in the same models
    equal: bool  # to alpha in every unit
    within_power: bool = True  # the smallest p that the test could have had would have decided

    @property
    def _known(self) -> bool:
        return self.finding.outcome.decided or self.finding.outcome is Outcome.OPEN

    @property
    def tested(self) -> bool:
        return self._known and (self.within_power or self.finding.outcome.decided)

    @property
    def too_few(self) -> bool:
        """Whether there are too few to tell: no result could have been decided."""
        return self._known and not self.tested


class Beside(NamedTuple):
    """A baseline in one comparison of one collection, beside alpha in the same models."""

    name: str
    comparison: str
    metric: str
    gain: Effect  # the size of its tau less that of alpha's


def compared(tried: Iterable[Tried]) -> list[Tried]:
    """Those that say something of their own: tested, no null, and not alpha once more."""
    return [
        item
        for item in tried
        if item.tested and not item.equal and item.metric not in map(alpha_of, NULLS)
    ]


def _too_few(tried: Iterable[Tried]) -> list[str]:
    """How many alternatives could not have been decided, as a sentence or none."""
    few = [
        item
        for item in tried
        if item.too_few and not item.equal and item.metric not in map(alpha_of, NULLS)
    ]
    if not few:
        return []
    where = sorted({f"({item.comparison}) for {item.name}" for item in few})
    return [
        f"In {count(len(few), 'more test')} there are too few to tell, as not even the strongest "
        f"relation would be decided after correction: {listing(where)}."
    ]


def restored(found: Sequence[Tried]) -> tuple[list[Tried], list[Tried]]:
    """Those where alpha does not show what the theory expects, and which of them do show it."""
    missing = [item for item in found if item.alpha is not Outcome.NEGATIVE]
    return missing, [item for item in missing if item.finding.outcome is Outcome.NEGATIVE]


def verdict_alternatives(tried: Sequence[Tried]) -> str:
    """How many alternatives show a relation, which restore it, and which differ from alpha."""
    found = compared(tried)
    m = len(found)
    same = [*_too_few(tried), *_equal(tried)]
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
        if item.equal and item.metric not in map(alpha_of, NULLS):
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


def why_alternatives(tried: Sequence[Tried]) -> Text | None:
    found = compared(tried)
    if not found:
        if not _too_few(tried):
            return None
        return Text(
            "there are too few families or models to tell whether another alpha shows the relation",
            "es sind zu wenige Familien oder Modelle, um zu sagen, ob ein anderes Alpha den "
            "Zusammenhang zeigt",
        )
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


@kept
def found_alternatives(study: Results) -> list[Tried]:
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
            escape(study.name(partition)),
            row["comparison"],
            row["metric"],
            judge(row, study.confidence),
            own[partition, row["comparison"]],
            effect(row, "difference", study.confidence),
            _same(row),
            within_power(number_of(row, "smallest_p"), level_of(study.confidence)),
        )
        for partition, row in study.named("alternatives", kind="alternative")
    ]


def _same(row: Cells) -> bool:
    """Whether the alternative is alpha in all units of a row, of which there are some."""
    units = value(row, "units")
    return bool(units) and value(row, "equal") == units


def found_baselines(study: Results) -> list[Beside]:
    """Every baseline in every comparison that has one."""
    return [
        Beside(
            escape(study.name(partition)),
            row["comparison"],
            row["metric"],
            effect(row, "gain", study.confidence),
        )
        for partition, row in study.named("alternatives", kind="baseline")
        if value(row, "kendall") is not None
    ]


def verdict_baselines(found: Sequence[Beside]) -> str:
    """How often alpha orders the same models better than each baseline, or worse, beyond chance."""
    clauses, silent = [], []
    for metric in dict.fromkeys(item.metric for item in found):
        name = metric_of(metric).en
        gains = [item for item in found if item.metric == metric]
        known = [item for item in gains if item.gain.outcome in (*DECIDED, Outcome.OPEN)]
        if not known:
            silent.append(name)
            continue
        better, worse = (
            [f"({i.comparison}) for {i.name}" for i in known if i.gain.outcome is outcome]
            for outcome in (Outcome.NEGATIVE, Outcome.POSITIVE)
        )
        parts = [
            f"{word} in {integer(len(places))} ({listing(places)})" if places else f"{word} in none"
            for word, places in (("stronger", better), ("weaker", worse))
        ]
        clauses.append(f"{name}: {' and '.join(parts)} of {count(len(known), 'comparison')}")
    said = []
    if clauses:
        said.append(
            "In the same models, the relation of alpha with quality, whatever its sign, is by more "
            f"than chance stronger or weaker than that of a baseline: {'; '.join(clauses)}."
        )
    if silent:
        said.append(f"For {listing(silent)}, there are too few models or families to tell.")
    return " ".join(said)


def alternatives_text(study: Results) -> str:
    """What other alphas and the baselines show, as sentences."""
    texts = (
        verdict_alternatives(found_alternatives(study)),
        verdict_baselines(found_baselines(study)),
    )
    return " ".join(text for text in texts if text)


def null_findings(tried: Sequence[Tried]) -> dict[str, list[Finding]]:
    """The correlations of alphas without training with quality."""
    return {
        null: [item.finding for item in tried if item.metric == null]
        for null in map(alpha_of, NULLS)
    }


def alternatives_table(study: Results) -> str:
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


def alternative_differences_table(study: Results) -> str:
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


def _alternatives(study: Results) -> Iterable[tuple[str, str, dict[str, Cells]]]:
    """Collection, alternative and its rows by comparison, where any has a correlation."""
    found: dict[tuple[Partition, str], dict[str, Cells]] = {}
    for partition, row in study.named("alternatives"):
        if value(row, "kendall") is not None:
            found.setdefault((partition, row["metric"]), {})[row["comparison"]] = row
    order = list(words.METRICS)
    for (partition, metric), rows in sorted(
        found.items(),
        key=lambda item: (
            list(study.partitions).index(item[0][0]),
            order.index(item[0][1]) if item[0][1] in order else len(order),
        ),
    ):
        yield escape(study.name(partition)), words.metric_of(metric).label, rows


def _marked(study: Results, row: Cells | None) -> str:
    text = estimate_of(row, "kendall")
    return f"**{text}**" if judge(row, study.confidence).outcome.decided else text


def _difference(study: Results, row: Cells | None, bounds: bool = False) -> str:
    """The difference to alpha, bold where its interval excludes zero, "same" where there is none.

    That of a baseline is between the sizes of both, as it need not have alpha's sign.
    """
    if row is not None and _same(row):
        return "same"
    name = "gain" if row is not None and row["kind"] == "baseline" else "difference"
    found = effect(row, name, study.confidence)
    text = estimate_of(row, name) if bounds else number(found.value)
    return f"**{text}**" if found.outcome.decided else text

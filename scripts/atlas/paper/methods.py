"""The methods section: how the study was made, in words that follow from its config."""

from __future__ import annotations

from collections.abc import Sequence

from atlas.findings.outcome import Outcome, judge
from atlas.findings.results import Results
from atlas.paper.markdown import MISSING, bullets, count, escape, integer, listing
from atlas.tables.recipes import as_list
from atlas.terms import words


def weightwatcher_versions(study: Results, published: bool) -> str:
    """The versions of weightwatcher behind our own fits, or behind published results."""
    rows = [row for row in study.each if (row["source"] == "published") == published]
    return listing(sorted({escape(row["weightwatcher_version"]) for row in rows})) or MISSING


def expectation(metric: words.Metric) -> str:
    """What the theory expects of the primary metric."""
    if metric.theory:
        return (
            f"For the primary metric of this study, {metric.en}, one therefore expects smaller values "
            "in better models, that is, a negative correlation with quality."
        )
    return f"For the primary metric of this study, {metric.en}, the theory expects no direction."


def excluded_words(amount: int) -> str:
    """How many models were excluded."""
    if not amount:
        return "None was excluded"
    return f"{count(amount, 'model')} {'was' if amount == 1 else 'were'} excluded"


def escape_title(title: str) -> str:
    """The title as literal text, but with typographic quotes and apostrophes."""
    return escape(title).replace("\\'", "'").replace('\\"', '"')


def engine_text(engine: str) -> str:
    """How the fits were made."""
    if engine == "weightwatcher":
        return "weightwatcher itself made every fit"
    return "an exact reimplementation on the kept eigenvalues made the fits"


def layers_text(layers: str) -> str:
    """Which layers are taken."""
    if layers == "complete":
        return (
            "Beyond those that WeightWatcher takes, this study also analyses layers that it leaves out "
            "or misreads, such as attention projections, recurrent layers, transposed and "
            "three-dimensional convolutions, and for it the limits hold for a single matrix."
        )
    return "Layers that WeightWatcher does not know are left out too."


def reference_text(recipes: str | Sequence[str]) -> str:
    """The recipes that (a) and (b) compare, in the order of preference."""
    return escape(", else ".join(as_list(recipes)))


def replicates_text(replicates: bool) -> str:
    """How seeds are counted."""
    if replicates:
        return "Models that differ in the seed alone are replicates and count as one"
    return "Every model counts as an independent observation, also where only the seed differs"


def small_groups_text(study: Results) -> str:
    """How many families are too small for an interval of their own."""
    rows = [row for p in study.partitions for row in study.group_rows(p, "b")]
    small = sum(judge(row, study.confidence).outcome in (Outcome.FEW, Outcome.NONE) for row in rows)
    if not rows:
        return "No family has a correlation of its own"
    if not small:
        return "Every family is large enough for an interval of its own"
    return (
        f"Of {count(len(rows), 'family', 'families')}, {integer(small)} "
        f"{'is' if small == 1 else 'are'} too small for an interval of "
        f"{'its' if small == 1 else 'their'} own and can only speak together with others"
    )


def experiment_list(study: Results) -> str:
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

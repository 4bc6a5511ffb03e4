"""The one list of traits, and what follows from it."""

from atlas.fits.metrics import averages
from atlas.paper import traits as paper_traits
from atlas.statistics.traits import SPREADS, TRAITS_TABLE
from atlas.terms.keys import SIZE
from atlas.terms.traits import CATEGORIES, NUMBERS, TRAITS
from atlas.terms.words import CANDIDATES

ELSEWHERE = {SIZE, "coverage", "alpha_shuffled", "alpha_gaussian", "outside_share", *SPREADS}
"""Not made from a model's fitted layers alone."""

LAYER = {
    **{"layer_type": "dense", "status": "success", "alpha": 3.0, "alpha_weighted": 3.0, "D": 0.1},
    **{"log_alpha_norm": 1.0, "log_norm": 1.0, "log_spectral_norm": 1.0, "stable_rank": 2.0},
    **{"entropy": 0.5, "N": 100, "M": 60, "rf": 1, "num_evals": 60, "num_pl_spikes": 30},
    **{"rank_loss": 0},
}


def test_each_trait_has_words_and_nothing_else_has():
    assert set(CANDIDATES) == set(TRAITS)


def test_each_trait_of_layers_is_computed_from_them():
    made = averages([LAYER, LAYER | {"alpha": 4.0}])
    lacking = [name for name in NUMBERS if name not in ELSEWHERE and made.get(name) is None]
    assert lacking == []
    assert ELSEWHERE <= set(NUMBERS)


def test_each_number_is_a_column_of_the_statistics_and_of_one_table_of_the_paper():
    assert [name for name in TRAITS_TABLE if name in NUMBERS] == list(NUMBERS)
    assert sorted(n for names in paper_traits.TRAITS.values() for n in names) == sorted(NUMBERS)
    assert not any(TRAITS[name].table for name in CATEGORIES)


def test_a_trait_is_shown_as_its_kind_says():
    shown = {trait.kind: paper_traits._trait(name, 0.5) for name, trait in TRAITS.items()}
    assert (shown["share"], shown["number"]) == ("50%", "0.50")
    assert paper_traits._trait("layers", 12.0) == "12"
    assert paper_traits._trait("layers", None) == paper_traits.MISSING

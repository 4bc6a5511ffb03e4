"""What the paper says of factorial designs."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from helpers.decided import with_tables
from helpers.papers import CONFIG, models_frame, study

from atlas.paper.factors import factors_table, factors_text, reliability_table, reliability_text
from atlas.statistics.factors import factors
from atlas.statistics.options import Options
from atlas.statistics.reliability import reliability


@functools.cache
def designed(sign: int):
    """Variants trained in every combination of three factors of two levels, in two seeds each."""
    recipes = tuple(f"{batch}-{rate}-{decay}" for batch in "ab" for rate in "cd" for decay in "ef")
    models = models_frame(families=("mlp", "convnet", "resnet"), recipes=recipes, sizes=3)
    models = models[models["collection"] == "zoo"].copy()
    for place, name in enumerate(("batch_size", "learning_rate", "weight_decay")):
        models[f"factor_{name}"] = models["recipe"].str.split("-").str[place]
    again = models.assign(
        model=models["model"] + "-again",
        seed="1",
        alpha=models["alpha"] + np.random.default_rng(0).normal(0, 0.01, len(models)),
    )
    models = pd.concat([models, again], ignore_index=True)
    models["quality"] = 70 + sign * 10 * models["alpha"]
    options = CONFIG["statistics"] | {"permutations": 199, "reference_recipe": recipes[0]}
    made = Options.from_config(options)
    return with_tables(
        study(models, config={"statistics": options}),
        factors=factors(models, made),
        reliability=reliability(models, made),
    )


def test_the_mean_over_factors_is_worded_by_its_outcome_and_every_factor_has_a_row():
    for sign, words in ((-1, "smaller alpha has higher"), (1, "larger alpha has higher")):
        given = designed(sign)
        assert words in factors_text(given)
        table = factors_table(given)
        assert all(name in table for name in ("batch size", "learning rate", "weight decay"))
        assert "all, mean" in table


def test_the_noise_ceiling_is_told_where_there_are_seeds():
    given = designed(-1)
    assert "reliabilit" in reliability_text(given) and "lowest" in reliability_text(given)
    assert "(c)" in reliability_table(given)


def test_a_study_without_factors_or_seeds_says_so():
    given = study(models_frame(families=("mlp", "convnet", "resnet")))
    assert factors_text(given) == "No factor was varied in this study.\n"
    assert "unknown" in reliability_text(given)

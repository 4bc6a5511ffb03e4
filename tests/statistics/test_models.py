"""What is taken of each model."""

from __future__ import annotations

import numpy as np
from helpers.models import models, row
from helpers.options import options_with

from atlas.statistics.correlations import correlations


def test_further_data_sets_of_the_same_models_get_the_primary_metric_and_size_alone():
    rng = np.random.default_rng(0)
    main = [
        row(rng.normal(), rng.normal(), model=f"m{i}", family=f"f{i % 2}", variant=f"v{i}")
        | {"log_norm": rng.normal()}
        for i in range(12)
    ]
    other = [one | {"dataset": "e", "quality": rng.normal()} for one in main[:10]]
    apart = [one | {"dataset": "z", "model": f"z{i}"} for i, one in enumerate(main[:8])]
    options = options_with(metrics=("alpha", "log_norm"), permutations=99, bootstrap=99)
    table = correlations(models(main + other + apart), options)
    found = table.groupby("dataset")["metric"].agg(set)
    assert found["d"] == found["z"] == {"alpha", "log_norm", "log_parameters"}
    assert found["e"] == {"alpha", "log_parameters"}

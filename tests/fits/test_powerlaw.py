"""The tail fit against a plain restatement of weightwatcher's loop, which evaluates everything."""

import numpy as np
import pytest

from atlas.fits.powerlaw import SMALL, THRESHOLD, fit_tail


def plain(eigenvalues):
    """Every candidate, one after the other: what the search must find (20 or more eigenvalues)."""
    data = np.sort(eigenvalues[eigenvalues > THRESHOLD])
    logs, n = np.log(data), len(data)
    alphas, distances = np.zeros(n - 1), np.ones(n - 1)
    for i in range(n - 1):
        tail = n - i
        alphas[i] = 1 + tail / (np.sum(logs[i:]) - tail * logs[i])
        if alphas[i] > 1:
            cdf = 1 - (data[i:] / data[i]) ** (1 - alphas[i])
            distances[i] = np.max(np.abs(cdf - np.arange(tail) / tail))
    best = int(np.argmin(distances))
    return alphas[best], data[best], distances[best]


def spectrum(kind, n, seed):
    rng = np.random.default_rng(seed)
    match kind:
        case "pareto":
            return rng.pareto(1.7, n) + 1
        case "lognormal":
            return rng.lognormal(0, 2, n)
        case "gram":
            matrix = rng.standard_t(3, (2 * n, n))
            return np.linalg.eigvalsh(matrix.T @ matrix)
        case "ties":
            return np.round(rng.pareto(2, n) + 1, 1)
        case "tiny":
            return rng.lognormal(np.log(THRESHOLD), 1, n)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [SMALL, 21, 57, 400])
@pytest.mark.parametrize("kind", ["pareto", "lognormal", "gram", "ties"])
def test_the_search_finds_the_same_tail_as_the_full_loop(kind, n, seed):
    values = spectrum(kind, n, seed)
    fit = fit_tail(np.random.default_rng(seed).permutation(values))
    alpha, xmin, distance = plain(values)
    assert fit.xmin == xmin
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    assert fit.D == pytest.approx(distance, rel=1e-12)


def test_only_eigenvalues_above_the_threshold_are_fitted():
    values = spectrum("tiny", 300, 0)
    above = values[values > THRESHOLD]
    assert 20 < len(above) < len(values)
    assert fit_tail(values) == fit_tail(above)
    assert fit_tail(values).xmin > THRESHOLD


def test_a_pareto_tail_gives_back_its_exponent():
    values = np.random.default_rng(1).pareto(2.0, 20_000) + 1
    assert fit_tail(values).alpha == pytest.approx(3.0, abs=4 * fit_tail(values).sigma)


@pytest.mark.parametrize("values", [[], [1.0], [1e-6] * 30, [1e-6] * 30 + [2.0]])
def test_fewer_than_two_eigenvalues_are_a_failed_fit(values):
    assert fit_tail(np.array(values)) is None


def test_few_of_the_candidates_are_evaluated(monkeypatch):
    from atlas.fits import powerlaw as fits_powerlaw

    calls = []
    real = fits_powerlaw.distance
    monkeypatch.setattr(fits_powerlaw, "distance", lambda *args: calls.append(1) or real(*args))
    fit_tail(spectrum("gram", 1000, 0))
    assert 0 < len(calls) < 100


def test_sigma_is_the_standard_error_of_the_tail():
    fit = fit_tail(spectrum("pareto", 500, 3))
    tail = np.sum(spectrum("pareto", 500, 3) >= fit.xmin)
    assert fit.sigma == pytest.approx((fit.alpha - 1) / np.sqrt(tail))

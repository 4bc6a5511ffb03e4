"""The names of the experiments on the weights. Alone, since eigenvalues depend on what they import."""

NULLS = ("shuffled", "gaussian")
"""Matrices without training: permuted entries, and noise of the same shape."""


def alpha_of(null: str) -> str:
    """The column of the models' mean alpha over the matrices of a null."""
    return f"alpha_{null}"

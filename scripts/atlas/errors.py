"""The two kinds of expected errors: wrong input, and a model that cannot be analysed."""

from __future__ import annotations

from typing import Literal, get_args

Status = Literal["unsupported", "failed"]


class InputError(ValueError):
    """The user's input is wrong: one line per problem, each with its place and the way out."""


class KnownFailure(Exception):
    """A model cannot be analysed for a reason that the study records before it goes on.

    status: "unsupported" if no part of the model can be analysed, "failed" if something went wrong.
    reason: one line for the paper's list of excluded models; line breaks in it become spaces.
    stage: where it happened, if that is not the stage that reports it.

    Raises ValueError if the status is another one.
    """

    def __init__(self, status: Status, reason: str, stage: str | None = None) -> None:
        if status not in get_args(Status):
            raise ValueError(f"status must be one of {get_args(Status)}, not {status!r}")
        self.status = status
        self.reason = " ".join(reason.split())
        self.stage = stage
        super().__init__(self.status, self.reason, stage)  # as arguments, so that it can be pickled

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


class Unreachable(KnownFailure):
    """A server that did not give, this time: the same download can succeed later."""

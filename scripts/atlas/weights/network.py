"""The network: its settings, what is tried again, and what is said of its failures."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from atlas.errors import KnownFailure, Unreachable
from atlas.job import logger

T = TypeVar("T")
PROGRESS_EVERY = 10  # seconds, or per cent
HEADWAY = 1_000_000  # bytes; an attempt that gets this much further is no failed one
BUSY = (408, 425, 429)  # and 5xx: HTTP statuses that may pass
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Network:
    """How to use the network.

    mirror: an address or a folder that is tried before the original addresses.
    timeout: seconds without an answer, or with a hardly moving one, after which an attempt ends.
    retries: attempts after the first.
    """

    mirror: str | None = None
    timeout: float = 30.0
    retries: int = 4

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | None) -> Self:
        """From the configuration's section on the network; what it leaves out has its default."""
        return cls(**(config or {}))


class DiskFull(KnownFailure):
    """There is no space left for a download."""


class Refused(KnownFailure):
    """A server wants to know who asks, or gives only to others (HTTP 401, 403)."""


class Transient(Exception):
    """An attempt failed in a way that another attempt may not.

    wait: seconds that the server asks for. lasting: whether the failure, should it stay, is the
    file's own (a wrong checksum) and not the network's.
    """

    def __init__(self, reason: str, wait: float = 0.0, lasting: bool = False) -> None:
        self.reason, self.wait, self.lasting = reason, wait, lasting
        super().__init__(reason)


def retrying(
    action: Callable[[], T], network: Network, what: str, size: Callable[[], int] = lambda: 0
) -> T:
    """The action's result, after as many attempts as the network's settings allow.

    Only Transient is tried again: after 1, 2, 4, ... seconds, at most ``timeout``, or as long as the
    server asks, at most ten times that. An attempt after which ``size`` (bytes so far) has grown by
    a megabyte beyond what it ever was does not count. Raises Unreachable when the attempts are used
    up (KnownFailure for a lasting failure), with ``what`` and the last reason in one line.
    """
    failures, most = 0, size()
    while True:
        try:
            return action()
        except Transient as error:
            now = size()
            failures = 1 if now >= most + HEADWAY else failures + 1
            most = max(most, now)
            attempts = f" in {failures} attempts" if failures > 1 else ""
            if error.lasting and failures > network.retries:
                raise KnownFailure(
                    "failed", f"{what}: {error.reason}{attempts}", "obtain"
                ) from None
            if failures > network.retries:
                raise Unreachable(
                    "failed",
                    f"{what}: {error.reason}{attempts}; check the connection, try again later, "
                    "or use a mirror (network: mirror; for Hugging Face HF_ENDPOINT)",
                    "obtain",
                ) from None
            pause = min(2.0 ** (failures - 1), network.timeout)
            pause = max(pause, min(error.wait, 10 * network.timeout))
            logger.info("%s: %s; again in %.1f s", what, error.reason, pause)
            time.sleep(pause)


def waiting(headers: Mapping[str, str]) -> float:
    """Seconds that a busy server asks to wait (Retry-After, or RateLimit's t); 0 if it does not."""
    limit = re.search(r"\bt=(\d+)", headers.get("RateLimit", ""))
    try:
        return max(float(headers.get("Retry-After") or (limit[1] if limit else 0)), 0.0)
    except ValueError:  # a date
        return 0.0


def meaning(status: int) -> str:
    return {
        401: "HTTP 401, it needs a login",
        403: "HTTP 403, access is denied",
        404: "HTTP 404, there is no such file; check the address",
        410: "HTTP 410, the file was withdrawn; check the address",
    }.get(status, f"HTTP {status}")


def why(error: Exception, received: int, total: int | None) -> str:
    """What a failed connection failed of, in words."""
    text = str(error)
    for sign, words in (
        ("NameResolution", "the host is not found"),
        ("onnection refused", "the connection was refused"),
        ("NewConnection", "no connection"),
        ("ProxyError", "the proxy gives no connection"),
    ):
        if sign in text or sign in type(error).__name__:
            return words
    return cut(received, total)


def cut(received: int, total: int | None) -> str:
    of = f" at {received} of {total} bytes" if total else ""
    return f"the connection was cut{of}"


def innermost(error: BaseException) -> str:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def mb(size: int) -> str:
    return f"{size / 1e6:.0f}" if size >= 10_000_000 else f"{size / 1e6:.1f}"

"""Guesses of the token: an address that showed many wrong ones waits before its next one is checked."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections import Counter, deque

from starlette.responses import Response

from ..problems import refusal_response

__all__ = ["Guesses", "TooManyGuesses", "network_of", "too_many_guesses"]


MOST_WRONG, WINDOW_S = 20, 60.0
"""After this many wrong tokens in this many seconds an address has to wait."""
DELAY_S = 2.0
MOST_WAITING = 64
"""How many requests of one address wait at the same time, so that those of others still find a connection."""
MOST_ADDRESSES = 10_000
IPV6_PREFIX = 64
"""One subscriber has all addresses of such a network."""


class TooManyGuesses(Exception):
    """The token is wrong, or was not checked, and many wrong ones came from the same address."""


class Guesses:
    """The wrong tokens of each client address.

    The right token waits as long as a wrong one where many wrong ones came from. If it came at once, a guesser would
    drop every connection that is not answered at once, and would not be slowed.
    """

    def __init__(self) -> None:
        self._wrong: dict[str, deque[float]] = {}
        """The moments of the last wrong tokens by address; the address that guessed last stands last."""
        self._waiting: Counter[str] = Counter()

    async def check(self, shown: str, token: str, client: tuple[str, int] | None) -> bool:
        """Return whether `shown` is the token, after a wait where many wrong ones came from the `client`.

        Raises TooManyGuesses instead of returning False to a client that has to wait, and where too many wait already.
        """
        address = network_of(client)
        slowed = self._guessed_much(address)
        if slowed:
            await self._wait(address)
        if hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode("utf-8")):
            return True
        self._count(address)
        if slowed:
            raise TooManyGuesses
        return False

    async def _wait(self, address: str) -> None:
        if self._waiting[address] >= MOST_WAITING:
            raise TooManyGuesses
        self._waiting[address] += 1
        try:
            await asyncio.sleep(DELAY_S)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _guessed_much(self, address: str) -> bool:
        wrong = self._wrong.get(address)
        return wrong is not None and len(wrong) >= MOST_WRONG and time.monotonic() - wrong[0] < WINDOW_S

    def _count(self, address: str) -> None:
        wrong = self._wrong.pop(address, None) or deque(maxlen=MOST_WRONG)
        wrong.append(time.monotonic())
        self._wrong[address] = wrong
        while len(self._wrong) > MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]


def too_many_guesses() -> Response:
    """Return the answer to a guess that is refused."""
    return refusal_response(
        429,
        f"many wrong tokens came from your address; the right one is answered after {DELAY_S:g} s",
        {"Retry-After": f"{max(1, round(DELAY_S))}"},
    )


def network_of(client: tuple[str, int] | None) -> str:
    """Return what stands for one client: an IPv4 address, or the network of an IPv6 address."""
    host = client[0] if client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""  # a proxy may state any text, also a long one
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)

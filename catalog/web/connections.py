"""The connections of the service: how long one may take to send a request, and which one goes when there are too many.

Uvicorn limits only how long a connection stays idle after an answer. It lets a client hold half a request for ever,
and refuses every request, also for the health of the service, while clients hold all the connections.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from .access.guesses import network_of
from .limits import Limits

__all__ = ["Connection"]


HEAD_S = 10.0
"""How long the head of a request may take to arrive: on a new connection from its start, else from its first byte."""
PATIENCE_S = 0.5
"""For how long no connection is closed for another one, so that a client can send what it has begun."""
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """HTTP/1.1 on one connection, within `limits`.

    When all connections are taken, the one that has waited longest for its client to send a whole request is closed
    for the new one. Where none waits, the new one is told that the service is full: its requests come to the
    application with `full` in their state.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._network = ""
        self._waiting_since = 0.0
        self._head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._network = network_of(self.client)
        self._waiting_since = self.loop.time()
        others = [other for other in self._open() if other is not self]
        same = sum(other._network == self._network for other in others)
        if same >= self._limits.one_address and not _is_this_machine(self._network):
            self._refuse()
        elif len(others) < self._limits.connections or self._make_room(others):
            self._start_clock()
        elif len(others) < self._limits.connections + self._limits.spare:
            self.app_state = {**self.app_state, "full": True}
            self._start_clock()
        else:
            self._refuse()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._stop_clock()
        elif self._head_due is None:
            self._start_clock()

    def on_response_complete(self) -> None:
        self._waiting_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        """Whether a request is being answered; otherwise the client has to send the rest of one, or the next."""
        return self.cycle is not None and not self.cycle.response_complete

    def _open(self) -> list[Connection]:
        return [
            one for one in self.connections if isinstance(one, Connection) and not one.transport.is_closing()
        ]

    def _make_room(self, others: list[Connection]) -> bool:
        """Close the connection whose client has kept it waiting longest; return False where none has."""
        latest = self.loop.time() - PATIENCE_S
        waiting = [one for one in others if not one._answering and one._waiting_since <= latest]
        if not waiting:
            return False
        min(waiting, key=lambda one: one._waiting_since).transport.close()
        return True

    def _refuse(self) -> None:
        self.transport.write(FULL)
        self.transport.close()

    def _start_clock(self) -> None:
        self._head_due = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_clock(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _give_up(self) -> None:
        self._head_due = None
        if not self._answering:
            self.transport.close()


def _is_this_machine(network: str) -> bool:
    """Return whether a client is on this machine; a proxy there speaks for many clients."""
    return network.startswith("127.") or network == network_of(("::1", 0))

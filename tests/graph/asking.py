"""For tests of the client: requests by hand, what would be a network, sessions with the emulator."""

from __future__ import annotations

from typing import Any, TypeVar

import httpx

from tests.graph.emulator.emulator import Emulator, EmulatorProcess
from transfer.graph.identity import FixedToken
from transfer.graph.pace import Manners
from transfer.graph.places import GRAPH, parse_place
from transfer.graph.session import Session, user_agent
from transfer.graph.throttle import Throttle
from transfer.graph.transport import Transport
from transfer.graph.verbs import LISTER, ONLOOKER, PROBER, READER, WRITER, Verb
from transfer.wiring import SystemClock

DRIVE = "b!CM3ky53sGlRL6NcvqIj0D24ijsWfVprruRBhLfCnoXg"
FOLDER = "01RYCE474DLBGJ7I55OBXOMH5RTIYW2FFF"
ITEM = "01XS7MJBIQRVB4FIY7N62ZDK3O3SIPM7BO"
RELEASE = {"writer": WRITER, "lister": LISTER, "onlooker": ONLOOKER}
LISTS = {**RELEASE, "reader": READER, "prober": PROBER}
SWIFT = Manners(in_flight=4, patience=5.0, first_pause=0.02, longest_pause=0.2)

Kind = TypeVar("Kind", bound=Session)


class Recorder(httpx.AsyncBaseTransport):
    """What would be a network: keeps what reached it and answers what it was given, 200 when nothing is left."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.sent: list[httpx.Request] = []
        self._answers = list(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self._answers.pop(0) if self._answers else httpx.Response(200, stream=httpx.ByteStream(b"{}"))


def guarded(
    verbs: frozenset[Verb], recorder: Recorder, *, kind: type[Transport] = Transport, base_url: str = GRAPH
) -> Transport:
    """A transport of that kind before a recorder."""
    return kind(verbs=verbs, place=parse_place(base_url), throttle=throttle(), inner=recorder)


def throttle(manners: Manners = SWIFT) -> Throttle:
    return Throttle(clock=SystemClock(), manners=manners)


def session(
    kind: type[Kind],
    verbs: frozenset[Verb],
    emulator: Emulator | EmulatorProcess,
    token: str,
    *,
    manners: Manners = SWIFT,
    **other: Any,
) -> Kind:
    """A session of that kind with the emulator."""
    return kind(
        verbs=verbs,
        credential=FixedToken(token=token),
        throttle=throttle(manners),
        user_agent=user_agent("Example University"),
        **{"base_url": emulator.base_url, **other},
    )

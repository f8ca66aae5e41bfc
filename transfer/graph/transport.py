"""The last thing before the wire: passes what is listed, refuses everything else before a byte is sent.

    Transport              requests that are one of the verbs, to the place, with its token
    ├── DownloadTransport     and where the service itself sent a content request on to, without the token
    └── UploadTransport       and upload addresses, without the token; what they answer is kept short

It stands beneath the SDK's middleware, so that redirects and whatever else the SDK makes up pass here too. It keeps the
throttle and counts. What enters: requests, trusted no more than the answers. What leaves: the same requests, with an id
of their own, and answers; `NotListed` for a request that may not be made, `Unreadable` for a redirect to nowhere safe.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

import httpx

from transfer.graph.faults import NotListed, Unreadable
from transfer.graph.places import LOOPBACK, Place
from transfer.graph.throttle import Throttle, Turn
from transfer.graph.verbs import Verb, listed

REDIRECTS = frozenset({301, 302, 303, 307, 308})
UPLOAD = "transfer.upload"  # marks a request as one to an upload address
ELSEWHERE = "transfer.elsewhere"  # says of an answer whether it came from another address than the place
# An encoded slash, which two servers may read in two ways; the SDK writes `id:/name:` so, and only that.
_HIDDEN_SLASH = re.compile(rb"(?<!%3A)%2F", re.IGNORECASE)
_SHORT = 65_536  # bytes; what an upload address answers has a few thousand
_SKIPPING = 5.0  # seconds for a body that nobody wants
_UPLOAD_METHODS = frozenset({"PUT", "GET", "POST", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A request that may go: its units, whether its answer is content, whether it goes elsewhere, how much may come."""

    cost: int
    content: bool = False
    elsewhere: bool = False
    longest: int | None = None


class Transport(httpx.AsyncBaseTransport):
    """Passes `verbs` to `place`, and nothing else anywhere."""

    def __init__(
        self, *, verbs: frozenset[Verb], place: Place, throttle: Throttle, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`inner` is for tests: what would be a network."""
        self._verbs = verbs
        self._place = place
        self._throttle = throttle
        self._inner = inner or httpx.AsyncHTTPTransport(trust_env=False)
        self.requests = 0
        self.refused = 0
        self.downloaded = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request, if it may. Raises NotListed, GraphFault, httpx.TransportError."""
        passage = self.check(request)
        request.headers.pop("Cookie", None)
        request.headers.setdefault("client-request-id", str(uuid.uuid4()))
        if passage.content:
            request.headers["Accept-Encoding"] = "identity"  # what is counted and hashed is what lies there
        turn = await self._throttle.turn(passage.cost)
        self.requests += 1
        try:
            response = await self._inner.handle_async_request(request)
            turn.answered(response.status_code, _lower(response.headers))
            self._redirected(request, response, passage)
        except BaseException:
            turn.ended()
            raise
        response.headers.pop("Set-Cookie", None)
        body = _Body(response, turn, passage, self)
        extensions = response.extensions | {ELSEWHERE: passage.elsewhere}
        return httpx.Response(response.status_code, headers=response.headers, stream=body, extensions=extensions)

    def check(self, request: httpx.Request) -> Passage:
        """What a request counts as. Raises NotListed, told and counted, if it may not be made."""
        passage = self._passage(request)
        if passage is None:
            self.refused += 1
            raise NotListed(
                f"A {request.method} request that is not among what this client may do was stopped; nothing was sent.",
                code="not-listed",
                advice="This is a defect of the gateway, or somebody tampers with what OneDrive answers.",
                clauses=("G5",),
            )
        return passage

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._inner.aclose()

    def _passage(self, request: httpx.Request) -> Passage | None:
        if request.url.userinfo or request.headers.get("Host") != request.url.netloc.decode("ascii"):
            return None
        here = (request.url.scheme, request.url.host, request.url.port or _default_port(request.url))
        if here == (self._place.scheme, self._place.host, self._place.port):
            verb = self._verb(request)
            if verb is not None:
                return Passage(cost=verb.cost, content=verb.content)
        if "Authorization" in request.headers or not self._safe(request.url):
            return None
        return self._elsewhere(request)

    def _verb(self, request: httpx.Request) -> Verb | None:
        """The verb that a request to the place is, if it is one."""
        raw, _, raw_query = request.url.raw_path.partition(b"?")
        if _HIDDEN_SLASH.search(raw):
            return None
        try:
            path = unquote_to_bytes(raw).decode()
            query = tuple(
                parse_qsl(raw_query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
                if raw_query
                else ()
            )
        except ValueError:
            return None
        below = path.removeprefix(self._place.path)
        if below == path:
            return None
        return listed(self._verbs, request.method, below, query)

    def _elsewhere(self, _request: httpx.Request) -> Passage | None:
        """A request without token to a host that may be any: whether it may go."""
        return None

    def _redirected(self, _request: httpx.Request, _response: httpx.Response, _passage: Passage) -> None:
        """An answer came. Raises Unreadable if it leads where nothing may be fetched."""

    def _safe(self, url: httpx.URL) -> bool:
        """HTTPS, or this machine when the whole service is on this machine."""
        return url.scheme == "https" or (url.scheme == "http" and self._place.loopback and url.host in LOOPBACK)


class DownloadTransport(Transport):
    """Also follows where a content request was sent on to, once each."""

    def __init__(
        self, *, verbs: frozenset[Verb], place: Place, throttle: Throttle, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(verbs=verbs, place=place, throttle=throttle, inner=inner)
        self._expected: Counter[str] = Counter()

    def _elsewhere(self, request: httpx.Request) -> Passage | None:
        address = str(request.url)
        if request.method != "GET" or not self._expected[address]:
            return None
        self._expected[address] -= 1
        self._expected += Counter()  # forgets those at zero
        return Passage(cost=0, content=True, elsewhere=True)

    def _redirected(self, request: httpx.Request, response: httpx.Response, passage: Passage) -> None:
        if response.status_code not in REDIRECTS or not passage.content:
            return
        try:
            target = request.url.join(response.headers.get("Location", ""))
        except httpx.InvalidURL:
            target = httpx.URL("")
        if not self._safe(target):
            raise Unreadable("OneDrive sent a download on to an address that is not encrypted.", code="redirect")
        self._expected[str(target)] += 1


class UploadTransport(Transport):
    """Also passes requests to upload addresses, which the service hands out and which carry their own permission.

    No content comes back from them: a long answer is cut off.
    """

    def _elsewhere(self, request: httpx.Request) -> Passage | None:
        if UPLOAD not in request.extensions or request.method not in _UPLOAD_METHODS:
            return None
        inside = request.url.path.startswith(self._place.path + "/") and request.url.host == self._place.host
        return None if inside else Passage(cost=2 if request.method == "PUT" else 1, elsewhere=True, longest=_SHORT)


class _Body(httpx.AsyncByteStream):
    """An answer's body: counted, bounded, and the end of its turn.

    Whoever follows a redirect closes its body without reading it. It is read here then, if it is short: else the
    connection could not be used again, and every download would cost a new one.
    """

    def __init__(self, response: httpx.Response, turn: Turn, passage: Passage, transport: Transport) -> None:
        self._response = response
        self._turn = turn
        self._content = passage.content and response.status_code < 300
        self._left = passage.longest
        self._transport = transport
        self._unread = response.status_code in REDIRECTS

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._unread = False
        stream = self._response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            return
        async for block in stream:
            if self._content:
                self._transport.downloaded += len(block)
            if self._left is not None:
                self._left -= len(block)
                if self._left < 0:
                    raise httpx.RemoteProtocolError("an answer is too long")
            yield block

    async def aclose(self) -> None:
        try:
            if self._unread:
                await self._skip()
            await self._response.aclose()
        finally:
            self._turn.ended()

    async def _skip(self) -> None:
        self._left = _SHORT
        with suppress(httpx.TransportError, TimeoutError):
            async with asyncio.timeout(_SKIPPING):
                async for _ in self:
                    pass


def _default_port(url: httpx.URL) -> int:
    return 443 if url.scheme == "https" else 80


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}

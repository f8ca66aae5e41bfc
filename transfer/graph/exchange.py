"""The SDK at work, in the session's event loop: its builders make requests, its adapter signs and sends them.

    Exchange              asks and follows links
    ├── DownloadExchange     opens content
    └── UploadExchange       sends parts to upload addresses

The SDK's own retries are off (`throttle` has the manners), its redirects too but for content, and its models are not
used: they take a hundred times longer than `records`. What enters: verbs, links, upload addresses. What leaves: status,
headers and body, or a GraphFault. Errors of httpx and azure end here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from logging import CRITICAL, WARNING, getLogger

import httpx
from azure.core.exceptions import AzureError
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_http._exceptions import KiotaHTTPXError
from kiota_http.middleware.options import RedirectHandlerOption, RetryHandlerOption
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_request_adapter import options as sdk_options
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from transfer.graph.answer import Answer
from transfer.graph.faults import Denied, Gone, GraphFault, NotListed, NotThere, Unreached, fault_of
from transfer.graph.fields import Json, unreadable
from transfer.graph.identity import Credential, SignIn, sign_in_fault
from transfer.graph.places import Place
from transfer.graph.throttle import Throttle
from transfer.graph.transport import ELSEWHERE, UPLOAD, DownloadTransport, Transport, UploadTransport
from transfer.graph.verbs import Verb

_TIMEOUT = httpx.Timeout(60.0, connect=15.0, pool=None)  # seconds of silence; the throttle bounds how many there are
_HEADERS = frozenset({"if-match", "if-none-match", "deltaexcludeparent"})
_LONGEST_ANSWER = 32 * 1024 * 1024
_BLOCK = 1024 * 1024
_SLOWEST = 180.0  # seconds for an answer, or for a block of a file, that comes drop by drop
_PIECE = 128 * 1024  # bytes handed to the socket at a time

# httpx writes every address into its log, and those of content are secrets; the sign-in writes what the service said of
# people. What became of a request is told by our own faults.
for _logger, _level in {"httpx": WARNING, "httpcore": WARNING, "azure": CRITICAL, "msal": CRITICAL}.items():
    getLogger(_logger).setLevel(_level)


class Exchange:
    """One client of the SDK over one transport of ours. Made and used in one event loop; to be closed."""

    transport_kind: type[Transport] = Transport

    def __init__(
        self, *, verbs: frozenset[Verb], place: Place, credential: Credential, throttle: Throttle, user_agent: str
    ) -> None:
        """Raises Misuse if the credential cannot be used."""
        self._verbs = verbs
        self._throttle = throttle
        self._sign_in = SignIn(credential, place)
        self.transport = self.transport_kind(verbs=verbs, place=place, throttle=throttle)
        client = httpx.AsyncClient(
            base_url=str(place),  # or a request whose base is not set would go to the SDK's default host
            transport=self.transport,
            trust_env=False,
            timeout=_TIMEOUT,
            headers={"User-Agent": user_agent},
        )
        self._http = GraphClientFactory.create_with_default_middleware(
            client=client,
            options={
                **sdk_options,
                RetryHandlerOption.get_key(): RetryHandlerOption(max_retries=0, should_retry=False),
                RedirectHandlerOption.get_key(): RedirectHandlerOption(should_redirect=False),
            },
        )
        self._adapter = GraphRequestAdapter(self._sign_in.provider(), self._http)
        self._adapter.base_url = str(place)
        self._client = GraphServiceClient(request_adapter=self._adapter)

    async def ask(self, verb: Verb, args: tuple[str, ...], headers: Mapping[str, str], body: Json | None) -> Answer:
        """Asks one thing. Raises GraphFault."""
        return await self._persist(verb.name, lambda: self._native(self._request(verb, args, headers, body)))

    async def follow(self, link: str) -> Answer:
        """Goes on where an answer's link leads. Raises GraphFault; NotListed before anything is made of the link.

        The SDK can follow a link with any builder (`with_url`) and then keeps nothing of the builder; the address alone
        says the same.
        """
        try:
            self.transport.check(httpx.Request("GET", link))
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise NotListed("OneDrive answered with a link that is none.", code="not-listed") from error

        def request() -> Awaitable[httpx.Request]:
            going_on = RequestInformation(Method.GET)
            going_on.url = link
            going_on.headers.try_add("Accept", "application/json")
            return self._native(going_on)

        return await self._persist("link", request)

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.aclose()
        await self._sign_in.close()

    def _request(
        self, verb: Verb, args: tuple[str, ...], headers: Mapping[str, str], body: Json | None
    ) -> RequestInformation:
        if verb not in self._verbs or not {name.lower() for name in headers} <= _HEADERS:
            raise NotListed(f"`{verb.name}` is not among what this client may do; nothing was sent.", code="not-listed")
        request = verb.build(self._client, *args)
        for name, value in headers.items():
            request.headers.add(name, value)
        if body is not None:
            request.set_stream_content(json.dumps(body).encode(), "application/json")
        return request

    async def _native(self, request: RequestInformation) -> httpx.Request:
        """The request as httpx sends it, with its token. Raises GraphFault."""
        self._adapter.set_base_url_for_request_information(request)  # the adapter does not do so by itself here
        address = request.url  # made of its template once: the SDK would do it three times for each request
        request.url = address
        try:
            native: httpx.Request = await self._adapter.convert_to_native_async(request)
        except AzureError as error:
            raise sign_in_fault(error) from error
        return native

    async def _persist(
        self, doing: str, make: Callable[[], Awaitable[httpx.Request]], *, longest: int = _LONGEST_ANSWER
    ) -> Answer:
        """Sends a request until it is answered, or fails for a reason that does not pass, or patience has ended."""
        since, attempt = self._throttle.now(), 0
        while True:
            attempt += 1
            try:
                async with self._answering(doing, await make()) as response:
                    body = await _whole(response, longest)
                    return Answer(status=response.status_code, headers=_lower(response.headers), body=body)
            except GraphFault as fault:
                await self._throttle.rest(fault, attempt=attempt, since=since)

    @asynccontextmanager
    async def _answering(self, doing: str, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """The answer, its body not read yet. Raises GraphFault for any but 200 to 299, and for what breaks off."""
        with _said(doing):
            response = await self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    body = await _whole(response, _LONGEST_ANSWER)
                    raise self._fault(doing, response, body)
                yield response
            finally:
                await response.aclose()

    def _fault(self, doing: str, response: httpx.Response, body: bytes) -> GraphFault:
        return fault_of(doing, response.status_code, _lower(response.headers), body, now=self._throttle.moment())


class DownloadExchange(Exchange):
    """Also opens content, and follows the redirect there."""

    transport_kind = DownloadTransport

    async def open(self, verb: Verb, args: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
        """A file's blocks; nothing was read yet, but the answer is there. To be closed. Raises GraphFault."""
        if not verb.content:
            raise NotListed(f"`{verb.name}` has no content; nothing was sent.", code="not-listed")
        since, attempt = self._throttle.now(), 0
        while True:
            attempt += 1
            blocks = self._blocks(verb, args)
            try:
                await anext(blocks)  # the answer itself
            except GraphFault as fault:
                await self._throttle.rest(fault, attempt=attempt, since=since)
            else:
                return blocks

    async def _blocks(self, verb: Verb, args: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
        """First an empty block when the answer is there, then its bytes."""
        request = self._request(verb, args, {}, None)
        # A redirect within the same host would keep the token: it is dropped whatever the address is.
        request.add_request_options(
            [RedirectHandlerOption(allow_redirect_on_scheme_change=True, scrub_sensitive_headers=_without_token)]
        )
        async with self._answering(verb.name, await self._native(request)) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise unreadable("is packed, although it was asked for as it is,")
            yield b""
            coming = response.aiter_raw(_BLOCK)
            with suppress(StopAsyncIteration):
                while True:
                    async with asyncio.timeout(_SLOWEST):
                        block = await anext(coming)
                    yield block

    def _fault(self, doing: str, response: httpx.Response, body: bytes) -> GraphFault:
        """An address that was handed out and is refused or unknown has expired: the content is asked for anew."""
        fault = super()._fault(doing, response, body)
        if response.extensions.get(ELSEWHERE) and isinstance(fault, Denied | NotThere | Gone):
            return Unreached("The address that OneDrive gave for a download has expired.", code="expired")
        return fault


class UploadExchange(Exchange):
    """Also talks to upload addresses.

    No builder makes these requests, and the SDK's middleware must not see them: it would sign them, and a token makes
    the service refuse the part.
    """

    transport_kind = UploadTransport

    async def upload(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answer:
        """One request to an upload address. Raises GraphFault."""

        part = _Part(content)
        length = {"Content-Length": str(len(content))} if method in {"PUT", "POST"} else {}

        async def request() -> httpx.Request:
            try:
                return httpx.Request(
                    method,
                    url,
                    headers={"User-Agent": self._http.headers["User-Agent"], **length, **(headers or {})},
                    content=part if length else None,
                    extensions={UPLOAD: True, "timeout": _TIMEOUT.as_dict()},
                )
            except (httpx.InvalidURL, TypeError, ValueError) as error:
                raise NotListed("OneDrive answered with an upload address that is none.", code="not-listed") from error

        try:
            return await self._persist("upload", request)
        finally:
            part.content = b""


class _Part:
    """What is sent, in small pieces. httpx keeps a request until the collector comes by; its content is let go of."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for first in range(0, len(self.content), _PIECE):
            yield self.content[first : first + _PIECE]


async def _whole(response: httpx.Response, longest: int) -> bytes:
    body = bytearray()
    async with asyncio.timeout(_SLOWEST):
        async for block in response.aiter_bytes():
            body += block
            if len(body) > longest:
                raise unreadable("does not end")
    return bytes(body)


@contextmanager
def _said(doing: str) -> Iterator[None]:
    """Turns errors of the connection into ours. Their text may hold addresses; only their kind is told."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, KiotaHTTPXError, TimeoutError) as error:
        raise Unreached(
            f"OneDrive could not be reached for `{doing}`, or broke off ({type(error).__name__}).",
            code="unreachable",
            advice="Nothing was lost; it will be tried again. `transfer doctor` tries the connection.",
        ) from error


def _without_token(request: httpx.Request, _from: httpx.URL) -> None:
    request.headers.pop("Authorization", None)
    request.headers.pop("Cookie", None)


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}

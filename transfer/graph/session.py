"""One identity's way to Microsoft Graph: it asks what its verbs allow and hands answers on as bytes.

    Session              asks and follows links; has no way to content
    ├── DownloadingSession   and opens files: staging only
    └── UploadingSession     and sends parts of files to upload addresses, which answer short facts: release only

What enters: verbs with ids and names, from any thread. What leaves: answers, none of them trusted, or a GraphFault.
Trusted: the TLS connection to the host of the settings. The SDK, httpx and azure are imported when a session is made.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar, cast

from transfer import __version__
from transfer.errors import Misuse
from transfer.graph.answer import Answer
from transfer.graph.faults import Unreached
from transfer.graph.fields import Json, parse_json
from transfer.graph.identity import Credential
from transfer.graph.places import GRAPH, Place, parse_place
from transfer.graph.records import DriveItem, UploadSession, parse_item, parse_upload_session
from transfer.graph.throttle import Throttle, Waiting
from transfer.graph.verbs import Verb

if TYPE_CHECKING:
    from transfer.graph.exchange import DownloadExchange, Exchange, UploadExchange

_Result = TypeVar("_Result")
_BUFFER = 1024 * 1024
_CLOSING = 5.0  # seconds for connections to be closed in


def user_agent(organisation: str) -> str:
    """How the service is to know this traffic; requests that say so are served before others."""
    name = "".join(character for character in organisation if character.isascii() and character.isalnum())
    return f"NONISV|{name or 'Unnamed'}|OneWayTransfer/{__version__}"


class Session:
    """Asks what `verbs` allow, from any thread. To be closed.

    It has an event loop in a thread of its own, so a process that limits itself does so before it makes one.
    """

    def __init__(
        self,
        *,
        verbs: frozenset[Verb],
        credential: Credential,
        throttle: Throttle,
        user_agent: str,
        base_url: str = GRAPH,
    ) -> None:
        """Raises Misuse for an address or a credential that cannot be used, and where the SDK is not installed."""
        place = parse_place(base_url)
        if any(verb.content for verb in verbs) and not isinstance(self, DownloadingSession):
            raise Misuse("A client that may read content was asked for where none may be.", clauses=("G5",))
        self._throttle = throttle
        self._handing_over = threading.Lock()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="graph", daemon=True)
        self._thread.start()
        try:
            self._exchange = self._run(self._made(verbs, place, credential, user_agent))
        except BaseException:
            self._closed = True
            self._end(None)
            raise

    def ask(self, verb: Verb, *args: str, headers: Mapping[str, str] | None = None, body: Json | None = None) -> Answer:
        """Asks one thing; tries again as the throttle has it. Raises GraphFault."""
        return self._run(self._exchange.ask(verb, args, headers or {}, body))

    def follow(self, link: str) -> Answer:
        """Goes on where an answer's nextLink or deltaLink says. Raises GraphFault, NotListed if it leads elsewhere."""
        return self._run(self._exchange.follow(link))

    def waiting(self) -> Waiting | None:
        """What requests wait for now, if anything."""
        return self._throttle.waiting()

    @property
    def requests(self) -> int:
        """How many requests went out, those to upload and download addresses included."""
        return self._exchange.transport.requests

    @property
    def refused(self) -> int:
        """How many requests were stopped because no verb allows them."""
        return self._exchange.transport.refused

    @property
    def downloaded(self) -> int:
        """How many bytes of content came in."""
        return self._exchange.transport.downloaded

    def close(self) -> None:
        """Ends what is under way and closes all connections. Closing twice does no harm.

        Whoever waits for an answer, or asks for one from now on, is told Unreached.
        """
        with self._handing_over:
            first, self._closed = not self._closed, True
        if first:
            self._end(self._exchange)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _made(self, verbs: frozenset[Verb], place: Place, credential: Credential, user_agent: str) -> Exchange:
        """The exchange, made in the loop that it is to run in; here the SDK is imported."""
        try:
            kind = self._kind()
        except ImportError as error:
            raise Misuse(
                f"What OneDrive takes is not installed ({(error.name or 'a package').partition('.')[0]} is missing).",
                advice='Install it: pip install "oneway-transfer[onedrive]".',
            ) from error
        return kind(verbs=verbs, place=place, credential=credential, throttle=self._throttle, user_agent=user_agent)

    def _kind(self) -> type[Exchange]:
        from transfer.graph.exchange import Exchange

        return Exchange

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Has the loop do something and waits for it. Raises what it raises; Unreached once the session is closed."""
        with self._handing_over:  # what was handed over comes before what ends all, and nothing comes after that
            if self._closed:
                work.close()
                raise Unreached("The connection to OneDrive was closed.", code="closed")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError as error:
            raise Unreached("The connection to OneDrive was closed.", code="closed") from error
        except BaseException:  # an interrupt: nobody waits for the answer any more
            future.cancel()
            raise

    def _end(self, exchange: Exchange | None) -> None:
        try:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._all_ended(exchange), self._loop).result(_CLOSING)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSING)
            if not self._loop.is_running():
                self._loop.close()

    async def _all_ended(self, exchange: Exchange | None) -> None:
        """First what is under way: with a client that is closed it would try again."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if exchange is not None:
            await exchange.close()


class DownloadingSession(Session):
    """A session that can read content: for the staging end."""

    _exchange: DownloadExchange

    @contextmanager
    def download(self, verb: Verb, *args: str) -> Iterator[BinaryIO]:
        """Opens a file; it is streamed. Raises GraphFault; reading does too if it breaks off or comes short."""
        blocks = self._run(self._exchange.open(verb, args))
        try:
            with io.BufferedReader(_Stream(self, blocks), _BUFFER) as stream:
                yield cast("BinaryIO", stream)
        finally:
            with suppress(Unreached):
                self._run(_closed(blocks))

    def _kind(self) -> type[Exchange]:
        from transfer.graph.exchange import DownloadExchange

        return DownloadExchange


class UploadingSession(Session):
    """A session that can send content: for the release end.

    Upload addresses are secrets that need no token and get none. What they answer is read as an upload session or as an
    item of a few kilobytes, and as nothing else: no content can come back this way.
    """

    _exchange: UploadExchange

    def upload(self, url: str, chunk: bytes, first: int, total: int) -> UploadSession | DriveItem:
        """Sends bytes `first` to `first + len(chunk) - 1` of `total`; the last part may answer the item made.

        Raises GraphFault; RangeWrong where the service expects another part, NotThere where the session has ended.
        """
        headers = {"Content-Range": f"bytes {first}-{first + len(chunk) - 1}/{total}"}
        answer = self._run(self._exchange.upload("PUT", url, headers=headers, content=chunk))
        if answer.status == 202:
            return parse_upload_session(answer.body)
        return parse_item(parse_json(answer.body))

    def upload_status(self, url: str) -> UploadSession:
        """Which parts are missing. Raises GraphFault; NotThere where the session has ended."""
        return parse_upload_session(self._run(self._exchange.upload("GET", url)).body)

    def upload_commit(self, url: str) -> DriveItem:
        """Makes the item out of what a session with `deferCommit` holds. Raises GraphFault; Conflict."""
        return parse_item(parse_json(self._run(self._exchange.upload("POST", url)).body))

    def upload_cancel(self, url: str) -> None:
        """Ends an upload; what was sent is gone. Raises GraphFault; NotThere where it had ended already."""
        self._run(self._exchange.upload("DELETE", url))

    def _kind(self) -> type[Exchange]:
        from transfer.graph.exchange import UploadExchange

        return UploadExchange


class _Stream(io.RawIOBase):
    """Blocks of an answer as a file."""

    def __init__(self, session: Session, blocks: AsyncGenerator[bytes, None]) -> None:
        self._session = session
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(self._session._run(_following(self._blocks)))  # noqa: SLF001 - one class in two parts
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


async def _following(blocks: AsyncGenerator[bytes, None]) -> bytes:
    """The next block that is not empty; an empty one at the end."""
    async for block in blocks:
        if block:
            return block
    return b""


async def _closed(blocks: AsyncGenerator[bytes, None]) -> None:
    await blocks.aclose()

"""One identity's way to Microsoft Graph: it asks what its verbs allow and hands answers on as bytes.

    Session              asks and follows links; has no way to content
    ├── DownloadingSession   and opens files: staging only
    └── UploadingSession     and sends parts of files to upload addresses, which answer short facts: release only

What enters: verbs with ids and names, from any thread. What leaves: answers, none of them trusted, or a GraphFault.
Trusted: the TLS connection to the host of the settings. The SDK, httpx and azure are imported when a session is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Self

from transfer.graph.fields import Json
from transfer.graph.identity import Credential
from transfer.graph.records import DriveItem, UploadSession
from transfer.graph.throttle import Throttle, Waiting
from transfer.graph.verbs import Verb

GRAPH = "https://graph.microsoft.com/v1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, status 200 to 299. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Session:
    """Asks what `verbs` allow. To be closed. Raises ValueError for verbs that this kind of session may not have."""

    def __init__(
        self,
        *,
        verbs: frozenset[Verb],
        credential: Credential,
        throttle: Throttle,
        user_agent: str,
        base_url: str = GRAPH,
    ) -> None:
        raise NotImplementedError

    def ask(self, verb: Verb, *args: str, headers: Mapping[str, str] | None = None, body: Json | None = None) -> Answer:
        """Asks one thing; tries again as the throttle has it. Raises GraphFault."""
        raise NotImplementedError

    def follow(self, link: str) -> Answer:
        """Goes on where an answer's nextLink or deltaLink says. Raises GraphFault, NotListed if it leads elsewhere."""
        raise NotImplementedError

    def waiting(self) -> Waiting | None:
        """What requests wait for now, if anything."""
        raise NotImplementedError

    @property
    def requests(self) -> int:
        """How many requests went out, those to upload and download addresses included."""
        raise NotImplementedError

    @property
    def refused(self) -> int:
        """How many requests were stopped because no verb allows them."""
        raise NotImplementedError

    @property
    def downloaded(self) -> int:
        """How many bytes of content came in."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends what is under way and closes all connections."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DownloadingSession(Session):
    """A session that can read content: for the staging end."""

    def download(self, verb: Verb, *args: str) -> AbstractContextManager[BinaryIO]:
        """Opens a file; it is streamed. Reading raises GraphFault if it breaks off or comes short."""
        raise NotImplementedError


class UploadingSession(Session):
    """A session that can send content: for the release end.

    Upload addresses are secrets that need no token and get none. What they answer is read as an upload session or as an
    item of a few kilobytes, and as nothing else: no content can come back this way.
    """

    def upload(self, url: str, chunk: bytes, first: int, total: int) -> UploadSession | DriveItem:
        """Sends bytes `first` to `first + len(chunk) - 1` of `total`; the last part may answer the item made.

        Raises GraphFault; RangeWrong where the service expects another part, NotThere where the session has ended.
        """
        raise NotImplementedError

    def upload_status(self, url: str) -> UploadSession:
        """Which parts are missing. Raises GraphFault; NotThere where the session has ended."""
        raise NotImplementedError

    def upload_commit(self, url: str) -> DriveItem:
        """Makes the item out of what a session with `deferCommit` holds. Raises GraphFault; Conflict."""
        raise NotImplementedError

    def upload_cancel(self, url: str) -> None:
        """Ends an upload; what was sent is gone. Raises GraphFault."""
        raise NotImplementedError

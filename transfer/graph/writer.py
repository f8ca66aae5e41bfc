"""What the release end asks of OneDrive: uploads that nobody sees before they are committed, and items by their id.

What enters: names that are safe, ids and upload addresses that the service gave, chunks of bytes. What leaves: facts
about items, never their content: the session has no way to it, and the bytes it counts as downloaded stay 0.

An upload address is a secret: whoever has it can finish the upload. It is given to the caller, who keeps it where only
the gateway reads, and it stands in no sentence.
"""

from __future__ import annotations

import contextlib

from transfer.graph.faults import NotThere
from transfer.graph.fields import Json, parse_json, unreadable
from transfer.graph.records import DriveItem, UploadSession, parse_item, parse_upload_session
from transfer.graph.session import UploadingSession
from transfer.graph.verbs import CREATE_UPLOAD, DELETE, ITEM, NAMED_ITEM, REPLACE_UPLOAD
from transfer.model.names import SafeName

STEP = 320 * 1024  # bytes; every chunk but the last is a multiple of this
CHUNK = 32 * STEP  # 10 MiB: few requests for a large file, and little memory

_BEHAVIOUR = "@microsoft.graph.conflictBehavior"


class Writer:
    """One release folder. Every method raises GraphFault."""

    def __init__(self, session: UploadingSession, *, drive: str, folder: str) -> None:
        self._session = session
        self._drive = drive
        self.folder = folder

    def begin(self, name: SafeName, size: int) -> str:
        """The address for a new file of `size` bytes, which will not replace another and waits for its commit."""
        item = {_BEHAVIOUR: "fail", "name": name.text, "fileSize": size}
        answer = self._session.ask(
            CREATE_UPLOAD, self._drive, self.folder, name.text, body={"item": item, "deferCommit": True}
        )
        return _address(answer.body)

    def begin_replacing(self, item: str, size: int, *, etag: str | None) -> str:
        """The address for other content of an item, if it is still the version that was seen. Raises Changed."""
        body: Json = {"item": {_BEHAVIOUR: "replace", "fileSize": size}, "deferCommit": True}
        headers = {} if etag is None else {"If-Match": etag}
        return _address(self._session.ask(REPLACE_UPLOAD, self._drive, item, headers=headers, body=body).body)

    def send(self, url: str, chunk: bytes, *, first: int, total: int) -> UploadSession | DriveItem:
        """Sends the bytes from `first` on. An item in the answer means that the service did not wait for the commit."""
        return self._session.upload(url, chunk, first, total)

    def position(self, url: str, *, total: int) -> int:
        """How many bytes from the start have arrived. Raises NotThere where the upload has ended."""
        return position_of(self._session.upload_status(url), total=total)

    def commit(self, url: str) -> DriveItem:
        """Makes the file visible under its name. Raises Conflict, NotThere."""
        return self._session.upload_commit(url)

    def cancel(self, url: str) -> None:
        """Ends an upload, if it has not ended."""
        with contextlib.suppress(NotThere):
            self._session.upload_cancel(url)

    def item(self, item: str) -> DriveItem | None:
        """The facts about an item, None where there is none (any more)."""
        with contextlib.suppress(NotThere):
            return parse_item(parse_json(self._session.ask(ITEM, self._drive, item).body))
        return None

    def named(self, name: SafeName) -> DriveItem | None:
        """The facts about what has this name in the folder, None where nothing has."""
        with contextlib.suppress(NotThere):
            return parse_item(parse_json(self._session.ask(NAMED_ITEM, self._drive, self.folder, name.text).body))
        return None

    def remove(self, item: str, *, etag: str | None) -> bool:
        """Removes this version of an item; whether there was one. Raises Changed if it is another by now."""
        headers = {} if etag is None else {"If-Match": etag}
        try:
            self._session.ask(DELETE, self._drive, item, headers=headers)
        except NotThere:
            return False
        return True


def position_of(session: UploadSession, *, total: int) -> int:
    """Where the first missing byte is: `total` if none is."""
    return min((first for first, _ in session.expected), default=total)


def _address(body: bytes) -> str:
    url = parse_upload_session(body).url
    if url is None:
        raise unreadable("has no address for an upload")
    return url

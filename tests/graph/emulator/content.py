"""Content: addresses for downloads that are good for a while, and the bytes they lead to.

What enters: items, ranges. What leaves: addresses on the content host, and answers with part of a file. An address is
signed with a secret of the world, so it stays good over a restart. Raises `Problem` for what has expired or is malware.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets

from tests.graph.emulator.access import Access
from tests.graph.emulator.answers import Answer, FilePart, Problem
from tests.graph.emulator.items import Item, Tree


class Content:
    """The content host's downloads."""

    def __init__(self, tree: Tree, access: Access) -> None:
        self.tree, self.access = tree, access

    def address(self, item: Item, token: str) -> str:
        """A download address, pre-authenticated: whoever has it may read, until it expires."""
        self.access.count("download_urls", 1, token=token, drive=item.drive)
        expires = self.tree.now() + float(self.tree.switch("url_life"))
        text = json.dumps([self.access.number(token), item.drive, item.id, expires]).encode()
        code = base64.urlsafe_b64encode(text).decode().rstrip("=")
        return f"{self.tree.switch('content_base')}/download/{code}.{self._seal(code)}"

    def redirected(self, item: Item, token: str, headers: dict[str, str]) -> Answer:
        """The answer of `/content`: 302 to a download address, 304 when the caller has it, 403 for malware."""
        if item.kind != "file":
            raise Problem(400, "You cannot get content for a folder.", code="notAFile")
        if headers.get("if-none-match") in {item.etag_header, item.ctag_header}:
            return Answer(status=304)
        self.check(item)
        self.access.count("content_requests", 1, token=token, drive=item.drive)
        if self.tree.switch("direct_content"):
            return self.body(item, token, None)
        return Answer(status=302, headers={"Location": self.address(item, token)})

    def download(self, path: str, headers: dict[str, str]) -> Answer:
        """What a download address gives. It wants no token, and calls one that comes nevertheless a leak."""
        code, _, seal = path.removeprefix("/download/").partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(code).encode()):
            raise Problem(401, "The download address is not valid.")
        number, drive, identifier, expires = json.loads(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)))
        if expires < self.tree.now():
            raise Problem(401, "The download address has expired.")
        item = self.tree.item(drive, identifier)
        self.check(item)
        return self.body(item, self.access.numbered(number), headers.get("range"))

    def check(self, item: Item) -> None:
        """403 for malware, as the service blocks it."""
        if "malware" in item.extra:
            raise Problem(403, "The item has been flagged as malware.", code="malwareDetected")

    def body(self, item: Item, token: str, wanted: str | None) -> Answer:
        """The bytes, or a range of them."""
        if item.content is None:
            return Answer(status=200, headers={"Content-Type": "application/octet-stream"})
        path = self.tree.blob(item.content)
        length = path.stat().st_size
        headers = {"Content-Type": "application/octet-stream", "ETag": item.etag_header, "Accept-Ranges": "bytes"}
        start, stop, status = 0, length, 200
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if match and not self.tree.switch("ignore_range"):
            start, stop = int(match[1]), min(int(match[2]) + 1 if match[2] else length, length)
            if start >= length:
                raise Problem(416, "The range is not satisfiable.", headers={"Content-Range": f"bytes */{length}"})
            status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{length}"
        part = FilePart(path=path, start=start, stop=stop, token=token, drive=item.drive)
        return Answer(status=status, headers=headers, file=part)

    def _seal(self, code: str) -> str:
        with self.tree.database.transaction():
            secret = self.tree.database.setting("secret", None)
            if secret is None:
                secret = secrets.token_hex(16)
                self.tree.database.set("secret", secret)
        return hmac.new(secret.encode(), code.encode(), hashlib.sha256).hexdigest()[:32]

"""Uploads: simple ones in one piece, and sessions with fragments, in which nothing shows before the end.

What enters: requests whose body is a stream. What leaves: items, or the state of a session. Raises `Problem` for every
rule of sessions: fragments of 320 KiB in order, no token, no empty file, a name that was taken meanwhile, no room.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.graph.emulator import quickxor, shapes
from tests.graph.emulator.answers import Answer, Problem, json_answer
from tests.graph.emulator.body import Body, CutOff
from tests.graph.emulator.identities import Json
from tests.graph.emulator.items import Item, Tree, check_name

_STEP = 320 * 1024
_FRAGMENT_LIMIT = 60 * 1024 * 1024
_BEHAVIOUR = "@microsoft.graph.conflictBehavior"


class Uploads:
    """Simple uploads and upload sessions of the world."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.database = tree, tree.database
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    # In one piece

    def simple(self, folder: Item, name: str, body: Body, actor: Json, behaviour: str, match: str | None) -> Answer:
        """PUT of a whole file. What is cut off leaves a short file, as in OneDrive for Business."""
        if (body.length or 0) > self.tree.switch("simple_limit"):
            raise Problem(413, "The request is too large; use an upload session.")
        check_name(name)
        standing = self.tree.child(folder, name)
        require_match(standing, match)
        if standing is not None and behaviour == "fail":
            raise Problem(409, "The specified item name already exists.")
        blob = self.tree.new_blob()
        try:
            body.save(self.tree.blob(blob))
        except CutOff:
            if self.tree.switch("partial_files"):
                self.commit(folder, name, standing, blob, actor, "replace")
            raise
        self._require_room(folder.drive, self.tree.blob(blob).stat().st_size)
        item = self.commit(folder, name, standing, blob, actor, behaviour)
        return json_answer(shapes.resource(self.tree, item), status=_status(item, standing))

    def measured(self, blob: str) -> tuple[int, str]:
        """Size and hash of content; of a large one it takes long, and so belongs outside a transaction."""
        hash_, size = quickxor.of_file(self.tree.blob(blob))
        return size, hash_

    def commit(
        self, folder: Item, name: str, standing: Item | None, blob: str, actor: Json, behaviour: str,
        measured: tuple[int, str] | None = None,
    ) -> Item:  # fmt: skip
        """Makes content an item: a new one, a new version of the standing one, or one beside it."""
        measured = measured or self.measured(blob)
        with self.database.transaction():
            if standing is not None and behaviour == "rename":
                name, standing = self._free(folder, name), None
            if standing is None:
                standing = self.tree.create(folder, name, "file", actor)
            item = self.tree.fill(standing, blob, actor, reported=measured)
            self._plan(item)
            return item

    def _free(self, folder: Item, name: str) -> str:
        stem, dot, ending = name.rpartition(".")
        number = 1
        while self.tree.child(folder, f"{stem or ending} {number}{dot}{ending if stem else ''}") is not None:
            number += 1
        return f"{stem or ending} {number}{dot}{ending if stem else ''}"

    def _plan(self, item: Item) -> None:
        """What the service will do to a picture by itself later."""
        picture = item.name.lower().endswith((".jpg", ".jpeg", ".png"))
        rewrite, bump = self.tree.switch("jpeg_rewrite_after"), self.tree.switch("etag_bump_after")
        library = self.tree.drive(item.drive)["kind"] == "documentLibrary"
        plan = [("rewrite", rewrite)] if library and item.name.lower().endswith((".jpg", ".jpeg")) else []
        plan += [("bump", bump)] if picture else []
        for kind, seconds in plan:
            if seconds is not None:
                self.database.run(
                    "INSERT INTO due VALUES (?, ?, ?, ?)", self.tree.now() + seconds, kind, item.drive, item.id
                )

    def _require_room(self, drive: str, more: int) -> None:
        quota = self.tree.drive(drive)["quota"]
        used = self.database.one(
            "SELECT coalesce(sum(size), 0) FROM items WHERE drive = ? AND deleted = 0 AND kind = 'file'", drive
        )
        if quota is not None and (used[0] if used else 0) + more > quota:
            raise Problem(507, "The user has reached their quota limit.")

    # In a session

    def begin(self, folder: Item, name: str, standing: Item | None, asked: Json, token: str, actor: Json) -> Answer:
        """createUploadSession; `standing` is the item whose content is to be replaced, if it was addressed itself."""
        wishes: Json = asked.get("item") or {}
        behaviour = str(wishes.get(_BEHAVIOUR, "replace" if standing is not None else "fail"))
        name = str(wishes.get("name", name))
        check_name(name)
        taken = self.tree.child(folder, name) if self.tree.switch("early_conflict") and behaviour == "fail" else None
        if taken is not None:
            raise Problem(409, "An item with the same name already exists in the parent folder.")
        self._require_room(folder.drive, int(wishes.get("fileSize") or 0))
        identifier = secrets.token_urlsafe(24)
        expires = self.tree.now() + float(self.tree.switch("session_life"))
        self.database.run(
            "INSERT INTO sessions VALUES (?,?,?,?,?,?,?,0,?,?,?,?)",
            *(identifier, token, folder.drive, folder.id, name, standing.id if standing else None),
            *(wishes.get("fileSize"), behaviour, int(bool(asked.get("deferCommit"))), expires, json.dumps(actor)),
        )
        self._part(identifier).touch()
        document = {
            "@odata.context": f"{self.tree.switch('base')}/v1.0/$metadata#microsoft.graph.uploadSession",
            "uploadUrl": f"{self.tree.switch('content_base')}/upload/{identifier}",
            "expirationDateTime": shapes.moment(expires),
            "nextExpectedRanges": ["0-"],
        }
        return json_answer(document)

    def session(self, identifier: str) -> sqlite3.Row:
        """The row of a session; 404 when it is unknown, ended or expired."""
        row = self.database.one("SELECT * FROM sessions WHERE id = ?", identifier)
        if row is None or row["expires"] < self.tree.now():
            raise Problem(404, "The upload session was not found.")
        return row

    def handle(self, identifier: str, method: str, headers: dict[str, str], body: Body) -> Answer:
        """A request to an upload address."""
        row = self.session(identifier)
        if method == "GET":
            return self._state(identifier, 200)
        if method == "DELETE":
            self.end(identifier)
            return Answer(status=204)
        if method == "PUT":
            return self._fragment(row, headers, body)
        if method == "POST":
            if row["size"] is None or row["received"] < row["size"]:
                raise Problem(400, "The upload is not complete and cannot be committed.")
            with self._locks[identifier]:
                return self._finish(dict(self.session(identifier)))
        raise Problem(405, "The method is not allowed.")

    def end(self, identifier: str) -> None:
        """Forgets a session and what it received."""
        self.database.run("DELETE FROM sessions WHERE id = ?", identifier)
        self._part(identifier).unlink(missing_ok=True)

    def _fragment(self, row: sqlite3.Row, headers: dict[str, str], body: Body) -> Answer:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("content-range", ""))
        if match is None:
            raise Problem(400, "The Content-Range header is missing or malformed.")
        first, last, total = (int(group) for group in match.groups())
        length = last - first + 1
        if (body.length is not None and body.length != length) or last >= total or first > last:
            raise Problem(400, "The length does not fit the range.", code="fragmentLengthMismatch")
        if length > _FRAGMENT_LIMIT:
            raise Problem(413, "A fragment must be smaller than 60 MiB.")
        if row["size"] is not None and total != row["size"]:
            raise Problem(400, "The length of the file differs from what was told.", code="fragmentLengthMismatch")
        if first < row["received"]:
            raise Problem(416, "The fragment was received before.", code="fragmentOverlap")
        if first > row["received"]:
            raise Problem(416, "Fragments must come in order.", code="fragmentOutOfOrder")
        if last + 1 < total and length % _STEP:
            raise Problem(400, "The fragment is no multiple of 320 KiB.", code="invalidFragmentLength")
        fresh = self.tree.blob(f"{self.tree.new_blob()}.fragment")  # its own: the same may be sent twice at once
        try:
            body.save(fresh)
            if fresh.stat().st_size != length:
                raise Problem(400, "The length does not fit the range.", code="fragmentLengthMismatch")
            return self._received(row["id"], fresh, first, total, length)
        finally:
            fresh.unlink()  # one that was cut off is forgotten

    def _received(self, identifier: str, fresh: Path, first: int, total: int, length: int) -> Answer:
        """Adds a fragment. The last one is the commit too: who is killed has done both or neither."""
        with self._locks[identifier]:
            row = self.session(identifier)
            if row["received"] != first:
                raise Problem(416, "The fragment was received before.", code="fragmentOverlap")
            with open(self._part(identifier), "r+b") as whole, open(fresh, "rb") as part:
                whole.seek(first)
                while block := part.read(1 << 20):
                    whole.write(block)
            if first + length < total or row["deferred"]:
                self._advance(identifier, first + length, total)
                return self._state(identifier, 202)
            try:
                return self._finish({**dict(row), "size": total})
            except Problem:
                self._advance(identifier, first + length, total)
                raise

    def _advance(self, identifier: str, received: int, total: int) -> None:
        expires = self.tree.now() + float(self.tree.switch("session_life"))
        self.database.run(
            "UPDATE sessions SET received = ?, size = ?, expires = ? WHERE id = ?", received, total, expires, identifier
        )

    def _state(self, identifier: str, status: int) -> Answer:
        row = self.session(identifier)
        start, size = row["received"], row["size"]
        ranges = [f"{start}-" if self.tree.switch("ranges") == "open" or size is None else f"{start}-{size - 1}"]
        document: dict[str, Any] = {"expirationDateTime": shapes.moment(row["expires"])}
        document["nextExpectedRanges"] = [] if size is not None and start >= size else ranges
        return json_answer(document, status=status)

    def _finish(self, row: Mapping[str, Any]) -> Answer:
        """The commit: only now the file is there, unless its name was taken; then the session stays."""
        folder = self.tree.item(row["drive"], row["parent"])
        if row["item"]:
            standing: Item | None = self.tree.item(row["drive"], row["item"])
        else:
            standing = self.tree.child(folder, row["name"])
        if standing is not None and row["behaviour"] == "fail":
            raise Problem(409, "An item with the same name already exists in the parent folder.")
        self._require_room(row["drive"], row["size"])
        blob = self.tree.new_blob()
        os.link(self._part(row["id"]), self.tree.blob(blob))
        measured = self.measured(blob)
        with self.database.transaction():
            item = self.commit(
                folder, row["name"], standing, blob, json.loads(row["actor"]), row["behaviour"], measured
            )
            self.database.run("DELETE FROM sessions WHERE id = ?", row["id"])
        self.end(row["id"])
        return json_answer(shapes.resource(self.tree, item), status=_status(item, standing))

    def _part(self, identifier: str) -> Path:
        return self.database.contents / f"{identifier}.part"


def _status(item: Item, standing: Item | None) -> int:
    return 200 if standing is not None and standing.id == item.id else 201


def require_match(item: Item | None, match: str | None, none_match: str | None = None) -> None:
    """412 when If-Match names another eTag, or If-None-Match one that stands."""
    if match is not None and (item is None or match not in {"*", item.etag_header, item.ctag_header}):
        raise Problem(412, "ETag does not match current item's value.")
    if none_match is not None and item is not None and none_match in {"*", item.etag_header, item.ctag_header}:
        raise Problem(412, "ETag matches current item's value.")

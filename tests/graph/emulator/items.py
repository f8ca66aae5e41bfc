"""The tree: drives and their items, every change numbered, so that delta can tell what happened since.

What enters: names, parents, actors, contents that lie on disk already. What leaves: `Item` values. Raises `Problem`
with the status that Graph would answer.
"""

from __future__ import annotations

import base64
import json
import random
import re
import sqlite3
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.graph.emulator import quickxor
from tests.graph.emulator.answers import Problem
from tests.graph.emulator.database import Database
from tests.graph.emulator.identities import Actor, Json, identity_set
from tests.graph.emulator.switches import DEFAULTS

_DEVICES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
_RESERVED = {".lock", "desktop.ini", *_DEVICES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row of the tree. `extra` holds facets that are shown as they are; `hash` None is a hash that is not told."""

    drive: str
    id: str
    guid: str
    parent: str | None
    name: str
    kind: str
    size: int
    hash: str | None
    content: str | None
    etag: int
    ctag: int
    created_by: Json
    modified_by: Json
    created_at: float
    modified_at: float
    extra: Json
    deleted: bool
    change: int

    @property
    def etag_header(self) -> str:
        """As it stands in `eTag` and in If-Match."""
        return f'"{{{self.guid}}},{self.etag}"'

    @property
    def ctag_header(self) -> str:
        """As it stands in `cTag`."""
        return f'"c:{{{self.guid}}},{self.ctag}"'


def item_of(row: sqlite3.Row) -> Item:
    """A row as a value."""
    fields = {name: row[name] for name in Item.__slots__}
    for name in ("created_by", "modified_by", "extra"):
        fields[name] = json.loads(fields[name])
    return Item(**{**fields, "deleted": bool(fields["deleted"])})


class Tree:
    """All drives of the world."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def now(self) -> float:
        """The service's clock."""
        return time.time() + float(self.switch("clock_ahead"))

    def switch(self, name: str) -> Any:
        """The value of a switch."""
        return self.database.setting(name, DEFAULTS[name])

    # What is there

    def drive(self, drive: str) -> sqlite3.Row:
        """The row of a drive; 404 when there is none."""
        row = self.database.one("SELECT * FROM drives WHERE id = ?", drive)
        if row is None:
            raise Problem(404, "The drive was not found.")
        return row

    def item(self, drive: str, identifier: str, *, deleted: bool = False) -> Item:
        """One item by id, or `root`; 404 when there is none."""
        if identifier == "root":
            identifier = self.drive(drive)["root"]
        row = self.database.one("SELECT * FROM items WHERE drive = ? AND id = ?", drive, identifier)
        if row is None or (row["deleted"] and not deleted):
            raise Problem(404, "The resource could not be found.")
        return item_of(row)

    def child(self, folder: Item, name: str) -> Item | None:
        """What bears the name in the folder, however it is written."""
        row = self.database.one(
            "SELECT * FROM items WHERE drive = ? AND parent = ? AND folded = ? AND deleted = 0",
            *(folder.drive, folder.id, name.casefold()),
        )
        return None if row is None else item_of(row)

    def children(self, folder: Item) -> list[Item]:
        """What lies in a folder, by name."""
        return [
            item_of(row)
            for row in self.database.all(
                "SELECT * FROM items WHERE drive = ? AND parent = ? AND deleted = 0 ORDER BY folded",
                *(folder.drive, folder.id),
            )
        ]

    def at(self, start: Item, path: str) -> Item:
        """The item at a path below another; 404 when there is none."""
        item = start
        for name in [part for part in path.split("/") if part]:
            below = self.child(item, name)
            if below is None:
                raise Problem(404, "The resource could not be found.")
            item = below
        return item

    def ancestors(self, item: Item) -> list[Item]:
        """From its parent up to the root."""
        found = []
        while item.parent is not None:
            item = self.item(item.drive, item.parent, deleted=True)
            found.append(item)
        return found

    # What changes

    def create(
        self, folder: Item, name: str, kind: str, actor: Actor | Json, *, extra: Json | None = None, at: float = 0
    ) -> Item:
        """A new item without content; 409 when the name is taken, 400 when it may not be one."""
        check_name(name)
        if folder.kind != "folder":
            raise Problem(400, "The parent is not a folder.")
        if self.child(folder, name) is not None:
            raise Problem(409, "An item with the same name already exists.")
        made = _set(actor)
        return self.insert(folder.drive, folder.id, name, kind, made, extra=extra, at=at)

    def insert(
        self, drive: str, parent: str | None, name: str, kind: str, made: Json, *, extra: Json | None, at: float
    ) -> Item:
        """The row itself."""
        at = at or self.now()
        identifier = "01" + base64.b32encode(uuid.uuid4().bytes + uuid.uuid4().bytes[:4]).decode()
        with self.database.transaction():
            change = self.database.next("change")
            self.database.run(
                "INSERT INTO items VALUES (?,?,?,?,?,?,?,0,NULL,NULL,1,1,?,?,?,?,?,0,?,?,?,?)",
                *(drive, identifier, str(uuid.uuid4()).upper(), parent, name, name.casefold(), kind),
                *(json.dumps(made), json.dumps(made), at, at, json.dumps(extra or {})),
                *(change, change, random.Random(change).getrandbits(32), self.now()),
            )
        return self.item(drive, identifier)

    def fill(
        self, item: Item, blob: str, actor: Actor | Json, *, reported: tuple[int, str | None] | None = None
    ) -> Item:
        """Gives an item content that lies in `contents` as `blob`: another version, size, hash, eTag and cTag.

        `reported` are the size and hash that the service tells instead of the true ones.
        """
        path = self.blob(blob)
        hash_, size = reported[::-1] if reported is not None else quickxor.of_file(path)
        if size == 0 and not self.switch("empty_files_have_a_hash"):
            hash_ = None
        return self.refill(item, blob, size, hash_, _set(actor), version=True)

    def refill(self, item: Item, blob: str, size: int, hash_: str | None, by: Json, *, version: bool) -> Item:
        """The change itself; `version` False leaves the list of versions as it was."""
        now = self.now()
        with self.database.transaction():
            if version:
                count = self.database.one(
                    "SELECT coalesce(max(number), 0) FROM versions WHERE drive = ? AND item = ?", item.drive, item.id
                )
                self.database.run(
                    "INSERT INTO versions VALUES (?,?,?,?,?,?,?)",
                    *(item.drive, item.id, (count[0] if count else 0) + 1, size, blob, json.dumps(by), now),
                )
            return self.update(
                item, content=blob, size=size, hash=hash_, ctag=item.ctag + 1, modified_by=by, modified_at=now
            )

    def update(self, item: Item, **columns: Any) -> Item:
        """Sets columns, with a new eTag and a new number in the sequence of changes."""
        with self.database.transaction():
            columns = {
                "etag": item.etag + 1,
                "change": self.database.next("change"),
                "changed_at": self.now(),
                **columns,
            }
            if "name" in columns:
                columns["folded"] = columns["name"].casefold()
            values = [json.dumps(value) if isinstance(value, dict) else value for value in columns.values()]
            names = ", ".join(f"{name} = ?" for name in columns)
            try:
                self.database.run(f"UPDATE items SET {names} WHERE drive = ? AND id = ?", *values, item.drive, item.id)
            except sqlite3.IntegrityError:
                raise Problem(409, "An item with the same name already exists.") from None
        return self.item(item.drive, item.id, deleted=True)

    def relocate(self, item: Item, folder: Item, name: str, actor: Actor | Json) -> Item:
        """Another name, another folder, or both. What lies below a moved folder has entered where it now is."""
        check_name(name)
        if item.id in {folder.id, *(above.id for above in self.ancestors(folder))}:
            raise Problem(400, "A folder cannot be moved into itself.")
        by, left = _set(actor), [above.id for above in self.ancestors(item)]
        with self.database.transaction():
            moved = self.update(item, parent=folder.id, name=name, modified_by=by, modified_at=self.now())
            if folder.id != item.parent:
                for identifier in self.below(item, deleted=True):
                    self.database.run(
                        "UPDATE items SET entered = ?, changed_at = ? WHERE drive = ? AND id = ?",
                        *(self.database.next("change"), self.now(), item.drive, identifier),
                    )
                    for place in left:
                        self.database.run(
                            "INSERT INTO departures VALUES (?, ?, ?, ?)", item.drive, identifier, place, moved.change
                        )
            return moved

    def remove(self, item: Item) -> None:
        """Into the recycle bin, with all that lies below."""
        if item.parent is None:
            raise Problem(403, "The root folder cannot be deleted.")
        with self.database.transaction():
            for identifier in reversed(self.below(item)):
                self.update(self.item(item.drive, identifier), deleted=1)

    def below(self, item: Item, *, deleted: bool = False) -> list[str]:
        """The ids of an item and of all that lies below it, parents first; with `deleted` also of what did."""
        rows = self.database.all(
            "WITH RECURSIVE down(id, depth) AS (SELECT ?, 0 UNION ALL SELECT items.id, depth + 1 FROM items JOIN down "
            "ON items.parent = down.id WHERE items.drive = ? AND items.deleted <= ?) "
            "SELECT id FROM down ORDER BY depth",
            *(item.id, item.drive, int(deleted)),
        )
        return [row[0] for row in rows]

    def blob(self, name: str) -> Path:
        """Where content of that name lies."""
        return self.database.contents / name

    def new_blob(self) -> str:
        """A name for content that is about to be written."""
        return uuid.uuid4().hex


def check_name(name: str) -> None:
    """400 for what OneDrive and SharePoint refuse as a name."""
    folded = name.casefold()
    bad = (
        not name
        or name != name.strip(" ")
        or re.search(r'["*:<>?/\\|\x00-\x1f]', name)
        or folded in _RESERVED
        or folded.partition(".")[0] in _DEVICES
        or "_vti_" in folded
        or name.startswith("~$")
        or len(name) > 255
    )
    if bad:
        raise Problem(400, "The provided name cannot contain any of the following characters or is reserved.")


def _set(actor: Actor | Json) -> Json:
    return actor if isinstance(actor, dict) else identity_set(actor)

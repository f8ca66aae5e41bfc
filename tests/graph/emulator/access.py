"""Who asks, what they may do, and what is counted of it.

A bearer token stands for an application, with roles granted on drives or folders, or for a person, whose role follows
from the permissions on the items. What enters: tokens, items. What leaves: identities; `Problem` 401 and 403; counters.
"""

from __future__ import annotations

import json

from tests.graph.emulator.answers import Problem
from tests.graph.emulator.identities import Actor, Identity
from tests.graph.emulator.items import Item, Tree
from tests.graph.emulator.sharing import RANK, Sharing

OFFICE = Identity(kind="application", id="d3590ed6-52b3-4102-aeff-aad2292ab01c", name="Microsoft Office")


class Access:
    """All tokens of the world with their rights and counters."""

    def __init__(self, tree: Tree, sharing: Sharing) -> None:
        self.tree, self.sharing, self.database = tree, sharing, tree.database

    def issue(self, token: str, identity: Identity, *, directory: bool) -> None:
        """A bearer token for an identity; `directory`: it may read groups and people."""
        body = json.dumps([identity.kind, identity.id, identity.name, identity.email])
        self.database.run("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, 0)", token, body, int(directory))

    def grant(self, token: str, role: str, drive: str, item: str | None) -> None:
        """Lets an application's token do something on a drive, or below one item of it."""
        self.database.run("INSERT INTO rights VALUES (?, ?, ?, ?)", token, drive, item, role)

    def identity(self, token: str) -> Identity:
        """Whose token it is; 401 when nobody's."""
        row = self.database.one("SELECT identity FROM tokens WHERE token = ?", token)
        if row is None:
            raise Problem(401, "Access token validation failure.", code="InvalidAuthenticationToken")
        kind, identifier, name, email = json.loads(row["identity"])
        return Identity(kind=kind, id=identifier, name=name, email=email)

    def number(self, token: str) -> int:
        """A number for a token, which may stand in an address."""
        row = self.database.one("SELECT rowid FROM tokens WHERE token = ?", token)
        return int(row[0]) if row else 0

    def numbered(self, number: int) -> str:
        """The token of that number."""
        row = self.database.one("SELECT token FROM tokens WHERE rowid = ?", number)
        return str(row[0]) if row else ""

    def actor(self, token: str) -> Actor:
        """Who stands in createdBy for what is done with a token: a person does it by means of an application."""
        identity = self.identity(token)
        return identity if identity.kind == "application" else (identity, OFFICE)

    def role(self, token: str, item: Item) -> str:
        """The role that a token has on an item."""
        identity = self.identity(token)
        if identity.kind != "application":
            return self.sharing.role(item, identity)
        places = {None, item.id, *(above.id for above in self.tree.ancestors(item))}
        rows = self.database.all("SELECT item, role FROM rights WHERE token = ? AND drive = ?", token, item.drive)
        found = ["", *(str(row["role"]) for row in rows if row["item"] in places)]
        return max(found, key=lambda role: RANK[role])

    def require(self, token: str, role: str, item: Item) -> None:
        """403 unless the token has that role on the item, or a higher one."""
        if RANK[self.role(token, item)] < RANK[role]:
            raise Problem(403, "The caller does not have permission to perform the action.")

    def require_directory(self, token: str) -> None:
        """403 unless the token may read the directory."""
        row = self.database.one("SELECT directory FROM tokens WHERE token = ?", token)
        if row is None or not row["directory"]:
            raise Problem(403, "Insufficient privileges to complete the operation.", code="Authorization_RequestDenied")

    def sees_all_permissions(self, token: str, item: Item) -> bool:
        """Whether every permission of an item is told, or those of the caller only."""
        return self.tree.switch("permissions_visible") == "all" or RANK[self.role(token, item)] >= RANK["owner"]

    def count(self, name: str, amount: int, *, token: str, drive: str = "") -> None:
        """Adds to a counter."""
        self.database.run(
            "INSERT INTO counters VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            *(token, drive, name, amount),
        )

    def counted(self, name: str, *, token: str | None, drive: str | None) -> int:
        """The sum of a counter, over all tokens or drives where none is named."""
        row = self.database.one(
            "SELECT coalesce(sum(value), 0) FROM counters WHERE name = ?1 AND (?2 IS NULL OR token = ?2) "
            "AND (?3 IS NULL OR drive = ?3)",
            *(name, token, drive),
        )
        return int(row[0]) if row else 0

"""Permissions: who was given what on which item, with links and groups, as Graph lists them and as they take effect.

What enters: items, identities, roles. What leaves: permission resources, and the role that somebody has in effect.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import uuid

from tests.graph.emulator.identities import Identity, Json
from tests.graph.emulator.items import Item, Tree

RANK = {"": 0, "read": 1, "write": 2, "owner": 3, "fullcontrol": 3}


class Sharing:
    """All permissions of the world, and the members of its groups."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def grant(self, item: Item, whom: list[Identity], roles: list[str]) -> str:
        """A direct permission; its id. Roles may be odd, or none at all."""
        body: Json = {"roles": roles}
        if len(whom) == 1:
            identity = whom[0]
            body["grantedToV2"] = {identity.kind: identity.json()}
            body["grantedTo"] = {"user": identity.json()}
        return self._add(item, body, whom, roles)

    def link(
        self, item: Item, kind: str, scope: str, whom: list[Identity], *, password: bool = False, expires: str = ""
    ) -> str:
        """A sharing link of type `kind` (view, edit, embed); its id. `whom` are those it was sent to."""
        link: Json = {"type": kind, "scope": scope, "preventsDownload": False}
        link["webUrl"] = f"https://university.example/:f:/s/{secrets.token_urlsafe(16)}"
        roles = ["write" if kind == "edit" else "read"]
        body: Json = {"roles": roles, "link": link, "shareId": f"u!{secrets.token_urlsafe(24)}"}
        body["grantedToIdentitiesV2"] = [{identity.kind: identity.json()} for identity in whom]
        body["hasPassword"] = password
        if expires:
            body["expirationDateTime"] = expires
        return self._add(item, body, whom, roles)

    def _add(self, item: Item, body: Json, whom: list[Identity], roles: list[str]) -> str:
        identifier = str(uuid.uuid4())
        names = [identity.id or identity.email for identity in whom]
        self.tree.database.run(
            "INSERT INTO permissions VALUES (?,?,?,?,?,?)",
            *(identifier, item.drive, item.id, json.dumps(body), json.dumps(names), json.dumps(roles)),
        )
        return identifier

    def withdraw(self, identifier: str) -> bool:
        """Takes a permission away; whether it was there."""
        return self.tree.database.run("DELETE FROM permissions WHERE id = ?", identifier) > 0

    def found(self, group: Identity) -> None:
        """Makes a group known to the directory."""
        with self.tree.database.transaction():
            known = self.tree.database.setting("groups", [])
            self.tree.database.set("groups", sorted({*known, str(group.id)}))

    def knows(self, group: str) -> bool:
        """Whether the directory has such a group; those of a site it has not."""
        return group in self.tree.database.setting("groups", [])

    def join(self, group: Identity, member: Identity) -> None:
        """Makes somebody, or a group, a member of a group."""
        kind = "#microsoft.graph.group" if member.kind == "group" else "#microsoft.graph.user"
        body = {"@odata.type": kind, "id": member.id, "displayName": member.name, "mail": member.email}
        body["userPrincipalName"] = member.email
        self.tree.database.run("INSERT INTO members VALUES (?, ?)", group.id, json.dumps(body))

    def members(self, group: str, *, nested: bool) -> list[Json]:
        """Who is in a group, with `nested` also through groups in it."""
        found: dict[str, Json] = {}
        waiting = [group]
        while waiting:
            for row in self.tree.database.all("SELECT body FROM members WHERE parent = ?", waiting.pop()):
                body = json.loads(row["body"])
                if body["id"] not in found:
                    found[body["id"]] = body
                    waiting += [body["id"]] if nested and body["@odata.type"].endswith("group") else []
        return list(found.values())

    def listed(self, item: Item, only_for: Identity | None = None) -> list[Json]:
        """The permissions of an item, inherited ones included; `only_for` those that concern one identity."""
        shown = []
        names = None if only_for is None else self._names(only_for)
        for place in self._line(item):
            for row in self._rows(place):
                if names is not None and not names & set(json.loads(row["identities"])):
                    continue
                entry = {"id": row["id"], **json.loads(row["body"])}
                if place.id != item.id and self.tree.switch("inherited_from"):
                    entry["inheritedFrom"] = {"driveId": place.drive, "id": place.id}
                shown.append(entry)
        return shown

    def role(self, item: Item, somebody: Identity) -> str:
        """The highest role that somebody has on an item in effect: `owner`, `write`, `read` or none."""
        owner = self.tree.drive(item.drive)["owner"]
        if owner and owner == somebody.id:
            return "owner"
        best, names = "", self._names(somebody)
        for place in self._line(item):
            for row in self._rows(place):
                scope = json.loads(row["body"]).get("link", {}).get("scope", "")
                if names & set(json.loads(row["identities"])) or scope in {"anonymous", "organization"}:
                    best = max([best, *json.loads(row["roles"])], key=lambda role: RANK.get(role, 1))
        return best

    def _names(self, somebody: Identity) -> set[str]:
        """By what a permission may mean somebody: id, e-mail, the groups it is in."""
        names = {name for name in (somebody.id, somebody.email) if name}
        groups = {row["parent"] for row in self.tree.database.all("SELECT DISTINCT parent FROM members")}
        for group in groups:
            if names & {member["id"] for member in self.members(group, nested=True)}:
                names.add(group)
        return names

    def _line(self, item: Item) -> list[Item]:
        """Where permissions of an item come from: itself and what is above, up to where inheritance was broken."""
        line = [item]
        for above in self.tree.ancestors(item):
            if line[-1].extra.get("unique"):
                break
            line.append(above)
        return line

    def _rows(self, item: Item) -> list[sqlite3.Row]:
        return self.tree.database.all(
            "SELECT * FROM permissions WHERE drive = ? AND item = ? ORDER BY rowid", item.drive, item.id
        )

"""A drive with the hands that work in it: members of staff, the device's account, an application, a guest, nobody.

What enters: paths with slashes, contents as bytes or files, identities. What leaves: `Item` values as the service has
them; no HTTP is spoken here.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.graph.emulator.answers import Problem
from tests.graph.emulator.clockwork import Clockwork
from tests.graph.emulator.identities import Actor, Identity, Json, identity_set
from tests.graph.emulator.items import Item
from tests.graph.emulator.service import Service

_PENDING = {"pendingOperations": {"pendingContentUpdate": {"queuedDateTime": "2026-11-22T20:00:00Z"}}}


class Drive:
    """One drive of the world."""

    def __init__(self, service: Service, identifier: str) -> None:
        self.service, self.id, self._tree = service, identifier, service.tree

    def by(self, actor: Actor) -> Hand:
        """The hand of somebody; several identities are one set, None is nobody."""
        return Hand(self, actor)

    def item(self, path: str = "") -> Item:
        """The item at a path; the root without one."""
        return self._tree.at(self._tree.item(self.id, "root"), path)

    def has(self, path: str) -> bool:
        """Whether something is there."""
        try:
            self.item(path)
        except Problem:
            return False
        return True

    def fresh(self, item: Item) -> Item:
        """An item as it is now; a removed one too."""
        return self._tree.item(self.id, item.id, deleted=True)

    def names(self, path: str = "") -> list[str]:
        """What lies in a folder."""
        return [item.name for item in self._tree.children(self.item(path))]

    def content(self, path: str) -> bytes:
        """What a file holds."""
        item = self.item(path)
        return b"" if item.content is None else self._tree.blob(item.content).read_bytes()

    def mark(self, item: Item, **facets: Json | None) -> Item:
        """Sets facets of an item that are shown as they are, such as `publication`; None takes one away."""
        fresh = self.fresh(item)
        extra = {key: value for key, value in {**fresh.extra, **facets}.items() if value is not None}
        return self._tree.update(fresh, extra=extra)

    def malware(self, item: Item) -> Item:
        """The service has found malware in it."""
        return self.mark(item, malware={"description": "Virus:DOS/EICAR_Test_File"})

    def check_out(self, item: Item) -> Item:
        """Somebody holds it checked out."""
        return self.mark(item, publication={"level": "checkout", "versionId": "1.0"})

    def pretend(self, item: Item, *, created_by: Actor, modified_by: Actor) -> Item:
        """Author and editor rewritten, as those with edit rights can."""
        made, changed = identity_set(created_by), identity_set(modified_by)
        return self._tree.update(self.fresh(item), created_by=made, modified_by=changed)

    def report(self, item: Item, *, size: int | None = None, quickxor: str | None = None) -> Item:
        """Another size or hash told than the content has; with no hash, none is told."""
        fresh = self.fresh(item)
        return self._tree.update(fresh, size=fresh.size if size is None else size, hash=quickxor)

    def touch(self, item: Item) -> Item:
        """Another eTag and cTag, though nothing changed."""
        fresh = self.fresh(item)
        return self._tree.update(fresh, ctag=fresh.ctag + 1)

    def rewrite_jpeg(self, item: Item) -> Item:
        """What a document library does to some JPEGs: a dozen bytes more."""
        return Clockwork(self._tree).rewrite(self.fresh(item))

    # Who may what

    def permit(self, item: Item, *whom: Identity, roles: tuple[str, ...] = ("read",)) -> str:
        """A direct permission on an item and what lies below; its id."""
        return self.service.sharing.grant(item, list(whom), list(roles))

    def link(
        self, item: Item, kind: str = "view", scope: str = "organization", *whom: Identity, password: bool = False
    ) -> str:
        """A sharing link: view, edit or embed for anonymous, organization or users; its id."""
        return self.service.sharing.link(item, kind, scope, list(whom), password=password)

    def withdraw(self, permission: str) -> None:
        """Takes a permission or a link away."""
        self.service.sharing.withdraw(permission)

    def alone(self, item: Item) -> Item:
        """Ends the inheritance of permissions at an item."""
        return self.mark(item, unique={"permissions": True})


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody at work in a drive."""

    drive: Drive
    actor: Actor

    def folder(self, path: str) -> Item:
        """The folder at a path, made with all above it where they are missing."""
        tree = self.drive.service.tree
        item = self.drive.item()
        for name in [part for part in path.split("/") if part]:
            item = tree.child(item, name) or tree.create(item, name, "folder", self.actor)
        return item

    def put(self, path: str, content: bytes | Path) -> Item:
        """A new file, or a new version of the one that is there."""
        folder, _, name = path.rpartition("/")
        above = self.folder(folder)
        uploads = self.drive.service.uploads
        standing = self.drive.service.tree.child(above, name)
        return uploads.commit(above, name, standing, self._blob(content), identity_set(self.actor), "replace")

    def begin(self, path: str, content: bytes = b"") -> Item:
        """An upload in progress that shows already: pending, with what has come and no hash."""
        item = self.put(path, content)
        self.drive.report(item, size=len(content), quickxor=None)
        return self.drive.mark(item, **_PENDING)

    def finish(self, item: Item, content: bytes | Path) -> Item:
        """The rest has come."""
        fresh = self.drive.mark(item, pendingOperations=None)
        return self.drive.service.tree.fill(fresh, self._blob(content), self.actor)

    def replace(self, item: Item, content: bytes | Path) -> Item:
        """A new version."""
        return self.drive.service.tree.fill(self.drive.fresh(item), self._blob(content), self.actor)

    def rename(self, item: Item, name: str) -> Item:
        """Another name in the same folder."""
        fresh = self.drive.fresh(item)
        above = self.drive.service.tree.item(self.drive.id, fresh.parent or "root")
        return self.drive.service.tree.relocate(fresh, above, name, self.actor)

    def move(self, item: Item, folder: Item, name: str = "") -> Item:
        """Another folder, and another name if one is given."""
        return self.drive.service.tree.relocate(self.drive.fresh(item), folder, name or item.name, self.actor)

    def remove(self, item: Item) -> None:
        """Into the recycle bin."""
        self.drive.service.tree.remove(self.drive.fresh(item))

    def shortcut(self, path: str) -> Item:
        """A shortcut to a folder of another drive (`remoteItem`)."""
        remote = {"id": "01REMOTE", "parentReference": {"driveId": "b!elsewhere"}, "folder": {"childCount": 1}}
        return self._odd(path, "remote", {"remoteItem": {**remote, "name": path.rpartition("/")[2]}})

    def package(self, path: str, type_: str = "oneNote") -> Item:
        """A package, such as a notebook."""
        return self._odd(path, "package", {"package": {"type": type_}})

    def bundle(self, path: str) -> Item:
        """A bundle, such as an album."""
        return self._odd(path, "bundle", {"bundle": {"childCount": 2}})

    def thing(self, path: str) -> Item:
        """An item of no kind that is known."""
        return self._odd(path, "unknown", {})

    def _odd(self, path: str, kind: str, extra: Json) -> Item:
        folder, _, name = path.rpartition("/")
        return self.drive.service.tree.create(self.folder(folder), name, kind, self.actor, extra=extra)

    def _blob(self, content: bytes | Path) -> str:
        tree = self.drive.service.tree
        blob = tree.new_blob()
        if isinstance(content, bytes):
            tree.blob(blob).write_bytes(content)
        else:
            shutil.copyfile(content, tree.blob(blob))
        return blob

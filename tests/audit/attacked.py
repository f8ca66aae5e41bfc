"""A workspace that has lived, for attackers: its log, its keys (the log's own too), and the means to forge all of it.

Several hundred entries, releases and approvals, made by the gateway and by the code that it runs. An attacker who holds
the log's key can write any log they like: `sign_anew` does that with the product's own publisher.
"""

from __future__ import annotations

import copy
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.approvals.office import Counter, Office, Signatory
from tests.cli.rooms import Room, call
from transfer.approvals import drafts, pausing
from transfer.approvals.statement_keys import SigningKey, load_signing_key
from transfer.audit.canonical import render_canonical
from transfer.audit.entries import decode_leaf
from transfer.audit.keys import load_key
from transfer.audit.merkle import Frontier, leaf_hash
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.audit.tiles import BUNDLE, WIDTH, Tile, parse_bundle, render_bundle, tile_widths
from transfer.model.clock import parse_time, render_time
from transfer.model.identifiers import ItemId, PersonId
from transfer.store.database import Database
from transfer.wiring import LOG_KEY, ROOT_FILE, Site, SystemClock

MALLORY = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))  # enrolled by nobody
CAPTIONS = 3
ITEMS = 80
KEPT_AFTER = 35  # items; then the auditor took a copy of the checkpoint


class Now:
    """The machine's clock, as the office asks for it."""

    @property
    def at(self) -> datetime:
        return datetime.now(UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Scene:
    """One copy, to be attacked. `bodies` are all entries as they were recorded."""

    folder: Path
    bodies: list[dict[str, Any]]
    helen: Signatory
    paul: Signatory
    item: ItemId  # released on helen's signature
    other: ItemId  # released too
    arguments: list[str | Path] = field(default_factory=list)  # of the command that has to find it

    @property
    def room(self) -> Room:
        return Room(self.folder / "w")

    @property
    def log(self) -> Path:
        return self.folder / "w" / "log"

    @property
    def size(self) -> int:
        return len(self.bodies)

    @property
    def kept(self) -> Path:
        """The checkpoint that the auditor kept, of less than half of the entries."""
        return self.folder / "kept"

    @property
    def newest(self) -> Path:
        return self.folder / "newest"

    @property
    def signer(self) -> Ed25519Signer:
        """The log's own key: this attacker has it."""
        return load_key(self.folder / "keys" / LOG_KEY)

    @property
    def vkey(self) -> Path:
        """As the auditor was given it, long ago."""
        return self.folder / "keys" / "log.vkey"

    @property
    def first_approver(self) -> Path:
        return self.folder / "keys" / ROOT_FILE

    def tile(self, level: int, index: int) -> Path:
        """A file of the log as it is published."""
        full, partial = tile_widths(level, self.size)
        return self.log / Tile(level, index, WIDTH if index < full else partial).path

    def entries(self, index: int) -> list[bytes]:
        """One bundle."""
        return parse_bundle(self.tile(BUNDLE, index).read_bytes(), min(WIDTH, self.size - index * WIDTH))

    def put_entries(self, index: int, entries: list[bytes]) -> None:
        """The same file with other entries."""
        self.tile(BUNDLE, index).write_bytes(render_bundle(entries))

    def where(self, event: str, *, item: str | None = None, nth: int = 0) -> int:
        """The number of an entry."""
        fits = [i for i, body in enumerate(self.bodies) if body["event"] == event and item in {None, body.get("item")}]
        return fits[nth]

    def sql(self, *statements: str, values: tuple[object, ...] = ()) -> None:
        """As somebody with the database's file in hand: the triggers first."""
        db = sqlite3.connect(self.room.workspace.database)
        with db:
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f'DROP TRIGGER "{name}"')
            for statement in statements:
                assert db.execute(statement, values).rowcount, statement
        db.close()

    def sign_anew(self, leaves: list[bytes], *, signer: Ed25519Signer | None = None, into: Path | None = None) -> Path:
        """A log of exactly these leaves, published in place of the real one under the log's own key."""
        folder = into or self.log
        shutil.rmtree(folder, ignore_errors=True)
        publish(leaves, signer or self.signer, self.folder / f"forged-{folder.name}.db", folder)
        return folder

    def fork(self) -> Path:
        """Another log of the same origin under the same key, elsewhere: every time in it is a millisecond earlier."""
        bodies = copy.deepcopy(self.bodies)
        for body in bodies:
            body["at"] = render_time(parse_time(body["at"]) - timedelta(milliseconds=1))
        return self.sign_anew([render_canonical(body) for body in bodies], into=self.folder / "fork")


Attack = Callable[[Scene], object]


def publish(leaves: list[bytes], signer: Ed25519Signer, database: Path, folder: Path) -> None:
    """Signs and publishes any leaves at all, with the real publisher over rows that no recorder made."""
    db, frontier = Database.create(database), Frontier()
    with db.write() as tx:
        for index, leaf in enumerate(leaves):
            hashed = leaf_hash(leaf)
            tx.connection.exec_driver_sql(
                "INSERT INTO audit_entry (i, leaf, h) VALUES (?, ?, ?)", (index, leaf, hashed)
            )
            for height, root in frontier.append(hashed):
                if height % 8 == 0:
                    row = (height // 8, index >> height, root)
                    tx.connection.exec_driver_sql("INSERT INTO audit_node (level, n, h) VALUES (?, ?, ?)", row)
        tx.connection.exec_driver_sql("UPDATE audit_head SET size = ?, peaks = ?", (frontier.size, frontier.to_bytes()))
    publisher = Publisher(db=db, log_dir=folder, signer=signer, origin=signer.name, clock=SystemClock())
    publisher.sign()
    assert publisher.publish() == len(leaves)
    db.close()


class Story:
    """The entries in the hands of somebody who will sign them anew: numbers and chains are made to fit afterwards."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.bodies = copy.deepcopy(scene.bodies)

    def where(self, event: str, *, item: str | None = None) -> int:
        """The number of the first such entry now."""
        return next(i for i, b in enumerate(self.bodies) if b["event"] == event and item in {None, b.get("item")})

    def accepted(self, item: str) -> int:
        """The number of the entry with the approval of this item."""
        return next(
            i
            for i, body in enumerate(self.bodies)
            if body["event"] == "statement.accepted" and item in body["facts"]["statement"]
        )

    def of(self, event: str, *, item: str | None = None) -> dict[str, Any]:
        """That entry."""
        return self.bodies[self.where(event, item=item)]

    def remove(self, index: int) -> dict[str, Any]:
        return self.bodies.pop(index)

    def insert(self, index: int, body: dict[str, Any]) -> None:
        """Before entry `index`, at the time of the one before."""
        self.bodies.insert(index, {**copy.deepcopy(body), "at": self.bodies[index - 1]["at"]})

    def leaves(self) -> list[bytes]:
        newest: dict[str, int] = {}
        for index, body in enumerate(self.bodies):
            body["i"] = index
            item = body.get("item")
            body.pop("prev", None)
            if item is not None and item in newest:
                body["prev"] = {"i": newest[item]}
            if item is not None:
                newest[item] = index
        return [render_canonical(body) for body in self.bodies]


def retold(change: Callable[[Story], None]) -> Callable[[Scene], None]:
    """The operator's attack: the log's key is known, the story is changed, and all of it is signed again."""

    def attack(scene: Scene) -> None:
        story = Story(scene)
        change(story)
        leaves = story.leaves()
        assert leaves != [render_canonical(body) for body in scene.bodies]
        scene.sign_anew(leaves)

    return attack


def respelled(index: int, change: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """One leaf's bytes changed, and all of it signed again."""

    def attack(scene: Scene) -> None:
        leaves = [render_canonical(body) for body in scene.bodies]
        changed = change(leaves[index])
        assert changed != leaves[index]
        scene.sign_anew([*leaves[:index], changed, *leaves[index + 1 :]])

    return attack


def live(folder: Path) -> Scene:
    """The workspace's life, a minute of it: captions through the real gateway, then many items through its parts."""
    room = Room(folder / "w")
    assert call("init", room.root, "--demo").code == 0
    names = [f"caption-{number}" for number in range(CAPTIONS)]
    for name in names:
        (room.root / "staging" / "open-day" / f"{name}.txt").write_text(f"Come and see us: {name}.\n")
    room.gateway()
    rows = room.items()
    for name in names:
        item = rows[f"{name}.txt"].item
        room.must("approve", item, "--as", "helen", "--key", room.key, "--public", "--risk", "low")
    room.gateway()
    with room.site() as site:
        scene = _many(folder, room, site)
    shutil.copytree(room.workspace.keys, folder / "keys")
    shutil.copy(room.vkey, folder / "keys")
    shutil.copy(room.root / "log" / "checkpoint", folder / "newest")
    return scene


def _many(folder: Path, room: Room, site: Site) -> Scene:
    key = load_signing_key(room.key)
    office = Office(
        db=site.db,
        clock=Now(),  # type: ignore[arg-type] # it goes by itself
        entropy=Counter(),
        helen=Signatory(site.desk.root.person, key),
        sam=site.settings.sources[0].submitter_id,
        desk=site.desk,
        policy=site.policy,
    )
    paul, vera = office.enrol("paul"), office.enrol("vera")
    items = []
    for number in range(ITEMS):
        item = office.hold(number)
        office.approve(item, by=paul if number % 3 == 0 else None)
        office.release(item)
        items.append(item)
        if number == KEPT_AFTER:
            room.publish()
            shutil.copy(room.root / "log" / "checkpoint", folder / "kept")
            with _paused(office):
                pass
            office.disable(vera, by=paul)
            office.enrol("rosa")
    room.publish()
    shutil.copytree(site.workspace.root / "log", folder / "seen")
    with site.db.read() as tx:
        count = tx.connection.exec_driver_sql("SELECT size FROM audit_head").scalar_one()
        rows = tx.connection.exec_driver_sql("SELECT leaf FROM audit_entry ORDER BY i").scalars()
        bodies = [decode_leaf(leaf) for leaf in rows]
    assert len(bodies) == count > 2 * WIDTH
    return Scene(folder, bodies, office.helen, paul, items[40], items[41])


@contextmanager
def _paused(office: Office) -> Iterator[None]:
    for paused in (True, False):
        with office.db.write() as tx:
            text = drafts.draft_pause(tx, paused=paused, by=office.helen.person, reason="doubt", desk=office.desk)
            pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)
        if paused:
            yield

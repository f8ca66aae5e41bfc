"""From one shard of the log to the next: a new key, a new origin, and nothing that is not signed by one of the two.

    begin      keys/log-next.key is there; the entry `shard.sealed` names the next origin and key
    final      the sealed shard is signed and published to its last entry, its receipts are written
    rows       state/db/log-<label>.db has all its rows, verified
    folder     log/archive/<label>/ has all its files, verified
    switch     one transaction: the main database has an empty log, `shard.opened` and what is carried
    key        log-next.key takes the place of log.key; the old private key is overwritten and gone
    publish    the old tiles leave log/, the new shard's come, its checkpoint last

What enters: a workspace that the caller holds, so no gateway runs; commands may. What leaves: the running shard.
After a crash at any of these lines `finish` goes on from there: each looks at what is there before it does anything.
Between `shard.sealed` and the switch no entry can be appended (`audit.log`), so nobody's decision falls between two
shards. Whoever reads log/ meanwhile finds the sealed shard in the archive and its checkpoint in log/ until the new one
takes its place in one step: `shards` knows this state and verifies what is there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from transfer.approvals.carrying import OpenItem, carry
from transfer.audit.archive import archive_folder, archive_rows, clear_folder
from transfer.audit.entries import Leaf, decode_leaf, parse_leaf
from transfer.audit.holds import holds
from transfer.audit.keys import create_key, load_key
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.audit.reader_folder import ARCHIVE, FolderReader
from transfer.audit.receipt_files import ReceiptFiles, prepare_folder
from transfer.audit.shards import archived, is_over, is_switching, label_of, next_origin, verifiers_of
from transfer.errors import Misuse, Tampered
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import State
from transfer.store import journal, shards
from transfer.store.database import ReadTx, WriteTx
from transfer.store.durable import sync_folder, world_errors, write_all
from transfer.store.receipt_cursor import receipts_again
from transfer.store.restored import restored_from
from transfer.wiring import LOG_KEY, Site

NEXT_KEY = "log-next.key"
_OPEN = (State.SPOOLED, State.EXAMINED, State.REBUILT, State.HELD, State.APPROVED)
_ALL = 1_000_000
_DOING = "switching the log to its next shard"
_YEAR = "another year has begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """The log goes on as `origin` under `vkey`; the one before had `sealed` entries and lies under `label`."""

    origin: str
    vkey: str
    label: str
    sealed: int


def rotate(site: Site, *, by: PersonId | None, reason: str) -> Rotated:
    """Seals the running shard and opens the next. The caller holds the workspace.

    Raises Tampered if database and folder do not agree (nothing was changed then), Misuse for a restored workspace,
    Unavailable if the disk will not take it: then `finish` goes on when it does.
    """
    left = finish(site)
    if left is not None:
        return left
    signer = load_key(site.workspace.keys / LOG_KEY)
    publisher_of(site, signer).check_start()
    upcoming = _upcoming_key(site, next_origin(signer.name, site.clock.now().year))
    facts: dict[str, Json] = {"next": {"origin": upcoming.name, "vkey": upcoming.vkey}}
    # A crash before this line leaves a key that nothing names; the next rotation takes it or makes another.
    with site.db.write() as tx:
        private = {"reason": reason} if reason else {}
        site.log.append(tx, Event(name=EventName.SHARD_SEALED, by=by, facts=facts, private=private))
    done = finish(site)
    if done is None:
        raise Tampered("The shard was sealed, and is not sealed any more.", advice="Run `transfer audit verify`.")
    return done


def settle(site: Site) -> Rotated | None:
    """Before a gateway starts its loops: what a crash left is finished, and a new year gets its own shard."""
    with site.db.read() as tx:
        if restored_from(tx) is not None:
            return None  # it has to be said first how it goes on
    done = finish(site)
    if done is None and is_due(site):
        done = rotate(site, by=None, reason=_YEAR)
    return done


def is_due(site: Site) -> bool:
    """Whether the running shard is of a year that is over."""
    return is_over(load_key(site.workspace.keys / LOG_KEY).name, site.clock.now().year)


def finish(site: Site) -> Rotated | None:
    """Goes on with a switch that was begun; None if there is none. Raises as `rotate`."""
    keys, done = site.workspace.keys, None
    with site.db.read() as tx:
        newest, first = _entry(tx, journal.head(tx).size - 1), _entry(tx, 0)
    if newest is not None and newest.event == EventName.SHARD_SEALED.value:
        old, upcoming = load_key(keys / LOG_KEY), _announced_key(site, newest)
        _publish_final(site, old)
        archive_rows(site.db, old.verifier)
        archive_folder(site.db, site.workspace.log, old.verifier)
        with site.db.write() as tx:
            _switch(tx, site, old, upcoming)
        with site.db.read() as tx:
            first = _entry(tx, 0)
    if first is not None and first.event == EventName.SHARD_OPENED.value:
        done = _told(first)
        if not (_take_key(site, done.vkey) | is_switching(site.workspace.log)):
            return None
        clear_folder(site.workspace.log)
        publisher = publisher_of(site, load_key(keys / LOG_KEY))
        publisher.check_start()
        publisher.sign()
        publisher.publish()
    return done


def publisher_of(site: Site, signer: Ed25519Signer) -> Publisher:
    """Signs and publishes the shard that this key is for."""
    return Publisher(db=site.db, log_dir=site.workspace.log, signer=signer, origin=signer.name, clock=site.clock)


def _entry(tx: ReadTx, index: int) -> Leaf | None:
    leaves = journal.leaves(tx, index, index + 1)
    return parse_leaf(leaves[0]) if leaves else None


def _told(opened: Leaf) -> Rotated:
    facts = opened.body["facts"]
    previous = facts["previous"]
    return Rotated(
        origin=facts["origin"], vkey=facts["vkey"], label=label_of(previous["origin"]), sealed=previous["size"]
    )


def _upcoming_key(site: Site, origin: str) -> Ed25519Signer:
    path = site.workspace.keys / NEXT_KEY
    if path.exists():  # a crash left it before any entry named it
        left = load_key(path)
        if left.name == origin:
            return left
        with world_errors(_DOING):
            path.unlink()
    return create_key(path, name=origin, entropy=secrets.token_bytes)


def _announced_key(site: Site, sealed: Leaf) -> Ed25519Signer:
    path, said = site.workspace.keys / NEXT_KEY, sealed.body["facts"]["next"]
    if not path.exists():
        raise Misuse(
            f"The log was sealed, the next key is to be {said['vkey']}, and {path} is missing.",
            advice="Put that file back; it is in no backup that was made before the rotation began.",
        )
    upcoming = load_key(path)
    if (upcoming.name, upcoming.vkey) != (said["origin"], said["vkey"]):
        raise Misuse(f"{path} is not the key that the log announced, {said['vkey']}.", advice="Put that one back.")
    return upcoming


def _publish_final(site: Site, old: Ed25519Signer) -> None:
    publisher = publisher_of(site, old)
    publisher.sign()
    publisher.publish()
    prepare_folder(site.workspace.receipts, site.db)
    receipts = ReceiptFiles(db=site.db, folder=site.workspace.receipts, verifiers=verifiers_of(site.workspace.log, old))
    while receipts.round():
        pass


def _switch(tx: WriteTx, site: Site, old: Ed25519Signer, upcoming: Ed25519Signer) -> None:
    """Old rows out, `shard.opened` and what is carried in: all of it or nothing."""
    head = journal.head(tx)
    note = (FolderReader(site.workspace.log / ARCHIVE / label_of(old.name)).checkpoint() or b"").decode()
    if note != head.signed_note or head.signed_size != head.size:
        raise Tampered(
            "The archived checkpoint is not the last one that was signed.", advice="`transfer audit verify`."
        )
    leaves = ((index, decode_leaf(leaf)) for index, leaf in _leaves(tx, head.size))
    carried = carry(leaves, list(_open_items(tx, site)), root=site.desk.root)
    pruned = [reader.folder.name for reader in archived(site.workspace.log) if reader.is_pruned()]
    standing = holds(tx)
    shards.begin_anew(tx, at=head.at)
    facts: dict[str, Json] = {
        "origin": upcoming.name,
        "vkey": upcoming.vkey,
        "previous": {
            "origin": old.name,
            "vkey": old.vkey,
            "size": head.size,
            "root": note.split("\n")[2],
            "checkpoint": note,
        },
        "statements": carried.statements,
        "carried": len(carried.events),
    }
    if standing:
        facts["holds"] = [hold.told() for hold in standing]
    if pruned:
        facts["pruned"] = pruned
    site.log.append(tx, Event(name=EventName.SHARD_OPENED, facts=facts))
    moved: dict[Sha256, int] = {}
    for event, digest in zip(carried.events, carried.digests, strict=True):
        index = site.log.append(tx, event).index
        if digest is not None:
            moved[digest] = index
    shards.statements_moved(tx, moved, sealed=head.size)
    receipts_again(tx)


def _leaves(tx: ReadTx, size: int) -> Iterator[tuple[int, bytes]]:
    for first in range(0, size, 4096):
        yield from enumerate(journal.leaves(tx, first, min(first + 4096, size)), first)


def _open_items(tx: ReadTx, site: Site) -> Iterator[OpenItem]:
    """What may still move, and what lies on the device's side."""
    items: dict[ItemId, None] = dict.fromkeys(site.register.in_states(tx, _OPEN, limit=_ALL))
    items |= dict.fromkeys(row.item for row in site.releases.current(tx))
    items |= dict.fromkeys(site.desk.statements.open_items(tx, limit=_ALL))
    for item in items:
        row = site.register.row(tx, item)
        file = None
        if row.rebuilt_sha256 is not None and row.rebuilt_size is not None:
            file = FileFact(sha256=row.rebuilt_sha256, size=row.rebuilt_size)
        elif row.sha256 is not None:
            file = FileFact(sha256=row.sha256, size=row.size)
        yield OpenItem(item=item, state=row.state.value, file=file)


def _take_key(site: Site, vkey: str) -> bool:
    """The next key becomes the key, and the old one is overwritten before it goes; whether there was anything to do."""
    path, place = site.workspace.keys / NEXT_KEY, site.workspace.keys / LOG_KEY
    if not path.exists() or load_key(path).vkey != vkey:
        return False
    with world_errors(_DOING):
        descriptor = os.open(place, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.rename(path, place)
            sync_folder(place.parent)
            # After a crash here the old key's bytes are still on the disk, under no name.
            write_all(descriptor, bytes(os.fstat(descriptor).st_size))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return True

"""From one shard of the log to the next: a new key, a new origin, and nothing that is not signed by one of the two.

    begin      the next key is there; the entry `shard.sealed` names the next origin and key
    final      the sealed shard is signed and published to its last entry, its receipts are written
    rows       state/db/log-<label>.db has all its rows, verified
    folder     log/archive/<label>/ has all its files, verified
    switch     one transaction: the main database has an empty log, `shard.opened` and what is carried
    key        the next key takes the old one's place (`key_change`); an old private key in keys/ is overwritten
    publish    the old tiles leave log/, the new shard's come, its checkpoint last

What enters: a workspace that the caller holds, so no gateway runs; commands may, but for a backup. What leaves: the
running shard.
After a crash at any of these lines `finish` goes on from there: each looks at what is there before it does anything.
Between `shard.sealed` and the switch no entry can be appended (`audit.log`), so nobody's decision falls between two
shards. Whoever reads log/ meanwhile finds the sealed shard in the archive and its checkpoint in log/ until the new one
takes its place in one step: `shards` knows this state and verifies what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from transfer.approvals.carrying import OpenItem, carry
from transfer.audit.archive import archive_folder, archive_rows, clear_folder
from transfer.audit.entries import Leaf, decode_leaf, parse_leaf
from transfer.audit.holds import holds
from transfer.audit.notes import Ed25519Signer, Ed25519Verifier
from transfer.audit.publish import Publisher
from transfer.audit.reader_folder import ARCHIVE, FolderReader
from transfer.audit.receipt_files import ReceiptFiles, prepare_folder
from transfer.audit.shards import archived, is_over, is_switching, label_of, verifiers_of
from transfer.errors import Tampered
from transfer.key_change import announced_key, is_pending, take_key, upcoming_key
from transfer.log_key import learn_verifier, load_signer, own_verifier
from transfer.log_settings import KeyPlace
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import State
from transfer.store import journal, shards
from transfer.store.apart import PATIENCE, Doing, alone, is_busy, untold
from transfer.store.database import ReadTx, WriteTx
from transfer.store.receipt_cursor import receipts_again
from transfer.store.restored import restored_from
from transfer.wiring import Site

_OPEN = (State.SPOOLED, State.EXAMINED, State.REBUILT, State.HELD, State.APPROVED)
_ALL = 1_000_000
_YEAR = "another year has begun"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """The log goes on as `origin` under `vkey`; the one before had `sealed` entries and lies under `label`."""

    origin: str
    vkey: str
    label: str
    sealed: int


def rotate(
    site: Site, *, by: PersonId | None, reason: str, next_key: KeyPlace | None = None, tell: Tell = untold
) -> Rotated:
    """Seals the running shard and opens the next. The caller holds the workspace; a backup is waited for.

    Raises Tampered if database and folder do not agree (nothing was changed then), Misuse for a restored workspace
    or keys that are not as they must be, Unavailable if the disk will not take it: then `finish` goes on when it does.
    """
    with alone(site.workspace.records_lock, Doing.SWITCH, patience=PATIENCE, tell=tell):
        left = _finish(site, next_key)
        if left is not None:
            return left
        signer = load_signer(site)
        publisher_of(site, signer).check_start()
        learn_verifier(site)
        upcoming = upcoming_key(site, signer.name, next_key)
        facts: dict[str, Json] = {"next": {"origin": upcoming.name, "vkey": upcoming.vkey}}
        # A crash before this line leaves a key that nothing names; the next rotation takes it or makes another.
        with site.db.write() as tx:
            private = {"reason": reason} if reason else {}
            site.log.append(tx, Event(name=EventName.SHARD_SEALED, by=by, facts=facts, private=private))
        done = _finish(site, next_key)
    if done is None:
        raise Tampered("The shard was sealed, and is not sealed any more.", advice="Run `transfer audit verify`.")
    return done


def settle(site: Site, tell: Tell = untold) -> Rotated | None:
    """Before a gateway starts its loops: what a crash left is finished, and a new year gets its own shard.

    While a backup is made the new shard is put off: the gateway ends for it once that is over.
    """
    with site.db.read() as tx:
        if restored_from(tx) is not None:
            return None  # it has to be said first how it goes on
    done = finish(site, tell=tell)
    if done is None and is_due(site) and not is_busy(site.workspace.records_lock):
        done = rotate(site, by=None, reason=_YEAR, tell=tell)
    return done


def is_due(site: Site) -> bool:
    """Whether the running shard is of a year that is over, and its successor can be opened without a person."""
    return not site.log_key.elsewhere and is_over(own_verifier(site).name, site.clock.now().year)


def finish(site: Site, *, next_key: KeyPlace | None = None, tell: Tell = untold) -> Rotated | None:
    """Goes on with a switch that was begun; None if there is none. Raises as `rotate`."""
    with site.db.read() as tx:
        newest, first = _entry(tx, journal.head(tx).size - 1), _entry(tx, 0)
    if not (_seals(newest) or (_opens(first) and _is_unfinished(site, first))):
        return None
    with alone(site.workspace.records_lock, Doing.SWITCH, patience=PATIENCE, tell=tell):
        return _finish(site, next_key)


def _finish(site: Site, next_key: KeyPlace | None) -> Rotated | None:
    """The caller keeps backups out."""
    with site.db.read() as tx:
        newest, first = _entry(tx, journal.head(tx).size - 1), _entry(tx, 0)
    if newest is not None and _seals(newest):
        upcoming = announced_key(site, newest.body["facts"]["next"]["vkey"], next_key)
        old = _publish_final(site)
        archive_rows(site.db, old)
        archive_folder(site.db, site.workspace.log, old)
        with site.db.write() as tx:
            _switch(tx, site, old, upcoming.verifier)
        with site.db.read() as tx:
            first = _entry(tx, 0)
    if first is None or not _opens(first) or not _is_unfinished(site, first):
        return None
    done = _told(first)
    signer = announced_key(site, done.vkey, next_key)
    take_key(site, signer)
    clear_folder(site.workspace.log)
    publisher = publisher_of(site, signer)
    publisher.check_start()
    publisher.sign()
    publisher.publish()
    return done


def _seals(newest: Leaf | None) -> bool:
    return newest is not None and newest.event == EventName.SHARD_SEALED.value


def _opens(first: Leaf | None) -> bool:
    return first is not None and first.event == EventName.SHARD_OPENED.value


def _is_unfinished(site: Site, opened: Leaf | None) -> bool:
    """Whether the shard was opened, and its key or its first checkpoint is not in place."""
    return opened is not None and (is_pending(site, _told(opened).vkey) or is_switching(site.workspace.log))


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


def _publish_final(site: Site) -> Ed25519Verifier:
    """The sealed shard to its last entry, and its receipts; its key. Signs only what is not signed yet."""
    with site.db.read() as tx:
        head = journal.head(tx)
    if head.size == head.published == head.signed_size:
        old = own_verifier(site)  # the private one may be gone already, where its keeper was quick
    else:
        signer = load_signer(site)
        old = signer.verifier
        publisher = publisher_of(site, signer)
        publisher.sign()
        publisher.publish()
    prepare_folder(site.workspace.receipts, site.db)
    receipts = ReceiptFiles(db=site.db, folder=site.workspace.receipts, verifiers=verifiers_of(site.workspace.log, old))
    while receipts.round():
        pass
    return old


def _switch(tx: WriteTx, site: Site, old: Ed25519Verifier, upcoming: Ed25519Verifier) -> None:
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

"""Retention of the log: the entries of old sealed shards go, their hashes, checkpoints and keys stay.

    entry      `shard.pruned` in the running shard, signed and published
    bundles    archive/<label>/tile/entries leaves the folder in one step, then file by file
    rows       state/db/log-<label>.db is removed, with the openings that were left

What enters: a workspace that the caller holds, at a start or while its gateway runs, and how many days a sealed shard
is kept. What leaves: fewer files. After a crash the next round goes on with whatever an entry says was pruned. While a
legal hold stands nothing goes, nor while a backup is made.
"""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

from transfer.audit.entries import Leaf, parse_leaf
from transfer.audit.holds import holds
from transfer.audit.publish import Publisher
from transfer.audit.reader_folder import ARCHIVE, FolderReader
from transfer.audit.receipts import open_receipt, parse_receipt
from transfer.audit.shards import archived
from transfer.errors import Tampered
from transfer.log_key import load_signer
from transfer.model.clock import parse_time
from transfer.model.events import Event, EventName, Json
from transfer.store import journal, shards
from transfer.store.apart import Doing, alone
from transfer.store.database import ReadTx
from transfer.store.durable import TEMPORARY_PREFIX, sync_folder, world_errors
from transfer.store.restored import restored_from
from transfer.wiring import Site

_DOING = "pruning a sealed log"
_MOST = 100_000


def prune(site: Site, *, keep: timedelta, running: Publisher | None = None) -> list[str]:
    """Prunes what was sealed longer ago than `keep`, nothing if that is zero; the labels of what went.

    `running` is the publisher of the gateway that asks; without one, nothing is signed before all was compared. Raises
    Tampered if a sealed shard does not show when it was sealed, Unavailable if the disk refuses or a backup is made.
    """
    with site.db.read() as tx:
        if holds(tx):
            return []
        told = pruned_labels(tx)
    due = [reader for reader in archived(site.workspace.log) if keep and _is_due(reader, site, keep)]
    fresh = [reader for reader in due if reader.folder.name not in told]
    if not fresh and not any(_is_left(site, label) for label in told):
        return []
    with alone(site.workspace.records_lock, Doing.PRUNE):
        if fresh:
            publisher = running or _checked_publisher(site)
            for reader in fresh:
                _tell(site, reader)
            publisher.sign()
            publisher.publish()
        # After a crash from here on the entry is there, and this is done again.
        gone = [reader.folder.name for reader in fresh]
        for label in dict.fromkeys([*told, *gone]):
            _remove(site.workspace.log / ARCHIVE / label)
            shards.remove_archive(site.workspace.database, label)
    return gone


def prune_old(site: Site, running: Publisher | None = None) -> list[str]:
    """What the settings say, at a start and each hour; nothing of a restored workspace. Raises as `prune`."""
    with site.db.read() as tx:
        if restored_from(tx) is not None:
            return []
    return prune(site, keep=timedelta(days=site.settings.log.keep_days), running=running)


def _checked_publisher(site: Site) -> Publisher:
    signer = load_signer(site)
    publisher = Publisher(db=site.db, log_dir=site.workspace.log, signer=signer, origin=signer.name, clock=site.clock)
    publisher.check_start()
    return publisher


def _is_left(site: Site, label: str) -> bool:
    """Whether something of a shard that was pruned is still there, as after a crash."""
    folder = site.workspace.log / ARCHIVE / label
    places = (folder / "tile" / "entries", _leaving(folder), shards.archive_path(site.workspace.database, label))
    return any(place.exists() for place in places)


def _leaving(folder: Path) -> Path:
    return folder.with_name(f"{TEMPORARY_PREFIX}{folder.name}-entries")


def pruned_labels(tx: ReadTx) -> list[str]:
    """Of which sealed shards the running one says that they were pruned."""
    labels: list[str] = []
    for leaf in (_leaf(tx, 0), *(_leaf(tx, row.index) for row in _pruned_rows(tx))):
        facts = leaf.body.get("facts", {}) if leaf is not None else {}
        if leaf is not None and leaf.event == EventName.SHARD_PRUNED.value:
            labels.append(str(facts["label"]))
        elif leaf is not None and leaf.event == EventName.SHARD_OPENED.value:
            labels += [str(label) for label in facts.get("pruned", [])]
    return labels


def _pruned_rows(tx: ReadTx) -> list[journal.IndexRow]:
    return list(reversed(journal.find(tx, events=(EventName.SHARD_PRUNED.value,), limit=_MOST)))


def _leaf(tx: ReadTx, index: int) -> Leaf | None:
    leaves = journal.leaves(tx, index, index + 1)
    return parse_leaf(leaves[0]) if leaves else None


def _is_due(reader: FolderReader, site: Site, keep: timedelta) -> bool:
    return parse_time(_sealed(reader).at) + keep < site.clock.now()


def _sealed(reader: FolderReader) -> Leaf:
    """The last entry, by its proof. Raises Tampered."""
    proof, key = reader.sealed(), reader.own_key()
    if proof is None or key is None:
        raise Tampered(
            f"The proof that {reader.folder.name} was sealed is missing.", advice="Run `transfer audit verify`."
        )
    return parse_leaf(open_receipt(parse_receipt(proof), [key])[0])


def _tell(site: Site, reader: FolderReader) -> None:
    """Raises Tampered."""
    proof, key = reader.sealed() or b"", reader.own_key()
    _, checkpoint = open_receipt(parse_receipt(proof), [] if key is None else [key])
    facts: dict[str, Json] = {
        "label": reader.folder.name,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "sealed_at": _sealed(reader).at,
    }
    with site.db.write() as tx:
        site.log.append(tx, Event(name=EventName.SHARD_PRUNED, facts=facts))


def _remove(folder: Path) -> None:
    """The bundles leave the shard's folder in one step, so that a reader finds all of them or none."""
    bundles = folder / "tile" / "entries"
    leaving = _leaving(folder)
    with world_errors(_DOING):
        if bundles.exists():
            shutil.rmtree(leaving, ignore_errors=True)
            os.rename(bundles, leaving)
            sync_folder(bundles.parent)
            sync_folder(leaving.parent)
        shutil.rmtree(leaving, ignore_errors=True)

"""Which policy and which settings are in force: the digests that the last start adopted, with an entry in the log.

The text of every adopted policy is kept too, under its digest: an auditor asks years later by which rules it was.
"""

from __future__ import annotations

from hashlib import sha256 as hash_of

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.errors import Tampered
from transfer.model.events import Event
from transfer.model.identifiers import Sha256
from transfer.store.database import ReadTx, Recorder, WriteTx
from transfer.store.schema import META

POLICY = "policy_sha256"
SETTINGS = "settings_sha256"
_TEXT = "policy:"


def adopted(tx: ReadTx, what: str) -> Sha256 | None:
    """The digest in force of POLICY or SETTINGS; None before the first adoption."""
    found = tx.connection.execute(select(META.c.value).where(META.c.key == what)).scalar_one_or_none()
    return None if found is None else Sha256(found)


def adopt(tx: WriteTx, what: str, sha256: Sha256, event: Event, *, recorder: Recorder) -> bool:
    """Puts a digest in force with its entry; False, and no entry, if it was already."""
    if adopted(tx, what) == sha256:
        return False
    was_adopted(tx, what, sha256)
    recorder.append(tx, event)
    return True


def was_adopted(tx: WriteTx, what: str, sha256: Sha256) -> None:
    """Takes over an adoption that the log records already, as after a restore."""
    row = upsert(META).values(key=what, value=sha256)
    tx.connection.execute(row.on_conflict_do_update(index_elements=[META.c.key], set_={"value": sha256}))


def keep_policy_text(tx: WriteTx, text: str) -> None:
    """Keeps the text of an adopted policy under its SHA-256, which is the policy's digest."""
    digest = hash_of(text.encode()).hexdigest()
    tx.connection.execute(upsert(META).values(key=_TEXT + digest, value=text).on_conflict_do_nothing())


def kept_policy_text(tx: ReadTx, sha256: str) -> str | None:
    """The text with this digest, if it was kept. Raises Tampered if another text is kept under it."""
    text = tx.connection.execute(select(META.c.value).where(META.c.key == _TEXT + sha256)).scalar_one_or_none()
    if text is not None and hash_of(text.encode()).hexdigest() != sha256:
        raise Tampered(f"The text kept of the policy {sha256} is another.", advice="Run `transfer audit verify`.")
    return text

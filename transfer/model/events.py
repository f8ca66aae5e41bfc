"""Events: what the transfer log records. An event becomes a leaf in `audit.entries`; no leaf holds personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from transfer.model.identifiers import ItemId, PersonId, Sha256

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"


class EventName(StrEnum):
    """Every kind of entry. The names are a contract with auditors' tools: add, never rename."""

    GATEWAY_INITIALISED = "gateway.initialised"
    GATEWAY_STARTED = "gateway.started"
    GATEWAY_STOPPED = "gateway.stopped"
    GATEWAY_PAUSED = "gateway.paused"
    GATEWAY_RESUMED = "gateway.resumed"
    CLOCK_STEPPED = "clock.stepped"
    POLICY_ADOPTED = "policy.adopted"
    SETTINGS_ADOPTED = "settings.adopted"
    VALVE_OPEN = "valve.open"  # running where the kernel cannot enforce one-wayness
    STATION_FAILED = "station.failed"  # a defect of ours: recorded, the item fails closed
    PERSON_ENROLLED = "person.enrolled"
    PERSON_DISABLED = "person.disabled"
    PERSON_ERASED = "person.erased"  # the name and what they wrote are gone for good; the pseudonym stays
    CAMPAIGN_PROPOSED = "campaign.proposed"
    CAMPAIGN_APPROVED = "campaign.approved"
    CAMPAIGN_CLOSED = "campaign.closed"
    DEVICE_ADDED = "device.added"
    DEVICE_DISABLED = "device.disabled"
    FILE_SPOOLED = "file.spooled"
    FILE_EXAMINED = "file.examined"
    FILE_REBUILT = "file.rebuilt"
    FILE_HELD = "file.held"
    FILE_REFUSED = "file.refused"
    FILE_APPROVED = "file.approved"
    FILE_RELEASING = "file.releasing"  # committed before the first byte goes out
    FILE_RELEASED = "file.released"
    FILE_WITHDRAWN = "file.withdrawn"
    FILE_EXPIRED = "file.expired"
    ORIGINAL_RETIRED = "original.retired"
    STATEMENT_ACCEPTED = "statement.accepted"
    RETURN_REFUSED = "return.refused"  # something foreign on the device side, moved aside
    RELEASE_ALTERED = "release.altered"  # ours, but not as we put it: moved aside
    RELEASE_RESTORED = "release.restored"
    RELEASE_REMOVED = "release.removed"  # ours, gone, and not by us
    RELEASE_RECALLED = "release.recalled"  # begun, then its approval lapsed: taken back before it counted as released
    RELEASE_VERIFIED = "release.verified"  # OneDrive reports the hash of what was sent
    RELEASE_REWRITTEN = "release.rewritten"  # OneDrive itself changed a picture after it was sent
    RELEASE_MISMATCH = "release.mismatch"  # OneDrive reports other bytes than were sent: it is taken back
    RELEASE_EXPOSED = "release.exposed"  # somebody may do in OneDrive's release folder what nobody must
    RELEASE_ENCLOSED = "release.enclosed"  # who may reach that folder is as it must be, for the first time or again
    EVIDENCE_EXPIRED = "evidence.expired"  # what was moved aside is kept no longer: committed before it is removed
    FEEDBACK_EXPIRED = "feedback.expired"  # notes for staff about items that ended long ago: the same
    BACKUP_MADE = "backup.made"
    BACKUP_RESTORED = "backup.restored"
    SHARD_SEALED = "shard.sealed"  # the last entry of a shard: which log comes next, under which key
    SHARD_OPENED = "shard.opened"  # the first of the next one: which log came before, and how it ended
    SHARD_PRUNED = "shard.pruned"  # the entries of an old shard go; recorded before the first one does
    STATEMENT_CARRIED = "statement.carried"  # said in an older shard, and still in force
    FILE_CARRIED = "file.carried"  # taken in in an older shard, and not at its end yet
    HOLD_SET = "hold.set"  # nothing is pruned or erased while it stands
    HOLD_RELEASED = "hold.released"
    EXPORT_MADE = "export.made"  # an evidence pack: recorded before it lies where it was asked for
    VERIFY_FAILED = "verify.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFact:
    """The evidence in clear: which bytes."""

    sha256: Sha256
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    `facts` go into the leaf as they are: ASCII keys, numbers below 2**53, strings, no floats, nothing personal.
    `private` values (names, free text) go in as salted commitments; their openings can be erased later.
    """

    name: EventName
    item: ItemId | None = None
    by: PersonId | None = None
    file: FileFact | None = None
    policy: Sha256 | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRef:
    """Where an event was recorded."""

    index: int
    leaf_hash: bytes

"""The directory: who people are, which campaigns were proposed, which devices there are.

What is here is for people to read. Names, labels and free text are personal or may be, so they can be erased without
touching the log, which knows pseudonyms and digests. Nothing here gives anybody a right: whether a person may approve,
or a campaign may send, follows from signed statements (`approvals.authority`), and a row put in here changes nothing.
Every change takes the reference of the log entry that records it, which only a recorder gives out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import parse_time, render_time
from transfer.model.events import EntryRef
from transfer.model.identifiers import CampaignId, DeviceId, PersonId, Sha256
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory_tables import CAMPAIGN, DEVICE, PERSON, PERSON_ROLE


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """One person. `name` is None once erased; `roles` are words, sorted."""

    person: PersonId
    name: str | None
    roles: tuple[str, ...]
    added_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRow:
    """A campaign as last proposed; dates are `YYYY-MM-DD`, `details` the digest of its words."""

    campaign: CampaignId
    account: str
    starts: str
    ends: str
    risk: str
    details: Sha256
    proposed_by: PersonId
    proposed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A device. `label` is None once erased."""

    device: DeviceId
    label: str | None
    added_at: datetime
    disabled_at: datetime | None


class Directory:
    """Reads and writes the directory inside the caller's transaction. Holds nothing."""

    def add_person(self, tx: WriteTx, row: PersonRow, *, entry: EntryRef) -> None:
        """A new person, or one who was disabled and is enrolled again."""
        del entry  # it exists, so the log has it
        values = {"name": row.name, "added_at": render_time(row.added_at), "disabled_at": None}
        tx.connection.execute(
            upsert(PERSON).values(person=row.person, **values).on_conflict_do_update(["person"], set_=values)
        )
        for role in row.roles:
            tx.connection.execute(upsert(PERSON_ROLE).values(person=row.person, role=role).on_conflict_do_nothing())

    def disable_person(self, tx: WriteTx, person: PersonId, at: datetime, *, entry: EntryRef) -> None:
        """The person has no role any longer; the row stays, so that old entries can still be read."""
        del entry
        tx.connection.execute(PERSON_ROLE.delete().where(PERSON_ROLE.c.person == person))
        tx.connection.execute(update(PERSON).where(PERSON.c.person == person).values(disabled_at=render_time(at)))

    def erase_name(self, tx: WriteTx, person: PersonId, *, entry: EntryRef) -> None:
        """From now on nobody can tell from the directory who this was."""
        del entry
        tx.connection.execute(update(PERSON).where(PERSON.c.person == person).values(name=None))

    def person(self, tx: ReadTx, person: PersonId) -> PersonRow | None:
        """By pseudonym."""
        found = tx.connection.execute(select(PERSON).where(PERSON.c.person == person)).one_or_none()
        return None if found is None else self._person(tx, found)

    def named(self, tx: ReadTx, name: str) -> PersonRow | None:
        """By name, exactly as it was added."""
        found = tx.connection.execute(select(PERSON).where(PERSON.c.name == name)).one_or_none()
        return None if found is None else self._person(tx, found)

    def people(self, tx: ReadTx) -> list[PersonRow]:
        """Everybody, in the order they were added."""
        found = tx.connection.execute(select(PERSON).order_by(PERSON.c.added_at, text("rowid"))).all()
        return [self._person(tx, row) for row in found]

    def propose_campaign(self, tx: WriteTx, row: CampaignRow, *, entry: EntryRef) -> None:
        """A new proposal, in place of an earlier one of the same name."""
        del entry
        values = {
            "account": row.account,
            "starts": row.starts,
            "ends": row.ends,
            "risk": row.risk,
            "details": row.details,
            "proposed_by": row.proposed_by,
            "proposed_at": render_time(row.proposed_at),
        }
        tx.connection.execute(
            upsert(CAMPAIGN).values(campaign=row.campaign, **values).on_conflict_do_update(["campaign"], set_=values)
        )

    def campaign(self, tx: ReadTx, campaign: CampaignId) -> CampaignRow | None:
        """The last proposal of that name."""
        found = tx.connection.execute(select(CAMPAIGN).where(CAMPAIGN.c.campaign == campaign)).one_or_none()
        return None if found is None else _campaign(found)

    def campaigns(self, tx: ReadTx) -> list[CampaignRow]:
        """All proposals, oldest first."""
        order = (CAMPAIGN.c.proposed_at, CAMPAIGN.c.campaign)
        return [_campaign(row) for row in tx.connection.execute(select(CAMPAIGN).order_by(*order))]

    def add_device(self, tx: WriteTx, row: DeviceRow, *, entry: EntryRef) -> None:
        """A new device."""
        del entry
        tx.connection.execute(
            insert(DEVICE).values(device=row.device, label=row.label, added_at=render_time(row.added_at))
        )

    def disable_device(self, tx: WriteTx, device: DeviceId, at: datetime, *, entry: EntryRef) -> None:
        """Nothing is released to it any longer."""
        del entry
        tx.connection.execute(update(DEVICE).where(DEVICE.c.device == device).values(disabled_at=render_time(at)))

    def device(self, tx: ReadTx, device: DeviceId) -> DeviceRow | None:
        """By identifier, disabled or not."""
        found = tx.connection.execute(select(DEVICE).where(DEVICE.c.device == device)).one_or_none()
        return None if found is None else _device(found)

    def devices(self, tx: ReadTx) -> list[DeviceRow]:
        """All devices in the order they were added."""
        found = tx.connection.execute(select(DEVICE).order_by(DEVICE.c.added_at, DEVICE.c.device))
        return [_device(row) for row in found]

    def _person(self, tx: ReadTx, row: Row[tuple[object, ...]]) -> PersonRow:
        roles = tx.connection.execute(
            select(PERSON_ROLE.c.role).where(PERSON_ROLE.c.person == row.person).order_by(PERSON_ROLE.c.role)
        )
        return PersonRow(
            person=PersonId(row.person),
            name=row.name,
            roles=tuple(roles.scalars()),
            added_at=parse_time(row.added_at),
            disabled_at=None if row.disabled_at is None else parse_time(row.disabled_at),
        )


def _campaign(row: Row[tuple[object, ...]]) -> CampaignRow:
    return CampaignRow(
        campaign=CampaignId(row.campaign),
        account=row.account,
        starts=row.starts,
        ends=row.ends,
        risk=row.risk,
        details=Sha256(row.details),
        proposed_by=PersonId(row.proposed_by),
        proposed_at=parse_time(row.proposed_at),
    )


def _device(row: Row[tuple[object, ...]]) -> DeviceRow:
    return DeviceRow(
        device=DeviceId(row.device),
        label=row.label,
        added_at=parse_time(row.added_at),
        disabled_at=None if row.disabled_at is None else parse_time(row.disabled_at),
    )

"""What was released, under which name, and how it stands: the rows that the sink, the guard and the manifest follow.

    intended ─▶ present ─▶ leaving ─▶ withdrawn | expired
     │    ▲     │    ▲
     ▼    │     ▼    │                 removed: gone from the device's side, and not by us
     lapsed   altered (to be put again)

A row is written before the first byte goes out, and never deleted: a name stands for one content for ever.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.errors import NotSo, Unavailable
from transfer.model.clock import parse_time, render_time
from transfer.model.events import Event
from transfer.model.identifiers import CampaignId, DeviceId, ItemId, Sha256
from transfer.model.names import SafeName, parse_safe_name
from transfer.model.states import CleanBlob, Receipt
from transfer.store.database import ReadTx, Recorder, WriteTx
from transfer.store.release_tables import RELEASE, RELEASE_NUMBERING
from transfer.store.schema import CONTROL


class ReleaseState(StrEnum):
    """How a release stands."""

    INTENDED = "intended"
    PRESENT = "present"
    ALTERED = "altered"
    LEAVING = "leaving"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REMOVED = "removed"
    LAPSED = "lapsed"  # its approval fell away before it was confirmed; a new approval intends it again


CURRENT = (ReleaseState.INTENDED, ReleaseState.PRESENT, ReleaseState.ALTERED, ReleaseState.LEAVING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """One release. `number` is its place in the manifest; `was_there` what a recall saw before it removed; `quickxor`
    what a drive tells these bytes by, None where they never went to one."""

    item: ItemId
    number: int
    name: SafeName
    name_sha256: Sha256
    temporary: SafeName
    sha256: Sha256
    size: int
    media_type: str
    campaign: CampaignId | None
    device: DeviceId
    state: ReleaseState
    released_at: datetime | None
    was_there: bool
    quickxor: str | None = None


def fold(name: SafeName) -> str:
    """What a file system that ignores case and width would take for the same name."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.text).casefold())


def hidden_name(folded: str) -> str:
    """What stands for a folded name that was erased, so that the name is not used again."""
    return "/" + hashlib.sha256(folded.encode()).hexdigest()  # no folded name has a slash


class Releases:
    """The rows of all releases. Every method takes the transaction it belongs to."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def require_open(self, tx: ReadTx) -> None:
        """Raises Unavailable while releasing is paused."""
        if tx.connection.execute(select(CONTROL.c.paused_by)).scalar_one_or_none() is not None:
            raise Unavailable("Releasing is paused.", advice="Resume it with `transfer resume`.", clauses=("G10",))

    def next_number(self, tx: WriteTx) -> int:
        """The next release's number; the first is 1."""
        return int(tx.connection.execute(select(func.coalesce(func.max(RELEASE.c.number), 0))).scalar_one()) + 1

    def free_name(self, tx: WriteTx, wanted: SafeName, *, reserved: Sequence[SafeName] = ()) -> SafeName:
        """`wanted`, numbered if a release ever had that name in any spelling of case, or if it is reserved."""
        taken = {fold(name) for name in reserved}
        start = tx.connection.execute(
            select(RELEASE_NUMBERING.c.next).where(RELEASE_NUMBERING.c.folded == fold(wanted))
        ).scalar_one_or_none()
        number = start or 1
        while True:
            name = wanted if number == 1 else wanted.numbered(number)
            number += 1
            if fold(name) not in taken and not self.name_taken(tx, name):
                break
        # Remembered, so that the ten-thousandth photo.jpg costs no more than the second.
        row = upsert(RELEASE_NUMBERING).values(folded=fold(wanted), next=number)
        tx.connection.execute(row.on_conflict_do_update(index_elements=["folded"], set_={"next": number}))
        return name

    def name_taken(self, tx: ReadTx, name: SafeName) -> bool:
        """Whether any release, past or present, has this name in any spelling of case."""
        spellings = [fold(name), hidden_name(fold(name))]
        found = tx.connection.execute(select(RELEASE.c.item).where(RELEASE.c.folded.in_(spellings))).first()
        return found is not None

    def intend(
        self,
        tx: WriteTx,
        *,
        item: ItemId,
        number: int,
        clean: CleanBlob,
        name: SafeName,
        temporary: SafeName,
        campaign: CampaignId | None,
        device: DeviceId,
        event: Event,
        quickxor: str | None = None,
    ) -> None:
        """Records that this is about to go out. `number` and `name` come from this same transaction."""
        tx.connection.execute(
            insert(RELEASE).values(
                item=item,
                number=number,
                name=name.text,
                folded=fold(name),
                name_sha256=hashlib.sha256(name.text.encode()).hexdigest(),
                temporary=temporary.text,
                sha256=clean.sha256,
                size=clean.size,
                media_type=clean.format.value,
                campaign=campaign,
                device=device,
                state=ReleaseState.INTENDED.value,
                was_there=0,
                quickxor=quickxor,
            )
        )
        self._recorder.append(tx, event)

    def hashed(self, tx: WriteTx, item: ItemId, quickxor: str) -> None:
        """What a drive will tell its bytes by: of one that was intended for a folder on a disk, and goes to a drive."""
        tx.connection.execute(update(RELEASE).where(RELEASE.c.item == item).values(quickxor=quickxor))

    def intend_again(self, tx: WriteTx, item: ItemId, event: Event) -> None:
        """A new approval for what had lapsed: the same number and names. Raises NotSo."""
        self._move(tx, item, (ReleaseState.LAPSED,), ReleaseState.INTENDED, was_there=0)
        self._recorder.append(tx, event)

    def lapsed(self, tx: WriteTx, item: ItemId, event: Event) -> None:
        """It was intended, is not approved any more, and was taken back if it was there. Raises NotSo."""
        self._move(tx, item, (ReleaseState.LEAVING,), ReleaseState.LAPSED)
        self._recorder.append(tx, event)

    def confirm(self, tx: WriteTx, item: ItemId, receipt: Receipt) -> None:
        """It stands there. The entry is `Register.mark`'s, in this same transaction. Raises NotSo."""
        self._move(tx, item, (ReleaseState.INTENDED,), ReleaseState.PRESENT, released_at=render_time(receipt.at))

    def altered(self, tx: WriteTx, item: ItemId, event: Event) -> None:
        """It was found changed and moved aside; it is to be put again. Raises NotSo."""
        self._move(tx, item, (ReleaseState.PRESENT, ReleaseState.ALTERED), ReleaseState.ALTERED)
        self._recorder.append(tx, event)

    def restored(self, tx: WriteTx, item: ItemId, event: Event) -> None:
        """The genuine file stands there again. Raises NotSo."""
        self._move(tx, item, (ReleaseState.ALTERED,), ReleaseState.PRESENT)
        self._recorder.append(tx, event)

    def removed(self, tx: WriteTx, item: ItemId, event: Event) -> None:
        """It is gone, and not by us. Raises NotSo."""
        self._move(tx, item, (ReleaseState.PRESENT,), ReleaseState.REMOVED)
        self._recorder.append(tx, event)

    def leave(self, tx: WriteTx, item: ItemId, *, was_there: bool) -> None:
        """It is about to be taken back. Raises NotSo."""
        self._move(tx, item, CURRENT, ReleaseState.LEAVING, was_there=int(was_there))

    def gone(self, tx: WriteTx, item: ItemId, end: ReleaseState) -> None:
        """It was taken back: withdrawn or expired. The entry is `Register.mark`'s. Raises NotSo."""
        self._move(tx, item, (ReleaseState.LEAVING, ReleaseState.REMOVED, ReleaseState.LAPSED), end)

    def find(self, tx: ReadTx, item: ItemId) -> ReleaseRow | None:
        """The item's release, if it ever got that far."""
        found = tx.connection.execute(select(RELEASE).where(RELEASE.c.item == item)).first()
        return None if found is None else _row(found)

    def by_name_digest(self, tx: ReadTx, name_sha256: Sha256) -> ReleaseRow | None:
        """The release whose name has this SHA-256."""
        found = tx.connection.execute(select(RELEASE).where(RELEASE.c.name_sha256 == name_sha256)).first()
        return None if found is None else _row(found)

    def by_bytes(self, tx: ReadTx, sha256: Sha256) -> ItemId | None:
        """The first release of exactly these bytes."""
        query = select(RELEASE.c.item).where(RELEASE.c.sha256 == sha256).order_by(RELEASE.c.number).limit(1)
        found = tx.connection.execute(query).scalar_one_or_none()
        return None if found is None else ItemId(found)

    def current(self, tx: ReadTx, *states: ReleaseState) -> list[ReleaseRow]:
        """All in these states (by default all that the guard must know), by number."""
        wanted = [state.value for state in states or CURRENT]
        query = select(RELEASE).where(RELEASE.c.state.in_(wanted)).order_by(RELEASE.c.number)
        return [_row(found) for found in tx.connection.execute(query)]

    def _move(
        self, tx: WriteTx, item: ItemId, before: Sequence[ReleaseState], after: ReleaseState, **values: object
    ) -> None:
        changed = tx.connection.execute(
            update(RELEASE)
            .where(RELEASE.c.item == item, RELEASE.c.state.in_([state.value for state in before]))
            .values(state=after.value, **values)
        )
        if changed.rowcount != 1:
            found = self.find(tx, item)
            stands = "was never released" if found is None else f"is {found.state.value}"
            raise NotSo(f"The release of {item} {stands}; it cannot become {after.value}.")


def _row(found: Row[tuple[object, ...]]) -> ReleaseRow:
    values = found._mapping  # noqa: SLF001 - SQLAlchemy's documented name for a row as a mapping
    released_at = values["released_at"]
    return ReleaseRow(
        item=ItemId(values["item"]),
        number=values["number"],
        name=parse_safe_name(values["name"]),
        name_sha256=Sha256(values["name_sha256"]),
        temporary=parse_safe_name(values["temporary"]),
        sha256=Sha256(values["sha256"]),
        size=values["size"],
        media_type=values["media_type"],
        campaign=None if values["campaign"] is None else CampaignId(values["campaign"]),
        device=DeviceId(values["device"]),
        state=ReleaseState(values["state"]),
        released_at=None if released_at is None else parse_time(released_at),
        was_there=bool(values["was_there"]),
        quickxor=values["quickxor"],
    )

"""The register of devices (G2): release goes to an enrolled device only.

What enters: an identifier and a label from an operator. What leaves: the device's row and an entry in the log.
"""

from __future__ import annotations

from transfer.approvals.desk import Desk
from transfer.approvals.wording import clean_name
from transfer.errors import NotSo
from transfer.model.events import Event, EventName
from transfer.model.identifiers import DeviceId, PersonId
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory import DeviceRow


def add_device(tx: WriteTx, device: DeviceId, *, label: str, by: PersonId | None, desk: Desk) -> DeviceRow:
    """Enrol a device. Raises NotSo if its identifier was ever used, Misuse for a label that shows nothing."""
    if desk.directory.device(tx, device) is not None:
        raise NotSo(
            f"There is a device {device} already, or there was one.",
            advice="Choose another identifier.",
            clauses=("G2",),
        )
    row = DeviceRow(device=device, label=clean_name(label), added_at=desk.clock.now(), disabled_at=None)
    event = Event(
        name=EventName.DEVICE_ADDED, by=by, facts={"device": device}, private={"label": row.label or str(device)}
    )
    desk.directory.add_device(tx, row, entry=desk.recorder.append(tx, event))
    return row


def disable_device(tx: WriteTx, device: DeviceId, *, by: PersonId | None, desk: Desk) -> None:
    """Nothing is released to it any longer. Raises NotSo if it is unknown or disabled already."""
    usable_device(tx, device, desk=desk)
    event = Event(name=EventName.DEVICE_DISABLED, by=by, facts={"device": device})
    desk.directory.disable_device(tx, device, desk.clock.now(), entry=desk.recorder.append(tx, event))


def usable_device(tx: ReadTx, device: DeviceId, *, desk: Desk) -> DeviceRow:
    """The device, if things may be released to it. Raises NotSo."""
    row = desk.directory.device(tx, device)
    if row is None:
        raise NotSo(f"The device {device} is not enrolled.", advice=f"`transfer device add {device}`.", clauses=("G2",))
    if row.disabled_at is not None:
        raise NotSo(
            f"The device {device} has been disabled.",
            advice="Enrol the device in use with `transfer device add`, and name it under [release] in transfer.toml.",
            clauses=("G2",),
        )
    return row

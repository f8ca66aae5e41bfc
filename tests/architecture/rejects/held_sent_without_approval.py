"""A held item cannot be released: only an approved one becomes a Released."""

from transfer.model.identifiers import DeviceId
from transfer.model.states import Held, Receipt, Released


def release_without_signature(held: Held, receipt: Receipt, device: DeviceId) -> Released:
    return Released(approved=held, receipt=receipt, device=device, number=1)  # refused

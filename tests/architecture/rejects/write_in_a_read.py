"""A read transaction cannot record: state and entry change together, in a write transaction."""

from transfer.model.events import Event
from transfer.store.database import ReadTx, Recorder


def record(recorder: Recorder, tx: ReadTx, event: Event) -> None:
    recorder.append(tx, event)  # refused

"""Items as people read them in a terminal: one line each, and beneath it, indented, what is to be known about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from transfer.cli.names import called
from transfer.cli.output import columns, paragraph, readable_size, say
from transfer.model.clock import render_time
from transfer.model.findings import Severity, WaitingFor
from transfer.model.states import State

if TYPE_CHECKING:
    from transfer.store.register import ItemRow

INDENT = 12  # an identifier and two spaces
_STATE = 10
_LEAST_NAME = 16

_WAITS = {
    WaitingFor.APPROVAL: "Waits for an approver's signature.",
    WaitingFor.CAMPAIGN: "Waits for its campaign.",
    WaitingFor.SCANNER: "Waits for the malware scanner.",
    WaitingFor.POSTURE: "Waits for the device.",
    WaitingFor.REVIEW: "Waits for a person to look at it more closely.",
}
_ORDER = tuple(State)


def say_items(rows: Sequence[ItemRow], names: Mapping[str, str]) -> None:
    """The items, and how many there are in each state."""
    width = columns()
    for row in rows:
        say(_line(row, width))
        for text in _beneath(row, f"{called(row.submitter, names)}, {said_time(render_time(row.arrived_at))}."):
            say(paragraph(text, indent=INDENT))
    say()
    say(_summary(rows))


def where(row: ItemRow) -> str:
    """The place in staging that it was dropped into, in safe names: `open-day/post/photo.jpg`."""
    return "/".join(str(part) for part in (row.campaign, row.post, row.name) if part)


def _line(row: ItemRow, width: int) -> str:
    size = readable_size(row.size)
    room = max(_LEAST_NAME, width - INDENT - _STATE - len(size) - 2)
    return f"{row.item}  {row.state.value:<{_STATE}}{padded(shortened(where(row), room), room)}  {size}"


def _beneath(row: ItemRow, dropped: str) -> Iterator[str]:
    match row.state:
        case State.RELEASED:
            yield f"{dropped} On the device as {row.released_as}."
        case State.APPROVED:
            yield f"{dropped} Signed; it goes as soon as the gateway releases it."
        case State.HELD:
            waiting_for = row.waiting_for or WaitingFor.REVIEW
            yield f"{dropped} {_WAITS[waiting_for]}"
            if waiting_for is not WaitingFor.APPROVAL:
                yield from _reasons(row, Severity.HOLD)
        case State.REFUSED:
            yield dropped
            yield from _reasons(row, Severity.REFUSE)
        case _:
            yield dropped


def _reasons(row: ItemRow, severity: Severity) -> Iterator[str]:
    for reason in row.reasons:
        if reason.severity is severity:
            yield f"{reason.message} [{', '.join(reason.clauses)}]"


def _summary(rows: Sequence[ItemRow]) -> str:
    counted = {state: sum(row.state is state for row in rows) for state in _ORDER}
    parts = [f"{number} {state.value}" for state, number in counted.items() if number]
    signs = sum(row.waiting_for is WaitingFor.APPROVAL for row in rows)
    counts = f"{len(rows)} item{'' if len(rows) == 1 else 's'}: {', '.join(parts)}."
    if not signs:
        return paragraph(counts)
    how = f"{signs} to be signed: `transfer preview ITEM DIR` shows one, `transfer approve` signs."
    return f"{paragraph(counts)}\n{paragraph(how)}"


def said_time(rendered: str) -> str:
    """`2026-11-22 12:00 UTC`, from a time as records write it."""
    return f"{rendered[:10]} {rendered[11:16]} UTC"


def shortened(text: str, room: int) -> str:
    """At most `room` columns; what has to go, goes from the middle, so that campaign and extension stay."""
    if _cells(text) <= room:
        return text
    head, tail = text[: room // 2], text[-(room // 2) :]
    while _cells(head) + _cells(tail) + 1 > room:
        if _cells(head) >= _cells(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"


def padded(text: str, room: int) -> str:
    """With spaces behind it, counted in columns: some characters take two, some none."""
    return text + " " * max(0, room - _cells(text))


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)

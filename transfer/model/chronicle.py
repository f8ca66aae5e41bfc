"""What each step of an item's journey leaves in the log: one pure function a step, from the state to its event.

Nothing personal is in `facts`: a submitter is a pseudonym, names go into `private` (salted commitments).
"""

from __future__ import annotations

from collections.abc import Mapping

from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.findings import Finding, Reason, ScanResult
from transfer.model.identifiers import NOBODY, ItemId, PersonId, Sha256
from transfer.model.media import MediaFacts
from transfer.model.states import Arrived, Examined, Held, Rebuilt, Refused, Spooled, State

_MOST_LINES = 24


def spooled_event(spooled: Spooled) -> Event:
    """A file has arrived and is durable in the spool."""
    arrived = spooled.arrived
    return Event(
        name=EventName.FILE_SPOOLED,
        item=arrived.item,
        by=arrived.submitter,
        file=FileFact(sha256=spooled.raw.sha256, size=spooled.raw.size),
        facts=_place(arrived),
        private={"name": arrived.name.text},
    )


def examined_event(examined: Examined) -> Event:
    """Inspection has said what it is, with which tools."""
    spooled = examined.spooled
    return Event(
        name=EventName.FILE_EXAMINED,
        item=spooled.arrived.item,
        file=FileFact(sha256=spooled.raw.sha256, size=spooled.raw.size),
        facts={
            "media": _media(examined.media),
            "findings": _findings(examined.findings),
            "scans": _scans(examined.scans),
            "tools": dict(examined.tools),
        },
    )


def rebuilt_event(rebuilt: Rebuilt) -> Event:
    """A new file stands in its place; the entry binds its digest to the original's."""
    raw = rebuilt.examined.spooled.raw
    return Event(
        name=EventName.FILE_REBUILT,
        item=rebuilt.examined.spooled.arrived.item,
        file=FileFact(sha256=rebuilt.clean.sha256, size=rebuilt.clean.size),
        facts={
            "from": raw.sha256,
            "format": rebuilt.clean.format.value,
            "removed": _bounded(rebuilt.rebuild.removed),
            "left": _bounded(rebuilt.left),
            "packets": [rebuilt.rebuild.packets_in, rebuilt.rebuild.packets_out],
            "findings": _findings(rebuilt.findings),
            "scans": _scans(rebuilt.scans),
        },
    )


def held_event(held: Held, *, again: bool = False) -> Event:
    """The policy has judged; the item waits. Of one that was held before, `again`, with what the scanners say now."""
    clean = held.rebuilt.clean
    waiting = held.verdict.waiting_for
    return Event(
        name=EventName.FILE_HELD,
        item=held.rebuilt.examined.spooled.arrived.item,
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(held.verdict.policy_sha256),
        facts={
            "waiting_for": waiting.value if waiting else "",
            "reasons": _reasons(held.verdict.reasons),
            "raw": held.rebuilt.examined.spooled.raw.sha256,
            **({"review": sorted(code.value for code in held.verdict.reviews)} if held.verdict.reviews else {}),
            **({"scans": _scans(held.rebuilt.examined.scans + held.rebuilt.scans)} if again else {}),
        },
    )


def refused_event(refused: Refused, *, by: PersonId | None = None, private: Mapping[str, str] | None = None) -> Event:
    """The end of an item that may not go: by rule (`by` is None) or by a person. `private` joins its name."""
    arrived = refused.arrived
    dropped_by = arrived.submitter if refused.reached is State.ARRIVED and arrived.submitter != NOBODY else None
    return Event(
        name=EventName.FILE_REFUSED,
        item=arrived.item,
        by=by or dropped_by,
        file=None if refused.sha256 is None else FileFact(sha256=refused.sha256, size=refused.size),
        policy=refused.policy_sha256,
        facts={
            **_place(arrived),
            "reached": refused.reached.value,
            "reasons": _reasons(refused.reasons),
            "findings": _findings(refused.findings),
        },
        private={"name": arrived.name.text, **(private or {})},
    )


def failed_event(item: ItemId, station: str, fault: str) -> Event:
    """A defect of ours at a station; `fault` is the exception's class name, nothing a sender could choose."""
    return Event(name=EventName.STATION_FAILED, item=item, facts={"station": station, "fault": fault})


def _place(arrived: Arrived) -> dict[str, Json]:
    place: dict[str, Json] = {"kind": arrived.arrival.kind.value, "source": arrived.arrival.source}
    if arrived.campaign is not None:
        place["campaign"] = arrived.campaign
    return place


def _media(media: MediaFacts) -> dict[str, Json]:
    numbers = {
        "width": media.width,
        "height": media.height,
        "frames": media.frames,
        "duration_ms": media.duration_ms,
        "characters": media.characters,
    }
    return {
        "format": media.format.value,
        **{name: number for name, number in numbers.items() if number},
        **({"streams": [f"{stream.kind} {stream.codec}" for stream in media.streams]} if media.streams else {}),
    }


def _bounded(lines: tuple[str, ...]) -> list[Json]:
    """At most 24 of them, so that an entry stays small; the last one counts the rest, which is kept with the item."""
    if len(lines) <= _MOST_LINES:
        return list(lines)
    return [*lines[: _MOST_LINES - 1], f"{len(lines) - _MOST_LINES + 1} more"]


def _findings(findings: tuple[Finding, ...]) -> list[Json]:
    return [
        {"code": finding.code.value, **({"detail": dict(finding.detail)} if finding.detail else {})}
        for finding in findings
    ]


def _scans(scans: tuple[ScanResult, ...]) -> list[Json]:
    return [
        {"answer": scan.answer.value, "scanner": scan.scanner, "signatures": scan.signatures, "threat": scan.threat}
        for scan in scans
    ]


def _reasons(reasons: tuple[Reason, ...]) -> list[Json]:
    return [
        {"rule": reason.rule, "clauses": list(reason.clauses), "severity": reason.severity.value} for reason in reasons
    ]

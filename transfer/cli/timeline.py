"""One item's whole life as people read it: what stands now, then each entry of the transfer log as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from transfer.cli.listing import said_time, where
from transfer.cli.names import called, with_names
from transfer.cli.output import paragraph, readable_size, say
from transfer.model.clock import render_time

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry
    from transfer.store.register import ItemRow

_INDENT = 16

Facts = Mapping[str, Any]


def say_life(
    row: ItemRow, entries: Iterable[ShownEntry], names: Mapping[str, str], *, with_it: Iterable[ItemRow]
) -> None:
    """The item's facts, its reasons and its timeline."""
    say(f"{where(row)}")
    waits = f", waits for {row.waiting_for}" if row.waiting_for else ""
    decided = f" since {said_time(render_time(row.decided_at))}" if row.decided_at else ""
    lines = [
        ("item", row.item),
        ("state", f"{row.state}{waits}{decided}"),
        ("dropped by", f"{called(row.submitter, names)} on {said_time(render_time(row.arrived_at))}"),
        ("what", ", ".join(filter(None, (row.media_type, readable_size(row.size))))),
        ("as it came", row.sha256 or "not read"),
        ("rebuilt", row.rebuilt_sha256 or ""),
        ("released as", row.released_as or ""),
        ("same post", ", ".join(f"{other.name} ({other.item})" for other in with_it)),
    ]
    for label, text in lines:
        if text:
            say(paragraph(text, first=f"  {label:<13}", indent=15))
    if row.reasons:
        say("\nWhat the policy said when it judged")
    for reason in row.reasons:
        cited = f"[{reason.rule}; {', '.join(reason.clauses)}]"
        say(paragraph(f"{reason.severity}: {reason.message} {cited}", first="  - ", indent=4))
    say("\nIn the transfer log")
    day = ""
    for entry in entries:
        at = entry.leaf.at
        if at[:10] != day:
            day = at[:10]
            say(f"  {day} (UTC)")
        text = with_names(_sentence(entry, names), names)
        say(paragraph(f"{text} (entry {entry.leaf.index})", first=f"  {at[11:23]}  ", indent=_INDENT))


def _sentence(entry: ShownEntry, names: Mapping[str, str]) -> str:
    body = entry.leaf.body
    facts: Facts = body.get("facts") or {}
    by = called(entry.leaf.by, names)
    tell = _SENTENCES.get(entry.leaf.event)
    said = tell(facts, body.get("file") or {}, by) if tell else f"{entry.leaf.event}{f' by {by}' if by else ''}."
    reason = entry.private.get("reason") or entry.private.get("note")
    return f"{said} «{reason}»" if reason else said


def _spooled(_facts: Facts, file: Facts, by: str) -> str:
    return f"Taken up: {_size(file)}, dropped by {by}."


def _examined(facts: Facts, _file: Facts, _by: str) -> str:
    media = facts.get("media") or {}
    found = ", ".join(_finding(each) for each in facts.get("findings") or ())
    scans = ", ".join(f"{scan['answer']} ({scan['scanner']})" for scan in facts.get("scans") or ())
    shape = f", {media['width']} × {media['height']}" if media.get("width") else ""
    seen = f"Examined: {media.get('format')}{shape}; found {found or 'nothing besides'}"
    return f"{seen}; malware scan {scans or 'none'}."


def _rebuilt(facts: Facts, file: Facts, _by: str) -> str:
    removed = ", ".join(facts.get("removed") or ())
    return f"Rebuilt as {facts.get('format')}, {_size(file)}, without {removed or 'anything to remove'}."


def _held(facts: Facts, _file: Facts, _by: str) -> str:
    lapsed = "Its approval stands no longer: it" if facts.get("lapsed") else "Judged; it"
    return f"{lapsed} waits for {facts.get('waiting_for') or 'nothing'}."


def _refused(facts: Facts, _file: Facts, by: str) -> str:
    rules = [each["rule"] for each in facts.get("reasons") or () if each.get("severity") == "refuse"]
    who = f" by {by}" if by and facts.get("reached") != "arrived" else ""
    return f"Refused{who}: {', '.join(dict.fromkeys(rules)) or 'no reason recorded'}."


def _approved(facts: Facts, _file: Facts, by: str) -> str:
    return f"Approved by {by}: PUBLIC, risk to integrity {facts.get('risk')}, for {facts.get('campaign')}."


def _releasing(facts: Facts, _file: Facts, _by: str) -> str:
    return f"Release number {facts.get('number')} to {facts.get('device')} begins."


def _released(facts: Facts, _file: Facts, _by: str) -> str:
    return f"Released to {facts.get('device')} as number {facts.get('number')}."


def _withdrawn(facts: Facts, _file: Facts, by: str) -> str:
    still = facts.get("still_there")
    there = "" if still is None else " It was still there." if still else " It was no longer there."
    return f"Withdrawn{f' by {by}' if by else ''}.{there}"


def _expired(facts: Facts, _file: Facts, _by: str) -> str:
    days = f" after {facts['days']} days" if "days" in facts else ""
    return f"Expired{days}: {facts.get('what', 'item')}."


def _retired(facts: Facts, _file: Facts, _by: str) -> str:
    if facts.get("removed") is False:
        return "The original in staging is no longer the same, so it stays."
    return "The original was removed from staging."


def _failed(facts: Facts, _file: Facts, _by: str) -> str:
    return f"A defect of the program at «{facts.get('station')}» ({facts.get('fault')}); it fails closed."


def _altered(_facts: Facts, file: Facts, _by: str) -> str:
    return f"Altered on the device's side ({_size(file)} found); moved aside."


def _restored(facts: Facts, _file: Facts, _by: str) -> str:
    return f"The genuine file was put back as number {facts.get('number')}."


def _gone(_facts: Facts, _file: Facts, _by: str) -> str:
    return "Gone from the device's side, and not by us."


_SENTENCES: Mapping[str, Callable[[Facts, Facts, str], str]] = {
    "file.spooled": _spooled,
    "file.examined": _examined,
    "file.rebuilt": _rebuilt,
    "file.held": _held,
    "file.refused": _refused,
    "file.approved": _approved,
    "file.releasing": _releasing,
    "file.released": _released,
    "file.withdrawn": _withdrawn,
    "file.expired": _expired,
    "original.retired": _retired,
    "station.failed": _failed,
    "release.altered": _altered,
    "release.restored": _restored,
    "release.removed": _gone,
}


def _size(file: Facts) -> str:
    return readable_size(file["bytes"]) if "bytes" in file else "unknown size"


def _finding(finding: Facts) -> str:
    detail = finding.get("detail") or {}
    words = ", ".join(str(value) for value in detail.values())
    return f"{finding['code']} ({words})" if words else str(finding["code"])

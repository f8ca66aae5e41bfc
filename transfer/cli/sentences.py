"""Entries of the transfer log as sentences: what happened, in plain words, for people."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from transfer.cli import drive_sentences
from transfer.cli.before_after import told_parts
from transfer.cli.names import with_names
from transfer.cli.output import readable_size
from transfer.cli.telling import ERASED, Facts, Telling, clauses, plain, reason_in, reasons

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry


def sentence(entry: ShownEntry, names: Mapping[str, str]) -> str:
    """What happened, with the reason that was given for it; `(erased)` where that or a name is kept no longer."""
    telling = Telling(entry, names)
    said = f"{entry.leaf.event}{telling.by_whom}."
    tell = SENTENCES.get(entry.leaf.event)
    if tell is not None:
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):  # facts of another form than ours
            said = tell(telling)
    reason = reason_in(entry)
    said += f" «{reason}»" if reason else ""
    said += f" {ERASED}" if entry.openings and entry.erased and ERASED not in said else ""
    return with_names(said, names)


def _sealed(told: Telling) -> str:
    following = told.facts.get("next") or {}
    return f"The log was sealed{told.by_whom}; it goes on as {following.get('origin')}."


def _opened(told: Telling) -> str:
    before = told.facts.get("previous") or {}
    return f"The log goes on from {before.get('origin')}, which has {before.get('size')} entries."


def _spooled(told: Telling) -> str:
    return f"Taken up{told.quoted}: {told.size}, dropped by {told.by}."


def _examined(told: Telling) -> str:
    media = told.facts.get("media") or {}
    found = ", ".join(_finding(each) for each in told.facts.get("findings") or ())
    scans = ", ".join(f"{scan['answer']} ({scan['scanner']})" for scan in told.facts.get("scans") or ())
    shape = f", {media['width']} × {media['height']}" if media.get("width") else ""
    seen = f"Examined: {media.get('format')}{shape}; found {found or 'nothing besides'}"
    return f"{seen}; malware scan {scans or 'none'}."


def _rebuilt(told: Telling) -> str:
    removed = ", ".join(told.facts.get("removed") or ())
    left = "; ".join(told_parts(told.facts.get("left") or ()))
    rest = f" Left: {left}." if left else ""
    return f"Rebuilt as {told.get('format')}, {told.size}, without {removed or 'anything to remove'}.{rest}"


def _held(told: Telling) -> str:
    lapsed = "Its approval stands no longer: it" if told.facts.get("lapsed") else "Judged; it"
    why = reasons(told.facts, "hold")
    return f"{lapsed} waits for {told.facts.get('waiting_for') or 'nothing'}{f'; {why}' if why else ''}."


def _refused(told: Telling) -> str:
    who = told.by_whom if told.facts.get("reached") != "arrived" else ""
    dropped = f" Dropped by {told.by}." if told.by and not who else ""
    return f"Refused{told.quoted}{who}: {reasons(told.facts, 'refuse') or 'no reason recorded'}.{dropped}"


def _approved(told: Telling) -> str:
    return f"Approved by {told.by}: PUBLIC, risk to integrity {told.get('risk')}, for {told.get('campaign')}."


def _releasing(told: Telling) -> str:
    return f"Release number {told.get('number')} to {told.get('device')} begins{_as(told)}."


def _released(told: Telling) -> str:
    return f"Released to {told.get('device')} as number {told.get('number')}{_as(told)}."


def _as(told: Telling) -> str:
    return f":{told.quoted}" if told.name else ""


def _withdrawn(told: Telling) -> str:
    echo = told.facts.get("echo")
    why = f", because OneDrive did not have what was sent ({echo})" if isinstance(echo, str) else ""
    return f"Withdrawn{told.by_whom}{why}.{_still_there(told)}"


def _expired(told: Telling) -> str:
    days = f" after {told.facts['days']} days" if "days" in told.facts else ""
    return f"Expired{days}: {told.facts.get('what', 'item')}."


def _retired(told: Telling) -> str:
    if told.facts.get("removed") is False:
        return "The original in staging is no longer the same, so it stays."
    return "The original was removed from staging."


def _failed(told: Telling) -> str:
    return f"A defect of the program at «{told.get('station')}» ({told.get('fault')}); it fails closed."


def _accepted(told: Telling) -> str:
    from transfer.model.facets import stated

    statement = stated(told.facts)
    pairs = statement.get("items")
    items = [str(pair[0]) for pair in pairs if isinstance(pair, list) and pair] if isinstance(pairs, list) else []
    terms = f", risk {statement.get('risk')}, for {statement.get('campaign')}" if "risk" in statement else ""
    return f"Signed {told.get('kind')}{told.by_whom}{terms}: {_listed(items) or 'of no item'}."


def _foreign(told: Telling) -> str:
    size = told.facts.get("size")
    what = f"{told.get('kind')} of {readable_size(size)}" if isinstance(size, int) else told.get("kind")
    moved = "moved aside" if told.facts.get("moved_aside") else "NOT moved aside"
    ours = f" It has the bytes of our {told.facts['same_bytes_as']}." if "same_bytes_as" in told.facts else ""
    return f"Refused to come back: a {what}, {moved} {clauses(told.facts)}.{ours}"


def _altered(told: Telling) -> str:
    if "manifest" in told.facts:
        return f"Manifest {told.get('manifest')} altered on the device's side; moved aside {clauses(told.facts)}."
    size = told.facts.get("size")  # where nobody may read it, it is known all the same
    found = readable_size(size) if isinstance(size, int) else told.size
    return f"Altered on the device's side ({found} found); moved aside."


def _restored(told: Telling) -> str:
    return f"The genuine file was put back as number {told.get('number')}."


def _gone(told: Telling) -> str:
    what = f"Manifest {told.get('manifest')} gone" if "manifest" in told.facts else "Gone"
    return f"{what} from the device's side, and not by us."


def _recalled(told: Telling) -> str:
    return f"Release number {told.get('number')} was taken back before it counted.{_still_there(told)}"


def _still_there(told: Telling) -> str:
    still = told.facts.get("still_there")
    return "" if still is None else " It was still there." if still else " It was no longer there."


def _enrolled(told: Telling) -> str:
    return f"{_person(told)} is enrolled as {told.get('role')}{told.by_whom}."


def _disabled(told: Telling) -> str:
    return f"{_person(told)} has no role any longer{told.by_whom}."


def _person(told: Telling) -> str:
    """As the directory calls them now; the name that the entry opens to may be an older one."""
    return told.get("person")


def _proposed(told: Telling) -> str:
    days = f"{told.get('starts')} to {told.get('ends')}"
    return f"Campaign {told.get('campaign')} proposed{told.by_whom}: {told.get('account')}, {days}."


def _started(told: Telling) -> str:
    landlock, seccomp = told.facts.get("landlock"), told.facts.get("seccomp")
    kernel = f"Landlock {landlock} and seccomp" if landlock and seccomp else "Landlock" if landlock else ""
    valve = f"the kernel enforces the one way ({kernel})" if kernel else "the kernel does NOT enforce the one way"
    return f"The gateway started, version {told.get('version')}; {valve}."


def _stepped(told: Telling) -> str:
    moved = told.facts.get("milliseconds")
    return f"The clock was moved by {moved / 1000:+.1f} s." if isinstance(moved, int) else "The clock was moved."


def _evidence_expired(told: Telling) -> str:
    return f"What the guard had moved aside (a {told.get('kind')}) is kept no longer, after {told.get('days')} days."


def _exported(told: Telling) -> str:
    about = told.facts.get("item") or told.facts.get("campaign") or ""
    opened = told.facts.get("disclosures")
    opens = f", opening {opened} texts" if opened else ""
    return (
        f"Evidence pack made{told.by_whom}: {told.get('kind')} {about}".rstrip()
        + f", {told.get('entries')} entries{opens}."
    )


def _backed_up(told: Telling) -> str:
    size, keys = told.facts.get("bytes"), ""
    if told.facts.get("keys") is False:
        keys = ", without keys"
    elif told.facts.get("log_key") is False:
        keys = ", without the log's key, which is kept elsewhere"
    return f"Backup complete: {told.get('files')} files, {readable_size(size) if isinstance(size, int) else '?'}{keys}."


def _went_on(told: Telling) -> str:
    taken = told.facts.get("taken_over")
    also = f"; {taken} entries were taken over from the published log" if taken else ""
    return f"A restored workspace goes on from {told.get('entries')} entries{also}."


SENTENCES: Mapping[str, Callable[[Telling], str]] = {
    "gateway.initialised": plain("The workspace was made, by version {version}."),
    "gateway.started": _started,
    "gateway.stopped": plain("The gateway stopped."),
    "gateway.paused": plain("Releasing paused{by}."),
    "gateway.resumed": plain("Releasing goes on{by}."),
    "clock.stepped": _stepped,
    "policy.adopted": plain("Policy «{policy}» is in force ({sha256_8}…)."),
    "settings.adopted": plain("Other settings are in force ({sha256_8}…)."),
    "valve.open": plain("It runs where the kernel cannot enforce the one way."),
    "station.failed": _failed,
    "person.enrolled": _enrolled,
    "person.disabled": _disabled,
    "person.erased": plain("The name behind {person}, and what they wrote, was erased for good{by}."),
    "campaign.proposed": _proposed,
    "campaign.approved": plain("Campaign {campaign} approved{by}."),
    "campaign.closed": plain("Campaign {campaign} closed{by}."),
    "device.added": plain("Device {device} added{name}."),
    "device.disabled": plain("Device {device} disabled; nothing goes to it any more."),
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
    "statement.accepted": _accepted,
    "return.refused": _foreign,
    "release.altered": _altered,
    "release.restored": _restored,
    "release.removed": _gone,
    "release.recalled": _recalled,
    "release.verified": plain("OneDrive reports exactly what was sent: {reported} bytes with the same hash."),
    "release.rewritten": drive_sentences.rewritten,
    "release.mismatch": drive_sentences.mismatched,
    "release.exposed": drive_sentences.exposed,
    "release.enclosed": plain("Who may reach the release folder in OneDrive is as it must be."),
    "evidence.expired": _evidence_expired,
    "feedback.expired": plain("Notes for staff about {items} items expired after {days} days."),
    "export.made": _exported,
    "backup.made": _backed_up,
    "backup.restored": _went_on,
    "shard.sealed": _sealed,
    "shard.opened": _opened,
    "shard.pruned": plain("The entries of the sealed log {origin} go; its hashes and its checkpoint stay."),
    "hold.set": plain("Legal hold {hold} set{by}: nothing is pruned, erased or let go."),
    "hold.released": plain("Legal hold {hold} released{by}."),
    "statement.carried": plain("Carried over: the {kind} that was signed{by}."),
    "file.carried": plain("Carried over into this shard of the log, as it was: {state}."),
    "verify.failed": plain("A verification failed."),
}


def _listed(items: Iterable[str], most: int = 3) -> str:
    listed = list(items)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _finding(finding: Facts) -> str:
    detail = finding.get("detail") or {}
    # A number alone says nothing; a text mostly does.
    words = ", ".join(f"{name} {value}" if isinstance(value, int) else str(value) for name, value in detail.items())
    return f"{finding['code']} ({words})" if words else str(finding["code"])

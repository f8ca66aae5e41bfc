"""The release manifest: a signed, numbered list of what should be on the device's side. Pure but for the signature.

    oneway-transfer/manifest/v1
    <origin of the gateway>
    <number, rising with every change>
    <time>
    <how many lines follow>
    {"campaign":…,"item":…,"media_type":…,"name":…,"number":…,"released_at":…,"sha256":…,"size":…}

Each release has a number of its own; gaps are releases that were taken back. What enters: rows of ours, or an
untrusted note with the gateway's verifier keys. What leaves: the text, or the list in its one accepted spelling.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from transfer.audit.notes import Verifier, open_note
from transfer.errors import Misuse, Tampered
from transfer.model.clock import parse_time, render_time
from transfer.model.identifiers import CampaignId, ItemId, Sha256, parse_campaign_id, parse_item_id, parse_sha256
from transfer.model.media import Format
from transfer.model.names import SafeName, parse_safe_name
from transfer.store.releases import ReleaseRow

HEADER = "oneway-transfer/manifest/v1"
MAX_ENTRIES = 100_000
_MAX_BYTES = MAX_ENTRIES * 1000  # longer than any entry's line


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One file that should be there."""

    number: int
    item: ItemId
    name: SafeName
    sha256: Sha256
    size: int
    media_type: Format
    released_at: datetime
    campaign: CampaignId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The list, by release number."""

    origin: str
    number: int
    at: datetime
    entries: tuple[ManifestEntry, ...]


def entry_of(row: ReleaseRow) -> ManifestEntry:
    """The manifest's line about a release that stands there. Raises Tampered if it never got there."""
    if row.released_at is None:
        raise Tampered(f"The release of {row.item} is listed as present without the time of its release.")
    return ManifestEntry(
        number=row.number,
        item=row.item,
        name=row.name,
        sha256=row.sha256,
        size=row.size,
        media_type=Format(row.media_type),
        released_at=row.released_at,
        campaign=row.campaign,
    )


def render_listing(entries: Sequence[ManifestEntry]) -> str:
    """The lines alone."""
    return "".join(_render_entry(entry) + "\n" for entry in entries)


def render_manifest(manifest: Manifest) -> str:
    """The text to be signed."""
    head = (HEADER, manifest.origin, str(manifest.number), render_time(manifest.at), str(len(manifest.entries)))
    return "".join(line + "\n" for line in head) + render_listing(manifest.entries)


def parse_manifest(untrusted: str) -> Manifest:
    """The inverse of `render_manifest`. Raises Tampered for anything but its one spelling."""
    lines = untrusted.split("\n")
    if len(lines) < 6 or lines[0] != HEADER or lines[-1] != "" or len(lines) - 6 > MAX_ENTRIES:
        raise Tampered("This is not a release manifest.")
    try:
        manifest = Manifest(
            origin=lines[1],
            number=int(lines[2]),
            at=parse_time(lines[3]),
            entries=tuple(_parse_entry(line) for line in lines[5:-1]),
        )
        again = render_manifest(manifest)
    except (ValueError, TypeError, KeyError, RecursionError, Misuse) as error:
        raise Tampered("This release manifest is not well formed.") from error
    numbers = [entry.number for entry in manifest.entries]
    if again != untrusted or manifest.number < 1 or sorted(set(numbers)) != numbers:
        raise Tampered("This release manifest is not in its one spelling.")
    return manifest


def open_manifest(untrusted: bytes | str, verifiers: Sequence[Verifier]) -> Manifest:
    """The list, after its signature was verified. Raises Tampered."""
    return parse_manifest(open_note(untrusted, verifiers, max_bytes=_MAX_BYTES).text)


def _render_entry(entry: ManifestEntry) -> str:
    fields = {
        "campaign": entry.campaign,
        "item": entry.item,
        "media_type": entry.media_type.value,
        "name": entry.name.text,
        "number": entry.number,
        "released_at": render_time(entry.released_at),
        "sha256": entry.sha256,
        "size": entry.size,
    }
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _parse_entry(line: str) -> ManifestEntry:
    fields = json.loads(line)
    numbers = (fields["number"], fields["size"])
    if not all(type(number) is int and 0 <= number < 2**53 for number in numbers):
        raise ValueError("a number out of bounds")
    campaign = fields["campaign"]
    return ManifestEntry(
        number=fields["number"],
        item=parse_item_id(fields["item"]),
        name=parse_safe_name(fields["name"]),
        sha256=parse_sha256(fields["sha256"]),
        size=fields["size"],
        media_type=Format(fields["media_type"]),
        released_at=parse_time(fields["released_at"]),
        campaign=None if campaign is None else parse_campaign_id(campaign),
    )

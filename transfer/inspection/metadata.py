"""From what a file holds besides its content to findings. Pure.

What enters: an `Anatomy`, a film's tags, and what is looked for. What leaves: findings whose details name kinds, counts
and the policy's own marks and labels, never a value out of the file (G6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.exif import without_thumbnail
from transfer.inspection.identities import identities_in
from transfer.inspection.markings import encrypting_labels_in, label_names_in, labels_in, text_of, tiktok_marks_in
from transfer.inspection.noticed import noticed
from transfer.model.findings import Code, Finding
from transfer.model.marks import find_marks
from transfer.model.search import Search

_PLACE_KEY = re.compile(r"(?:^|[^a-z])(?:location|gps|geo)|iso6709|\xa9xyz|^xyz", re.IGNORECASE)
_PLACE_IN_XMP = (b"GPSLatitude", b"GPSLongitude", b"Iptc4xmpExt:Location", b"photoshop:City")

# Tags that containers write by themselves and that say nothing about anybody.
_NEUTRAL_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "duration", "language", "vendor_id"})
_NEUTRAL_VALUES = frozenset({"", "VideoHandler", "SoundHandler", "und"})


def metadata_findings(found: Anatomy, search: Search, *, place: bool = False) -> tuple[Finding, ...]:
    """What the metadata of one file comes to. `place` says that a place was found in EXIF."""
    findings = []
    texts = [without_thumbnail(text) for text in found.texts]
    if found.kinds:
        findings.append(noticed(Code.METADATA, kinds=", ".join(found.kinds)))
    identities = identities_in(texts, found.kinds)
    if identities:
        findings.append(noticed(Code.IDENTIFYING_METADATA, **{kind.value: count for kind, count in identities.items()}))
    if place or any(word in text for text in texts for word in _PLACE_IN_XMP):
        findings.append(noticed(Code.LOCATION))
    if found.credentials:
        findings.append(noticed(Code.CONTENT_CREDENTIALS))
    if found.trailing:
        findings.append(noticed(Code.TRAILING_DATA, bytes=found.trailing, looks=found.looks))
    words = "\n".join(map(text_of, texts))
    return (*findings, *marking_findings(words, search, where="metadata"))


def marking_findings(untrusted: str, search: Search, *, where: str) -> tuple[Finding, ...]:
    """Protective markings, sensitivity labels and TikTok's marks in a text; `where` says what was searched.

    What a label is called is read as a name is: «Internal» counts there in small letters too.
    """
    marks = find_marks(untrusted, search.marks)
    for name in label_names_in(untrusted):
        marks += find_marks(name, search.marks, names=True)
    return (
        *(noticed(Code.MARKING, mark=mark.upper(), where=where) for mark in tuple(dict.fromkeys(marks))[:8]),
        *_label_findings(untrusted, search, where=where),
        *(noticed(Code.TIKTOK_MARK, mark=mark, where=where) for mark in tiktok_marks_in(untrusted)),
    )


def _label_findings(untrusted: str, search: Search, *, where: str) -> Iterator[Finding]:
    """A label that the policy knows as public is noted, unless it encrypts; every other one is a marking."""
    guids = labels_in(untrusted)
    if not guids:
        return
    known = {label.guid: label for label in search.labels}
    encrypting = encrypting_labels_in(untrusted)
    for guid in guids:
        label = known.get(guid)
        if label is None:
            yield noticed(Code.MARKING, mark="sensitivity label", label=guid, where=where)
        elif guid in encrypting:
            yield noticed(Code.MARKING, mark="encrypting sensitivity label", label=label.name, where=where)
        elif label.public:
            yield noticed(Code.PUBLIC_LABEL, label=label.name, where=where)
        else:
            yield noticed(Code.MARKING, mark=f"sensitivity label {label.name}", label=guid, where=where)


def note_tags(found: Anatomy, tags: Iterable[tuple[str, str]]) -> bool:
    """Add a film's tags to its anatomy; whether one of them is a place."""
    place = False
    for key, value in tags:
        if key.lower() not in _NEUTRAL_KEYS and value not in _NEUTRAL_VALUES:
            found.note("tags", f"{key}={value}".encode("utf-8", "replace"))
            place = place or _PLACE_KEY.search(key) is not None
    return place


def all_tags(container: Mapping[str, str], streams: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """The tags of a container and of its streams, in order."""
    return [*container.items(), *(tag for stream in streams for tag in stream.items())]

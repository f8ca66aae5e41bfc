"""What metadata says of people, devices and places, counted by kind. Pure.

What enters: the raw texts of an untrusted file's metadata (EXIF, XMP, IPTC, PNG texts, tags of films), each bounded.
What leaves: how many entries of each kind there are, never a value. All of it is removed by the rebuild; this is what
the approver is told was there (G6).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from transfer.inspection.exif import exif_identities
from transfer.model.identities import Identity

_XMP_NAMES: Mapping[Identity, str] = MappingProxyType(
    {
        Identity.PEOPLE: "creator rights contributor publisher Artist Author AuthorsPosition CaptionWriter Credit "
        "Copyright CopyrightOwner Owner OwnerName CameraOwnerName Photographer",
        Identity.CONTACTS: "CreatorContactInfo CiEmailWork CiTelWork CiUrlWork CiAdrExtadr",
        Identity.SERIALS: "SerialNumber BodySerialNumber LensSerialNumber CameraSerialNumber",
        Identity.DEVICES: "Make Model Lens LensMake LensModel",
        Identity.SOFTWARE: "CreatorTool Software HostComputer Producer xmptk",
        Identity.TIMES: "CreateDate ModifyDate MetadataDate DateCreated DateTimeOriginal DateTimeDigitized",
        Identity.PLACES: "GPSLatitude GPSLongitude City State Country CountryCode Location LocationCreated "
        "LocationShown Sublocation",
        Identity.IDS: "DocumentID InstanceID OriginalDocumentID ImageUniqueID DigitalImageGUID",
        Identity.THUMBNAILS: "Thumbnails",
        Identity.FACES: "Regions RegionInfo PersonInImage PersonDisplayName",
        Identity.HISTORY: "History DerivedFrom DocumentAncestors Ingredients RawFileName",
        Identity.DESCRIPTIONS: "title description subject Headline Keywords hierarchicalSubject Instructions "
        "TransmissionReference UserComment ImageDescription",
    }
)
_XMP_KINDS: dict[bytes, Identity] = {
    name.encode(): kind for kind, names in _XMP_NAMES.items() for name in names.split()
}
# An element's beginning or an attribute, under whatever prefix; its end (`</dc:creator>`) is not counted.
_XMP = re.compile(rb"[<\s][A-Za-z][\w.-]{0,30}:(" + b"|".join(sorted(_XMP_KINDS, reverse=True)) + rb")(?=[\s=>/])")
_IS_XMP = (b"<x:xmpmeta", b"<rdf:RDF", b"<?xpacket", b"<rdf:Description")

# Data sets of record 2 (IPTC-IIM 4.2, chapter 6), and the thumbnail that Photoshop keeps among them.
_IPTC = re.compile(
    rb"\x1c\x02([\x05\x19\x1a\x1b\x28\x37\x3c\x3e\x3f\x41\x50\x55\x5a\x5c\x5f\x64\x65\x69\x6e\x73\x74\x76\x78\x7a])"
)
_IPTC_KINDS: Mapping[int, Identity] = MappingProxyType(
    dict.fromkeys((80, 85, 110, 115, 116, 122), Identity.PEOPLE)
    | dict.fromkeys((118,), Identity.CONTACTS)
    | dict.fromkeys((65,), Identity.SOFTWARE)
    | dict.fromkeys((55, 60, 62, 63), Identity.TIMES)
    | dict.fromkeys((26, 27, 90, 92, 95, 100, 101), Identity.PLACES)
    | dict.fromkeys((5, 25, 40, 105, 120), Identity.DESCRIPTIONS)
)
_PHOTOSHOP_THUMBNAIL = b"8BIM\x04\x0c"

# Tags of films and texts of PNG, which arrive as `key=value`. The first that fits names the kind.
_TAG = re.compile(rb"\A([\x20-\x3c\x3e-\x7e\xa9]{1,80})=(?=.*\S)", re.DOTALL)
_TAG_KINDS = (
    (re.compile(rb"serial|\bimei", re.IGNORECASE), Identity.SERIALS),
    (re.compile(rb"location|gps|\bgeo|iso6709|xyz", re.IGNORECASE), Identity.PLACES),
    (re.compile(rb"e-?mail|phone|contact", re.IGNORECASE), Identity.CONTACTS),
    (re.compile(rb"thumbnail", re.IGNORECASE), Identity.THUMBNAILS),
    (re.compile(rb"identifier|uuid|guid|unique|umid|\bid$", re.IGNORECASE), Identity.IDS),
    (
        re.compile(
            rb"author|artist|copyright|owner|creator|composer|director|producer|performer|publisher|photographer|"
            rb"user|account",
            re.IGNORECASE,
        ),
        Identity.PEOPLE,
    ),
    (re.compile(rb"\bmake$|\bmodel|manufacturer|camera|lens|device", re.IGNORECASE), Identity.DEVICES),
    (
        re.compile(
            rb"software|encode[rd]|android|version|\btool|firmware|application|handler|hostcomputer", re.IGNORECASE
        ),
        Identity.SOFTWARE,
    ),
    (re.compile(rb"time|date|year|_day\b", re.IGNORECASE), Identity.TIMES),
    (re.compile(rb"history", re.IGNORECASE), Identity.HISTORY),
    (
        re.compile(
            rb"title|comment|description|keyword|synopsis|subject|caption|lyrics|album|genre|source|note", re.IGNORECASE
        ),
        Identity.DESCRIPTIONS,
    ),
)
_ADDRESS = re.compile(rb"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,6}\.[A-Za-z]{2,24}")
_MOST = 9_999  # of one kind; beyond that the number tells nobody anything


def identities_in(texts: Iterable[bytes], kinds: Iterable[str] = ()) -> dict[Identity, int]:
    """How many entries of each kind, in the order of `Identity`; those that there are not are left out.

    `kinds` are the kinds of metadata of an `Anatomy`, for what has no text.
    """
    found: Counter[Identity] = Counter()
    for text in texts:
        found.update(_of(text))
        if b"@" in text:
            found[Identity.CONTACTS] += len(_ADDRESS.findall(text))
    found[Identity.THUMBNAILS] += sum(kind == "thumbnail" for kind in kinds)
    found[Identity.TIMES] += sum(kind == "time" for kind in kinds)
    return {kind: min(found[kind], _MOST) for kind in Identity if found[kind]}


def _of(text: bytes) -> Counter[Identity]:
    if text.startswith((b"Exif\0", b"II*\0", b"MM\0*")):
        return exif_identities(text)
    if any(mark in text for mark in _IS_XMP):
        return Counter(_XMP_KINDS[name] for name in _XMP.findall(text))
    if text.startswith((b"Photoshop 3.0", b"8BIM")):
        found = Counter(_IPTC_KINDS[number[0]] for number in _IPTC.findall(text))
        found[Identity.THUMBNAILS] += text.count(_PHOTOSHOP_THUMBNAIL)
        return found
    tag = _TAG.match(text)
    return Counter(_kinds_of_tag(tag[1])) if tag else Counter()


def _kinds_of_tag(key: bytes) -> list[Identity]:
    return [kind for pattern, kind in _TAG_KINDS if pattern.search(key)][:1]

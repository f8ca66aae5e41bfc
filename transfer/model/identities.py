"""What metadata can say of people and devices, in kinds that are counted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from transfer.model.findings import Code, Finding


class Identity(StrEnum):
    """A kind of entry; the words are the details of the finding `identifying-metadata`."""

    PEOPLE = "people"  # authors, owners, who holds the rights
    CONTACTS = "contacts"  # addresses of any sort
    SERIALS = "serials"  # of cameras and lenses
    DEVICES = "devices"  # makes and models
    SOFTWARE = "software"  # and the computers it ran on
    TIMES = "times"
    PLACES = "places"
    IDS = "ids"  # unique numbers of documents and pictures
    THUMBNAILS = "thumbnails"
    FACES = "faces"  # regions with people, named or not
    HISTORY = "history"  # of editing
    DESCRIPTIONS = "descriptions"  # titles, captions, keywords, comments
    MAKERS = "makers"  # notes of the camera's maker, in a form of their own


WORDS: Mapping[Identity, str] = MappingProxyType(
    {
        Identity.PEOPLE: "names of people",
        Identity.CONTACTS: "contacts",
        Identity.SERIALS: "serial numbers",
        Identity.DEVICES: "camera and lens",
        Identity.SOFTWARE: "software and computers",
        Identity.TIMES: "times",
        Identity.PLACES: "places",
        Identity.IDS: "unique ids",
        Identity.THUMBNAILS: "small pictures",
        Identity.FACES: "faces",
        Identity.HISTORY: "editing history",
        Identity.DESCRIPTIONS: "titles and descriptions",
        Identity.MAKERS: "notes of the camera's maker",
    }
)


def told_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What a file's metadata told of, in plain words with how many: `names of people (2)`."""
    return tuple(
        f"{WORDS[kind]} ({finding.detail[kind.value]})"
        for finding in findings
        if finding.code is Code.IDENTIFYING_METADATA
        for kind in Identity
        if kind.value in finding.detail
    )

"""What metadata can say of people and devices, in kinds that are counted. Pure."""

from __future__ import annotations

from enum import StrEnum


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

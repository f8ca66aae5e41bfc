"""The line with real children: what is committed together, and that every state it can be found in is gone on from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests import samples
from tests.system.place import Place
from transfer import pipeline
from transfer.assembly import standing_of
from transfer.disarm.rebuild import Unrebuilt
from transfer.errors import Unavailable
from transfer.inspection.scan import NoScanner, Scanners
from transfer.intake.admit import admit
from transfer.intake.folder import FolderSource
from transfer.model.chronicle import rebuilt_event, spooled_event
from transfer.model.events import EntryRef, Event, EventName
from transfer.model.findings import Code, Finding
from transfer.model.identifiers import ItemId, item_id_from_entropy
from transfer.model.states import Held, Spooled, State
from transfer.pipeline import Line
from transfer.store.database import WriteTx
from transfer.store.register import Register
from transfer.wiring import build_pools


@pytest.fixture
def line(place: Place) -> Iterator[Line]:
    site = place.site
    media, residue = build_pools(site.settings)
    with media, residue:
        yield Line(
            db=site.db,
            register=site.register,
            recorder=site.log,
            blobs=site.blobs,
            media=media,
            residue=residue,
            scanner=Scanners(NoScanner()),
            policy=site.policy,
            standing=standing_of(site),
        )


def spooled(place: Place, name: str, content: bytes) -> ItemId:
    """One item, as the door leaves it."""
    site, wanted = place.site, item_id_from_entropy(name.encode()[:5])
    place.drop(name, content)
    source = site.settings.sources[0]
    folder = FolderSource(source=source.source_id, submitter=source.submitter_id, root=source.folder)
    for arrival in folder.sightings():
        taken = admit(
            arrival,
            source=folder,
            blobs=site.blobs,
            limits=site.policy.limits,
            allowed_suffixes=site.policy.allowed_suffixes,
            item=wanted,
            clock=site.clock,
            hash_limit=site.policy.hash_limit_bytes,
        )
        assert isinstance(taken, Spooled)
        with site.db.write() as tx:
            site.register.enter(tx, taken, spooled_event(taken))
    return wanted


@pytest.fixture
def picture(place: Place) -> ItemId:
    return spooled(place, "photo.jpg", samples.jpeg())


@pytest.fixture
def film(place: Place) -> ItemId:
    return spooled(place, "tour.mp4", samples.mp4())


def story(place: Place, item: ItemId) -> list[str]:
    return [entry["event"] for entry in place.entries() if entry.get("item") == item]


def state(place: Place, item: ItemId) -> State:
    with place.site.db.read() as tx:
        return place.site.register.row(tx, item).state


def test_every_step_is_an_entry(place: Place, line: Line, picture: ItemId) -> None:
    assert line.carry(picture) is State.HELD
    assert story(place, picture) == ["file.spooled", "file.examined", "file.rebuilt", "file.held"]
    with place.site.db.read() as tx:  # all of it in one commit, and still its row says what it is
        assert place.site.register.row(tx, picture).media_type == "image/jpeg"


class Full:
    """A log whose disk fills up with the verdict."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        if event.name is EventName.FILE_HELD:
            raise Unavailable("The disk is full.")
        return self._place.site.log.append(tx, event)


def test_a_pictures_steps_are_committed_together_or_not_at_all(place: Place, line: Line, picture: ItemId) -> None:
    full = replace(line, register=Register(Full(place), clock=place.site.clock))
    with pytest.raises(Unavailable):
        full.carry(picture)
    assert state(place, picture) is State.SPOOLED
    assert story(place, picture) == ["file.spooled"]
    assert line.carry(picture) is State.HELD
    assert story(place, picture) == ["file.spooled", "file.examined", "file.rebuilt", "file.held"]


def test_a_films_examination_is_committed_before_it_is_rebuilt(place: Place, line: Line, film: ItemId) -> None:
    full = replace(line, register=Register(Full(place), clock=place.site.clock))
    with pytest.raises(Unavailable):
        full.carry(film)
    assert state(place, film) is State.EXAMINED
    assert story(place, film) == ["file.spooled", "file.examined"]
    assert line.carry(film) is State.HELD
    assert story(place, film) == ["file.spooled", "file.examined", "file.rebuilt", "file.held"]


def test_a_picture_that_could_not_be_rebuilt_was_examined(
    place: Place, line: Line, picture: ItemId, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Unrebuilt(findings=(Finding(code=Code.REBUILD_FAILED, detail={"reason": "tried"}),))
    monkeypatch.setattr(pipeline, "rebuild", lambda *_given, **_named: failed)
    assert line.carry(picture) is State.REFUSED
    assert story(place, picture) == ["file.spooled", "file.examined", "file.refused"]


def test_one_that_was_left_rebuilt_goes_on(
    place: Place, line: Line, film: ItemId, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    with monkeypatch.context() as patch:
        rebuild = pipeline.rebuild

        def remember(*given: object, **named: object) -> object:
            made.append(rebuild(*given, **named))  # type: ignore[arg-type] # what the line gives
            raise Unavailable("Stopped here.")

        patch.setattr(pipeline, "rebuild", remember)
        with pytest.raises(Unavailable):
            line.carry(film)
    with place.site.db.write() as tx:
        place.site.register.advance(tx, made[0], rebuilt_event(made[0]), was=State.EXAMINED)
    assert line.carry(film) is State.HELD
    with place.site.db.read() as tx:
        assert isinstance(place.site.register.load(tx, film), Held)
    assert story(place, film) == ["file.spooled", "file.examined", "file.rebuilt", "file.held"]

"""A copy of something released, from its drop to its release: found, shown beside the other, reviewed, approved."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from PIL import Image, ImageDraw, ImageOps

from tests.cli.rooms import Room, call
from tests.cli.test_formats import SCHEMAS
from tests.scenes import scene
from transfer.audit import log as audit_log
from transfer.looking_back import LookingBack
from transfer.model.findings import Code, WaitingFor
from transfer.model.fingerprint import differing_bits
from transfer.model.states import Held, State
from transfer.store.fingerprints import Fingerprints
from transfer.wiring import build_pools

VERIFIER = str(Path(audit_log.__file__).parent / "static" / "verify.py")
WORDS = ("--as", "helen", "--public", "--risk", "low")


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def watermarked(picture: Image.Image) -> Image.Image:
    """Scaled down, encoded coarsely and drawn on, as a platform does."""
    smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
    ImageDraw.Draw(smaller).text((30, 30), "@university", fill=(255, 255, 255))
    return smaller


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """One picture was released; then copies of it and another picture were dropped. Do not change it."""
    room = Room(tmp_path_factory.mktemp("reviews") / "w")
    assert call("init", room.root, "--demo").code == 0
    staging = room.root / "staging" / "open-day"
    (staging / "first.jpg").write_bytes(jpeg(scene(1)))
    (staging / "waits.jpg").write_bytes(jpeg(watermarked(scene(1)), 60))  # here before anything was released
    room.gateway()
    room.must("approve", room.items()["first.jpg"].item, *WORDS, "--key", room.key)
    room.gateway()
    assert room.state("first.jpg") is State.RELEASED
    (staging / "copy.jpg").write_bytes(jpeg(watermarked(scene(1)), 50))
    (staging / "mirrored.png").write_bytes(_png(ImageOps.mirror(scene(1))))
    (staging / "other.jpg").write_bytes(jpeg(scene(2)))
    (staging / "again.jpg").write_bytes(jpeg(scene(1)))  # the very original
    room.gateway()
    return room


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def room(after: Room, tmp_path: Path) -> Room:
    return after.copy(tmp_path / "w")


def test_copies_wait_for_a_person_and_others_do_not(after: Room) -> None:
    waits = {name: row.waiting_for for name, row in after.items().items() if row.state is State.HELD}
    assert waits == {
        "waits.jpg": WaitingFor.APPROVAL,
        "copy.jpg": WaitingFor.REVIEW,
        "mirrored.png": WaitingFor.REVIEW,
        "other.jpg": WaitingFor.APPROVAL,
        "again.jpg": WaitingFor.APPROVAL,
    }
    first = after.items()["first.jpg"].item
    with after.site() as site, site.db.read() as tx:
        record = site.register.load(tx, after.items()["copy.jpg"].item)
    assert isinstance(record, Held)
    (near,) = [found for found in record.rebuilt.examined.findings if found.code is Code.NEAR_COPY]
    assert near.detail["item"] == first
    assert int(near.detail["distance"]) <= 31
    assert record.rebuilt.examined.tools["pdqhash"]
    said = " ".join(after.must("show", after.items()["copy.jpg"].item).out.split())
    assert f"looks like something that was released before: like {first}" in said


def test_staff_read_it_kindly(after: Room) -> None:
    notes = [path.read_text() for path in (after.root / "feedback").rglob("*") if path.is_file()]
    assert any("There is nothing for you to do now: a person looks at the two" in note for note in notes)


def test_the_two_are_shown_side_by_side(after: Room, tmp_path: Path) -> None:
    item, first = after.items()["copy.jpg"].item, after.items()["first.jpg"].item
    facts = after.must("preview", item, tmp_path, "--json").json
    Draft202012Validator(SCHEMAS["preview"]).validate(facts)
    assert facts["near_copy"]["item"] == first
    with Image.open(tmp_path / facts["near_copy"]["side_by_side"]) as both:
        both.load()
        assert both.format == "JPEG"
        assert both.width > 1.5 * both.height
        assert not both.getexif()
    assert (tmp_path / facts["near_copy"]["file"]).exists()
    assert "the two side by side" in (tmp_path / facts["page"]).read_text()
    others = after.must("preview", after.items()["other.jpg"].item, tmp_path / "other", "--json").json
    assert others["near_copy"] is None


def test_reviewed_approved_released_and_verified(room: Room, tmp_path: Path) -> None:
    item = room.items()["copy.jpg"].item
    refused = room.call("approve", item, *WORDS, "--key", room.key)
    assert refused.code == 1
    assert "waits for review" in refused.err
    signing = ("--as", "helen", "--key", room.key)
    done = room.must("review", item, *signing, "--reason", "Our own, scaled for the banner.", "--json").json
    assert done == {"reviewed": [item], "codes": ["near-copy"]}
    Draft202012Validator(SCHEMAS["review"]).validate(done)
    room.gateway()
    assert room.items()["copy.jpg"].waiting_for is WaitingFor.APPROVAL
    room.must("approve", item, *WORDS, "--key", room.key)
    room.gateway()
    assert room.state("copy.jpg") is State.RELEASED
    room.publish()
    room.must("audit", "verify")
    assert "Signed review" in room.must("audit", "show", room.workspace.log).out
    pack = tmp_path / "pack.zip"
    room.must("audit", "export", "--item", item, "--out", pack)
    opened = subprocess.run([sys.executable, VERIFIER, str(pack)], capture_output=True, text=True, check=False)
    assert opened.returncode == 0, opened


def test_what_was_released_without_being_looked_at_is_looked_at_later(room: Room) -> None:
    """As after an update: there is the clean copy, and no fingerprint."""
    prints, item = Fingerprints(), room.items()["first.jpg"].item
    with room.site() as site:
        with site.db.write() as tx:
            before = tx.driver.execute("SELECT item, hash FROM fingerprint").fetchall()
            tx.driver.execute("DELETE FROM fingerprint")
            prints.released(tx, item, ())
        media, residue = build_pools(site.settings)
        with media, residue:
            LookingBack(db=site.db, register=site.register, blobs=site.blobs, media=media, policy=site.policy).round()
        with site.db.read() as tx:
            after_ = tx.driver.execute("SELECT item, hash FROM fingerprint").fetchall()
            assert prints.due(tx, limit=1) == []
    assert [row[0] for row in after_] == [row[0] for row in before] == [item]
    assert differing_bits(after_[0][1], before[0][1]) <= 6  # the clean copy was encoded once more


def test_what_was_released_after_a_backup_is_known_after_its_restore(tmp_path: Path) -> None:
    """The backup has the picture as it waited; only the log knows that it was released."""
    room, again = Room(tmp_path / "w"), Room(tmp_path / "again")
    assert call("init", room.root, "--demo").code == 0
    (room.root / "staging" / "open-day" / "first.jpg").write_bytes(jpeg(scene(1)))
    room.gateway()
    room.must("backup", tmp_path / "backup")
    room.must("approve", room.items()["first.jpg"].item, *WORDS, "--key", room.key)
    room.gateway()
    assert room.state("first.jpg") is State.RELEASED
    assert call("restore", tmp_path / "backup", "--to", again.root).code == 0
    again.must("audit", "adopt", "--log", room.root / "log")
    staging = again.root / "staging" / "open-day"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / "copy.jpg").write_bytes(jpeg(watermarked(scene(1)), 50))
    (staging / "other.jpg").write_bytes(jpeg(scene(2)))
    again.gateway()
    waits = {name: row.waiting_for for name, row in again.items().items()}
    assert (waits["copy.jpg"], waits["other.jpg"]) == (WaitingFor.REVIEW, WaitingFor.APPROVAL)


def test_who_asks_before_dropping_is_told_the_same(after: Room, tmp_path: Path) -> None:
    for name, picture in (("saved.jpg", watermarked(scene(1))), ("new.jpg", scene(3))):
        (tmp_path / name).write_bytes(jpeg(picture, 70))
    said = after.call("check", tmp_path / "saved.jpg", tmp_path / "new.jpg")
    assert " ".join(said.out.split()).count("looks like something that was released before") == 1


def test_signed_on_another_machine(room: Room, tmp_path: Path) -> None:
    item = room.items()["mirrored.png"].item
    text = room.must("review", item, "--as", "helen", "--reason", "Mirrored on purpose.", "--draft").out
    (tmp_path / "s").write_text(text)
    (tmp_path / "signed").write_text(call("sign", tmp_path / "s", "--key", room.key).out)
    room.must("review", "--signature", tmp_path / "signed")
    room.gateway()
    assert room.items()["mirrored.png"].waiting_for is WaitingFor.APPROVAL


def test_what_waits_for_nothing_of_the_kind_is_not_reviewed(room: Room) -> None:
    item = room.items()["other.jpg"].item
    answer = room.call("review", item, "--as", "helen", "--key", room.key, "--reason", "x")
    assert answer.code == 1
    assert "waits for approval; there is nothing about it that a person has to clear first" in answer.err


def test_who_may_not_review(room: Room) -> None:
    answer = room.call("review", room.items()["copy.jpg"].item, "--as", "sam", "--key", room.key, "--reason", "x")
    assert answer.code != 0
    assert "Traceback" not in answer.err

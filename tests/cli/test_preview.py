"""`transfer preview` and `transfer check`: what somebody looks at before they sign, and before they drop."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.rooms import Room
from transfer.disarm.residue import prove
from transfer.model.media import Format


def item_of(room: Room, name: str) -> str:
    return room.items()[name].item


def test_a_picture_with_all_that_would_be_signed(studio: Room, tmp_path: Path) -> None:
    item = item_of(studio, "campus.jpg")
    out = tmp_path / "look"
    facts = studio.must("preview", item, out, "--json").json
    written = {facts[key] for key in ("file", "contact_sheet", "page", "before_and_after")}
    assert {path.name for path in out.iterdir()} == written
    assert hashlib.sha256((out / "campus.jpg").read_bytes()).hexdigest() == facts["sha256"]
    with Image.open(out / facts["contact_sheet"]) as sheet:
        assert sheet.format == "JPEG"
    with (out / facts["contact_sheet"]).open("rb") as file:
        assert prove(file.fileno(), format=Format.JPEG)[0] == ()
    page = (out / facts["page"]).read_text()
    for said in (
        facts["sha256"],
        facts["original_sha256"],
        facts["policy_sha256"],
        "EXIF, GPS",
        "camera and lens (2)",
        "open-day",
        "sam",
    ):
        assert said in page
    assert "everything in it is PUBLIC" in page
    assert any(line.startswith("picture: JPEG, ") for line in facts["left"])
    beside = (out / facts["before_and_after"]).read_text()
    assert facts["before_and_after"] in page
    for said in ("EXIF", "GPS", "AS IT CAME", "AS IT WOULD GO", "segments: APP0 JFIF"):
        assert said in beside
    assert max(map(len, beside.splitlines())) <= 91
    assert page.rstrip() == studio.must("preview", item, out).out.rstrip()  # again, over the same files


def test_what_the_page_names_is_what_an_approval_signs(studio: Room, tmp_path: Path) -> None:
    item = item_of(studio, "campus.jpg")
    facts = studio.must("preview", item, tmp_path / "look", "--json").json
    statement = studio.must("statement", item, "--as", "helen", "--public", "--risk", "low").out
    assert facts["sha256"] in statement
    assert facts["policy_sha256"] in statement


def test_a_film_has_a_sheet_of_its_scenes(studio: Room, tmp_path: Path) -> None:
    facts = studio.must("preview", item_of(studio, "tour.mp4"), tmp_path, "--json").json
    sheet = Image.open(io.BytesIO((tmp_path / facts["contact_sheet"]).read_bytes()))
    assert min(sheet.size) > 100
    assert facts["removed"]


def test_a_text_stands_in_the_page(studio: Room, tmp_path: Path) -> None:
    answer = studio.must("preview", item_of(studio, "caption.txt"), tmp_path / "look")
    assert "Open day on Saturday 🎓 Come and see us!" in answer.out
    assert not list((tmp_path / "look").glob("*.jpg"))


@pytest.mark.parametrize("place", ["release", "release/deep", "release-aside", "staging/open-day", "state", "log"])
def test_never_to_where_it_could_leave(studio: Room, place: str) -> None:
    item = item_of(studio, "campus.jpg")
    answer = studio.call("preview", item, studio.root / place)
    assert answer.code == 2
    assert "where a preview has no place" in answer.err
    (studio.root / "way").symlink_to(studio.root / place.partition("/")[0])
    assert studio.call("preview", item, studio.root / "way").code == 2
    assert not (studio.root / "release" / "deep").exists()


def test_another_file_of_that_name_stays(studio: Room, tmp_path: Path) -> None:
    (tmp_path / "campus.jpg").write_text("mine")
    answer = studio.call("preview", item_of(studio, "campus.jpg"), tmp_path)
    assert answer.code == 2
    assert "There is another file at" in answer.err
    assert (tmp_path / "campus.jpg").read_text() == "mine"


def test_nothing_to_show_of_a_refused_item(studio: Room, tmp_path: Path) -> None:
    answer = studio.call("preview", item_of(studio, "invoice.exe"), tmp_path)
    assert answer.code == 1
    assert "is refused; there is no rebuilt file of it" in answer.err


def test_other_bytes_in_the_store_are_tampering(studio: Room, tmp_path: Path) -> None:
    row = studio.items()["caption.txt"]
    assert row.rebuilt_sha256 is not None
    blob = studio.workspace.clean / row.rebuilt_sha256[:2] / row.rebuilt_sha256
    blob.write_text("Something else altogether.\n")
    answer = studio.call("preview", row.item, tmp_path)
    assert answer.code == 4
    assert "has other bytes than its name says" in answer.err
    assert not (tmp_path / "caption.txt").exists()


def test_check_says_what_the_line_says(studio: Room) -> None:
    """The same files give the same answers as those that were really dropped."""
    samples = sorted((studio.root / "demo" / "samples").iterdir())
    answer = studio.call("check", "--json", *samples)
    assert answer.code == 1
    document = answer.json
    real = {item["name"]: item for item in studio.must("status", "--json").json["items"]}
    assert document["refused"] == sum(file["outcome"] == "refused" for file in document["files"]) == 3
    for file in document["files"]:
        item = real[file["name"]]
        assert (file["outcome"], file["waiting_for"]) == (item["state"], item["waiting_for"])
        assert file["reasons"] == item["reasons"]
        assert file["sha256"] == item["sha256"]
        if file["outcome"] == "held":
            assert file["rebuilt_sha256"] == item["rebuilt_sha256"]


def test_check_records_and_keeps_nothing(studio: Room, tmp_path: Path) -> None:
    def kept() -> tuple[object, ...]:
        with studio.site() as site, site.db.read() as tx:
            rows = len(site.register.rows(tx))
        entries = studio.must("audit", "verify", "--json").json["database"]["entries"]
        return rows, entries, sorted(studio.workspace.raw.rglob("*")), sorted(studio.workspace.clean.rglob("*"))

    before = kept()
    (tmp_path / "new.txt").write_text("Never seen before.\n")
    (tmp_path / "bad.exe").write_text("MZ\n")
    assert studio.call("check", tmp_path / "new.txt").code == 0
    assert studio.call("check", tmp_path / "bad.exe").code == 1
    assert kept() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.exe", "new.txt", "s"]


def test_check_of_what_would_come_back(studio: Room, tmp_path: Path) -> None:
    studio.must("preview", item_of(studio, "campus.jpg"), tmp_path / "look")
    answer = studio.call("check", tmp_path / "look" / "campus.jpg", "--json")
    assert answer.code == 1
    assert any("G5" in reason["clause"] for reason in answer.json["files"][0]["reasons"])


def test_check_for_a_campaign_that_is_not_approved(studio: Room) -> None:
    caption = studio.root / "demo" / "samples" / "caption.txt"
    answer = studio.must("check", caption, "--campaign", "no-such", "--json")
    assert answer.json["files"][0]["waiting_for"] == "campaign"


def test_check_at_the_door(studio: Room, tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(studio.root / "demo" / "samples" / "caption.txt")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "~$draft.txt").write_text("left behind")
    twice = studio.root / "demo" / "samples" / "caption.txt"
    answer = studio.call("check", *tmp_path.glob("*.txt"), twice, twice, "--json")
    assert answer.code == 1
    outcomes = {Path(file["file"]).name: file["outcome"] for file in answer.json["files"]}
    assert outcomes == {"link.txt": "refused", "empty.txt": "refused", "~$draft.txt": "ignored", "caption.txt": "held"}
    told = studio.call("check", *tmp_path.glob("*.txt")).out
    assert "~$draft.txt: ignored" in told
    assert "link.txt: would be refused" in told


def test_check_of_nothing(studio: Room, tmp_path: Path) -> None:
    missing = studio.call("check", tmp_path / "none.jpg")
    assert missing.code == 2
    assert "There is no file at" in missing.err
    folder = studio.call("check", tmp_path)
    assert folder.code == 2
    assert "is a folder" in folder.err

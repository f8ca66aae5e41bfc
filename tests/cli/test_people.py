"""`transfer people`: nobody becomes an approver without an approver's signature; everything else is one command."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.cli.rooms import Room, call


def by_name(room: Room) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in room.must("people", "list", "--json").json["people"]}


def key_of(folder: Path, name: str) -> tuple[Path, Path]:
    """A private key and its public one, as the person makes them on their own machine."""
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    made = call("people", "key", private)
    assert made.code == 0, made
    public.write_text(made.out)
    return private, public


def enrol(room: Room, folder: Path, name: str, role: str = "approver") -> Path:
    private, public = key_of(folder, name)
    room.must("people", "add", name, "--role", role, "--public-key", public, "--as", "helen", "--key", room.key)
    return private


def test_the_list_says_who_is_what_and_who_can_sign(room: Room) -> None:
    people = by_name(room)
    assert set(people) == {"helen", "sam"}
    assert people["helen"]["signs"] == ["approver"]
    assert people["sam"]["signs"] == []
    assert people["sam"]["public_key"] is None
    told = room.must("people", "list").out
    assert "helen: approver" in told
    assert str(people["sam"]["person"]) in told


def test_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    made = call("people", "key", tmp_path / "nora.key", "--json").json
    assert made["made"] is True
    assert stat.S_IMODE(os.stat(tmp_path / "nora.key").st_mode) == 0o600
    again = call("people", "key", tmp_path / "nora.key", "--json").json
    assert (again["made"], again["public_key"]) == (False, made["public_key"])
    assert "PRIVATE" not in made["pem"]


def test_a_key_that_others_can_read_is_not_even_shown(tmp_path: Path) -> None:
    key_of(tmp_path, "nora")
    (tmp_path / "nora.key").chmod(0o644)
    answer = call("people", "key", tmp_path / "nora.key")
    assert answer.code == 2
    assert "can be read or written by others" in answer.err
    assert "chmod 600" in answer.err


def test_an_enrolled_approver_can_approve(room: Room, tmp_path: Path) -> None:
    key = enrol(room, tmp_path, "nora")
    item = room.items()["held.txt"].item
    room.must("approve", item, "--as", "nora", "--key", key, "--public", "--risk", "medium")
    assert room.state("held.txt").value == "approved"
    room.must("audit", "verify", "--json")


def test_an_approver_is_not_added_without_a_signature(room: Room, tmp_path: Path) -> None:
    _, public = key_of(tmp_path, "nora")
    for more in ((), ("--public-key", public)):
        answer = room.call("people", "add", "nora", "--role", "approver", *more)
        assert answer.code == 2
        assert "signature" in answer.err
    assert "nora" not in by_name(room)


def test_a_stranger_cannot_enrol_an_approver(room: Room, tmp_path: Path) -> None:
    private, public = key_of(tmp_path, "mallory")
    room.must("people", "add", "mallory", "--role", "operator")
    answer = room.call(
        "people", "add", "mallory", "--role", "approver", "--public-key", public, "--as", "mallory", "--key", private
    )
    assert answer.code == 1
    assert "mallory is not enrolled by a signature that leads back to the first approver" in answer.err
    assert by_name(room)["mallory"]["signs"] == []


def test_the_three_steps_keep_the_key_away(room: Room, tmp_path: Path) -> None:
    _, public = key_of(tmp_path, "nora")
    asked = ("people", "add", "nora", "--role", "approver")
    draft = room.must(*asked, "--public-key", public, "--as", "helen", "--draft")
    (tmp_path / "statement").write_text(draft.out)
    (tmp_path / "signed").write_text(call("sign", tmp_path / "statement", "--key", room.key).out)
    assert "nora" not in by_name(room)
    room.must(*asked, "--signature", tmp_path / "signed")
    assert by_name(room)["nora"]["signs"] == ["approver"]
    again = room.call(*asked, "--signature", tmp_path / "signed")
    assert again.code == 1
    assert "was used before" in again.err


def test_a_new_key_replaces_the_old_one(room: Room, tmp_path: Path) -> None:
    old = enrol(room, tmp_path, "nora")
    (tmp_path / "new").mkdir()
    new = enrol(room, tmp_path / "new", "nora")
    item = room.items()["held.txt"].item
    answer = room.call("approve", item, "--as", "nora", "--key", old, "--public", "--risk", "low")
    assert answer.code == 1
    assert "signed with another key than the one enrolled for nora" in answer.err
    room.must("approve", item, "--as", "nora", "--key", new, "--public", "--risk", "low")


@pytest.mark.parametrize("role", ["submitter", "auditor", "operator"])
def test_who_signs_nothing_is_added_by_one_command(room: Room, role: str) -> None:
    person = room.must("people", "add", "Dana Meyer", "--role", role, "--json").json["person"]
    assert (person["roles"], person["signs"]) == ([role], [])
    again = room.call("people", "add", "Dana Meyer", "--role", role)
    assert again.code == 1
    assert "already" in again.err
    room.must("people", "disable", "Dana Meyer")
    assert by_name(room)["Dana Meyer"]["disabled"] is True


def test_a_submitter_is_told_how_to_get_a_folder(room: Room) -> None:
    told = room.must("people", "add", "Dana", "--role", "submitter").out
    assert "[[source]]" in told
    assert str(by_name(room)["Dana"]["person"]) in told


def test_disabling_an_approver_takes_a_signature(room: Room, tmp_path: Path) -> None:
    enrol(room, tmp_path, "nora")
    answer = room.call("people", "disable", "nora")
    assert answer.code == 2
    assert "This takes a signature" in answer.err
    room.must("people", "disable", "nora", "--as", "helen", "--key", room.key, "--reason", "has left")
    nora = by_name(room)["nora"]
    assert (nora["disabled"], nora["signs"], nora["public_key"]) == (True, [], None)


def test_the_last_approver_stays(room: Room) -> None:
    answer = room.call("people", "disable", "helen", "--as", "helen", "--key", room.key)
    assert answer.code == 1
    assert "helen is the last approver" in answer.err


def test_a_statement_about_another_person_is_not_taken(room: Room, tmp_path: Path) -> None:
    for name in ("nora", "olga"):
        enrol(room, tmp_path, name)
    draft = room.must("people", "disable", "nora", "--as", "helen", "--draft")
    (tmp_path / "statement").write_text(draft.out)
    (tmp_path / "signed").write_text(call("sign", tmp_path / "statement", "--key", room.key).out)
    answer = room.call("people", "disable", "olga", "--signature", tmp_path / "signed")
    assert answer.code == 2
    assert "about nora, not olga" in answer.err
    assert not by_name(room)["nora"]["disabled"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "x"), 2, "Say what they are to be"),
        (("add", "x", "--role", "king"), 2, "There is no role 'king'"),
        (("add", "", "--role", "auditor"), 2, "at least one character"),
        (("add", "u_x", "--role", "auditor"), 2, "does not begin with u_"),
        (("add", "x" * 200, "--role", "auditor"), 2, "200 characters"),
        (("add", "x", "--role", "auditor", "--key", "nowhere"), 2, "nothing to sign"),
        (("add", "x", "--role", "approver", "--public-key", "nowhere", "--as", "helen"), 2, "cannot be read"),
        (("add", "x", "--role", "approver", "--signature", "nowhere"), 2, "cannot be read"),
        (("disable", "nobody"), 1, "Nobody here is called nobody"),
    ],
)
def test_a_wrong_word_gets_a_sentence(room: Room, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = room.call("people", *arguments)
    assert answer.code == code
    assert said in answer.err
    assert "  → " in answer.err or "at least one" in answer.err


def test_a_private_key_is_not_taken_for_a_public_one(room: Room, tmp_path: Path) -> None:
    private, _ = key_of(tmp_path, "nora")
    answer = room.call(
        "people", "add", "nora", "--role", "approver", "--public-key", private, "--as", "helen", "--key", room.key
    )
    assert answer.code == 2
    assert "shows to nobody" in answer.err


def test_a_role_written_into_the_database_gives_no_right(room: Room, tmp_path: Path) -> None:
    """Who can write the database still cannot make an approver."""
    room.must("people", "add", "mallory", "--role", "submitter")
    private, _ = key_of(tmp_path, "mallory")
    with sqlite3.connect(room.workspace.database) as db:
        db.execute(
            "INSERT INTO person_role (person, role) SELECT person, 'approver' FROM person WHERE name = 'mallory'"
        )
    db.close()
    item = room.items()["held.txt"].item
    answer = room.call("approve", item, "--as", "mallory", "--key", private, "--public", "--risk", "low")
    assert answer.code == 1
    assert "mallory is not enrolled by a signature" in answer.err
    assert by_name(room)["mallory"]["signs"] == []

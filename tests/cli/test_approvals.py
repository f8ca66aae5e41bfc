"""The decisions at the command line: every wrong approval gets one sentence, exit code 1 or 2, and changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.rooms import Answer, Room, call
from tests.cli.test_people import enrol, key_of

YES = ("--public", "--risk", "low")


def approve(room: Room, name: str, *more: str | Path) -> Answer:
    return room.call("approve", room.items()[name].item, *more)


def by_helen(room: Room, name: str, *more: str | Path) -> Answer:
    return approve(room, name, "--as", "helen", "--key", room.key, *(more or YES))


def statement(room: Room, name: str, who: str = "helen") -> str:
    return room.must("statement", room.items()[name].item, "--as", who, *YES).out


def signed(folder: Path, text: str, key: Path) -> Path:
    (folder / "statement").write_text(text)
    answer = call("sign", folder / "statement", "--key", key)
    assert answer.code == 0, answer
    (folder / "signed").write_text(answer.out)
    return folder / "signed"


def no(room: Room, answer: Answer, code: int, *said: str, name: str = "held.txt", state: str = "held") -> None:
    """It is refused with this code and these words, an advice or a clause with them, and nothing has changed."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.startswith("transfer: ")
    assert "Traceback" not in answer.err
    for words in said:
        assert words in answer.err
    assert room.state(name).value == state


def test_an_approval_and_its_three_steps(room: Room, tmp_path: Path) -> None:
    answer = by_helen(room, "held.txt", *YES, "--note", "seen by the dean", "--json")
    assert answer.json == {"approved": [room.items()["held.txt"].item], "waiting": {}}
    room.must("approve", "--signature", signed(tmp_path, statement(room, "asked.txt"), room.key))
    assert room.state("asked.txt").value == "approved"
    room.must("audit", "verify")


def test_neither_public_nor_risk_is_taken_for_granted(room: Room) -> None:
    no(room, by_helen(room, "held.txt", "--risk", "low"), 2, "Only what is PUBLIC may go", "[G6]", "--public")
    no(room, by_helen(room, "held.txt", "--public"), 2, "risk to integrity", "[G7]", "--risk low")
    no(room, by_helen(room, "held.txt", "--public", "--risk", "none"), 2, "--risk low")
    no(room, approve(room, "held.txt", *YES), 2, "An approval needs items, --as NAME and --key FILE")
    no(room, room.call("approve"), 2, "An approval needs items")


def test_for_other_bytes(room: Room, tmp_path: Path) -> None:
    sha256 = room.items()["held.txt"].rebuilt_sha256
    other = room.items()["asked.txt"].rebuilt_sha256
    assert sha256 is not None
    assert other is not None
    note = signed(tmp_path, statement(room, "held.txt").replace(sha256, other), room.key)
    no(room, room.call("approve", "--signature", note), 1, "is about other bytes", sha256, other, "[G6]", "preview")


def test_by_an_unknown_person(room: Room, tmp_path: Path) -> None:
    no(room, approve(room, "held.txt", "--as", "nobody", "--key", room.key, *YES), 1, "Nobody here is called nobody")
    key, _ = key_of(tmp_path, "stranger")
    text = re.sub("u_[0-9a-f]{32}", "u_" + "1" * 32, statement(room, "held.txt"))
    answer = room.call("approve", "--signature", signed(tmp_path, text, key))
    no(room, answer, 1, f"u_{'1' * 32} is not enrolled by a signature", "people add", "[G1]")


def test_by_a_disabled_person(room: Room, tmp_path: Path) -> None:
    key = enrol(room, tmp_path, "nora")
    note = signed(tmp_path, statement(room, "held.txt", "nora"), key)
    room.must("people", "disable", "nora", "--as", "helen", "--key", room.key)
    no(room, approve(room, "held.txt", "--as", "nora", "--key", key, *YES), 1, "nora has been disabled", "[G1]")
    answer = room.call("approve", "--signature", note)
    no(room, answer, 1, "nora has been disabled; what they sign counts no longer", "Ask another approver")


def test_by_the_person_who_dropped_it(room: Room, tmp_path: Path) -> None:
    key = enrol(room, tmp_path, "sam")
    answer = approve(room, "held.txt", "--as", "sam", "--key", key, *YES)
    no(room, answer, 1, "was handed in by the person who would approve it", "Another approver", "[G6]")


def test_by_a_submitter_without_the_right(room: Room, tmp_path: Path) -> None:
    key, _ = key_of(tmp_path, "sam")
    answer = approve(room, "held.txt", "--as", "sam", "--key", key, *YES)
    no(room, answer, 1, "sam is not enrolled by a signature that leads back to the first approver", "[G1]")


def test_by_an_operator(room: Room, tmp_path: Path) -> None:
    key = enrol(room, tmp_path, "otto", role="operator")
    answer = approve(room, "held.txt", "--as", "otto", "--key", key, *YES)
    no(room, answer, 1, "otto is enrolled as operator, and this takes approver")


def test_with_a_key_that_no_chain_leads_to(room: Room, tmp_path: Path) -> None:
    key, _ = key_of(tmp_path, "helen")
    answer = approve(room, "held.txt", "--as", "helen", "--key", key, *YES)
    no(room, answer, 1, "signed with another key than the one enrolled for helen", "people add", "[G1]")


def test_with_a_key_file_that_others_can_read(room: Room) -> None:
    for mode in (0o644, 0o640, 0o602):
        room.key.chmod(mode)
        no(room, by_helen(room, "held.txt"), 2, "can be read or written by others", f"chmod 600 {room.key}")
    room.key.chmod(0o600)
    assert by_helen(room, "held.txt").code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no key file at"),
        (b"", "holds no private key in PEM form"),
        (b"\xff\x00" * 5000, "is not an Ed25519 key"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "protected by a passphrase"),
    ],
)
def test_with_a_key_file_that_holds_no_key(room: Room, content: bytes | None, said: str) -> None:
    room.key.unlink()
    if content is not None:
        room.key.write_bytes(content)
        room.key.chmod(0o600)
    no(room, by_helen(room, "held.txt"), 2, said, "  → ")


def test_with_a_forged_signature(room: Room, tmp_path: Path) -> None:
    note = signed(tmp_path, statement(room, "held.txt"), room.key)
    note.write_text(note.read_text().replace('"low"', '"high"'))
    no(room, room.call("approve", "--signature", note), 1, "one of them was changed or forged", "[G1]")


def test_of_another_time(room: Room, tmp_path: Path) -> None:
    text = statement(room, "held.txt")
    for year, said in (("2001", "has expired"), ("2999", "which is in the future")):
        changed = re.sub(r'"at":"\d{4}', f'"at":"{year}', text)
        assert changed != text
        answer = room.call("approve", "--signature", signed(tmp_path, changed, room.key))
        no(room, answer, 1, said, "  → ")


def test_for_another_policy(room: Room, tmp_path: Path) -> None:
    changed = re.sub(r'"policy":"[0-9a-f]{64}"', f'"policy":"{"0" * 64}"', statement(room, "held.txt"))
    answer = room.call("approve", "--signature", signed(tmp_path, changed, room.key))
    no(room, answer, 1, "made under another policy", "  → ")


def test_handed_in_twice(room: Room, tmp_path: Path) -> None:
    note = signed(tmp_path, statement(room, "held.txt"), room.key)
    room.must("approve", "--signature", note)
    answer = room.call("approve", "--signature", note)
    assert answer.code == 1
    assert "  → " in answer.err
    no(room, answer, 1, state="approved")


def test_of_what_does_not_wait_for_one(studio: Room) -> None:
    no(studio, by_helen(studio, "loose.txt"), 1, "belong to no campaign", "staging/CAMPAIGN/FILE", name="loose.txt")
    refused = by_helen(studio, "invoice.exe")
    no(studio, refused, 1, "is refused; nothing has been rebuilt", name="invoice.exe", state="refused")
    unknown = studio.call("approve", "i-00000000", "--as", "helen", "--key", studio.key, *YES)
    assert unknown.code == 1
    assert "i-00000000" in unknown.err
    malformed = studio.call("approve", "campus.jpg", "--as", "helen", "--key", studio.key, *YES)
    assert malformed.code == 2
    assert "is not well formed" in malformed.err


def test_several_at_once_are_approved_together_or_not_at_all(room: Room) -> None:
    items = room.items()
    both = [items[name].item for name in ("held.txt", "released.txt")]
    answer = room.call("approve", *both, "--as", "helen", "--key", room.key, *YES)
    no(room, answer, 1, "is released; only one that is held")
    both = [items[name].item for name in ("held.txt", "asked.txt")]
    room.must("approve", *both, *both, "--as", "helen", "--key", room.key, *YES)
    assert room.state("asked.txt").value == "approved"


def test_what_is_no_statement_at_all(room: Room, tmp_path: Path) -> None:
    for content in (b"", b"hello\n", b"\xff\xfe", b"x" * 200_000, statement(room, "held.txt").encode()):
        (tmp_path / "note").write_bytes(content)
        no(room, room.call("approve", "--signature", tmp_path / "note"), 2, "  → ")
        assert content == b"" or call("sign", tmp_path / "note", "--key", tmp_path / "none").code == 2
    no(room, room.call("approve", "--signature", tmp_path / "missing"), 2, "cannot be read")


def test_a_statement_of_another_kind_is_not_an_approval(room: Room, tmp_path: Path) -> None:
    draft = room.must("campaign", "close", "open-day", "--as", "helen", "--draft").out
    answer = room.call("approve", "--signature", signed(tmp_path, draft, room.key))
    no(room, answer, 2, "of the kind «closing»")


def test_refuse(room: Room) -> None:
    item = room.items()["held.txt"].item
    words = ("--as", "helen", "--key", room.key, "--reason", "the date is wrong")
    assert room.must("refuse", item, *words, "--json").json == {"refused": [item]}
    assert "the date is wrong" in room.must("show", item).out
    assert "An approver refused it: the date is wrong" in " ".join(room.must("status").out.split())
    again = room.call("refuse", item, *words)
    no(room, again, 1, state="refused")
    missing = room.call("refuse", room.items()["asked.txt"].item, *words[:-1], " ")
    no(room, missing, 2, "A refusal needs a reason", name="asked.txt")


def test_withdraw(room: Room) -> None:
    words = ("--as", "helen", "--key", room.key, "--reason", "the speaker is ill")
    held, approved, released = (room.items()[f"{name}.txt"].item for name in ("held", "approved", "released"))
    document = room.must("withdraw", held, approved, released, *words, "--json").json
    assert document["withdrawn"] == [held]
    assert sorted(document["pending"]) == sorted([approved, released])
    room.gateway()
    assert {room.state(f"{name}.txt").value for name in ("held", "approved", "released")} == {"withdrawn"}
    assert "It was still there." in " ".join(room.must("show", released).out.split())
    assert not (room.root / "release" / "released.txt").exists()
    room.must("audit", "verify")


def test_pause_and_resume(room: Room, tmp_path: Path) -> None:
    words = ("--as", "helen", "--key", room.key, "--reason", "an incident")
    assert room.must("pause", *words, "--json").json == {"paused": True}
    again = room.call("pause", *words)
    assert again.code == 1
    assert "Releasing is paused already" in again.err
    room.gateway()
    assert room.state("approved.txt").value == "approved"
    assert room.must("resume", *words, "--json").json == {"paused": False}
    assert room.call("resume", *words).code == 1
    room.gateway()
    assert room.state("approved.txt").value == "released"
    silent = room.call("pause", *words[:-1], "")
    assert silent.code == 2
    assert "need a reason" in silent.err
    key, _ = key_of(tmp_path, "sam")
    assert room.call("pause", "--as", "sam", "--key", key, "--reason", "mine").code == 1


def test_the_other_decisions_in_three_steps(room: Room, tmp_path: Path) -> None:
    item = room.items()["held.txt"].item
    draft = room.must("refuse", item, "--as", "helen", "--reason", "too dark", "--draft").out
    assert room.state("held.txt").value == "held"
    room.must("refuse", "--signature", signed(tmp_path, draft, room.key))
    assert room.state("held.txt").value == "refused"
    draft = room.must("pause", "--as", "helen", "--reason", "an incident", "--draft").out
    note = signed(tmp_path, draft, room.key)
    wrong = room.call("resume", "--signature", note)
    assert wrong.code == 2
    assert "This statement pauses releasing" in wrong.err
    room.must("pause", "--signature", note)
    draft = room.must("withdraw", room.items()["asked.txt"].item, "--as", "helen", "--draft").out
    room.must("withdraw", "--signature", signed(tmp_path, draft, room.key))
    assert room.state("asked.txt").value == "withdrawn"


@pytest.mark.parametrize("command", ["refuse", "withdraw", "pause", "resume"])
def test_a_decision_without_a_signature_is_none(room: Room, command: str) -> None:
    items = [room.items()["held.txt"].item] if command in {"refuse", "withdraw"} else []
    no(room, room.call(command, *items, "--reason", "why"), 2, "This takes a signature", "--draft")
    no(room, room.call(command, *items, "--reason", "why", "--as", "nobody", "--key", room.key), 1, "Nobody here")
    if items:
        no(room, room.call(command, "--reason", "why", "--as", "helen", "--key", room.key), 2, "1 to 64 items")


def test_nothing_of_a_key_is_ever_shown(room: Room, tmp_path: Path) -> None:
    """Not in what is printed, not in what is kept."""
    import base64

    seed = base64.b64decode("".join(room.key.read_text().splitlines()[1:-1]))[-32:]
    note = signed(tmp_path, statement(room, "held.txt"), room.key)
    told = by_helen(room, "held.txt").out.encode() + note.read_bytes()
    for kept in [*room.workspace.state.rglob("*"), *room.workspace.log.rglob("*")]:
        told += kept.read_bytes() if kept.is_file() else b""
    for spelling in (seed, seed.hex().encode(), base64.b64encode(seed)):
        assert spelling not in told

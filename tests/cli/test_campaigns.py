"""`transfer campaign`: proposed in full or not at all, approved by a signature over exactly what was proposed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.rooms import Answer, Room, call

WORDS = {
    "--account": "@example.university",
    "--from": "2026-01-01",
    "--until": "2099-12-31",
    "--risk": "medium",
    "--purpose": "Show the new library.",
    "--justification": "First-years look there first.",
    "--assessment": "Interiors without people; little to gain by changing them.",
}


def propose(room: Room, name: str = "library", **changes: str) -> Answer:
    words = WORDS | {f"--{key.rstrip('_')}": value for key, value in changes.items()}
    return room.call("campaign", "propose", name, "--as", "sam", *(part for pair in words.items() for part in pair))


def listed(room: Room, name: str = "library") -> dict[str, Any]:
    campaigns = room.must("campaign", "list", "--json").json["campaigns"]
    return next(one for one in campaigns if one["campaign"] == name)


def test_from_proposal_to_close(room: Room) -> None:
    assert propose(room).code == 0
    assert listed(room)["standing"] == "not-approved"
    told = room.must("campaign", "approve", "library", "--as", "helen", "--key", room.key).out
    assert "approved, and open now" in told
    assert (room.root / "staging" / "library").is_dir()
    facts = listed(room)
    assert (facts["standing"], facts["approved_by_name"], facts["proposed_by_name"]) == ("approved", "helen", "sam")
    assert facts["purpose"] == WORDS["--purpose"]
    room.must("campaign", "close", "library", "--as", "helen", "--key", room.key, "--reason", "done")
    assert listed(room)["standing"] == "not-approved"


def test_the_list_is_for_people(room: Room) -> None:
    propose(room)
    told = room.must("campaign", "list").out
    assert "open-day  approved, and open now" in told
    assert "library  not approved" in told
    assert all(len(line) <= 80 for line in told.splitlines())


def test_a_campaign_of_other_days_is_not_open(room: Room) -> None:
    assert propose(room, from_="2020-01-01", until="2020-12-31").code == 0
    room.must("campaign", "approve", "library", "--as", "helen", "--key", room.key)
    assert listed(room)["standing"] == "not-current"


def test_a_changed_proposal_needs_a_new_signature(room: Room, tmp_path: Path) -> None:
    propose(room)
    draft = room.must("campaign", "approve", "library", "--as", "helen", "--draft")
    (tmp_path / "statement").write_text(draft.out)
    (tmp_path / "signed").write_text(call("sign", tmp_path / "statement", "--key", room.key).out)
    propose(room, risk="low")
    answer = room.call("campaign", "approve", "library", "--signature", tmp_path / "signed")
    assert answer.code == 1
    assert "approves another proposal of library" in answer.err
    assert listed(room)["standing"] == "not-approved"


def test_the_three_steps_keep_the_key_away(room: Room, tmp_path: Path) -> None:
    propose(room)
    propose(room, "garden")
    draft = room.must("campaign", "approve", "library", "--as", "helen", "--draft")
    (tmp_path / "statement").write_text(draft.out)
    (tmp_path / "signed").write_text(call("sign", tmp_path / "statement", "--key", room.key).out)
    wrong = room.call("campaign", "approve", "garden", "--signature", tmp_path / "signed")
    assert wrong.code == 2
    assert "about the campaign library, not garden" in wrong.err
    assert listed(room)["standing"] == "not-approved"
    room.must("campaign", "approve", "library", "--signature", tmp_path / "signed")
    assert listed(room)["standing"] == "approved"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"purpose": " "}, "A campaign needs a purpose"),
        ({"justification": "\u202e"}, "A campaign needs a justification"),
        ({"assessment": ""}, "A campaign needs a assessment"),
        ({"risk": "none"}, "--risk 'none' is no level"),
        ({"from_": "today"}, "--from 'today' is no day"),
        ({"until": "2026-13-01"}, "--until '2026-13-01' is no day"),
        ({"from_": "2026-02-01", "until": "2026-01-01"}, "end before it starts"),
        ({"account": "not an account"}, "account"),
    ],
)
def test_a_proposal_that_lacks_something_gets_a_sentence(room: Room, changes: dict[str, str], said: str) -> None:
    answer = propose(room, **changes)
    assert answer.code == 2
    assert said in answer.err
    assert "library" not in room.must("campaign", "list").out


def test_who_may_not(room: Room) -> None:
    propose(room)
    assert room.call("campaign", "approve", "library").code == 2
    by_sam = room.call("campaign", "approve", "library", "--as", "sam", "--key", room.key)
    assert by_sam.code == 1
    assert "sam is not enrolled by a signature" in by_sam.err
    unknown = room.call("campaign", "approve", "no-such", "--as", "helen", "--key", room.key)
    assert unknown.code == 1
    assert "No campaign no-such was ever proposed" in unknown.err
    closed = room.call("campaign", "close", "library", "--as", "helen", "--key", room.key)
    assert closed.code == 1
    assert "The campaign library is not open" in closed.err
    assert room.call("campaign", "approve", "No Slug", "--as", "helen", "--key", room.key).code == 2


def test_a_staging_folder_that_takes_no_folder_is_said_and_the_approval_stands(room: Room) -> None:
    propose(room)
    (room.root / "staging" / "library").write_text("in the way")
    answer = room.must("campaign", "approve", "library", "--as", "helen", "--key", room.key)
    assert "could not be made" in answer.err
    assert listed(room)["standing"] == "approved"

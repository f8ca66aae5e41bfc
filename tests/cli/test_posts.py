"""A post is approved as one: all its files with one signature, or none."""

from __future__ import annotations

from tests.cli.rooms import Answer, Room
from transfer.model.states import State


def approve(room: Room, post: str) -> Answer:
    return room.call("approve", "--post", post, "--as", "helen", "--key", room.key, "--public", "--risk", "low")


def test_one_signature_approves_every_file_of_the_post(studio: Room) -> None:
    answer = approve(studio, "open-day/post")
    assert answer.code == 0, answer
    assert answer.out.count("is approved") == 2
    assert {studio.state("photo.jpg"), studio.state("words.txt")} == {State.APPROVED}
    assert studio.state("campus.jpg") is State.HELD
    shown = studio.must("audit", "show", "--event", "statement.accepted", "--json").json
    assert len(shown["entries"]) == 1


def test_a_post_that_is_not_complete_is_not_approved_in_part(studio: Room) -> None:
    words = studio.items()["words.txt"].item
    studio.must("refuse", words, "--as", "helen", "--key", studio.key, "--reason", "a spelling mistake")
    answer = approve(studio, "open-day/post")
    assert answer.code == 1
    assert "words.txt of this post is refused" in answer.err
    assert studio.state("photo.jpg") is State.HELD


def test_a_post_that_nobody_dropped(studio: Room) -> None:
    answer = approve(studio, "open-day/nothing")
    assert answer.code == 1
    assert "No file of the post" in answer.err

"""The gateway's post against guards that are dead, strange or somebody else."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.release.rig import TOP, Guard, Side, eventually
from transfer.errors import Misuse, Unavailable
from transfer.model.ends import Expectation, Presence
from transfer.model.identifiers import Sha256
from transfer.model.names import safe_name
from transfer.model.states import Kind
from transfer.return_guard.link import connect, listen
from transfer.return_guard.messages import (
    Audited,
    Beat,
    Done,
    Hello,
    ListEnds,
    Received,
    Report,
    SweepNow,
    Verdict,
    What,
)
from transfer.return_guard.packets import parse_from_gateway, render_message
from transfer.return_guard.post import Post

PHOTO = Expectation(name=safe_name("photo.jpg"), temporary=safe_name("part-1.tmp"), sha256=Sha256("11" * 32), size=3)
REPORT = Report(
    id="0123456789abcdef",
    what=What.MOVED,
    presence=Presence(
        name_sha256=Sha256("22" * 32),
        kind=Kind.FILE,
        size=5,
        sha256=Sha256("33" * 32),
        seen_at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
)


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path)
    yield side
    side.close()


class Puppet:
    """A guard that says what a test wants."""

    def __init__(self, side: Side) -> None:
        self.connection = connect(side.socket)
        self.connection.settimeout(5)

    def greet(self) -> None:
        self.say(render_message(Hello()))
        while True:
            message = self.hear()
            if isinstance(message, ListEnds):
                self.say(render_message(Done(message.sequence)))
                return

    def say(self, packet: bytes) -> None:
        self.connection.send(packet)

    def hear(self) -> object:
        packet = self.connection.recv(1024)
        return parse_from_gateway(packet) if packet else None

    def is_hung_up(self) -> bool:
        try:
            return self.connection.recv(1024) == b""
        except OSError:
            return True


def test_the_socket_is_for_our_user_alone(side: Side) -> None:
    assert stat.S_IMODE(side.socket.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_users_process_is_hung_up_on(side: Side) -> None:
    side.socket.chmod(0o666)
    for folder in (side.run, *side.run.parents[:4]):
        folder.chmod(0o755)
    program = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); s.settimeout(5)\n"
        "sys.exit(3 if s.recv(10) == b'' else 4)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(side.socket)], cwd=TOP, check=False)
    assert done.returncode == 3
    assert not side.post.alive


def test_a_guard_counts_as_alive_only_with_the_list_and_a_heartbeat(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not side.post.alive
    puppet = Puppet(side)
    puppet.say(render_message(Beat(1, 0)))
    time.sleep(0.1)
    assert not side.post.alive
    puppet.greet()
    assert side.post.wait_until_alive(5)
    monkeypatch.setattr("transfer.return_guard.post.BEAT_TIMEOUT", 0.05)
    eventually(lambda: not side.post.alive)
    puppet.say(render_message(Beat(2, 0)))
    assert side.post.wait_until_alive(5)


def test_a_guard_that_does_not_answer_holds_nothing_up_for_ever(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfer.return_guard.post._ANSWER_SECONDS", 0.2)
    puppet = Puppet(side)
    puppet.greet()
    assert side.post.wait_until_alive(5)
    with pytest.raises(Unavailable, match="stopped answering"):
        side.post.expect(PHOTO)
    side.post.placed(PHOTO)
    side.post.forget(PHOTO.name)
    puppet.connection.close()
    with pytest.raises(Unavailable):
        side.post.is_present(PHOTO.name)


def test_an_answer_nobody_asked_for_is_no_answer(side: Side) -> None:
    puppet = Puppet(side)
    puppet.greet()
    assert side.post.wait_until_alive(5)
    for number in range(50):
        puppet.say(render_message(Done(number)))
    time.sleep(0.1)
    with pytest.raises(Unavailable):
        side.post.sweep(0.3)


def test_a_report_is_acknowledged_once_it_is_durable_and_again_when_it_comes_again(side: Side) -> None:
    puppet = Puppet(side)
    puppet.greet()
    for verdict in (Verdict.FOREIGN, Verdict.KNOWN):
        puppet.say(render_message(REPORT))
        assert puppet.hear() == Received(REPORT.id, verdict)
        assert len(side.entries("return.refused")) == 1


def test_while_the_database_cannot_be_written_a_report_waits(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    record, tries = side.desk.record, []

    def failing(report: Report) -> Verdict:
        tries.append(report)
        if len(tries) < 3:
            raise Unavailable("The disk is full.")
        return record(report)

    monkeypatch.setattr(side.desk, "record", failing)
    monkeypatch.setattr("transfer.return_guard.filing._RETRY_SECONDS", 0.05)
    puppet = Puppet(side)
    puppet.greet()
    puppet.say(render_message(REPORT))
    assert puppet.hear() == Received(REPORT.id, Verdict.FOREIGN)
    assert len(tries) == 3


def test_a_defect_while_recording_closes_the_line(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(report: Report) -> Verdict:
        raise KeyError("defect")

    monkeypatch.setattr(side.desk, "record", broken)
    puppet = Puppet(side)
    puppet.greet()
    assert side.post.wait_until_alive(5)
    puppet.say(render_message(REPORT))
    eventually(lambda: not side.post.alive)
    assert isinstance(side.post.fault, KeyError)


def test_nonsense_ends_the_connection_and_nothing_else(side: Side) -> None:
    chance = random.Random(3)
    packets = [b"\x01", b"\x02" * 8, b"x" * 600, render_message(ListEnds(1))]
    packets += [chance.randbytes(chance.randint(1, 520)) for _ in range(40)]
    for packet in packets:
        puppet = Puppet(side)
        puppet.greet()
        puppet.say(packet)
        assert puppet.is_hung_up()
    assert side.post.fault is None
    guard = Guard(side)
    try:
        assert side.post.wait_until_alive(15)
        side.post.sweep(10)
    finally:
        guard.kill()
    assert side.entries("return.refused") == []


def test_a_second_guard_takes_over_from_the_first(side: Side) -> None:
    first = Puppet(side)
    first.greet()
    second = Puppet(side)
    second.greet()
    assert first.is_hung_up()
    assert side.post.wait_until_alive(5)


def test_a_socket_left_by_a_former_life_is_no_obstacle_however_deep_the_workspace(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    for _ in range(2):
        side = Side(deep)
        puppet = Puppet(side)
        puppet.greet()
        assert side.post.wait_until_alive(5)
        side.close()
        assert side.socket.exists()


def test_a_gateway_that_does_not_accept_keeps_nobody_waiting(tmp_path: Path) -> None:
    def knock(kept: contextlib.ExitStack) -> None:
        for _ in range(20):
            kept.enter_context(connect(tmp_path / "g.sock"))

    with listen(tmp_path / "g.sock"), contextlib.ExitStack() as kept, pytest.raises(Unavailable):
        knock(kept)


def test_a_folder_that_others_can_write_to_is_no_place_for_the_socket(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    with pytest.raises(Misuse, match="can write to"):
        listen(tmp_path / "g.sock")
    assert list(tmp_path.iterdir()) == []


def test_there_is_nobody_to_connect_to(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        connect(tmp_path / "nobody.sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "stream.sock"))
        with pytest.raises(Unavailable):
            connect(tmp_path / "stream.sock")


def test_after_a_sweep_the_verdict_that_came_before_it_is_taken_in(tmp_path: Path) -> None:
    """Whoever makes one round asks at once whether anything may go."""
    taken: list[Audited] = []

    def slowly(audited: Audited) -> None:
        time.sleep(0.3)
        taken.append(audited)

    post = Post(
        path=tmp_path / "guard.sock",
        listing=list,
        record=lambda _report: Verdict.KNOWN,
        recorded=lambda: None,
        monotonic=time.monotonic,
        audited=slowly,
    )
    post.start()
    connection = connect(tmp_path / "guard.sock")
    connection.settimeout(10)

    def guard() -> None:
        connection.send(render_message(Hello()))
        while packet := connection.recv(1024):
            message = parse_from_gateway(packet)
            if isinstance(message, SweepNow):
                connection.send(render_message(Audited(age=0, breaches=(), more=0)))
            if isinstance(message, ListEnds | SweepNow):
                connection.send(render_message(Done(message.sequence)))

    thread = threading.Thread(target=guard, daemon=True)
    thread.start()
    try:
        assert post.wait_until_alive(5)
        post.sweep(5)
        assert len(taken) == 1
    finally:
        post.close()
        thread.join(5)
        connection.close()


def test_for_how_long_the_guard_waits_is_known_when_it_beats_no_more(side: Side) -> None:
    puppet = Puppet(side)
    puppet.greet()
    assert side.post.waits == 0
    puppet.say(render_message(Beat(1, 0, 200)))
    eventually(lambda: 190 < side.post.waits <= 200)
    eventually(lambda: not side.post.alive)
    assert 190 < side.post.waits <= 200
    puppet.connection.close()
    eventually(lambda: side.post.waits == 0)

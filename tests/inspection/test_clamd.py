"""clamd as a scanner: a real one, and servers that are dead, slow, talkative or talk nonsense, on real sockets."""

from __future__ import annotations

import io
import os
import socket
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clamd import CLAMD, running_clamd
from transfer.inspection.clamd import DEFAULT_LIMIT, HARD_LIMIT, ClamdScanner, parse_version
from transfer.inspection.clamd_reach import SMALLEST, Bait, reach
from transfer.inspection.clamd_talk import BLOCK, MAX_ANSWER, Address
from transfer.inspection.scan import NoScanner, Scanner, Scanners, eicar
from transfer.model.findings import ScanAnswer, ScanResult

needs_clamd = pytest.mark.skipif(CLAMD is None, reason="clamd is not installed")


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 10, tzinfo=UTC)


def scanner(
    path: Path, *, timeout: float = 5, size_limit: int = 1_500_000, max_age: timedelta | None = None
) -> ClamdScanner:
    return ClamdScanner(
        address=Address(path=path), clock=FixedClock(), timeout=timeout, size_limit=size_limit, max_age=max_age
    )


def answer(to: Scanner, content: bytes) -> ScanAnswer:
    return to.scan(io.BytesIO(content), len(content)).answer


@needs_clamd
@pytest.mark.clamd
class TestRealClamd:
    def test_clean_and_infected(self, clamd: Path) -> None:
        clean = scanner(clamd).scan(io.BytesIO(b"hello"), 5)
        assert (clean.answer, clean.scanner, clean.threat) == (ScanAnswer.CLEAN, "clamd", "")
        assert clean.signatures.startswith("ClamAV ")
        found = scanner(clamd).scan(io.BytesIO(eicar()), 68)
        assert (found.answer, found.threat) == (ScanAnswer.INFECTED, "Eicar-Test-File.UNOFFICIAL")

    def test_malware_at_the_very_end_of_many_blocks_is_seen(self, clamd: Path) -> None:
        assert answer(scanner(clamd), bytes(BLOCK * 8) + eicar()) is ScanAnswer.INFECTED

    def test_only_the_bytes_asked_about_are_sent(self, clamd: Path) -> None:
        content = io.BytesIO(b"hello" + eicar())
        assert scanner(clamd).scan(content, 5).answer is ScanAnswer.CLEAN
        assert content.tell() == 5

    def test_self_test(self, clamd: Path) -> None:
        assert scanner(clamd).self_test().passed

    def test_signatures_of_unknown_age_count_as_no_scanner_where_an_age_is_asked_for(self, clamd: Path) -> None:
        strict = scanner(clamd, max_age=timedelta(days=7))
        assert answer(strict, b"hello") is ScanAnswer.UNAVAILABLE
        assert answer(strict, eicar()) is ScanAnswer.INFECTED
        assert not strict.self_test().passed

    def test_content_over_our_limit_is_not_even_sent(self, clamd: Path) -> None:
        content = io.BytesIO(bytes(1_500_001))
        assert scanner(clamd).scan(content, 1_500_001).answer is ScanAnswer.UNSCANNABLE
        assert content.tell() == 0

    @pytest.mark.parametrize("size", [2_000_001, 2_100_000, 9_000_000])
    def test_content_over_clamd_s_own_limit_is_unscannable(self, clamd: Path, size: int) -> None:
        assert answer(scanner(clamd, size_limit=10_000_000), bytes(size)) is ScanAnswer.UNSCANNABLE

    def test_content_that_is_shorter_than_announced_is_not_clean(self, clamd: Path) -> None:
        assert scanner(clamd).scan(io.BytesIO(b"hello"), 6).answer is ScanAnswer.UNAVAILABLE

    def test_threads_share_a_scanner(self, clamd: Path) -> None:
        shared, answers = scanner(clamd), []

        def ask(content: bytes) -> None:
            answers.append((content == eicar(), answer(shared, content)))

        threads = [threading.Thread(target=ask, args=(content,)) for content in (eicar(), b"hello") * 6]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) == {(True, ScanAnswer.INFECTED), (False, ScanAnswer.CLEAN)}

    def test_a_clamd_that_does_not_find_the_test_file_is_no_scanner(self) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="clamd-") as folder,
            running_clamd(Path(folder), signature="9999") as path,
        ):
            assert answer(scanner(path), b"hello") is ScanAnswer.UNAVAILABLE
            assert "EICAR" in scanner(path).self_test().sentence

    def test_what_clamd_did_not_look_into_is_unscannable(self) -> None:
        extra = "MaxFileSize 500000\nMaxScanSize 500000\nAlertExceedsMax yes\n"
        with tempfile.TemporaryDirectory(prefix="clamd-") as folder, running_clamd(Path(folder), extra=extra) as path:
            assert answer(scanner(path), bytes(900_000)) is ScanAnswer.UNSCANNABLE
            assert answer(scanner(path), bytes(400_000)) is ScanAnswer.CLEAN

    @pytest.mark.parametrize("limit", ["MaxFileSize", "MaxScanSize"])
    def test_what_clamd_passes_over_without_a_word_is_unscannable(self, limit: str) -> None:
        """It says OK to whatever is larger than its limits, and does not tell them: they are found by trying."""
        with (
            tempfile.TemporaryDirectory(prefix="clamd-") as folder,
            running_clamd(Path(folder), extra=f"{limit} 500000\n") as path,
        ):
            asked = scanner(path)
            assert answer(asked, eicar() + bytes(900_000)) is ScanAnswer.UNSCANNABLE
            assert answer(asked, bytes(900_000)) is ScanAnswer.UNSCANNABLE
            assert answer(asked, bytes(480_000)) is ScanAnswer.CLEAN
            test = asked.self_test()
            assert test.passed
            assert "looks only into files of up to about 49" in test.sentence
            assert limit in test.advice

    def test_a_limit_that_clamd_keeps_is_told(self, clamd: Path) -> None:
        test = scanner(clamd).self_test()
        assert "files of up to 1,500,000 bytes" in test.sentence
        assert not test.advice

    def test_a_stream_limit_below_ours_is_found_too(self, clamd: Path) -> None:
        asked = scanner(clamd, size_limit=10_000_000)
        assert "files of up to about 1,9" in asked.self_test().sentence

    def test_a_clamd_that_has_died_is_unavailable_and_then_back(self) -> None:
        with tempfile.TemporaryDirectory(prefix="clamd-") as folder:
            asked = scanner(Path(folder, "a", "clamd.sock"))
            with running_clamd(Path(folder, "a")):
                assert answer(asked, b"hello") is ScanAnswer.CLEAN
            assert answer(asked, b"hello") is ScanAnswer.UNAVAILABLE
            Path(folder, "a").rename(Path(folder, "b"))
            with running_clamd(Path(folder, "a")):
                assert answer(asked, b"hello") is ScanAnswer.CLEAN


Talk = Callable[[socket.socket, bytes], None]


@contextmanager
def server(talk: Talk, *, at: Path | None = None) -> Iterator[Path]:
    """A server on a real Unix socket: `talk` gets each connection with the first line that came over it."""
    with tempfile.TemporaryDirectory(prefix="fake-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = at or Path(folder, "clamd.sock")
        listener.bind(str(path))
        listener.listen()
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection:
                try:
                    line = b""
                    while not line.endswith(b"\n") and (byte := connection.recv(1)):
                        line += byte
                    talk(connection, line)
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def swallow(connection: socket.socket) -> bytes:
    """All chunks of an INSTREAM."""
    content = b""
    stream = connection.makefile("rb")
    while length := int.from_bytes(stream.read(4), "big"):
        content += stream.read(length)
    return content


def honest(version: bytes, *, clean: bytes = b"stream: OK\n", found: bytes = b"stream: Eicar FOUND\n") -> Talk:
    """A clamd with this version, that finds the test file and answers `clean` about everything else."""

    def talk(connection: socket.socket, line: bytes) -> None:
        if line == b"nVERSION\n":
            connection.sendall(version + b"\n")
        else:
            connection.sendall(found if swallow(connection) == eicar() else clean)

    return talk


def says(words: bytes) -> Talk:
    """The same to everything."""
    return lambda connection, _: connection.sendall(words)


def endless(connection: socket.socket, _: bytes) -> None:
    while True:
        connection.sendall(b"x" * MAX_ANSWER)


def dripping(connection: socket.socket, _: bytes) -> None:
    pause = threading.Event()
    while not pause.wait(0.05):
        connection.sendall(b"x")


@pytest.mark.parametrize(
    "talk",
    [
        says(b""),
        says(b"\n"),
        says(b"stream: OK\n"),
        says(b"ClamAV 1.4.3\n"),
        says(b"ClamAV 1.4.3\nClamAV 1.4.3\n"),
        says(b"ClamAV\n"),
        says(b"\xff\xfe\xfd\n"),
        says(b"ClamAV 1.4.3/27000/Sat Foo 15 09:39:33 2025\n"),
        says(b"ClamAV 1.4.3/27000/Sat Feb 31 09:39:33 2025\n"),
        says(b"UNKNOWN COMMAND ERROR\n"),
        lambda _connection, _line: threading.Event().wait(3),
        endless,
        dripping,
    ],
)
def test_nonsense_slow_and_endless_servers_are_unavailable(talk: Talk) -> None:
    with server(talk) as path:
        began = datetime.now(UTC)
        assert answer(scanner(path, timeout=0.4), b"hello") is ScanAnswer.UNAVAILABLE
        test = scanner(path, timeout=0.4).self_test()
        assert datetime.now(UTC) - began < timedelta(seconds=3)
        assert not test.passed
        assert test.sentence.isascii()
        assert test.advice


@pytest.mark.parametrize(
    ("clean", "expected"),
    [
        (b"stream: OK\n", ScanAnswer.CLEAN),
        (b"stream: OK", ScanAnswer.CLEAN),  # it hung up after its word
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\n", ScanAnswer.UNSCANNABLE),
        (b"INSTREAM size limit exceeded. ERROR\n", ScanAnswer.UNSCANNABLE),
        (b"stream: Can't allocate memory ERROR\n", ScanAnswer.UNAVAILABLE),
        (b"stream: mostly harmless OK\n", ScanAnswer.UNAVAILABLE),
        (b"OK\n", ScanAnswer.UNAVAILABLE),
        (b"stream: ok\n", ScanAnswer.UNAVAILABLE),
        (b"stream: OKAY\n", ScanAnswer.UNAVAILABLE),
        (b"", ScanAnswer.UNAVAILABLE),
        (b"stream: Evil\x1b[2J\xff FOUND\n", ScanAnswer.INFECTED),
    ],
)
def test_every_answer_to_a_stream(clean: bytes, expected: ScanAnswer) -> None:
    with server(honest(b"ClamAV 1.4.3", clean=clean)) as path:
        result = scanner(path).scan(io.BytesIO(b"hello"), 5)
    assert result.answer is expected
    assert result.threat.isascii()
    assert result.threat.isprintable()


def test_a_scanner_that_likes_everything_is_no_scanner() -> None:
    with server(honest(b"ClamAV 1.4.3", found=b"stream: OK\n")) as path:
        assert answer(scanner(path), b"hello") is ScanAnswer.UNAVAILABLE
        assert not scanner(path).self_test().passed


def test_it_is_proven_once_for_each_set_of_signatures() -> None:
    version, tests = [b"ClamAV 1.4.3/27000/Fri Jan  9 09:39:33 2026"], []

    def talk(connection: socket.socket, line: bytes) -> None:
        if line == b"nVERSION\n":
            connection.sendall(version[0] + b"\n")
        elif swallow(connection) == eicar():
            tests.append(version[0])
            connection.sendall(b"stream: Eicar FOUND\n")
        else:
            connection.sendall(b"stream: OK\n")

    with server(talk) as path:
        asked = scanner(path)
        assert [answer(asked, b"hello") for _ in range(3)] == [ScanAnswer.CLEAN] * 3
        assert len(tests) == 1
        version[0] = b"ClamAV 1.4.3/27001/Sat Jan 10 09:39:33 2026"
        assert answer(asked, b"hello") is ScanAnswer.CLEAN
        assert len(tests) == 2


def test_old_signatures_count_as_no_scanner_but_what_they_find_counts() -> None:
    old = b"ClamAV 1.4.3/27000/Fri Jan  2 09:39:33 2026"  # nearly eight days before the clock's now
    with server(honest(old, clean=b"stream: OK\n")) as path:
        assert answer(scanner(path, max_age=timedelta(days=8)), b"hello") is ScanAnswer.CLEAN
        aged = scanner(path, max_age=timedelta(days=7))
        assert answer(aged, b"hello") is ScanAnswer.UNAVAILABLE
        assert answer(aged, eicar()) is ScanAnswer.INFECTED
        test = aged.self_test()
        assert not test.passed
        assert "7 days old" in test.sentence


def test_signatures_from_the_future_have_no_age() -> None:
    with server(honest(b"ClamAV 1.4.3/27000/Tue Jan 10 09:39:33 2028")) as path:
        young = scanner(path, max_age=timedelta(days=7))
        assert answer(young, b"hello") is ScanAnswer.UNAVAILABLE
        assert "future" in young.self_test().sentence


def test_an_answer_counts_as_long_as_its_signatures_would() -> None:
    with server(honest(b"ClamAV 1.4.3/27000/Fri Jan  9 09:39:33 2026")) as path:
        strict = scanner(path, max_age=timedelta(days=7))
        result = strict.scan(io.BytesIO(b"hello"), 5)
        assert result.at == FixedClock().now()
        assert not strict.outdated(result)
        old = replace(result, at=FixedClock().now() - timedelta(days=8))
        assert strict.outdated(old)
        assert strict.outdated(replace(result, at=None))  # of a version that did not record it
        assert not scanner(path).outdated(old)


def test_all_scanners_have_to_have_answered() -> None:
    class Other(NoScanner):
        name = "other"

    both = Scanners(NoScanner(), Other())
    clean = ScanResult(answer=ScanAnswer.CLEAN, scanner="none")
    assert both.outdated(())
    assert both.outdated((clean,))
    assert not both.outdated((clean, replace(clean, scanner="other")))
    assert both.outdated((clean, replace(clean, scanner="other", answer=ScanAnswer.UNAVAILABLE)))


@given(st.integers(1, 5_000_000), st.integers(0, 5_000_000))
def test_the_reach_is_never_told_too_large(limit: int, real: int) -> None:
    asked: list[int] = []

    def found(size: int) -> bool:
        asked.append(size)
        return size <= real

    told = reach(found, limit=limit)
    assert len(asked) < 30
    if told is None:
        assert real < SMALLEST < limit
    elif limit > SMALLEST:
        assert told <= real
        assert told == limit or told >= min(limit, real) * 60 // 64
        assert asked == [limit] or told < limit


@given(st.integers(SMALLEST, 300_000), st.integers(1, 200_000))
def test_a_bait_is_an_archive_of_its_size(size: int, block: int) -> None:
    bait, content = Bait(size), b""
    while part := bait.read(block):
        content += part
    assert len(content) == size
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("eicar.com") == eicar()


def test_a_file_that_ends_the_scanner_again_and_again_is_not_clean() -> None:
    def talk(connection: socket.socket, line: bytes) -> None:
        if line == b"nVERSION\n":
            connection.sendall(b"ClamAV 1.4.3\n")
        elif (content := swallow(connection)) != b"deadly":
            connection.sendall(b"stream: Eicar FOUND\n" if eicar() in content else b"stream: OK\n")

    with server(talk) as path:
        asked = scanner(path)
        assert [answer(asked, b"deadly") for _ in range(3)] == [ScanAnswer.UNAVAILABLE] * 3
        assert asked.self_test().passed
        assert answer(asked, b"hello") is ScanAnswer.CLEAN


def test_a_scanner_that_hangs_with_the_content_costs_no_more_than_its_time() -> None:
    def talk(connection: socket.socket, line: bytes) -> None:
        if line == b"nVERSION\n":
            connection.sendall(b"ClamAV 1.4.3\n")
        elif eicar() in (content := swallow(connection)) or len(content) > 100:
            connection.sendall(b"stream: Eicar FOUND\n")
        else:
            threading.Event().wait(5)

    with server(talk) as path:
        began = time.monotonic()
        assert answer(scanner(path, timeout=0.4), b"hello") is ScanAnswer.UNAVAILABLE
        assert time.monotonic() - began < 2


def test_a_socket_that_is_not_there_not_listening_or_no_socket(tmp_path: Path) -> None:
    assert answer(scanner(tmp_path / "nothing"), b"x") is ScanAnswer.UNAVAILABLE
    (tmp_path / "file").write_text("")
    assert answer(scanner(tmp_path / "file"), b"x") is ScanAnswer.UNAVAILABLE
    assert answer(scanner(tmp_path / ("x" * 200)), b"x") is ScanAnswer.UNAVAILABLE


def test_a_server_whose_queue_is_full_does_not_keep_us_waiting() -> None:
    with tempfile.TemporaryDirectory(prefix="full-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder, "clamd.sock")
        listener.bind(str(path))
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            assert answer(scanner(path, timeout=0.3), b"x") is ScanAnswer.UNAVAILABLE


def test_clamd_over_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            for _ in range(3):
                connection, _ = listener.accept()
                with connection:
                    line = b""
                    while not line.endswith(b"\n"):
                        line += connection.recv(1)
                    honest(b"ClamAV 1.4.3")(connection, line)

        thread = threading.Thread(target=serve)
        thread.start()
        asked = ClamdScanner(
            address=Address(host="127.0.0.1", port=port), clock=FixedClock(), timeout=5, size_limit=SMALLEST
        )
        assert answer(asked, b"hello") is ScanAnswer.CLEAN
        thread.join(5)
    assert answer(asked, b"hello") is ScanAnswer.UNAVAILABLE


def test_content_that_cannot_be_read_is_not_clean() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with server(honest(b"ClamAV 1.4.3")) as path, open(writing, "wb", buffering=0) as unreadable:
        assert scanner(path).scan(unreadable, 5).answer is ScanAnswer.UNAVAILABLE


def test_no_limit_is_above_what_clamd_can_scan_at_all() -> None:
    with server(honest(b"ClamAV 1.4.3")) as path:
        asked = scanner(path, size_limit=10**12)
        assert asked.scan(io.BytesIO(b""), HARD_LIMIT + 1).answer is ScanAnswer.UNSCANNABLE
    assert DEFAULT_LIMIT < HARD_LIMIT < 2**31


def test_no_scanner_is_unavailable() -> None:
    assert answer(NoScanner(), b"x") is ScanAnswer.UNAVAILABLE
    assert not NoScanner().self_test().passed


def test_versions() -> None:
    known = parse_version("ClamAV 1.4.3/27817/Sat Nov 15 09:39:33 2025")
    assert (known.program, known.number) == ("ClamAV 1.4.3", 27_817)
    assert known.made_at == datetime(2025, 11, 15, 9, 39, 33, tzinfo=UTC)
    assert str(known) == "ClamAV 1.4.3, signatures 27817 of 2025-11-15T09:39:33.000Z"
    assert str(parse_version("ClamAV 0.103.11+dfsg-0~deb12u1")) == "ClamAV 0.103.11+dfsg-0~deb12u1"


@given(st.text() | st.from_regex(r"ClamAV [0-9.]+/[0-9]+/[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9 ][0-9] [0-9:]{8} [0-9]{4}"))
def test_any_version_is_understood_or_a_value_error(text: str) -> None:
    try:
        parse_version(text)
    except ValueError:
        return
    assert text.startswith("ClamAV ")

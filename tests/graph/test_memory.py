"""Large files pass a session without staying in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import person

MIB = 1 << 20
SIZE = 200 * MIB
SESSION = """
import json, resource, sys
from tests.graph.asking import FixedToken, throttle
from transfer.graph import verbs
from transfer.graph.quickxor import QuickXor
from transfer.graph.records import parse_page, parse_upload_session
from transfer.graph.session import DownloadingSession, UploadingSession

kind, base_url, drive, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
hashed = QuickXor()
if kind == "down":
    with DownloadingSession(verbs=verbs.READER, credential=FixedToken(token="reader"), throttle=throttle(),
                            user_agent="NONISV|x|y/1", base_url=base_url) as session:
        page = parse_page(session.ask(verbs.DELTA, drive, "root").body)
        item = next(item for item in page.items if item.name == "film.mp4")
        with session.download(verbs.CONTENT, drive, item.id) as file:
            hashed.update(file.read(1 << 20))
            before = peak()
            while block := file.read(1 << 20):
                hashed.update(block)
        print(json.dumps([peak() - before, hashed.base64(), item.quickxor]))
else:
    with UploadingSession(verbs=verbs.WRITER, credential=FixedToken(token="writer"), throttle=throttle(),
                          user_agent="NONISV|x|y/1", base_url=base_url) as session:
        url = parse_upload_session(session.ask(verbs.CREATE_UPLOAD, drive, sys.argv[5], "film.mp4",
                                               body={"item": {}}).body).url
        step, before = 32 * 327_680, None
        for first in range(0, size, step):
            chunk = bytes([first // step]) * min(step, size - first)
            hashed.update(chunk)
            made = session.upload(url, chunk, first, size)
            before = before or peak()
        print(json.dumps([peak() - before, hashed.base64(), made.quickxor]))
"""


def grown(*arguments: str) -> int:
    """By how many bytes the peak of a process grew after its first block or part; the hashes agree."""
    done = subprocess.run([sys.executable, "-c", SESSION, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    growth, ours, theirs = json.loads(done.stdout)
    assert ours == theirs
    return int(growth)


@pytest.mark.slow
def test_a_large_download_takes_no_memory(emulator: Emulator, staging: Drive, tmp_path: Path) -> None:
    with (tmp_path / "film.mp4").open("wb") as film:
        for _ in range(SIZE // MIB):
            film.write(os.urandom(MIB))
    staging.by(person("Sam")).put("film.mp4", tmp_path / "film.mp4")
    assert grown("down", emulator.base_url, staging.id, str(SIZE)) < 16 * MIB


@pytest.mark.slow
def test_a_large_upload_takes_the_memory_of_its_parts(emulator: Emulator, release: Drive) -> None:
    assert grown("up", emulator.base_url, release.id, str(SIZE), release.item().id) < 40 * MIB
    assert emulator.world.counted("content_bytes", token="writer") == 0

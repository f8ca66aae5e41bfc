"""rclone, which knows nothing of this project, works with the emulator: lists with hashes, copies both ways, checks.

It has no option for another endpoint, so it reaches the emulator by HTTPS_PROXY (proxied.py).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.graph.emulator.world import World
from tests.graph.proxied import Proxy, certified, proxy

RCLONE = shutil.which("rclone")
GRAPH, CONTENT = "graph.microsoft.com", "university-my.sharepoint.com"

pytestmark = pytest.mark.skipif(RCLONE is None, reason="rclone is not installed (apt install rclone)")

Rclone = Callable[..., str]


class Site:
    """A drive, and rclone set up for it as the remote `od:`."""

    def __init__(self, world: World, drive: Drive, folder: Path, authority: Path, way: Proxy) -> None:
        self.world, self.drive, self.way = world, drive, way
        token = {"access_token": "rclone-token", "token_type": "Bearer", "refresh_token": "none"}
        token["expiry"] = "2099-01-01T00:00:00Z"
        self._settings = folder / "rclone.conf"
        self._settings.write_text(
            f"[od]\ntype = onedrive\ndrive_id = {drive.id}\ndrive_type = business\ntoken = {json.dumps(token)}\n"
        )
        self._authority = authority

    def rclone(self, *arguments: str) -> str:
        """What it prints; a failure is the test's."""
        way = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        result = subprocess.run(
            [
                *(str(RCLONE), "--config", str(self._settings), "--ca-cert", str(self._authority)),
                *("--retries", "1", "--low-level-retries", "5", *arguments),
            ],
            env={**way, "HTTPS_PROXY": self.way.address}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority, server = certified(tmp_path, [GRAPH, CONTENT])
    addresses = ("--base", f"https://{GRAPH}", "--content-base", f"https://{CONTENT}", "--tls", str(server))
    with EmulatorProcess(tmp_path / "tenant", *addresses) as emulator:
        world = emulator.world
        world.switch(refuse_authorization=False)  # rclone 1.60 sends its token to upload addresses as well
        drive = world.drive("library", kind="business")
        world.sign_in("rclone-token", application("rclone"))
        world.allow("rclone-token", "write", drive)
        leads = {GRAPH: int(world.setting("port")), CONTENT: int(world.setting("content_port"))}
        with proxy(leads) as way:
            yield Site(world, drive, tmp_path, authority, way)
        assert way.refused == []


def test_it_lists_files_with_their_hashes(site: Site) -> None:
    site.drive.by(person("Sam")).put("in/autumn leaves/ä clip.mp4", b"hello" * 100)
    item = site.drive.item("in/autumn leaves/ä clip.mp4")
    listed = site.rclone("lsf", "-R", "--hash", "quickxor", "--format", "hsp", "--files-only", "od:")
    assert item.hash is not None
    assert listed == f"{_hexadecimal(item.hash)};500;in/autumn leaves/ä clip.mp4\n"


def test_it_copies_there_and_back_and_finds_no_difference(site: Site, tmp_path: Path) -> None:
    files = {
        "small.jpg": random.Random(1).randbytes(5_000),
        "deep/er/one.png": random.Random(2).randbytes(100),
        "large.mp4": random.Random(3).randbytes(25_000_000),  # several fragments
        "empty.txt": b"",
    }
    for name, content in files.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    site.rclone("copy", str(tmp_path / "here"), "od:there")
    assert {name: site.drive.content(f"there/{name}") for name in files} == files
    site.rclone("check", str(tmp_path / "here"), "od:there")
    site.rclone("check", "--download", str(tmp_path / "here"), "od:there")
    site.rclone("copy", "od:there", str(tmp_path / "back"))
    assert {name: (tmp_path / "back" / name).read_bytes() for name in files} == files
    made = site.drive.item("there/large.mp4").created_by
    assert list(made) == ["application"]


def test_it_sees_a_difference(site: Site, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.jpg").write_bytes(b"one")
    site.drive.by(person("Sam")).put("there/a.jpg", b"two")
    with pytest.raises(AssertionError, match="1 differences found"):
        site.rclone("check", str(tmp_path / "here"), "od:there")


def test_it_gets_through_faults(site: Site, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for number in range(12):
        (tmp_path / "here" / f"{number}.bin").write_bytes(random.Random(number).randbytes(400_000))
    site.world.random_faults(0.1, seed=3, kinds=["throttle", "busy", "broken"])
    site.rclone("copy", "--low-level-retries", "20", str(tmp_path / "here"), "od:there")
    site.world.no_faults()
    site.rclone("check", str(tmp_path / "here"), "od:there")
    assert site.world.faults_met()


def test_without_a_right_it_is_refused(site: Site) -> None:
    other = site.world.drive("other", kind="business")
    with pytest.raises(AssertionError, match="accessDenied"):
        site.rclone("lsf", f"od,drive_id='{other.id}':")


def _hexadecimal(text: str) -> str:
    import base64

    return base64.b64decode(text).hex()

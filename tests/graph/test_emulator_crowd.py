"""Many at once: clients, hands in another process, and an emulator that is killed between them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator, EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.graph.emulator.quickxor import of_file
from tests.graph.plain import Asking

SAM = person("Sam")


def opened(emulator: Emulator | EmulatorProcess) -> Drive:
    drive = emulator.world.drive("library")
    emulator.world.sign_in("client", application("Client"))
    emulator.world.allow("client", "write", drive)
    return drive


def test_clients_and_hands_at_once(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "tenant") as emulator:
        drive, done = opened(emulator), threading.Event()

        def upload(worker: int) -> None:
            ask = Asking(emulator, "client")
            for number in range(15):
                place = f"/drives/{drive.id}/root:/there/{worker} {number}.bin:"
                url = ask("POST", f"{place}/createUploadSession", json={}).json()["uploadUrl"]
                content = bytes([worker, number]) * 5000
                answer = ask("PUT", url, content=content, headers={"Content-Range": "bytes 0-9999/10000"})
                assert answer.status_code == 201, answer.text
                got = ask("GET", ask("GET", f"{place}/content").headers["Location"])
                assert got.content == content

        def follow() -> set[str]:
            """Everything that delta ever told, until all are done and nothing more comes."""
            ask, link, names = Asking(emulator, "client"), f"/drives/{drive.id}/root/delta", set()
            while True:
                last = done.is_set()
                found, link = ask.enumerate(link)
                names |= {entry["name"] for entry in found if "file" in entry}
                if last and not found:
                    return names

        drive.by(SAM).folder("there")
        with ThreadPoolExecutor(5) as pool:
            following = pool.submit(follow)
            uploads = [pool.submit(upload, worker) for worker in range(3)]
            for number in range(40):
                drive.by(SAM).put(f"here/{number}.jpg", b"x" * number)
            for work in uploads:
                work.result()
            done.set()
            told = following.result()
        assert told == {f"{worker} {number}.bin" for worker in range(3) for number in range(15)} | {
            f"{number}.jpg" for number in range(40)
        }
        assert emulator.world.counted("errors") == 0


def test_of_two_that_create_the_same_name_one_succeeds(emulator: Emulator) -> None:
    drive = opened(emulator)
    ask = Asking(emulator, "client")
    for number in range(10):
        begin = f"/drives/{drive.id}/root:/{number}.bin:/createUploadSession"
        urls = [ask("POST", begin, json={}).json()["uploadUrl"] for _ in range(2)]

        def finish(url: str) -> int:
            return httpx.put(url, content=b"x", headers={"Content-Range": "bytes 0-0/1"}, trust_env=False).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(finish, urls)) == [201, 409]


def test_killed_while_a_file_comes_it_has_it_whole_or_not_at_all(tmp_path: Path) -> None:
    step, count = 327_680, 24
    content = bytes(range(256)) * (step * count // 256)
    with EmulatorProcess(tmp_path / "tenant") as emulator:
        drive = opened(emulator)
        ask = Asking(emulator, "client")
        url = ask("POST", f"/drives/{drive.id}/root:/a.bin:/createUploadSession", json={}).json()["uploadUrl"]
        first, lives = 0, 0
        killer = threading.Timer(0, lambda: None)
        killer.start()
        while not drive.has("a.bin"):
            if lives < 6:
                killer = threading.Timer(0.02 + 0.01 * lives, emulator.kill)
                killer.start()
            try:
                while first < len(content):
                    ends = f"bytes {first}-{first + step - 1}/{len(content)}"
                    ask("PUT", url, content=content[first : first + step], headers={"Content-Range": ends})
                    first += step
            except httpx.TransportError:
                lives += 1
                killer.join()
                emulator.start()
                state = ask("GET", url)
                if state.status_code == 200 and state.json()["nextExpectedRanges"]:
                    first = int(state.json()["nextExpectedRanges"][0].rstrip("-"))
        killer.cancel()
        killer.join()
        assert lives
        assert drive.content("a.bin") == content
        item = drive.item("a.bin")
        assert (item.hash, item.size) == of_file(drive.service.tree.blob(str(item.content)))

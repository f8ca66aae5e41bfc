"""Where Graph is, and that a process under the gateway's limits reaches it and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.graph.certificates import own_certificate
from tests.graph.emulator.emulator import EmulatorProcess
from tests.graph.emulator.identities import application
from transfer.graph.places import GRAPH, Place, Reach, parse_place, reachable
from transfer.sandbox.profiles import kernel_support

confined = pytest.mark.skipif(kernel_support().landlock < 4, reason="this kernel has no Landlock with network rules")

# Confines itself as the gateway does, then asks; what it prints is what came of it.
CONFINED = """
import sys
from pathlib import Path
from transfer.errors import TransferError
from transfer.graph import verbs
from transfer.graph.identity import Certificate, FixedToken
from transfer.graph.pace import Manners
from transfer.graph.places import Reach, reachable
from transfer.graph.records import parse_page
from transfer.graph.session import DownloadingSession
from transfer.graph.throttle import Throttle
from transfer.sandbox.profiles import GatewayPaths, confine_gateway
from transfer.wiring import SystemClock

base_url, drive, granted, certificate, state = sys.argv[1:]
certificate = Path(certificate) if certificate else None
reach = reachable(base_url, certificate=certificate) if granted == "granted" else Reach()
confine_gateway(GatewayPaths(staging=(), readable=reach.readable, owned=(Path(state),), release=None,
                             connect_tcp=reach.ports))
credential = Certificate(tenant="example.test", client="0" * 8, path=certificate) if certificate else FixedToken(
    token="reader")
try:
    with DownloadingSession(verbs=verbs.READER, credential=credential, user_agent="NONISV|x|y/1", base_url=base_url,
                            throttle=Throttle(clock=SystemClock(), manners=Manners(patience=1))) as session:
        if certificate:
            print("made")
        else:
            page = parse_page(session.ask(verbs.DELTA, drive, "root").body)
            photo = next(item for item in page.items if item.name == "photo.jpg")
            with session.download(verbs.CONTENT, drive, photo.id) as file:
                print(file.read().decode())
except TransferError as error:
    print(type(error).__name__, error)
"""


def run_confined(
    base_url: str, drive: str, state: Path, *, granted: bool = True, certificate: Path | None = None
) -> str:
    state.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, base_url, drive, "granted" if granted else "", str(certificate or ""),
         str(state)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout.strip() + done.stderr.strip()


@confined
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_confined_process_reaches_the_service_by_name(host: str, tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "tenant") as first:
        port = int(first.base_url.split(":")[2].split("/")[0])
    for_content = ("--port", str(port), "--content-port", str(port + 1))
    with EmulatorProcess(tmp_path / "other tenant", *for_content) as emulator:
        drive = emulator.world.drive("staging")
        emulator.world.allow(emulator.world.sign_in("reader", application("reader")), "read", drive)
        drive.by(application("x")).put("photo.jpg", b"what came through")
        base_url = f"http://{host}:{port}/v1.0"
        assert run_confined(base_url, drive.id, tmp_path / "state") == "what came through"
        assert run_confined(base_url, drive.id, tmp_path / "state", granted=False).startswith("Unreached ")


@confined
def test_a_confined_process_reads_its_certificate_and_those_that_tls_needs(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "reader.pem"
    path.parent.mkdir()
    path.write_bytes(own_certificate("reader"))
    path.chmod(0o600)
    assert run_confined(GRAPH, "x", tmp_path / "state", certificate=path) == "made"
    assert "cannot be used to sign in" in run_confined(GRAPH, "x", tmp_path / "state", certificate=path, granted=False)


def test_what_reaching_graph_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    assert reachable(GRAPH).ports == (53, 443)
    assert reachable(GRAPH, managed=True).ports == (53, 80, 443)
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41745/msi/token/")
    assert reachable(GRAPH, managed=True).ports == (53, 443, 41745)
    assert reachable("http://127.0.0.1:8000/v1.0").ports == (8000, 8001)
    assert Path("/etc/hosts") in reachable(GRAPH).readable
    assert all(path.exists() for path in reachable(GRAPH).readable)
    assert Path("/x.pem") in reachable(GRAPH, certificate=Path("/x.pem")).readable


def test_two_identities_need_what_either_needs() -> None:
    one, other = Reach(ports=(443,), readable=(Path("/a"),)), Reach(ports=(80, 443), readable=(Path("/b"), Path("/a")))
    assert one + other == Reach(ports=(80, 443), readable=(Path("/a"), Path("/b")))


@pytest.mark.parametrize(
    ("base_url", "place"),
    [
        (GRAPH, Place(scheme="https", host="graph.microsoft.com", port=443, path="/v1.0")),
        ("https://graph.microsoft.us/v1.0/", Place(scheme="https", host="graph.microsoft.us", port=443, path="/v1.0")),
        ("http://[::1]:8080/v1.0", Place(scheme="http", host="::1", port=8080, path="/v1.0")),
        ("http://localhost/v1.0", Place(scheme="http", host="localhost", port=80, path="/v1.0")),
    ],
)
def test_a_place_and_how_it_is_written(base_url: str, place: Place) -> None:
    assert parse_place(base_url) == place
    assert str(place) == base_url.rstrip("/")
    assert place.scope.endswith("/.default")

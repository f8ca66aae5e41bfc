"""Signing in for real: a certificate and a managed identity against sign-in services of the test's own."""

from __future__ import annotations

import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from tests.graph.certificates import own_certificate
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator

TENANT, CLIENT = "example.test", "5e1f0000-0000-4000-8000-000000000001"
ASKING = """
import sys
from pathlib import Path
from tests.graph.asking import throttle
from transfer.errors import TransferError
from transfer.graph import verbs
from transfer.graph.identity import Certificate, ManagedIdentity
from transfer.graph.session import DownloadingSession
base_url, drive, path = sys.argv[1:]
credential = ManagedIdentity()
if path:
    credential = Certificate(tenant="example.test", client="5e1f0000-0000-4000-8000-000000000001", path=Path(path))
try:
    with DownloadingSession(verbs=verbs.READER, credential=credential, throttle=throttle(), user_agent="NONISV|x|y/1",
                            base_url=base_url) as session:
        for _ in range(3):
            print(session.ask(verbs.DELTA, drive, "root").status)
except TransferError as error:
    print(type(error).__name__, error)
"""
Respond = Callable[[str, dict[str, str]], tuple[int, dict[str, Any]]]


class SignInService:
    """Answers requests for tokens as it is told, and keeps them."""

    def __init__(self, respond: Respond, certificate: Path | None = None) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

        def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
            form = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
            parts = urlsplit(handler.path)
            given = {name: values[0] for name, values in parse_qs(form or parts.query).items()}
            self.asked.append((parts.path, given))
            status, answer = respond(parts.path, given)
            body = json.dumps(answer).encode()
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        kind = type(
            "Handler",
            (http.server.BaseHTTPRequestHandler,),
            {"do_GET": handle, "do_POST": handle, "log_message": lambda *_: None},
        )
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def asks(emulator: Emulator, drive: Drive, *, certificate: Path | None = None, **environment: str) -> list[str]:
    """What a process with that credential says that came of three requests."""
    done = subprocess.run(
        [sys.executable, "-c", ASKING, emulator.base_url, drive.id, str(certificate or "")],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).splitlines()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "reader.pem"
    path.write_bytes(own_certificate("reader"))
    path.chmod(0o600)
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Respond], SignInService]]:
    """Starts a sign-in service at https://localhost, with a certificate of its own in `tls.pem`."""
    started: list[SignInService] = []
    (tmp_path / "tls.pem").write_bytes(own_certificate("localhost"))

    def starting(respond: Respond) -> SignInService:
        started.append(SignInService(respond, tmp_path / "tls.pem"))
        return started[-1]

    yield starting
    for service in started:
        service.close()


def test_a_certificate_signs_in_once_and_its_token_goes_to_graph(
    emulator: Emulator, staging: Drive, key: Path, start: Callable[[Respond], SignInService], tmp_path: Path
) -> None:
    service = start(lambda *_: (200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "reader"}))
    said = asks(
        emulator, staging, certificate=key,
        AZURE_AUTHORITY_HOST=f"https://localhost:{service.port}", SSL_CERT_FILE=str(tmp_path / "tls.pem"),
    )  # fmt: skip
    assert said == ["200"] * 3
    ((path, form),) = service.asked
    assert path == f"/{TENANT}/oauth2/v2.0/token"
    assert form["client_id"] == CLIENT
    assert form["scope"] == "http://127.0.0.1/.default"
    signed, _, signature = form["client_assertion"].rpartition(".")
    public = load_pem_x509_certificate(key.read_bytes()).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(
        base64.urlsafe_b64decode(signature + "=="), signed.encode(),
        padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        if "PS256" in base64.urlsafe_b64decode(signed.partition(".")[0] + "==").decode() else padding.PKCS1v15(),
        hashes.SHA256(),
    )  # fmt: skip
    assert "PRIVATE KEY" not in json.dumps(service.asked)


def test_a_certificate_that_is_refused_is_denied_without_the_services_words(
    emulator: Emulator, staging: Drive, key: Path, start: Callable[[Respond], SignInService], tmp_path: Path
) -> None:
    service = start(lambda *_: (401, {"error": "invalid_client", "error_description": "AADSTS700027 sam@example.test"}))
    said, *more = asks(
        emulator, staging, certificate=key,
        AZURE_AUTHORITY_HOST=f"https://localhost:{service.port}", SSL_CERT_FILE=str(tmp_path / "tls.pem"),
    )  # fmt: skip
    assert more == []
    assert said.startswith("Denied The sign-in to Microsoft Graph was refused (AADSTS700027).")
    assert "sam" not in said
    assert emulator.world.asked() == []


def test_a_sign_in_service_that_nobody_vouches_for_gets_nothing(
    emulator: Emulator, staging: Drive, key: Path, start: Callable[[Respond], SignInService]
) -> None:
    service = start(lambda *_: (200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "reader"}))
    said, *more = asks(
        emulator, staging, certificate=key, AZURE_AUTHORITY_HOST=f"https://localhost:{service.port}"
    )  # fmt: skip
    assert more == []
    assert said.startswith("Unreached Microsoft's sign-in service cannot be reached.")
    assert service.asked == []


def test_a_managed_identity_signs_in(emulator: Emulator, staging: Drive) -> None:
    def respond(_path: str, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        later = str(int(time.time()) + 3600)
        return 200, {"access_token": "reader", "expires_on": later, "resource": given["resource"], "token_type": "B"}

    service = SignInService(respond)
    said = asks(
        emulator, staging, IDENTITY_ENDPOINT=f"http://127.0.0.1:{service.port}/msi/token", IDENTITY_HEADER="secret"
    )
    service.close()
    assert said == ["200"] * 3
    assert len(service.asked) == 1

"""A way for programs that know only graph.microsoft.com: a CONNECT proxy on loopback, and a certificate authority.

The proxy leads the named hosts to ports of this machine and refuses every other, so that nothing leaves it. The
authority is made for the occasion and trusted by nobody but the program that is told to.
"""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens, and which hosts it was asked for and refused."""

    address: str
    refused: list[str] = field(default_factory=list)


def certified(folder: Path, hosts: list[str]) -> tuple[Path, Path]:
    """A certificate authority (its PEM file) and a server's key with certificate for the hosts (another)."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    root = _certificate(root_name, root_name, root_key, root_key, [])
    leaf = _certificate(name, root_name, key, root_key, hosts)
    authority, server = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    return authority, server


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    hosts: list[str],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
    )
    if hosts:
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


@contextmanager
def proxy(leads: Mapping[str, int]) -> Iterator[Proxy]:
    """A proxy that leads `host:443` to a port of this machine, for the hosts in `leads` and no other."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=_serve, args=(listener.accept()[0], leads, running), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield running
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(connection: socket.socket, leads: Mapping[str, int], running: Proxy) -> None:
    with connection, contextlib.suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head:
            block = connection.recv(65536)
            if not block:
                return
            head += block
        method, target = head.split(b" ", 2)[:2]
        host = target.decode().rpartition(":")[0]
        if method != b"CONNECT" or host not in leads:
            running.refused.append(target.decode())
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", leads[host])) as behind:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pipe(connection, behind)


def _pipe(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source in select.select([one, other], [], [])[0]:
            block = source.recv(1 << 18)
            if not block:
                return
            (other if source is one else one).sendall(block)

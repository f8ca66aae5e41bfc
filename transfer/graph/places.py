"""Where Microsoft Graph is, and what a confined process must be let through to reach it.

What enters: an address of the settings. What leaves: a `Place`, or Misuse; ports and files for the process's profile.
A token goes to a `Place` and nowhere else. Plain HTTP is for this machine only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from transfer.errors import Misuse

GRAPH = "https://graph.microsoft.com/v1.0"
HOSTS = frozenset(
    {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"https": 443, "http": 80}
_DNS = 53  # names are asked for over TCP where an answer is too long for a datagram
_INSTANCE_METADATA = 80  # where a machine in Azure asks for its identity's tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host and the path of an interface on it: `https://graph.microsoft.com`, `/v1.0`."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def loopback(self) -> bool:
        """Whether it is this machine."""
        return self.host in LOOPBACK

    @property
    def scope(self) -> str:
        """What a token is asked for: everything that the identity was granted there."""
        return f"{self.scheme}://{self.host}/.default"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a process needs of the kernel: TCP ports to connect to, files and folders to read."""

    ports: tuple[int, ...] = ()
    readable: tuple[Path, ...] = ()

    def __add__(self, other: Reach) -> Reach:
        return Reach(
            ports=tuple(sorted({*self.ports, *other.ports})),
            readable=tuple(dict.fromkeys((*self.readable, *other.readable))),
        )


def parse_place(base_url: str) -> Place:
    """Where an address points. Raises Misuse unless it is Microsoft Graph over HTTPS, or this machine."""
    try:
        parts = urlsplit(base_url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    path = base_url.partition("://")[2].partition("/")[2].rstrip("/")
    plain = path.isascii() and path.replace(".", "").replace("/", "").isalnum() and ".." not in path
    known = (scheme == "https" and host in HOSTS and port in {None, 443}) or (scheme in _PORTS and host in LOOPBACK)
    if not known or not plain or "@" in base_url:
        raise Misuse(
            f"base_url = {base_url!r} is not Microsoft Graph.",
            advice=f'Use base_url = "{GRAPH}" or leave it out; other addresses would be sent the tokens.',
            clauses=("G5",),
        )
    return Place(scheme=scheme, host=host, port=port or _PORTS[scheme], path=f"/{path}")


def reachable(base_url: str, *, certificate: Path | None = None, managed: bool = False) -> Reach:
    """What reaching Graph at this address takes: the connection itself, names, TLS's certificates, the sign-in.

    `certificate` is the file to sign in with; `managed`: a managed identity is asked instead. Raises Misuse.
    """
    place = parse_place(base_url)
    # A service on this machine, as tests have, hands content out at the port after its own.
    ports = {place.port, place.port + 1} if place.loopback else {place.port, _DNS}
    if managed:
        endpoint = os.environ.get("IDENTITY_ENDPOINT", "")
        ports.add((urlsplit(endpoint).port if endpoint else None) or _INSTANCE_METADATA)
    return Reach(
        ports=tuple(sorted(ports)),
        readable=(*_names_and_trust(), *(() if certificate is None else (certificate,))),
    )


def _names_and_trust() -> tuple[Path, ...]:
    """Files of name resolution and of TLS that may lie, links followed, outside what every process reads anyway.

    `resolv.conf` is often a link into /run and is replaced when the network changes: its folder, not the file.
    """
    found: list[Path] = []
    for name in ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf"):
        real = Path(os.path.realpath(name))
        if real.exists():
            found.append(real.parent if real.is_relative_to("/run") else real)
    found += [Path(folder) for folder in ("/etc/ssl", "/usr/share/ca-certificates") if os.path.isdir(folder)]
    return tuple(dict.fromkeys(found))

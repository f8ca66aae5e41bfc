"""`python -m tests.graph.emulator --state DIR`: the emulator as a process of its own, until it is ended."""

from __future__ import annotations

import argparse
import signal
import ssl
from pathlib import Path

from tests.graph.emulator.database import Database
from tests.graph.emulator.server import Servers


def main() -> None:
    """Listens, says so in one line, and waits."""
    parser = argparse.ArgumentParser(prog="python -m tests.graph.emulator", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder with metadata and contents; kept")
    parser.add_argument("--port", type=int, default=0, help="of the Graph host; 0: the last one, or any")
    parser.add_argument("--content-port", type=int, default=0, help="of the content host; 0: the last one, or any")
    parser.add_argument("--base", default="", help="how clients reach the Graph host, if not by address and port")
    parser.add_argument("--content-base", default="", help="how clients reach the content host")
    parser.add_argument("--tls", type=Path, help="a PEM file with key and certificate: https instead of http")
    options = parser.parse_args()
    context = None
    if options.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls)
    servers = Servers(Database(options.state), tls=context)
    servers.start(options.port, options.content_port, base=options.base, content_base=options.content_base)
    base = servers.service.tree.switch("base")
    print(f"listening at {base}/v1.0 and {servers.service.tree.switch('content_base')}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    servers.stop()


if __name__ == "__main__":
    main()

"""Two HTTP servers on loopback: the Graph host, which wants a token, and the content host, which must not get one.

Real HTTP/1.1 with connections that stay open, with or without TLS. What enters: a state folder and ports. What leaves:
answers; every request is written down and counted. Faults of the connection are done here.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import ssl
import sys
import threading
import time
import uuid
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.graph.emulator.answers import Answer, FilePart, Problem
from tests.graph.emulator.body import Body, CutOff
from tests.graph.emulator.budget import Budget
from tests.graph.emulator.clockwork import Clockwork
from tests.graph.emulator.database import Database
from tests.graph.emulator.faults import Fault, Faults
from tests.graph.emulator.routes import Route, cost, decoded, route
from tests.graph.emulator.service import Request, Service

_BLOCK = 1 << 18


class Servers:
    """Both hosts of one state folder, from `start` to `stop`; the ports of the last time are taken again."""

    def __init__(self, database: Database, *, tls: ssl.SSLContext | None = None) -> None:
        self.database, self._tls = database, tls
        self.service = Service(database)
        self.faults = Faults(self.service.tree)
        self.budget = Budget(self.service.access)
        self.clockwork = Clockwork(self.service.tree)
        self._running: list[_Server] = []

    def start(self, port: int = 0, content_port: int = 0, *, base: str = "", content_base: str = "") -> None:
        """Listens. `base` and `content_base` are how clients reach it, if not by the loopback address."""
        for host, wanted, told in (("", port, base), ("content_", content_port, content_base)):
            server = _bound(wanted or self.database.setting(f"{host}port", 0))
            server.servers, server.host = self, "content" if host else "graph"
            if self._tls is not None:
                server.socket = self._tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            self._running.append(server)
            scheme = "https" if self._tls else "http"
            self.database.set(f"{host}port", server.server_address[1])
            self.database.set(f"{host}base", told or f"{scheme}://127.0.0.1:{server.server_address[1]}")
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Ends both, and every open connection."""
        for server in self._running:
            server.shutdown()
            server.server_close()
            server.drop()
        for server in self._running:
            server.drain()
        self._running.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True
    servers: Servers
    host = ""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop(self) -> None:
        """Ends what is open."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def drain(self) -> None:
        """Waits until nobody is served any more."""
        deadline = time.monotonic() + 5
        while self._open and time.monotonic() < deadline:
            time.sleep(0.005)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is none of our business; an error of ours is shown, and counted."""
        if not isinstance(sys.exc_info()[1], OSError | CutOff):
            self.servers.service.access.count("errors", 1, token="")
            super().handle_error(request, client_address)


def _bound(port: int) -> _Server:
    """A server on that port; for 0 on one below those that the system gives to connections, so that it stays free."""
    while True:
        try:
            return _Server(("127.0.0.1", port or random.SystemRandom().randrange(20000, 32000)), _Handler)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Emulator", ""
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: requests are written down in the state."""

    def _any(self) -> None:
        servers = self.server.servers
        path, query = decoded(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        token = headers.get("authorization", "").removeprefix("Bearer ") if self.server.host == "graph" else ""
        if "100-continue" in headers.get("expect", ""):
            self.send_response_only(100)
            self.end_headers()
        found = route(path) if self.server.host == "graph" else None
        request = Request(
            method=self.command, path=path, query=query, headers=headers, body=Body(self.rfile, headers), token=token,
            route=found or Route(drive=""),
        )  # fmt: skip
        servers.clockwork.turn()
        fault = servers.faults.choose(self.command, path, self.server.host, token)
        number = self._write_down(request, fault)
        if latency := servers.service.tree.switch("latency"):
            time.sleep(latency)
        if fault is not None and fault.kind in {"cut_before", "cut_during"}:
            if fault.kind == "cut_during":
                request.body.drain(limit=(request.body.length or 0) // 2 or 1)
            return self._cut()
        try:
            answer = self._answer(request, fault)
            request.body.drain()
        except CutOff:
            self.close_connection = True
            return None
        servers.database.run("UPDATE requests SET status = ? WHERE n = ?", answer.status, number)
        if fault is not None and fault.kind == "cut_after":
            return self._cut()
        return self._send(answer, cut=fault is not None and fault.kind == "cut_body")

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any  # noqa: N815

    def _answer(self, request: Request, fault: Fault | None) -> Answer:
        servers, headers = self.server.servers, {}
        graph = self.server.host == "graph"
        try:
            if graph:
                headers = servers.budget.spend(request.token, cost(request.method, request.route.action, request.query))
            if fault is not None:
                if fault.kind == "session_lost":
                    servers.service.uploads.end(request.path.rpartition("/")[2])
                if fault.kind == "slow":
                    time.sleep(float(fault.options.get("seconds", 1)))
                instead = servers.faults.answer(fault)
                if instead is not None:
                    return instead
            answer = servers.service.graph(request) if graph else servers.service.at_content(request)
        except Problem as problem:
            if graph and problem.status in {429, 503}:
                servers.budget.paused(request.token, problem.headers.get("Retry-After"))
            headers |= problem.headers
            answer = problem.answer()
        if fault is not None and fault.kind == "short_body" and answer.file is not None:
            part = answer.file
            answer = replace(answer, file=replace(part, stop=part.start + (part.stop - part.start) // 2))
        return replace(answer, headers={**answer.headers, **headers})

    def _send(self, answer: Answer, *, cut: bool) -> None:
        part = answer.file
        length = len(answer.body) if part is None else part.stop - part.start
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("request-id", str(uuid.uuid4()))
        if "client-request-id" in self.headers:
            self.send_header("client-request-id", self.headers["client-request-id"])
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if answer.status not in {204, 304}:
            self.send_header("Content-Length", str(length))
        shown = b"" if self.command == "HEAD" or answer.status in {204, 304} else answer.body
        head: list[bytes] = vars(self)["_headers_buffer"]  # to go out together with the body
        self.wfile.write(b"".join(head) + b"\r\n" + (shown[: len(shown) // 2] if cut else shown))
        head.clear()
        if part is not None and self.command != "HEAD":
            self._send_file(replace(part, stop=part.start + length // 2) if cut else part)
        if cut:
            self._cut()

    def _send_file(self, part: FilePart) -> None:
        """Counted before it leaves: nobody shall have bytes that are not counted. What did not leave is taken back."""
        left, access = part.stop - part.start, self.server.servers.service.access
        access.count("content_bytes", left, token=part.token, drive=part.drive)
        try:
            with open(part.path, "rb") as file:
                file.seek(part.start)
                while left:
                    block = file.read(min(_BLOCK, left))
                    self.wfile.write(block)
                    left -= len(block)
        finally:
            if left:
                access.count("content_bytes", -left, token=part.token, drive=part.drive)

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _write_down(self, request: Request, fault: Fault | None) -> int:
        servers = self.server.servers
        with servers.database.transaction():
            servers.service.access.count("requests", 1, token=request.token, drive=request.route.drive)
            servers.database.run(
                "INSERT INTO requests (at, token, host, method, path, query, fault, user_agent, client_request_id, "
                "authorization) VALUES (?,?,?,?,?,?,?,?,?,?)",
                *(time.time(), request.token, self.server.host, request.method, request.path),
                *(self.path.partition("?")[2], fault.kind if fault else None, request.headers.get("user-agent")),
                *(request.headers.get("client-request-id"), int("authorization" in request.headers)),
            )
            row = servers.database.one("SELECT last_insert_rowid()")
        return int(row[0]) if row else 0

"""The gateway's post: it listens for the guard, tells it what is ours, and takes in what it reports.

What enters: the guard's messages, which are not trusted to be anything but well-formed facts. What leaves: the
`Sentry` of the line, and reports handed to `record`, which answers once its entry is durable; only then is a report
acknowledged. One guard at a time; a new connection replaces the former, for its process may be dead.
"""

from __future__ import annotations

import contextlib
import math
import queue
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from transfer.errors import TransferError, Unavailable
from transfer.model.ends import Expectation
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.return_guard.filing import Filing
from transfer.return_guard.link import Account, Door, receive
from transfer.return_guard.messages import (
    Ask,
    Audited,
    Beat,
    Done,
    Expect,
    Expected,
    Forget,
    FromGateway,
    FromGuard,
    Hello,
    Keep,
    ListBegins,
    ListEnds,
    Received,
    Report,
    Seen,
    Stage,
    SweepNow,
    Verdict,
    as_expected,
)
from transfer.return_guard.packets import parse_from_guard, render_message

BEAT_TIMEOUT = 3.0  # seconds without a heartbeat, which comes at least every second, and the guard counts as dead
_ANSWER_SECONDS = 5.0
_HASH_SECONDS = 600.0
_SEND_SECONDS = 5.0


class Post:
    """Safe to use from any thread. `listing` and `record` read and write the database; `record` is called by one
    thread, in the order of the reports, and again after Unavailable until it succeeds; so is `audited`, with what is
    said of who may reach the folder. What was moved aside is to be kept for `aside_days`, 0: for ever. `guest` is the
    guard's user, where it is not our own."""

    def __init__(
        self,
        *,
        path: Path,
        listing: Callable[[], list[Expected]],
        record: Callable[[Report], Verdict],
        recorded: Callable[[], None],
        monotonic: Callable[[], float],
        audited: Callable[[Audited], None] | None = None,
        aside_days: int = 0,
        guest: Account | None = None,
    ) -> None:
        self._path = path
        self._guest = guest
        self._aside_days = aside_days
        self._listing = listing
        self._monotonic = monotonic
        self._turn = threading.Condition()
        self._door: Door | None = None
        self._connection: socket.socket | None = None
        self._generation = 0
        self._sequence = 0
        self._list_sequence: int | None = None
        self._ready = False
        self._last_beat = 0.0
        self._waits_until = 0.0
        self._waiting: set[int] = set()
        self._answers: dict[int, Done | Seen] = {}
        self._closing = threading.Event()
        self._filing = Filing(
            record=record,
            audited=audited,
            recorded=recorded,
            acknowledge=self._acknowledge,
            closing=self._closing,
        )
        self._threads: list[threading.Thread] = []
        self.fault: BaseException | None = None

    def start(self) -> None:
        """Opens the socket and begins to listen. Raises Unavailable, Misuse."""
        self._door = Door(self._path, guest=self._guest, monotonic=self._monotonic)
        for work, name in ((self._serve, "post"), (self._filing.work, "post-reports")):
            thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Ends the conversation; the guard goes on by its last list."""
        self._closing.set()
        with self._turn:
            self._hang_up()
        for thread in self._threads:
            thread.join(_SEND_SECONDS)
        if self._door is not None:
            self._door.close()

    @property
    def alive(self) -> bool:
        """Whether a guard with the whole list is at work: without one nothing is released."""
        with self._turn:
            return self._live()

    @property
    def waits(self) -> int:
        """For how many seconds OneDrive makes the guard wait, alive or not, by what it said last; 0: it does not."""
        with self._turn:
            connected = self._connection is not None
            return math.ceil(max(0.0, self._waits_until - self._monotonic())) if connected else 0

    def wait_until_alive(self, seconds: float) -> bool:
        """Whether a guard is at work, at once or within this time."""
        with self._turn:
            return self._turn.wait_for(self._live, seconds)

    def expect(self, expectation: Expectation) -> None:
        """Returns once the live guard has acknowledged it. Raises Unavailable: no live guard, no release."""
        self._ask(lambda number: Expect(number, as_expected(expectation, Stage.COMING)), _ANSWER_SECONDS)

    def placed(self, expectation: Expectation) -> None:
        """It stands under its name: its temporary is ours no longer, and its absence is news from now on."""
        with self._turn, contextlib.suppress(Unavailable):  # a guard that is not there now will get the list
            self._require_live()
            self._transmit(Expect(self._next(), as_expected(expectation, Stage.PLACED)))

    def forget(self, name: SafeName) -> None:
        """The name is being taken back. Without a guard it need not be told: its next list will say so."""
        with contextlib.suppress(Unavailable):
            self._ask(lambda number: Forget(number, name), _ANSWER_SECONDS)

    def is_present(self, name: SafeName) -> Sha256 | None:
        """The digest of what stands under an expected name, hashed by the guard, or None. Raises Unavailable."""
        answer = self._ask(lambda number: Ask(number, name), _HASH_SECONDS)
        return answer.sha256 if isinstance(answer, Seen) else None

    def sweep(self, seconds: float) -> None:
        """Returns once the guard has looked at everything and all it found is in the log. Raises Unavailable."""
        deadline = self._monotonic() + seconds
        self._ask(SweepNow, seconds)
        if not self._filing.is_settled(
            max(0.0, deadline - self._monotonic())
        ):  # a verdict is not waited for by the guard
            raise Unavailable(
                "What the guard found could not be recorded in time.", advice="It is tried again by itself."
            )

    def _ask(self, question: Callable[[int], FromGateway], seconds: float) -> Done | Seen:
        deadline = self._monotonic() + seconds
        with self._turn:
            self._require_live()
            number, generation = self._next(), self._generation
            self._waiting.add(number)
            try:
                self._transmit(question(number))
                while number not in self._answers:
                    left = deadline - self._monotonic()
                    if generation != self._generation or not self._live() or left <= 0:
                        raise _no_guard("stopped answering")
                    self._turn.wait(min(left, BEAT_TIMEOUT))
                return self._answers.pop(number)
            finally:
                self._waiting.discard(number)

    def _live(self) -> bool:
        recent = self._monotonic() - self._last_beat < BEAT_TIMEOUT
        return self._ready and recent and self.fault is None and not self._closing.is_set()

    def _require_live(self) -> None:
        if not self._live():
            raise _no_guard("is not at work")

    def _next(self) -> int:
        self._sequence = self._sequence % 0xFFFF_FFFF + 1
        return self._sequence

    def _transmit(self, message: FromGateway) -> None:
        if self._connection is None:
            raise _no_guard("is not connected")
        try:
            self._connection.sendall(render_message(message))
        except OSError as error:
            self._hang_up()
            raise _no_guard("went away") from error

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._generation += 1
        self._ready, self._list_sequence = False, None
        self._answers.clear()
        self._turn.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a defect of ours must close the line, not end a thread unseen
            self.fault = error
            with self._turn:
                self._hang_up()

    def _serve(self) -> None:
        if self._door is None:
            return
        while not self._closing.is_set():
            with self._turn:
                connection = self._connection
            poller = select.poll()
            poller.register(self._door, select.POLLIN)
            if connection is not None:
                poller.register(connection, select.POLLIN)
            for descriptor, _events in poller.poll(200):
                if descriptor == self._door.fileno():
                    self._welcome(self._door)
                elif connection is not None:
                    self._hear(connection)

    def _welcome(self, door: Door) -> None:
        connection = door.welcome()
        if connection is None:
            return
        connection.settimeout(_SEND_SECONDS)
        with self._turn:
            self._hang_up()
            self._connection = connection

    def _hear(self, connection: socket.socket) -> None:
        try:
            packet = receive(connection)
            if packet is None:
                raise ConnectionResetError
            self._take(parse_from_guard(packet))
        except (OSError, ValueError, TransferError, queue.Full):
            # Gone, not making sense, or our database is not to be read now: it will come again.
            with self._turn:
                if self._connection is connection:
                    self._hang_up()

    def _take(self, message: FromGuard) -> None:
        match message:
            case Hello():
                self._send_list()
            case Beat(wait=wait):
                with self._turn:
                    self._last_beat = self._monotonic()
                    self._waits_until = self._last_beat + wait
                    self._turn.notify_all()
            case Report() | Audited():
                self._filing.put(self._generation, message)
            case Done(number) | Seen(number):
                with self._turn:
                    if number == self._list_sequence:
                        self._ready, self._last_beat = True, self._monotonic()
                    elif number in self._waiting:
                        self._answers[number] = message
                    self._turn.notify_all()

    def _send_list(self) -> None:
        with self._turn:  # nothing else is said while the list is read and sent, so that it cannot be out of date
            self._ready = False
            expected = self._listing()
            self._transmit(Keep(self._aside_days))
            self._transmit(ListBegins(len(expected)))
            for one in expected:
                self._transmit(Expect(0, one))
            self._list_sequence = self._next()
            self._transmit(ListEnds(self._list_sequence))

    def _acknowledge(self, generation: int, answer: Received) -> None:
        with self._turn, contextlib.suppress(Unavailable):
            if generation == self._generation:
                self._transmit(answer)


def _no_guard(what: str) -> Unavailable:
    return Unavailable(
        f"The return guard {what}; nothing is released without it.",
        advice="It is started again by itself; `transfer doctor` says more.",
        clauses=("G5",),
    )

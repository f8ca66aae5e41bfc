"""Confined children for lease: one is asked about one file at a time, and thrown away whenever it is in doubt.

    with pool.lease() as child:
        child.examine(raw, …) ; child.rebuild(raw, output, …)

What enters: descriptors of files, and limits. What leaves: replies that passed the wire's reader, `ChildFault` (this
file's fault, at no cost to any other) or `Unavailable` (ours or the machine's: nothing is said about the file). The
children are not trusted; their output is hashed and read by others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Self, TypeVar

from transfer.errors import Misuse, Unavailable
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.faults import ChildFault, fault_of_ending, fault_of_giving_up
from transfer.sandbox.handover import handed_over, is_only_writer
from transfer.sandbox.nursery import ENTRY, Nursery
from transfer.sandbox.replies import ExamineReply, GaveUp, RebuildReply, Reply, ResidueReply, parse_reply
from transfer.sandbox.requests import (
    ExamineRequest,
    RebuildRequest,
    Request,
    ResidueRequest,
    Rest,
    Role,
    SheetRequest,
    render_request,
)
from transfer.sandbox.strict import Malformed
from transfer.sandbox.worker import Silence, Silent, Worker

_R = TypeVar("_R", ExamineReply, RebuildReply, ResidueReply)


class Pool:
    """`workers` children of one role, at most. Thread-safe; starts its zygote at once and does not wait for it.

    `strict` takes a new child for each file. `prefer` confines the children only as far as this kernel can. `command`
    is for tests: another program in the place of `python -m transfer.child`.
    """

    def __init__(
        self,
        *,
        role: Role,
        workers: int,
        limits: ChildLimits,
        strict: bool = False,
        prefer: bool = False,
        command: tuple[str, ...] = ENTRY,
    ) -> None:
        if workers < 1:
            raise Misuse("A sandbox needs at least one worker.", advice="Set [sandbox] workers to 1 or more.")
        self.patience = limits.request_seconds
        self._limits, self._strict, self._workers = limits, strict, workers
        self._cores = os.cpu_count() or 1  # asked once: the system reads it from a file
        self._free = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()  # guards the three below
        self._idle: list[Worker] = []
        self._leased: set[Worker] = set()
        self._closed = False
        self._nursing = threading.Lock()  # one thread at a time speaks with the zygote; taken before _lock, if both
        self._nursery = Nursery(command=command, role=role.value, limits=limits, prefer=prefer)
        self._nursery.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm(self) -> None:
        """Waits until a child is ready. Raises Unavailable if none can be had."""
        with self.lease():
            pass

    @contextlib.contextmanager
    def lease(self) -> Iterator[LeasedChild]:
        """A child for one file, waiting for a free worker. Raises Unavailable.

        An error that leaves the block throws the child away.
        """
        with self._free:
            child = LeasedChild(self)
            try:
                yield child
            except BaseException:
                child.discard()
                raise
            finally:
                child.finish()

    def close(self) -> None:
        """Ends all children; who is being served gets Unavailable."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._leased:
                worker.kill()
        for worker in idle:
            worker.close()
        with self._nursing:
            self._nursery.stop()

    def take(self) -> Worker:
        """For LeasedChild: an idle child that is well, or a new one."""
        while True:
            with self._lock:
                self._refuse_if_closed()
                worker = self._idle.pop() if self._idle else None
                if worker is not None:
                    self._leased.add(worker)
            if worker is None:
                return self._new()
            if worker.is_quiet():
                return worker
            self.drop(worker)

    def give_back(self, worker: Worker) -> None:
        """For LeasedChild: keeps the child for the next file, unless it has served its time."""
        worker.files += 1
        spent = (
            self._strict
            or worker.files >= self._limits.files
            or worker.busy_seconds * self._cores * 2 > self._limits.cpu_seconds
            or not worker.tell(render_request(Rest()))
        )
        with self._lock:
            if not spent and not self._closed:
                self._leased.discard(worker)
                self._idle.append(worker)
                return
        self.drop(worker)

    def drop(self, worker: Worker) -> None:
        """For LeasedChild: throws the child away and orders another ahead of need."""
        with self._lock:
            self._leased.discard(worker)
            wanted = 0 if self._closed else self._workers - len(self._idle) - len(self._leased)
        worker.close()
        if self._nursing.acquire(blocking=False):
            try:
                if self._nursery.waiting < wanted:
                    self._nursery.order()
            finally:
                self._nursing.release()

    def how_ended(self, worker: Worker) -> int | None:
        """For LeasedChild: the status of a child that is dead; None if it cannot be told. Raises Unavailable."""
        with self._lock:
            self._refuse_if_closed()
        with self._nursing:
            return self._nursery.how_ended(worker)

    def _new(self) -> Worker:
        with self._nursing:
            with self._lock:
                self._refuse_if_closed()
            worker = self._nursery.take()
            with self._lock:
                self._leased.add(worker)
        return worker

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Unavailable("The sandbox is closed.", advice="The gateway is stopping; it goes on when it starts.")


class LeasedChild:
    """One child for the time of one file. Used by one thread."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._worker: Worker | None = pool.take()

    def examine(
        self, raw: int, *, suffix: str, limits: MediaLimits, marks: tuple[str, ...], seconds: float
    ) -> ExamineReply:
        """What the file behind the descriptor `raw` is. Raises ChildFault, Unavailable."""
        request = ExamineRequest(suffix=suffix, limits=limits, marks=marks)
        return self._expect(ExamineReply, request, read=raw, seconds=seconds)

    def rebuild(
        self,
        raw: int,
        output: int,
        *,
        format: Format,  # noqa: A002 - the word of the line for it, everywhere
        quality: int,
        limits: MediaLimits,
        seconds: float,
    ) -> RebuildReply:
        """Makes the file anew into `output`, a descriptor of an empty file open for reading and writing.

        When it returns, no child can write to that file any more. Raises ChildFault, Unavailable.
        """
        request = RebuildRequest(format=format, quality=quality, limits=limits)
        reply = self._expect(RebuildReply, request, read=raw, write=output, seconds=seconds)
        if not is_only_writer(output):
            self.discard(waiting=True)
        return reply

    def residue(self, clean: int, *, format: Format, seconds: float) -> ResidueReply:  # noqa: A002 - as above
        """What the rebuilt file holds that it should not. Raises ChildFault, Unavailable."""
        return self._expect(ResidueReply, ResidueRequest(format=format), read=clean, seconds=seconds)

    def sheet(
        self,
        clean: int,
        output: int,
        *,
        format: Format,  # noqa: A002 - as above
        limits: MediaLimits,
        seconds: float,
    ) -> RebuildReply:
        """Draws a contact sheet of a rebuilt file into `output`. Raises ChildFault, Unavailable."""
        request = SheetRequest(format=format, limits=limits)
        return self._expect(RebuildReply, request, read=clean, write=output, seconds=seconds)

    def discard(self, *, waiting: bool = False) -> None:
        """Throws the child away: it may no longer be what it was. A further request gets a new one.

        With `waiting`, returns when its process has ended. Raises Unavailable if it does not.
        """
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.kill()
        dead = not waiting or worker.gone()
        self._pool.drop(worker)
        if not dead:
            raise Unavailable("A sandbox child does not end when killed.", advice="The disk may be stuck.")

    def finish(self) -> None:
        """The lease is over."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.give_back(worker)

    def _expect(self, kind: type[_R], request: Request, *, read: int, seconds: float, write: int | None = None) -> _R:
        reply = self._ask(request, read=read, write=write, seconds=seconds)
        if isinstance(reply, GaveUp):
            self.discard(waiting=write is not None)
            raise fault_of_giving_up(reply)
        if not isinstance(reply, kind):
            raise ChildFault(Code.SANDBOX_PROTOCOL, "another kind of answer")
        return reply

    def _ask(self, request: Request, *, read: int, write: int | None, seconds: float) -> Reply:
        """Asks once; and once more, of a new child, if this one was killed by somebody else (or its zygote was)."""
        try:
            message = render_request(request)
        except Malformed as error:
            raise Misuse(
                f"The sandbox cannot be asked this: {error}.", advice="Shorten the list of markings in the policy."
            ) from error
        for last_try in (False, True):
            if write is not None:
                os.ftruncate(write, 0)  # what a killed child had begun
            worker = self._worker = self._worker or self._pool.take()
            try:
                with handed_over(read=read, write=write) as descriptors:
                    answer = worker.ask(message, descriptors, seconds=min(seconds, self._pool.patience))
                return parse_reply(answer, to=request)
            except Malformed as error:
                self.discard(waiting=write is not None)
                raise ChildFault(Code.SANDBOX_PROTOCOL, str(error)) from error
            except Silent as silence:
                status = self._pool.how_ended(worker) if silence.how is Silence.ENDED else None
                self.discard(waiting=write is not None)
                stray = silence.how is Silence.ENDED and status in {None, -signal.SIGKILL}
                if last_try or not stray:
                    raise _fault(silence.how, status) from silence
        raise ChildFault(Code.SANDBOX_CRASHED, "no answer")


def _fault(how: Silence, status: int | None) -> ChildFault | Unavailable:
    if how is Silence.TIMEOUT:
        return ChildFault(Code.SANDBOX_TIMEOUT, "no answer in time")
    if how is Silence.STUCK:
        return ChildFault(Code.SANDBOX_PROTOCOL, "it closed its end, or does not read")
    if status is None:
        return Unavailable("The sandbox was ended from outside.", advice="It is started again; it is tried again.")
    return fault_of_ending(status)

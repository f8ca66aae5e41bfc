"""One child for the time of one file: what can be asked of it, and when it is thrown away.

    with pool.lease() as child:
        child.examine(raw, …) ; child.rebuild(raw, output, …)

What enters: descriptors of files, and limits. What leaves: replies that passed the wire's reader, `ChildFault` (this
file's fault, at no cost to any other) or `Unavailable` (ours or the machine's: nothing is said about the file).
"""

from __future__ import annotations

import os
import signal
from typing import Protocol, TypeVar

from transfer.errors import Misuse, Unavailable
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Format
from transfer.model.recipe import Recipe
from transfer.model.search import Search
from transfer.sandbox.faults import ChildFault, fault_of_ending, fault_of_giving_up
from transfer.sandbox.handover import handed_over, is_only_writer
from transfer.sandbox.replies import ExamineReply, GaveUp, RebuildReply, Reply, ResidueReply, ScanReply, parse_reply
from transfer.sandbox.requests import (
    ExamineRequest,
    RebuildRequest,
    Request,
    ResidueRequest,
    ScanRequest,
    SheetRequest,
    render_request,
)
from transfer.sandbox.strict import Malformed
from transfer.sandbox.worker import Silence, Silent, Worker

_R = TypeVar("_R", ExamineReply, RebuildReply, ResidueReply, ScanReply)

# What well-made files of honest people carry: the child that says so did nothing but read what the format provides for.
# After any other finding the file may have been made to attack the child, which then serves no other file.
ORDINARY = frozenset(
    {
        Code.METADATA,
        Code.IDENTIFYING_METADATA,
        Code.LOCATION,
        Code.CONTENT_CREDENTIALS,
        Code.PUBLIC_LABEL,
        Code.PERSONAL_DATA,
    }
)


class Lender(Protocol):
    """The pool, as far as a lease needs it. All raise Unavailable when it is closed."""

    @property
    def patience(self) -> float:
        """The seconds that a request may take at most."""
        ...

    def take(self) -> Worker:
        """A child that is well."""
        ...

    def give_back(self, worker: Worker) -> None:
        """Keep it for another file, or not."""
        ...

    def drop(self, worker: Worker) -> None:
        """Throw it away."""
        ...

    def how_ended(self, worker: Worker) -> int | None:
        """The status of a child that is dead; None if it cannot be told."""
        ...


class LeasedChild:
    """One child for the time of one file. Used by one thread."""

    def __init__(self, pool: Lender) -> None:
        self._pool = pool
        self._worker: Worker | None = pool.take()
        self._doubtful = False

    def examine(
        self,
        raw: int,
        *,
        suffix: str,
        limits: MediaLimits,
        search: Search,
        seconds: float,
        fingerprint: bool = False,
    ) -> ExamineReply:
        """What the file behind the descriptor `raw` is. Raises ChildFault, Unavailable."""
        request = ExamineRequest(suffix=suffix, limits=limits, search=search, fingerprint=fingerprint)
        return self._expect(ExamineReply, request, read=raw, seconds=seconds)

    def rebuild(
        self,
        raw: int,
        output: int,
        *,
        format: Format,  # noqa: A002 - the word of the line for it, everywhere
        recipe: Recipe,
        limits: MediaLimits,
        seconds: float,
    ) -> RebuildReply:
        """Makes the file anew into `output`, a descriptor of an empty file open for reading and writing.

        When it returns, no child can write to that file any more. Raises ChildFault, Unavailable.
        """
        request = RebuildRequest(format=format, recipe=recipe, limits=limits)
        reply = self._expect(RebuildReply, request, read=raw, write=output, seconds=seconds)
        if not is_only_writer(output):
            self.discard(waiting=True)
        return reply

    def residue(
        self,
        clean: int,
        *,
        format: Format,  # noqa: A002 - as above
        seconds: float,
        encoded: bool = False,
    ) -> ResidueReply:
        """What the rebuilt file holds, and what of it it should not. Raises ChildFault, Unavailable."""
        request = ResidueRequest(format=format, encoded=encoded)
        return self._expect(ResidueReply, request, read=clean, seconds=seconds)

    def scan(self, content: int, *, size: int, seconds: float) -> ScanReply:
        """Which rules match the file's `size` bytes. Raises ChildFault, Unavailable."""
        reply = self._expect(ScanReply, ScanRequest(size=size), read=content, seconds=seconds)
        self._doubtful |= bool(reply.matches)
        return reply

    def sheet(
        self,
        clean: int,
        output: int,
        *,
        format: Format,  # noqa: A002 - as above
        limits: MediaLimits,
        seconds: float,
        second: int = 0,
    ) -> RebuildReply:
        """Draws a contact sheet of a rebuilt file into `output`, or two such sheets side by side, the other one of
        which begins at `second`. Raises ChildFault, Unavailable."""
        request = SheetRequest(format=format, limits=limits, second=second)
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
        """The lease is over: the child goes back, unless what it found makes it doubtful."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if self._doubtful:
            self._pool.drop(worker)
        else:
            self._pool.give_back(worker)

    def _doubt(self, findings: tuple[Finding, ...]) -> None:
        self._doubtful |= any(finding.code not in ORDINARY for finding in findings)

    def _expect(self, kind: type[_R], request: Request, *, read: int, seconds: float, write: int | None = None) -> _R:
        reply = self._ask(request, read=read, write=write, seconds=seconds)
        if isinstance(reply, GaveUp):
            self.discard(waiting=write is not None)
            raise fault_of_giving_up(reply)
        if not isinstance(reply, kind):
            raise ChildFault(Code.SANDBOX_PROTOCOL, "another kind of answer")
        if not isinstance(reply, ScanReply):
            self._doubt(reply.findings)
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

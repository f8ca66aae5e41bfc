"""Confined children for lease: one is asked about one file at a time, and thrown away whenever it is in doubt.

    with pool.lease() as child:
        child.examine(raw, …) ; child.rebuild(raw, output, …)

What enters: how the children are to be. What leaves: leases (`lease`), each on one child, or `Unavailable`. The
children are not trusted; their output is hashed and read by others.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Self

from transfer.errors import Misuse, Unavailable
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.lease import LeasedChild
from transfer.sandbox.nursery import ENTRY, Nursery
from transfer.sandbox.requests import Rest, Role, render_request
from transfer.sandbox.worker import Worker


class Pool:
    """`workers` children of one role, at most. Thread-safe; starts its zygote at once and does not wait for it.

    `strict` takes a new child for each file. `prefer` confines the children only as far as this kernel can. `command`
    is for tests: another program in the place of `python -m transfer.child`. `material` is a descriptor that the role
    needs to begin; it stays the caller's and open until the pool is closed.
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
        material: int | None = None,
    ) -> None:
        if workers < 1:
            raise Misuse("A sandbox needs at least one worker.", advice="Set [sandbox] workers to 1 or more.")
        self.patience = limits.request_seconds
        self._limits, self._strict, self._workers = limits, strict, workers
        self._keeps = role in {Role.MEDIA, Role.READING}  # a decoded picture, which it is to forget between two files
        self._cores = os.cpu_count() or 1  # asked once: the system reads it from a file
        self._free = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()  # guards the three below
        self._idle: list[Worker] = []
        self._leased: set[Worker] = set()
        self._closed = False
        self._nursing = threading.Lock()  # one thread at a time speaks with the zygote; taken before _lock, if both
        self._nursery = Nursery(command=command, role=role.value, limits=limits, prefer=prefer, material=material)
        self._nursery.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm(self) -> None:
        """Waits until a child is ready. Raises Unavailable if none can be had, Misuse if its material is wrong."""
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
            or (self._keeps and not worker.tell(render_request(Rest())))
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

"""Loops: each is a thread that does one job again and again, and knows what every kind of error means for it.

Unavailable   said once, tried again with longer pauses, until the world is back
Tampered      the loop ends and the alarm is raised: nothing goes on over records that do not agree
anything else a defect of ours; said, tried again a few times, then the alarm
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from transfer.errors import Tampered, TransferError, Unavailable

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_DEFECTS_BORNE = 5

_log = structlog.get_logger()


@dataclass(kw_only=True)
class Condition:
    """What all loops share: whether to stop, what has to be waited for, and what ended it."""

    stopping: threading.Event = field(default_factory=threading.Event)
    waits: dict[str, str] = field(default_factory=dict)
    alarm: TransferError | None = None

    def sound(self, error: TransferError) -> None:
        """The first alarm is kept, and everything stops."""
        if self.alarm is None:
            self.alarm = error
        self.stopping.set()


class Loop(threading.Thread):
    """Runs `body` every `period` seconds, sooner when `wake` is called or `body` says so, but never within `rest`.

    `body` answers True if there is more to do at once, False if not, or the seconds until there may be something.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[], bool | float],
        *,
        period: float,
        condition: Condition,
        rest: float = 0.0,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._body = body
        self._period = period
        self._rest = rest
        self._condition = condition
        self._woken = threading.Event()
        self._pause = _FIRST_PAUSE
        self._defects = 0

    def wake(self) -> None:
        """There is something to do now."""
        self._woken.set()

    def run(self) -> None:
        """Until the condition says stop."""
        while not self._condition.stopping.is_set():
            wait = self._turn()
            if self._rest > 0:
                self._condition.stopping.wait(self._rest)
            if wait > 0:
                self._woken.wait(wait)
            self._woken.clear()

    def _turn(self) -> float:
        """One turn; the seconds to wait before the next."""
        try:
            more = self._body()
        except Unavailable as error:
            if self._condition.stopping.is_set():  # what it was at was ended with everything else
                return 0
            if self._condition.waits.get(self.name) != error.sentence:
                _log.warning("waiting", loop=self.name, why=error.sentence)
            self._condition.waits[self.name] = error.sentence
            pause = self._pause
            self._pause = min(pause * 2, _LONGEST_PAUSE)
            return pause
        except Tampered as error:
            _log.error("alarm", loop=self.name, why=error.sentence)
            self._condition.sound(error)
            return 0
        except Exception as error:  # noqa: BLE001 - the last line of defence: it fails closed
            return self._defect(error)
        if self._condition.waits.pop(self.name, None) is not None:
            _log.info("going on", loop=self.name)
        self._pause = _FIRST_PAUSE
        self._defects = 0
        if isinstance(more, bool):
            return 0 if more else self._period
        return more

    def _defect(self, error: Exception) -> float:
        self._defects += 1
        _log.error("defect", loop=self.name, kind=type(error).__name__, exc_info=True)
        if self._defects >= _DEFECTS_BORNE:
            self._condition.sound(
                TransferError(
                    f"The {self.name} station failed {self._defects} times in a row ({type(error).__name__}).",
                    advice="This is a defect of the gateway, not of a file; nothing is released until it is mended.",
                )
            )
        return self._period


class Bell:
    """Wakes a loop; it can be handed out before there is one."""

    def __init__(self) -> None:
        self._answer: Callable[[], None] | None = None

    def connect(self, answer: Callable[[], None]) -> None:
        """From now on a ring is answered by this."""
        self._answer = answer

    def ring(self) -> None:
        """There is something to do; from any thread."""
        if self._answer is not None:
            self._answer()


def alarm_of(fault: BaseException) -> TransferError:
    """What to sound when the post that hears the guard has failed."""
    if isinstance(fault, TransferError):
        return fault
    sentence = f"The post that hears the guard failed ({type(fault).__name__})."
    return TransferError(sentence, advice="Nothing is released without it.")


@contextmanager
def kept(missing: list[Unavailable]) -> Iterator[None]:
    """Collects what was unavailable, so that the other steps of one round are still tried."""
    try:
        yield
    except Unavailable as error:
        missing.append(error)

"""A folder of YARA rules as a malware scanner: confined children look at whole files with the rules of that folder.

What enters: content in a file of its own, and a folder that the operator keeps. What leaves: one of the four answers,
never an exception. The gateway reads the rules and digests them; a process that holds no key and reaches nothing
compiles and runs them (decision 0020). Its CLEAN counts only where it looked with the very rules that lie there now.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Self

from transfer.errors import Misuse, TransferError
from transfer.inspection.noticed import printable
from transfer.inspection.rule_files import RuleFiles, digest_of, read_rule_files
from transfer.inspection.scan import SelfTest, eicar
from transfer.model.findings import ScanAnswer, ScanResult
from transfer.sandbox.faults import ChildFault
from transfer.sandbox.pool import Pool
from transfer.sandbox.replies import ScanReply

HEADROOM = 256 * 1024 * 1024  # bytes of memory that a child needs besides the file it looks at
_LEAST_SECONDS = 10.0
_BYTES_A_SECOND = 10 << 20  # rules with slow patterns included; ordinary ones read a gigabyte in less than one


class _Set:
    """One set of rules at work: its children, and the descriptor they were made from."""

    def __init__(self, files: RuleFiles, make_pool: Callable[[int], Pool]) -> None:
        rendered = files.render()
        self.sha256 = digest_of(rendered)
        self._material = _memory_file("rules", rendered)
        try:
            self.pool = make_pool(self._material)
        except BaseException:
            os.close(self._material)
            raise

    def close(self) -> None:
        self.pool.close()
        os.close(self._material)


class YaraScanner:
    """The rules of one folder. Safe to be shared by threads; `start` before anything else.

    `make_pool` makes children of the role RULES from a descriptor of rendered rule files. `timeout` is in seconds and
    bounds one file, which gets more of it the larger it is; `size_limit` is in bytes, larger files are UNSCANNABLE.
    """

    name = "yara"

    def __init__(self, *, folder: Path, make_pool: Callable[[int], Pool], timeout: float, size_limit: int) -> None:
        self._folder = folder
        self._make_pool = make_pool
        self._timeout = timeout
        self._size_limit = size_limit
        self._program = f"YARA-X {version('yara-x')}"
        self._lock = threading.Lock()  # guards the two below
        self._current: _Set | None = None
        self._problem = "The YARA rules are not read yet."
        self._seen = ""  # the folder's digest at the last look, to see that somebody is still writing

    def start(self) -> Self:
        """Reads and compiles the rules. Raises Misuse with the file, line and reason, Unavailable."""
        files = read_rule_files(self._folder)
        begun = self._begin(files)
        with self._lock:
            self._current, self._problem, self._seen = begun, "", begun.sha256
        return self

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        """The answer about the file behind the content, which must have exactly `size` bytes. Never raises."""
        if size > self._size_limit:
            return self._result(ScanAnswer.UNSCANNABLE)
        for last_try in (False, True):
            with self._lock:
                current = self._current
            if current is None:
                return self._result(ScanAnswer.UNAVAILABLE)
            try:
                reply = self._ask(current, content.fileno(), size)
            except ChildFault:
                return self._result(ScanAnswer.UNSCANNABLE, current)
            except (TransferError, OSError, ValueError):
                with self._lock:
                    replaced = self._current is not current
                if last_try or not replaced:
                    return self._result(ScanAnswer.UNAVAILABLE, current)
                continue  # other rules came while it was asked
            return self._judged(reply, current)
        return self._result(ScanAnswer.UNAVAILABLE)

    def self_test(self) -> SelfTest:
        """Whether the rules that lie there now are the ones at work, and find the test file. Never raises."""
        with self._lock:
            current, problem = self._current, self._problem
        if current is None:
            return self._failed(problem)
        test = eicar()
        with open(_memory_file("test", test), "rb") as content:
            answer = self.scan(content, len(test)).answer
        if answer is not ScanAnswer.INFECTED:
            return self._failed(f"It does not find the EICAR test file ({answer}).")
        sentence = f"The YARA rules in {self._folder} are at work and find the test file."
        return SelfTest(passed=True, scanner=self.name, signatures=self._signatures(current), sentence=sentence)

    def tend(self) -> bool:
        """Takes over what was changed in the folder, once it is the same at two looks. Never raises.

        Whether other rules look from now on. Where the rules are no rules any more nothing is CLEAN until they are.
        """
        try:
            files = read_rule_files(self._folder)
            sha256 = files.sha256
        except Misuse as error:
            files, sha256 = None, error.sentence
        settled, self._seen = sha256 == self._seen, sha256
        with self._lock:
            known = self._current.sha256 if self._current is not None else ""
        if files is not None and sha256 == known:
            return False
        if not settled:
            return False
        return self._take_over(files, "" if files is not None else sha256)

    def outdated(self, earlier: ScanResult) -> bool:
        """Whether other rules look now than did then."""
        with self._lock:
            current = self._current
        return current is not None and earlier.signatures != self._signatures(current)

    def close(self) -> None:
        """Ends the children."""
        self._replace(None, "The gateway is stopping.")

    def _take_over(self, files: RuleFiles | None, problem: str) -> bool:
        with self._lock:
            before = self._problem
        begun = None
        if files is not None:
            try:
                begun = self._begin(files)
            except TransferError as error:
                problem = error.sentence
        if begun is None and problem == before:
            return False
        self._replace(begun, problem)
        return begun is not None

    def _begin(self, files: RuleFiles) -> _Set:
        begun = _Set(files, self._make_pool)
        try:
            begun.pool.warm()
        except BaseException:
            begun.close()
            raise
        return begun

    def _replace(self, begun: _Set | None, problem: str) -> None:
        with self._lock:
            former, self._current, self._problem = self._current, begun, problem
        if former is not None:
            former.close()

    def _ask(self, current: _Set, content: int, size: int) -> ScanReply:
        seconds = min(self._timeout, _LEAST_SECONDS + size / _BYTES_A_SECOND)
        with current.pool.lease() as child:
            return child.scan(content, size=size, seconds=seconds)

    def _judged(self, reply: ScanReply, current: _Set) -> ScanResult:
        if reply.matches:
            return self._result(ScanAnswer.INFECTED, current, threat=reply.matches[0])
        if reply.rules != current.sha256:
            return self._result(ScanAnswer.UNAVAILABLE, current)
        return self._result(ScanAnswer.CLEAN, current)

    def _result(self, answer: ScanAnswer, current: _Set | None = None, threat: str = "") -> ScanResult:
        signatures = self._signatures(current) if current is not None else ""
        return ScanResult(answer=answer, scanner=self.name, signatures=signatures, threat=printable(threat))

    def _signatures(self, current: _Set) -> str:
        return f"{self._program}, rules {current.sha256}"

    def _failed(self, sentence: str) -> SelfTest:
        advice = f"Correct the rules in {self._folder}; they are taken over within seconds."
        return SelfTest(passed=False, scanner=self.name, signatures="", sentence=sentence, advice=advice)


def _memory_file(name: str, content: bytes) -> int:
    """A descriptor of a file that is nowhere on a disk."""
    descriptor = os.memfd_create(name)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, descriptor)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        undo.pop_all()
    return descriptor

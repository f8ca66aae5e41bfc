"""What a child that failed costs: its file, and nothing else.

`ChildFault` is the refusal; the functions here turn each way of failing into one. Pure.
"""

from __future__ import annotations

import signal

from transfer.errors import Refusal
from transfer.model.findings import Code, Finding
from transfer.sandbox.replies import Failure, GaveUp
from transfer.sandbox.strict import clean_text

_SENTENCES = {
    Code.SANDBOX_CRASHED: "The program that opened this file in the sandbox crashed",
    Code.SANDBOX_TIMEOUT: "This file took longer than the time allowed in the sandbox",
    Code.SANDBOX_MEMORY: "This file needed more memory than the sandbox allows",
    Code.SANDBOX_PROTOCOL: "The program that opened this file in the sandbox misbehaved",
}
_ADVICE = "Export the file again with another program, in a common format, and drop the new file."


class ChildFault(Refusal):
    """A sandbox child failed on this file."""

    def __init__(self, code: Code, how: str) -> None:
        how = clean_text(how)
        super().__init__(f"{_SENTENCES[code]} ({how}).", code=code.value, advice=_ADVICE, clauses=("G5",))
        self.finding = Finding(code=code, detail={"how": how})


def fault_of_giving_up(reply: GaveUp) -> ChildFault:
    """The child said itself that it cannot go on."""
    code = Code.SANDBOX_MEMORY if reply.failure is Failure.MEMORY else Code.SANDBOX_CRASHED
    return ChildFault(code, reply.detail)


def fault_of_ending(status: int) -> ChildFault:
    """The child ended with this exit code, or minus this signal's number, instead of answering.

    SIGKILL, which nobody here sent, comes from the kernel when memory runs out, twice in a row for the same file.
    """
    if status >= 0:
        return ChildFault(Code.SANDBOX_CRASHED, f"ended with {status} and no answer")
    number = -status
    name = signal.Signals(number).name if number in {each.value for each in signal.Signals} else f"signal {number}"
    if number == signal.SIGXCPU:
        return ChildFault(Code.SANDBOX_TIMEOUT, "used up its processor time")
    if number == signal.SIGKILL:
        return ChildFault(Code.SANDBOX_MEMORY, "ended by the system, twice")
    return ChildFault(Code.SANDBOX_CRASHED, name)

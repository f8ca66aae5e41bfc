"""The sandbox child's entry: the zygote's program, and what its children do with a file.

    python -m transfer.child media|reading|residue|rules LIMITS require|prefer [MATERIAL] CONTROL

What enters: requests with descriptors from the gateway. What leaves: replies. Everything between, the decoders and what
they make of untrusted bytes, runs confined; a child trusts the requests and nobody trusts the child.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from transfer.model.fingerprint import Fingerprint
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.replies import (
    ExamineReply,
    Failure,
    GaveUp,
    RebuildReply,
    Reply,
    ResidueReply,
    ScanReply,
    render_reply,
)
from transfer.sandbox.requests import (
    DESCRIPTORS,
    ExamineRequest,
    RebuildRequest,
    Request,
    ResidueRequest,
    Rest,
    Role,
    ScanRequest,
    SheetRequest,
    parse_request,
)
from transfer.sandbox.strict import MAX_MESSAGE, Malformed
from transfer.sandbox.zygote import Work, serve

if TYPE_CHECKING:
    from transfer.inspection.picture_words import Reader

_MOST_DESCRIPTORS = 2
# Python imports a codec when it first meets its name: a confined child could not.
_ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp437")


@dataclass(slots=True)
class Kept:
    """The last decoded picture of this lease, so that it is decoded once; of which file, by device and inode."""

    file: tuple[int, int, int] | None = None
    decoded: object | None = None

    def forget(self) -> None:
        """The lease is over, or another file has come."""
        self.file = self.decoded = None

    def of(self, descriptor: int) -> object | None:
        """What was decoded from this very file, if it was."""
        return self.decoded if self.file == _which(descriptor) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a child can do. A hand that its role has not raises, and the file does not pass."""

    examine: Callable[[ExamineRequest, int, Kept], ExamineReply] | None = None
    rebuild: Callable[[RebuildRequest, int, int, Kept], RebuildReply] | None = None
    residue: Callable[[ResidueRequest, int], ResidueReply] | None = None
    sheet: Callable[[SheetRequest, int, int], RebuildReply] | None = None
    scan: Callable[[ScanRequest, int], ScanReply] | None = None
    kept: Kept = field(default_factory=Kept)

    def answer(self, request: Request, descriptors: list[int]) -> Reply | None:
        """The reply; None to a request that has none. Whatever a decoder raises comes out."""
        match request:
            case ExamineRequest() if self.examine is not None:
                self.kept.forget()
                return self.examine(request, descriptors[0], self.kept)
            case RebuildRequest() if self.rebuild is not None:
                return self.rebuild(request, descriptors[0], descriptors[1], self.kept)
            case ResidueRequest() if self.residue is not None:
                return self.residue(request, descriptors[0])
            case SheetRequest() if self.sheet is not None:
                self.kept.forget()
                return self.sheet(request, descriptors[0], descriptors[1])
            case ScanRequest() if self.scan is not None:
                return self.scan(request, descriptors[0])
            case Rest():
                self.kept.forget()
                return None
            case _:
                raise Malformed("a request for a child of another role")


def media_hands(*, reading: bool = False) -> Hands:
    """Imports and warms the decoders and the writers; with `reading`, a reader of words in pictures too."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's library would start threads, and a zygote must have none
    from transfer.disarm import contact_sheet, remake, side_by_side
    from transfer.inspection import probe

    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    probe.warm()
    remake.warm()
    contact_sheet.warm()
    side_by_side.warm()
    read = _reader() if reading else None

    def examine(request: ExamineRequest, raw: int, kept: Kept) -> ExamineReply:
        def keep(decoded: object) -> None:
            kept.file, kept.decoded = _which(raw), decoded

        prints: list[Fingerprint] = []
        media, findings, tools = probe.probe(
            raw,
            suffix=request.suffix,
            limits=request.limits,
            search=request.search,
            keep=keep,
            prints=prints if request.fingerprint else None,
            read=read,
        )
        return ExamineReply(media=media, findings=findings, tools=tools, fingerprints=tuple(prints))

    def rebuild(request: RebuildRequest, raw: int, output: int, kept: Kept) -> RebuildReply:
        facts, findings = remake.remake(
            raw,
            output,
            format=request.format,
            recipe=request.recipe,
            limits=request.limits,
            decoded=kept.of(raw),
        )
        return RebuildReply(facts=facts, findings=findings)

    def sheet(request: SheetRequest, clean: int, output: int) -> RebuildReply:
        if request.second:
            facts, findings = side_by_side.draw_pair(clean, output, second=request.second, limits=request.limits)
            return RebuildReply(facts=facts, findings=findings)
        facts, findings = contact_sheet.draw_sheet(clean, output, format=request.format, limits=request.limits)
        return RebuildReply(facts=facts, findings=findings)

    return Hands(examine=examine, rebuild=rebuild, sheet=sheet)


def _reader() -> Reader | None:
    """None where the extra is not installed: what was to be read is then reported as unread, file by file."""
    from transfer.inspection import ocr

    try:
        return ocr.load()
    except (ImportError, OSError):
        return None


def residue_hands() -> Hands:
    """Imports the independent readers, which share no code with the writers."""
    from transfer.disarm import residue

    for encoding in _ENCODINGS:
        codecs.lookup(encoding)

    def look(request: ResidueRequest, clean: int) -> ResidueReply:
        findings, left = residue.prove(clean, format=request.format, encoded=request.encoded)
        return ResidueReply(findings=findings, left=left)

    return Hands(residue=look)


def rules_hands(material: int) -> Hands:
    """Compiles the rules behind this descriptor, and tries them. Raises Misuse if they are no rules."""
    from transfer.inspection import yara_rules

    ruler = yara_rules.ruler_from(material)

    def scan(request: ScanRequest, content: int) -> ScanReply:
        return ScanReply(matches=ruler.matches(content, request.size), rules=ruler.rules)

    return Hands(scan=scan)


def work_with(hands: Hands) -> Work:
    """A child's life: one message in, one out, until the gateway closes its end or a file breaks it."""

    def work(link: socket.socket) -> None:
        while True:
            message, descriptors, _, _ = socket.recv_fds(link, MAX_MESSAGE, _MOST_DESCRIPTORS)
            if not message:
                return
            try:
                answer, gave_up = _answer(hands, message, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            if answer:
                os.write(link.fileno(), answer)
            if gave_up:
                return

    return work


def _answer(hands: Hands, message: bytes, descriptors: list[int]) -> tuple[bytes, bool]:
    """The reply's bytes, empty where there is none, and whether the child gave up.

    A failure of any kind, also one to say it, becomes a reply that says so; the file does not pass.
    """
    try:
        request = parse_request(message)
        if len(descriptors) != DESCRIPTORS[type(request)]:
            return _gave_up(Failure.DEFECT, "a request with another number of descriptors")
        reply = hands.answer(request, descriptors)
        return b"" if reply is None else render_reply(reply), False
    except MemoryError:
        hands.kept.forget()
        return _gave_up(Failure.MEMORY, "no more memory")
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return _gave_up(Failure.MEMORY, "no more memory")
        return _gave_up(Failure.DEFECT, _where(error))
    except Exception as error:  # noqa: BLE001 - the decoders may raise anything
        return _gave_up(Failure.DEFECT, _where(error))


def _gave_up(failure: Failure, detail: str) -> tuple[bytes, bool]:
    return render_reply(GaveUp(failure=failure, detail=detail)), True


def _where(error: Exception) -> str:
    """The kind of error and the line of ours it came through. Not its words: they can quote the file's content."""
    place = "?"
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "?"))
        if module.startswith("transfer."):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {place}"


def _which(descriptor: int) -> tuple[int, int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size


def hands_of(role: Role, material: list[int]) -> Hands:
    """What a child of this role can do, imported and warmed. Raises Misuse if its material is wrong."""
    match role:
        case Role.MEDIA | Role.READING:
            return media_hands(reading=role is Role.READING)
        case Role.RESIDUE:
            return residue_hands()
        case Role.RULES:
            return rules_hands(*material)


def main(arguments: list[str]) -> NoReturn:
    """The zygote's program; started by the pool only."""
    role, limits, valve, *material, control = arguments

    def warm() -> Work:
        return work_with(hands_of(Role(role), [int(descriptor) for descriptor in material]))

    serve(
        socket.socket(fileno=int(control)),
        warm=warm,
        limits=ChildLimits(**json.loads(limits)),
        prefer=valve == "prefer",
    )


if __name__ == "__main__":
    main(sys.argv[1:])

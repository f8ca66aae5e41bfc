"""Every parser of ours that reads what somebody else wrote, with valid inputs to begin from."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.audit.test_fuzz import FORMATS
from tests.audit.test_fuzz import tried as read_again
from tests.corpus import cabinet
from tests.corpus.build.parts import PNG_START
from tests.disarm.tools import LIMITS, try_remake
from tests.fuzz.engine import Target
from tests.fuzz.graph_targets import graph_targets
from tests.fuzz.packet_targets import packet_targets
from tests.sandbox.test_wire import ASKED
from transfer.disarm.colour import neutral_profile
from transfer.disarm.residue import prove
from transfer.disarm.text import remake_text
from transfer.disarm.traces import traces
from transfer.errors import Misuse, Refusal
from transfer.inspection.decode_text import decode_text
from transfer.inspection.exif import exif_identities
from transfer.inspection.metadata import marking_findings, metadata_findings
from transfer.inspection.noticed import Unfit
from transfer.inspection.personal_data import personal_data_in, warm
from transfer.inspection.structure import check_packed, check_structure, dissect_film, dissect_picture
from transfer.intake.place import is_leftover, place
from transfer.model.drive import DriveMark
from transfer.model.findings import Code, Finding
from transfer.model.identifiers import DeviceId, PersonId, Sha256, SourceId
from transfer.model.media import Family, Format, MediaFacts, RebuildFacts, StreamFacts
from transfer.model.names import safe_name
from transfer.model.search import PersonalKind, Search
from transfer.policy.rulebook import load_policy
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.messages import (
    Ask,
    Audited,
    Beat,
    Done,
    Expect,
    Expected,
    Hello,
    ListBegins,
    Seen,
    Stage,
    Told,
)
from transfer.return_guard.packets import parse_from_gateway, parse_from_guard, render_message
from transfer.sandbox.replies import ExamineReply, RebuildReply, ResidueReply, parse_reply, render_reply
from transfer.sandbox.requests import parse_request, render_request
from transfer.sandbox.strict import Malformed
from transfer.settings import load_settings
from transfer.settings_text import NewSource, render_settings

TOP = Path(__file__).parents[2]
_MOST_POINTS = 1 << 22  # in earnest the policy's limits bound a picture's measures before its points are unpacked
SMALL = 40_000  # bytes: larger files of the corpus are no seeds
SEARCH = Search(
    marks=("strictly confidential", "top secret", "SECRET"),
    personal=tuple(PersonalKind),
    regions=("GB",),
    countries=("GB", "DE"),
    student_numbers=(r"s\d{7}",),
)
_ENDINGS = {suffix: form for form in Format for suffix in form.suffixes}


@cache
def _of(form: Format) -> tuple[bytes, ...]:
    """The small files of the corpus that go by a name of this format."""
    files = (cabinet.path_of(key) for key in cabinet.names() if _ENDINGS.get(Path(key).suffix.lower()) is form)
    return tuple(path.read_bytes() for path in files if 0 < path.stat().st_size < SMALL)


@cache
def _rebuilt(form: Format) -> tuple[bytes, ...]:
    """What the rebuild makes of some of them."""
    made = (try_remake(content, form)[0] for content in _of(form)[:12])
    return tuple(content[:SMALL] for content in made if content)


def _structure(form: Format) -> Callable[[bytes], object]:
    def parse(content: bytes) -> object:
        if form.family is Family.IMAGE:
            found = dissect_picture(content, form)
        else:
            found = dissect_film(lambda at, length: content[at : at + length], len(content), form)
        findings = metadata_findings(found, SEARCH)
        assert all(str(value).isascii() for finding in findings for value in finding.detail.values())
        check_structure(found, LIMITS)
        if sum(points.needs for points in found.packed) < _MOST_POINTS:
            check_packed(found, content, LIMITS)
        return findings

    return parse


def _residue(form: Format) -> Callable[[bytes], object]:
    def parse(content: bytes) -> object:
        clean = os.memfd_create("clean")
        try:
            os.write(clean, content)
            findings, left = prove(clean, format=form)
        finally:
            os.close(clean)
        assert len(findings) <= 16
        assert all(line.isascii() and line.isprintable() for line in left)
        return findings

    return parse


def _decoded_text(form: Format) -> Callable[[bytes], object]:
    def parse(content: bytes) -> object:
        return decode_text(content, form=form, limits=LIMITS, search=SEARCH)

    return parse


def _remade_text(form: Format) -> Callable[[bytes], object]:
    def parse(content: bytes) -> object:
        made, _ = remake_text(content, form=form, limits=LIMITS)
        again, _ = remake_text(made, form=form, limits=LIMITS)
        assert again == made, "what was rebuilt is rebuilt to something else"
        assert _residue(form)(made) == (), "what was rebuilt is doubted"
        return made

    return parse


def _remade(form: Format) -> Callable[[bytes], object]:
    """The rebuild of pictures, whose walkers are ours; what it makes must stand before the other reader."""

    def parse(content: bytes) -> object:
        made, facts, findings = try_remake(content, form)
        if facts is None:
            assert findings
            raise Refusal("as it may", code=findings[0].code)
        assert _residue(facts.format)(made) == (), "what was rebuilt is doubted"
        return made

    return parse


def _words(content: bytes) -> object:
    text = content.decode("utf-8", "replace")
    personal_data_in(text, SEARCH, where="text")
    return marking_findings(text, SEARCH, where="text")


def _name(content: bytes) -> object:
    name = safe_name(content)
    assert safe_name(name.text) == name
    assert "/" not in name.text
    assert name.text.isprintable()
    is_leftover(content)
    return place(content)


def _file(load: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A parser of a file on the disk."""

    def parse(content: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            return load(path)

    return parse


def _request(content: bytes) -> object:
    request = parse_request(content)
    assert parse_request(render_request(request)) == request
    return request


def _reply(asked: str) -> Callable[[bytes], object]:
    return lambda content: parse_reply(content, to=ASKED[asked])


def _packet(parse: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def again(content: bytes) -> object:
        message = parse(content)
        assert render_message(message) == content  # type: ignore[arg-type]
        return message

    return again


def _packets() -> list[bytes]:
    name, digest = safe_name("photo.jpg"), Sha256("ab" * 32)
    expected = Expected(stage=Stage.PLACED, name=name, temporary=safe_name("_photo.jpg"), sha256=digest, size=9)
    marked = replace(expected, mark=DriveMark(quickxor="A" * 27 + "=", jpeg=True, item="01ABC!s3"))
    told = Told(breach=Breach.EDIT_LINK, place=Place.ITEM, permission=digest)
    messages = (
        *(ListBegins(1), Expect(1, expected), Expect(1, marked), Ask(2, name), Hello(), Beat(7, 1), Done(3)),
        *(Seen(2, digest), Audited(age=3, breaches=(told,), more=1)),
    )
    return [render_message(message) for message in messages]


def _replies() -> dict[str, bytes]:
    found = (Finding(code=Code.RESIDUE, detail={"where": "file", "at": 1}),)
    media = MediaFacts(format=Format.MP4, width=9, height=9, streams=(StreamFacts(kind="video", codec="h264"),))
    return {
        "examine": render_reply(ExamineReply(media=media, findings=found, tools={"Pillow": "13"})),
        "rebuild": render_reply(RebuildReply(facts=RebuildFacts(format=Format.PNG, removed=("EXIF",)), findings=())),
        "residue": render_reply(ResidueReply(findings=found)),
    }


_CONFUSING = [
    b"+44 20 7946 0958", b"GB82 WEST 1234 5698 7654 32", b"a@b.example", b"4111 1111 1111 1111", b"s1234567",
    b"MSIP_Label_f42aa342-8706-4288-bd11-ebb85995028c_Enabled", b"T O P  SECRET", b"vid:v0900abc",
]  # fmt: skip


def _right_checksums(content: bytes) -> bytes:
    """A PNG with the checksum that each chunk ought to have."""
    if not content.startswith(PNG_START):
        return content
    at, parts = 8, [PNG_START]
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if end + 4 > len(content):
            break
        parts += (content[at:end], zlib.crc32(content[at + 4 : end]).to_bytes(4, "big"))
        at = end + 4
    return b"".join((*parts, content[at:]))


def _targets() -> Iterable[Target]:
    pictures = [form for form in Format if form.family is Family.IMAGE]
    films = [form for form in Format if form.family is Family.VIDEO]
    texts = [form for form in Format if form.family is Family.TEXT]
    short = {form: form.name.lower() for form in Format}
    repair = {Format.PNG: _right_checksums}
    for form in pictures + films:
        yield Target(
            name=f"structure {short[form]}",
            seeds=_seeds(_of, form),
            parse=_structure(form),
            errors=(Unfit,),
            repair=repair.get(form),
        )
    for form in (f for f in Format if f not in {Format.HEIC, Format.MOV}):
        yield Target(
            name=f"residue {short[form]}", seeds=_seeds(_rebuilt, form), parse=_residue(form), repair=repair.get(form)
        )
    for form in texts:
        yield Target(name=f"text {short[form]}", seeds=_seeds(_of, form), parse=_decoded_text(form), errors=(Unfit,))
        yield Target(
            name=f"rebuild {short[form]}", seeds=_seeds(_of, form), parse=_remade_text(form), errors=(Refusal,)
        )
    for form in (Format.JPEG, Format.PNG, Format.GIF, Format.WEBP):
        yield Target(
            name=f"rebuild {short[form]}",
            seeds=_seeds(_of, form),
            parse=_remade(form),
            errors=(Refusal,),
            repair=repair.get(form),
        )
        yield Target(name=f"traces {short[form]}", seeds=_seeds(_of, form), parse=lambda b, form=form: traces(b, form))
    for asked, seed in _replies().items():
        yield Target(name=f"reply {asked}", seeds=lambda seed=seed: [seed], parse=_reply(asked), errors=(Malformed,))
    requests = [render_request(request) for request in ASKED.values()]
    yield Target(name="request", seeds=lambda: requests, parse=_request, errors=(Malformed,))
    yield Target(name="guard's packets", seeds=_packets, parse=_packet(parse_from_guard), errors=(ValueError,))
    yield Target(name="gateway's packets", seeds=_packets, parse=_packet(parse_from_gateway), errors=(ValueError,))
    yield Target(name="words", seeds=lambda: [*_of(Format.TEXT), *_CONFUSING], parse=_words)
    yield Target(name="names", seeds=lambda: [Path(key).name.encode() for key in cabinet.names()], parse=_name)
    yield Target(name="exif", seeds=_exif_seeds, parse=exif_identities)
    yield Target(name="profile", seeds=_profile_seeds, parse=lambda b: [neutral_profile(b, grey=g) for g in (0, 1)])
    yield Target(name="policy", seeds=_policy_seeds, parse=_file(load_policy, "policy.toml"), errors=(Misuse,))
    yield Target(
        name="settings",
        seeds=_settings_seeds,
        parse=_file(lambda path: load_settings(path.parent), "transfer.toml"),
        errors=(Misuse,),
    )
    yield from packet_targets()
    yield from graph_targets()
    for name, form_of_log in FORMATS.items():
        yield Target(
            name=f"log {name}",
            seeds=lambda form_of_log=form_of_log: form_of_log.seeds,
            parse=lambda content, form_of_log=form_of_log: read_again(form_of_log, content),
        )


def _seeds(source: Callable[[Format], tuple[bytes, ...]], form: Format) -> Callable[[], list[bytes]]:
    return lambda: list(source(form))


def _exif_seeds() -> list[bytes]:
    blocks = [content[content.find(b"Exif\0") :][:4_000] for content in _of(Format.JPEG) if b"Exif\0" in content]
    return [*blocks, *(block[6:] for block in blocks)]


def _profile_seeds() -> list[bytes]:
    at = [(content, content.find(b"acsp") - 36) for content in _of(Format.JPEG)]
    return [content[where : where + 4_000] for content, where in at if where >= 0]


def _policy_seeds() -> list[bytes]:
    shipped = (TOP / "policies" / "university.toml").read_bytes()
    site = b'name = "site"\ntitle = "Ours"\nextends = "university"\n\n[limits]\nimage_bytes = "10 MB"\n'
    return [shipped, site]


def _settings_seeds() -> list[bytes]:
    sources = [NewSource(id=SourceId("sam"), path="staging", submitter=PersonId("u_" + "0" * 32))]
    device, origin = DeviceId("ipad"), "gateway.example/audit/2026"
    plain = render_settings(origin=origin, sources=sources, device=device)
    scanned = render_settings(origin=origin, sources=sources, device=device, clamd_socket="/run/clamd.sock")
    return [plain.encode(), scanned.encode()]


warm()
TARGETS = {target.name: target for target in _targets()}

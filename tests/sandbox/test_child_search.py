"""What a policy can have looked for is found by the real child, confined: nothing has to be loaded later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest

from tests import samples
from tests.inspection.probing import LIMITS
from transfer.model.findings import Code
from transfer.model.search import NATIONAL_IDS, Label, PersonalKind, Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

pytestmark = pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")

GUID = "9d258917-277f-42cd-a3cd-14c4e9ee58bc"
SEARCH = Search(
    marks=("confidential",),
    labels=(Label(guid=GUID, name="Public", public=True),),
    personal=tuple(PersonalKind),
    regions=("GB", "JP", "US"),
    countries=tuple(NATIONAL_IDS),
    student_numbers=(r"s\d{7}",),
    allowed=("@university.example",),
)
IBANS = "GB82WEST12345698765432 BE68539007547034 DE89370400440532013000 ES9121000418450200051332 NO9386011117947"


@pytest.fixture(scope="module")
def media() -> Iterator[Pool]:
    with Pool(role=Role.MEDIA, workers=1, limits=ChildLimits(memory_bytes=1 << 30)) as pool:
        yield pool


def examined(media: Pool, folder: Path, suffix: str, content: bytes) -> dict[str, int]:
    (folder / "raw").write_bytes(content)
    raw = os.open(folder / "raw", os.O_RDONLY)
    try:
        with media.lease() as child:
            reply = child.examine(raw, suffix=suffix, limits=LIMITS, search=SEARCH, seconds=30)
    finally:
        os.close(raw)
    assert reply.media is not None, reply.findings
    return {
        str(finding.detail["kind"]): int(finding.detail["count"])
        for finding in reply.findings
        if finding.code is Code.PERSONAL_DATA
    }


def test_numbers_of_every_country_are_known_to_a_confined_child(media: Pool, tmp_path: Path) -> None:
    """One example of each region, so that a child that had to load one would fail here."""
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    examples = [phonenumbers.example_number(region) for region in regions]
    lines = [
        phonenumbers.format_number(each, phonenumbers.PhoneNumberFormat.INTERNATIONAL) for each in examples if each
    ]
    found = 0
    for start in range(0, len(lines), 80):
        text = "\n".join(lines[start : start + 80])
        found += examined(media, tmp_path, ".txt", samples.text(text)).get("telephone numbers", 0)
    assert found > len(set(lines)) * 0.95  # a few examples are too short to be told from other numbers


def test_accounts_cards_and_identifiers(media: Pool, tmp_path: Path) -> None:
    text = f"{IBANS}\n4111 1111 1111 1111\n943-476-5870\n85.07.30-033 28\nRCCMNL83S18D969H\ns1234567\njo@example.org"
    found = examined(media, tmp_path, ".txt", samples.text(text))
    assert found["bank accounts (IBAN)"] == 5
    assert found["payment cards"] == found["student numbers"] == found["e-mail addresses"] == 1
    assert found["national identifiers"] == 3


def test_every_identifier_is_tried(media: Pool, tmp_path: Path) -> None:
    numbers = "123456789 1234567890 12345678901 1234567890123 123456-7890 12345678Z X1234567L 123456-123A 7503305044089"
    examined(media, tmp_path, ".txt", samples.text(numbers))


def test_labels_and_metadata(media: Pool, tmp_path: Path) -> None:
    packet = f"http://ns.adobe.com/xap/1.0/\0<rdf:RDF MSIP_Label_{GUID}_Enabled='true' dc:creator='Jo'/>".encode()
    (tmp_path / "raw").write_bytes(samples.jpeg_with_segment(0xE1, packet))
    raw = os.open(tmp_path / "raw", os.O_RDONLY)
    try:
        with media.lease() as child:
            reply = child.examine(raw, suffix=".jpg", limits=LIMITS, search=SEARCH, seconds=30)
    finally:
        os.close(raw)
    details = {finding.code: dict(finding.detail) for finding in reply.findings}
    assert details[Code.PUBLIC_LABEL] == {"label": "Public", "where": "metadata"}
    assert details[Code.IDENTIFYING_METADATA] == {"people": 1}

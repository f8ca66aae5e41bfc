"""Sensitivity labels: found in every place and spelling that files carry them in, and answered as the policy says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.probing import understood
from transfer.inspection.markings import (
    UNREADABLE,
    encrypting_labels_in,
    label_names_in,
    labels_in,
    text_of,
)
from transfer.model.findings import Code
from transfer.model.search import Label, Search

PUBLIC = "9d258917-277f-42cd-a3cd-14c4e9ee58bc"
INTERNAL = "2f1d0a6e-9c44-4a6c-8d47-0d6c1b7f52aa"
OTHER = "11111111-2222-4333-8444-555555555555"
SEARCH = Search(
    marks=("confidential", "INTERNAL"),
    labels=(Label(guid=PUBLIC, name="Public", public=True), Label(guid=INTERNAL, name="Internal", public=False)),
)


def key(guid: str, attribute: str = "Enabled") -> str:
    return f"MSIP_Label_{guid}_{attribute}"


@pytest.mark.parametrize(
    "text",
    [
        f"{key(PUBLIC)}=true",
        f"{key(PUBLIC).lower()}=true",
        f"<pdfx:{key(PUBLIC)}>true</pdfx:{key(PUBLIC)}>",
        f'<rdf:Description msip:{key(PUBLIC, "SiteId")}="{OTHER}"/>',
        f'<clbl:label id="{{{PUBLIC}}}" enabled="1" method="Privileged" siteId="{{{OTHER}}}" removed="0"/>',
        f'<msip:Label siteId="{{{OTHER}}}" id="{PUBLIC.upper()}"/>',
        f"msip_labels: {key(PUBLIC)}=true;{key(PUBLIC, 'SiteId')}={OTHER}",
        f"MSIP_Label_{PUBLIC.replace('-', '')}_Name",
        f"MSIP_Label_{PUBLIC.replace('-', '_')}_Name",
        f"MSIP_Label_{{{PUBLIC}}}_Name",
        f"{key(PUBLIC, 'SetDate')}=2024-11-05T09:00:00Z {key(PUBLIC, 'ActionId')}={OTHER}",
    ],
)
def test_every_spelling_names_the_label_and_nothing_else(text: str) -> None:
    assert labels_in(text) == (PUBLIC,)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        assert labels_in(text_of(text.encode(encoding))) == (PUBLIC,)


@pytest.mark.parametrize("text", ["a label on a jar", "MSIP", "msip_labels", "label_1", f"id={PUBLIC}", ""])
def test_what_is_no_label(text: str) -> None:
    assert labels_in(text) == ()


def test_a_key_without_an_id_is_a_label_too() -> None:
    assert labels_in("MSIP_Label_Confidential_Enabled=true") == (UNREADABLE,)
    assert labels_in("<clbl:label enabled='1'/>") == (UNREADABLE,)


def test_names_and_encryption() -> None:
    assert label_names_in(f'{key(PUBLIC, "Name")}="Hochschulöffentlich"') == ("Hochschulöffentlich",)
    assert label_names_in(f"<x:{key(PUBLIC, 'Name')}>Staff only</x:{key(PUBLIC, 'Name')}>") == ("Staff only",)
    assert encrypting_labels_in(f'{key(PUBLIC, "ContentBits")}="8" {key(OTHER, "ContentBits")}=3') == {PUBLIC}
    assert encrypting_labels_in(f"{key(PUBLIC, 'ContentBits')}=11") == {PUBLIC}


def found(*texts: str) -> dict[Code, dict[str, str | int]]:
    packet = (
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description " + " ".join(texts).encode() + b"/></x:xmpmeta>"
    )
    _, findings = understood(samples.jpeg_with_segment(0xE1, packet), ".jpg", search=SEARCH)
    return findings


def test_a_public_label_is_noted() -> None:
    findings = found(
        f'{key(PUBLIC, "Enabled")}="true" {key(PUBLIC, "Name")}="Public" {key(PUBLIC, "SiteId")}="{OTHER}"'
    )
    assert findings[Code.PUBLIC_LABEL] == {"label": "Public", "where": "metadata"}
    assert Code.MARKING not in findings


def test_any_other_label_is_a_marking_by_its_name() -> None:
    assert found(f'{key(INTERNAL)}="true"')[Code.MARKING] == {
        "mark": "sensitivity label Internal",
        "label": INTERNAL,
        "where": "metadata",
    }
    assert found(f'{key(OTHER)}="false"')[Code.MARKING] == {
        "mark": "sensitivity label",
        "label": OTHER,
        "where": "metadata",
    }


def test_a_public_label_beside_another_makes_nothing_public() -> None:
    assert Code.MARKING in found(f'{key(PUBLIC)}="true" {key(INTERNAL)}="true"')


def test_a_public_label_that_encrypts_or_is_called_otherwise_is_a_marking() -> None:
    assert found(f'{key(PUBLIC, "ContentBits")}="8"')[Code.MARKING]["mark"] == "encrypting sensitivity label"
    # In a label's name a mark counts in small letters too, as it does in a file's name.
    assert found(f'{key(PUBLIC, "Name")}="internal use"')[Code.MARKING]["mark"] == "INTERNAL"


def test_labels_are_found_wherever_a_file_can_carry_them() -> None:
    text = f"{key(INTERNAL)}=true"
    places = {
        ".jpg": samples.jpeg(exif=False, comment=text),
        ".png": samples.png(text={"a": "b", "Comment": text, "XML:com.adobe.xmp": f"<x {key(INTERNAL)}='true'/>"}),
        ".gif": samples.gif(comment=text),
        ".mp4": samples.mp4(0.2, comment=text),
        ".webm": samples.mp4(0.2, codec="libvpx", audio="libopus", form="webm", comment=text),
        ".txt": samples.text(text),
    }
    for suffix, content in places.items():
        _, findings = understood(content, suffix, search=SEARCH)
        assert findings[Code.MARKING]["label"] == INTERNAL, suffix


@given(st.text(max_size=300))
def test_any_text_can_be_searched(text: str) -> None:
    labels_in(f"MSIP_Label_{text}<clbl:label {text}")
    label_names_in(text)
    encrypting_labels_in(text)


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_a_label_between_any_bytes_is_found(before: bytes, after: bytes, encoding: str) -> None:
    block = before + f"\n\n{key(INTERNAL)}=true\n\n".encode(encoding) + after
    assert INTERNAL in labels_in(text_of(block))

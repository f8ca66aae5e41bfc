"""The manifest has one spelling, and a signature that covers all of it."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.release.rig import SIGNER
from transfer.audit.notes import Ed25519Signer, sign_note
from transfer.errors import Tampered
from transfer.model.identifiers import CampaignId, Sha256, item_id_from_entropy
from transfer.model.media import Format
from transfer.model.names import safe_name
from transfer.release.manifest import Manifest, ManifestEntry, open_manifest, parse_manifest, render_manifest

TIMES = st.integers(0, 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
ENTRIES = st.builds(
    ManifestEntry,
    number=st.integers(1, 2**53 - 1),
    item=st.binary(min_size=5, max_size=5).map(item_id_from_entropy),
    name=st.text(min_size=1, max_size=40).map(safe_name),
    sha256=st.binary(min_size=32, max_size=32).map(lambda raw: Sha256(raw.hex())),
    size=st.integers(0, 2**53 - 1),
    media_type=st.sampled_from(Format),
    released_at=TIMES,
    campaign=st.sampled_from([None, CampaignId("open-day")]),
)
MANIFESTS = st.builds(
    Manifest,
    origin=st.just("gateway.example/demo"),
    number=st.integers(1, 2**40),
    at=TIMES,
    entries=st.lists(ENTRIES, max_size=4, unique_by=lambda entry: entry.number).map(
        lambda entries: tuple(sorted(entries, key=lambda entry: entry.number))
    ),
)


@given(MANIFESTS)
def test_a_manifest_comes_back_as_it_was(manifest: Manifest) -> None:
    assert parse_manifest(render_manifest(manifest)) == manifest
    assert open_manifest(sign_note(render_manifest(manifest), [SIGNER]), [SIGNER.verifier]) == manifest


@given(MANIFESTS, st.data())
def test_any_changed_character_is_noticed(manifest: Manifest, data: st.DataObject) -> None:
    text = render_manifest(manifest)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters()) + text[at + data.draw(st.integers(0, 1)) :]
    with contextlib.suppress(Tampered):
        assert render_manifest(parse_manifest(changed)) == changed
    if changed != text:
        note = sign_note(text, [SIGNER])
        with pytest.raises(Tampered):
            open_manifest(changed + note[len(text) :], [SIGNER.verifier])


@given(st.text())
def test_no_text_at_all_raises_anything_but_tampered(text: str) -> None:
    with pytest.raises(Tampered):
        parse_manifest(text)


@pytest.mark.parametrize(
    "change",
    [
        ("/v1\n", "/v2\n"),
        ('"number":1', '"number":true'),
        ('"number":1', '"number":01'),
        ('"size":3', '"size":3.0'),
        ('"campaign":null', '"campaign":7'),
        ('"item":"i-00000001"', '"item":["i-00000001"]'),
        ("\n1\n{", "\n2\n{"),
        ('{"campaign"', '{"campaign":null,"campaign"'),
        ("}\n", "}\n\n"),
    ],
)
def test_other_spellings_are_refused(change: tuple[str, str]) -> None:
    text = (
        "oneway-transfer/manifest/v1\ngateway.example/demo\n5\n2026-01-01T00:00:00.000Z\n1\n"
        '{"campaign":null,"item":"i-00000001","media_type":"image/jpeg","name":"photo.jpg","number":1,'
        f'"released_at":"2026-01-01T00:00:00.000Z","sha256":"{"0" * 64}","size":3}}\n'
    )
    assert parse_manifest(text).number == 5
    assert change[0] in text
    with pytest.raises(Tampered):
        parse_manifest(text.replace(*change))


def test_another_gateways_signature_is_not_ours() -> None:
    manifest = Manifest(origin="x", number=1, at=datetime(2026, 1, 1, tzinfo=UTC), entries=())
    other = Ed25519Signer(SIGNER.name, bytes(32))
    with pytest.raises(Tampered):
        open_manifest(sign_note(render_manifest(manifest), [other]), [SIGNER.verifier])


def test_a_manifest_of_more_than_four_thousand_files_can_be_opened() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    entries = tuple(
        ManifestEntry(
            number=number,
            item=item_id_from_entropy(number.to_bytes(5, "big")),
            name=safe_name(f"photo-{number}.jpg"),
            sha256=Sha256(f"{number:064x}"),
            size=number,
            media_type=Format.JPEG,
            released_at=at,
            campaign=CampaignId("open-day"),
        )
        for number in range(1, 5001)
    )
    manifest = Manifest(origin=SIGNER.name, number=1, at=at, entries=entries)
    note = sign_note(render_manifest(manifest), [SIGNER])
    assert len(note) > 1_000_000
    assert open_manifest(note, [SIGNER.verifier]) == manifest

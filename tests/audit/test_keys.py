"""Key files: created closed, refused when open to others."""

from __future__ import annotations

import os
import stat

import pytest

from transfer.audit.keys import create_key, load_key, parse_key, render_key
from transfer.audit.notes import Ed25519Signer
from transfer.errors import Misuse, Unavailable

SEED = bytes(range(32))


def make(path):
    return create_key(path, name="tests.example/audit", entropy=lambda count: SEED[:count])


def test_a_new_key_reads_back_and_is_closed(tmp_path):
    signer = make(tmp_path / "log.key")
    assert load_key(tmp_path / "log.key") == signer == Ed25519Signer("tests.example/audit", SEED)
    assert stat.S_IMODE((tmp_path / "log.key").stat().st_mode) == 0o600
    assert (tmp_path / "log.key").read_text().startswith("PRIVATE+KEY+tests.example/audit+")


def test_a_key_is_closed_under_any_umask(tmp_path):
    before = os.umask(0)
    try:
        make(tmp_path / "log.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log.key").stat().st_mode) == 0o600


def test_an_existing_key_is_never_overwritten(tmp_path):
    make(tmp_path / "log.key")
    before = (tmp_path / "log.key").read_bytes()
    with pytest.raises(Misuse, match="already"):
        create_key(tmp_path / "log.key", name="other", entropy=os.urandom)
    assert (tmp_path / "log.key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_key_open_to_others_is_refused_with_the_way_out(tmp_path, mode):
    make(tmp_path / "log.key")
    (tmp_path / "log.key").chmod(mode)
    with pytest.raises(Misuse, match=f"{mode:04o}") as caught:
        load_key(tmp_path / "log.key")
    assert f"chmod 600 {tmp_path / 'log.key'}" in caught.value.advice


@pytest.mark.parametrize("content", [b"", b"not a key\n", b"\xff\xfe", b"PRIVATE+KEY+a+00000000+AA==\n", b"x" * 9000])
def test_other_files_are_refused_without_showing_them(tmp_path, content):
    path = tmp_path / "log.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Misuse) as caught:
        load_key(path)
    assert "not a key" not in str(caught.value)


def test_missing_folders_links_and_pipes(tmp_path):
    with pytest.raises(Misuse, match="no key file"):
        load_key(tmp_path / "none.key")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(Misuse, match="regular"):
        load_key(tmp_path / "fifo")
    with pytest.raises(Misuse, match="regular"):
        load_key(tmp_path)
    with pytest.raises(Unavailable):
        make(tmp_path / "none" / "log.key")


def test_every_changed_character_of_a_key_is_noticed():
    text = render_key(Ed25519Signer("a.example", SEED))
    for position in range(len(text)):
        changed = text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]
        with pytest.raises(Misuse):
            parse_key(changed)

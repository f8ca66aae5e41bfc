"""Key files: made once, readable by nobody else, in the form that other tools know."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from transfer.approvals.statement_keys import load_signing_key, make_key, parse_public_key, render_public_key
from transfer.errors import Misuse, Unavailable


def entropy(size: int) -> bytes:
    return bytes(range(size))


def test_a_key_is_made_loaded_and_never_shown(tmp_path: Path) -> None:
    made = make_key(tmp_path / "helen.key", entropy=entropy)
    assert (tmp_path / "helen.key").stat().st_mode & 0o777 == 0o600
    loaded = load_signing_key(tmp_path / "helen.key")
    assert loaded == made
    assert loaded.seed.hex() not in repr(loaded)
    assert str(loaded.seed) not in repr(loaded)


def test_a_wide_umask_does_not_widen_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_key(tmp_path / "k", entropy=entropy)
    finally:
        os.umask(before)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_written_over_a_file_or_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("k", "link"):
        with pytest.raises(Misuse, match="never written over"):
            make_key(tmp_path / name, entropy=entropy)
    assert (tmp_path / "k").read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601, 0o700 | 0o10])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_key(tmp_path / "k", entropy=entropy)
    (tmp_path / "k").chmod(mode)
    with pytest.raises(Misuse, match=r"can be read or written by others \(mode 0") as caught:
        load_signing_key(tmp_path / "k")
    assert "chmod 600" in caught.value.advice


def test_what_is_no_key_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="There is no key file"):
        load_signing_key(tmp_path / "none")
    with pytest.raises(Misuse, match="is not a file"):
        load_signing_key(tmp_path)
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(Misuse, match="is not a file"):
        load_signing_key(tmp_path / "fifo")
    for content in (b"", b"hello", b"\x00" * 5000, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        path = tmp_path / "bad"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(Misuse):
            load_signing_key(path)
    with pytest.raises(Unavailable):
        make_key(tmp_path / "no" / "folder", entropy=entropy)


def test_the_public_half_travels_alone(tmp_path: Path) -> None:
    key = make_key(tmp_path / "k", entropy=entropy)
    pem = render_public_key(key.public_key).encode()
    assert parse_public_key(pem) == key.public_key
    with pytest.raises(Misuse, match="private key"):
        parse_public_key((tmp_path / "k").read_bytes())
    for wrong in (b"", b"nonsense", pem[:-30], pem * 2, pem * 100):
        with pytest.raises(Misuse):
            parse_public_key(wrong)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_keys_of_openssl_are_taken_and_ours_by_openssl(tmp_path: Path) -> None:
    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=True).stdout

    openssl("genpkey", "-algorithm", "ed25519", "-out", "theirs")
    (tmp_path / "theirs").chmod(0o600)
    assert (
        parse_public_key(openssl("pkey", "-in", "theirs", "-pubout"))
        == load_signing_key(tmp_path / "theirs").public_key
    )
    ours = make_key(tmp_path / "ours", entropy=entropy)
    assert parse_public_key(openssl("pkey", "-in", "ours", "-pubout")) == ours.public_key
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa")
    (tmp_path / "rsa").chmod(0o600)
    with pytest.raises(Misuse, match="not an Ed25519 key"):
        load_signing_key(tmp_path / "rsa")
    openssl("pkey", "-in", "theirs", "-aes128", "-passout", "pass:x", "-out", "locked")
    (tmp_path / "locked").chmod(0o600)
    with pytest.raises(Misuse, match="passphrase"):
        load_signing_key(tmp_path / "locked")

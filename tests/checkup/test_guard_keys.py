"""With a release folder in OneDrive, the guard's user and the gateway's each read their own certificates alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from transfer.checkup.guard_user import check_certificates
from transfer.return_guard.link import find_account
from transfer.settings import Settings

GATEWAY, GUARD = find_account("daemon"), find_account("games")  # every Debian has them
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")


@pytest.fixture
def keys() -> Iterator[Path]:
    """A folder that everybody can enter, with a certificate for each, as they must be."""
    folder = Path(tempfile.mkdtemp(prefix="keys-"))
    folder.chmod(0o755)
    for name, owner in (("reader", GATEWAY), ("writer", GATEWAY), ("guard", GUARD)):
        path = folder / f"{name}.pem"
        path.touch(0o600)
        os.chown(path, owner.uid, owner.gid)
    yield folder
    shutil.rmtree(folder)


def settings(keys: Path, *, drive: bool = True) -> Settings:
    def credential(name: str) -> dict[str, str]:
        return {"kind": "certificate", "client": f"{name}-app", "certificate": str(keys / f"{name}.pem")}

    staff = {"22222222-2222-2222-2222-222222222222": "u_" + "1" * 32}
    staging = {"drive": "b!1", "folder": "01A", "credential": credential("reader"), "staff": staff}
    release = {"drive": "b!2", "folder": "01B", "credential": credential("writer")}
    guard = {"aside": "01C", "device": "d-1", "device_addresses": ["ipad@university.example"]}
    ends = {
        "release": {"device": "ipad", "onedrive": release},
        "guard": {"onedrive": guard | {"credential": credential("guard")}},
    }
    return Settings.model_validate(
        {
            "gateway": {"origin": "gateway.example.org/audit"},
            "onedrive": {"tenant": "university.example"},
            "source": [{"id": "staff", "onedrive": staging}],
            **(ends if drive else {"release": {"device": "ipad"}}),
        }
    )


def said(keys: Path, *, drive: bool = True) -> list[str]:
    found = list(check_certificates(settings(keys, drive=drive), guard=GUARD, gateway=GATEWAY))
    assert all(check.advice.startswith("As root: chown ") for check in found)
    return [check.sentence for check in found]


def test_to_each_its_own(keys: Path) -> None:
    assert said(keys) == []


def test_the_gateway_must_not_read_the_guard_s(keys: Path) -> None:
    (keys / "guard.pem").chmod(0o644)
    assert said(keys) == [f"The gateway's user daemon can read the return guard's certificate {keys / 'guard.pem'}."]


def test_the_guard_must_read_its_own_and_no_other(keys: Path) -> None:
    os.chown(keys / "guard.pem", GATEWAY.uid, GATEWAY.gid)
    (keys / "writer.pem").chmod(0o604)
    (keys / "reader.pem").chmod(0o604)
    assert said(keys) == [
        f"The guard's user games cannot read its certificate {keys / 'guard.pem'}.",
        f"The gateway's user daemon can read the return guard's certificate {keys / 'guard.pem'}.",
        f"The guard's user games can read the gateway's certificate {keys / 'writer.pem'}.",
        f"The guard's user games can read the gateway's certificate {keys / 'reader.pem'}.",
    ]


def test_for_a_folder_on_a_disk_there_is_nothing_to_say(keys: Path) -> None:
    (keys / "guard.pem").chmod(0o644)
    assert said(keys, drive=False) == []

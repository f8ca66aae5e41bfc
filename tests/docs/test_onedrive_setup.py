"""scripts/onedrive-setup: its commands, run against a stand-in of the Azure CLI, and the block that they end with."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.docs import azure_stand_in as azure
from transfer.graph.identity import Certificate, SignIn
from transfer.graph.places import parse_place
from transfer.settings import load_settings

TOP = Path(__file__).parents[2]
SCRIPT = TOP / "scripts" / "onedrive-setup"
PLACE = "/etc/oneway-transfer"
HOSTILE = "Sam's $(touch harm) `touch harm` & ;#%{}~ @KEY@ ünï"
TEXTS = st.text(st.sampled_from("'\"$`\\;&|()<>{}[]!#%@ \n\t\x00\x7f\u2028\ud800äTENANT_WORD~-./="), max_size=30)
TOOLS = ("cat", "chmod", "date", "install", "mktemp", "openssl", "rm", "sh", "touch")
REST = """\
[gateway]
origin = "gateway.example.org/audit/2026"

[release]
device = "ipad"
"""
FOLDER_SOURCE = f"""
[[source]]
id = "staff"
path = "staging"
submitter = "u_{"1" * 32}"
"""


def loaded() -> ModuleType:
    loader = SourceFileLoader("onedrive_setup", str(SCRIPT))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module  # where dataclasses look
    write, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = write
    return module


setup = loaded()


def arguments(**changes: str) -> list[str]:
    said = {
        "end": "staging",
        "tenant": "university.example",
        "site": "https://university.sharepoint.com/sites/staging",
        "folder": "Gateway/Drop",
    } | changes
    if said["end"] == "release":
        said = {"device": "ipad@university.example"} | said
    return [f"--{name.replace('_', '-')}={value}" for name, value in said.items()]


def asked(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *words],
        check=False,
        **{"capture_output": True, "encoding": "utf-8", "timeout": 60, **options},
    )


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A folder in which the commands are run, with stand-ins on the path."""

    folder: Path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        assert script.count(PLACE) == 1  # so that it can be put elsewhere
        (self.folder / "setup.sh").write_text(script.replace(PLACE, str(self.folder / "etc")))
        env = {
            "PATH": str(self.folder / "bin"),
            "STAND_IN": str(self.folder / "tenant"),
            "TMPDIR": str(self.folder / "tmp"),
        }
        return subprocess.run(
            ["sh", "setup.sh"], cwd=self.folder, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    @property
    def state(self) -> dict:
        return json.loads((self.folder / "tenant" / "state.json").read_text())

    def asked_for(self, part: str) -> list[str]:
        return [azure.option(words, "--url") for words in self.state["calls"] if part in azure.option(words, "--url")]


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    for name in ("bin", "tenant", "tmp"):
        (tmp_path / name).mkdir()
    for name, text in {
        "az": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(azure.__file__)} "$@"\n',
        "sleep": "#!/bin/sh\n",
    }.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    for name in TOOLS:  # and nothing else: not the machine's own Azure CLI either
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    return Tenant(folder=tmp_path)


@pytest.mark.parametrize(
    ("end", "roles"),
    [("staging", {"reader": "read"}), ("release", {"writer": "write", "guard": "fullcontrol"})],
)
def test_the_commands_grant_one_role_on_one_site_and_leave_nobody_behind(
    tenant: Tenant, end: str, roles: dict[str, str]
) -> None:
    done = tenant.run(asked(arguments(end=end)).stdout)
    assert done.returncode == 0, done.stderr
    *ours, grantor = tenant.state["apps"].items()
    assert tenant.state["granted"] == [
        {
            "roles": [role],
            "grantedToIdentities": [{"application": {"id": app, "displayName": f"oneway-transfer-{name}"}}],
        }
        for (name, role), (app, _) in zip(roles.items(), ours, strict=True)
    ]
    assert grantor[1]["roles"] == [azure.FULL]
    assert grantor[1]["gone"]
    assert list((tenant.folder / "tmp").iterdir()) == []  # nor its key
    for name, (app, facts) in zip(roles, ours, strict=True):
        assert facts["roles"] == [azure.SELECTED]
        assert not facts["gone"]
        check_key(tenant, name, app)
    assert len({facts["key"] for _, facts in ours}) == len(ours), "each has a key of its own"


def check_key(tenant: Tenant, name: str, app: str) -> None:
    place = tenant.folder / "etc" / f"{name}.pem"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    public = (tenant.folder / f"oneway-transfer-{name}.crt").read_bytes()
    assert b"PRIVATE" not in public
    certificate = x509.load_pem_x509_certificate(public)
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 3072
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=365)
    SignIn(  # what the gateway does with the file
        Certificate(tenant="university.example", client=app, path=place),
        parse_place("https://graph.microsoft.com/v1.0"),
    )


def block(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.partition("# ---- for transfer.toml ----\n")[2]


def test_the_block_for_staging_is_what_the_settings_take(tenant: Tenant) -> None:
    text = block(tenant.run(asked(arguments()).stdout))
    (tenant.folder / "transfer.toml").write_text(REST + text)
    settings = load_settings(tenant.folder)
    assert settings.onedrive is not None
    assert settings.onedrive.tenant == "university.example"
    staging = settings.sources[0].onedrive
    assert staging is not None
    assert (staging.drive, staging.folder) == (azure.DRIVE, azure.FOLDER)
    assert staging.credential.client == next(iter(tenant.state["apps"]))
    assert staging.credential.certificate_path == tenant.folder / "etc" / "reader.pem"


def test_the_block_for_release_is_what_the_settings_take(tenant: Tenant) -> None:
    text = block(tenant.run(asked(arguments(end="release")).stdout))
    (tenant.folder / "transfer.toml").write_text(REST + FOLDER_SOURCE + text)
    settings = load_settings(tenant.folder)
    release, guard = settings.release.onedrive, settings.guard.onedrive
    assert release is not None
    assert guard is not None
    assert settings.onedrive is not None
    assert settings.onedrive.tenant == "university.example"
    writer_app, guard_app, _ = tenant.state["apps"]
    assert (release.drive, release.folder, release.application) == (azure.DRIVE, azure.FOLDER, writer_app)
    assert release.credential.certificate_path == tenant.folder / "etc" / "writer.pem"
    assert (guard.aside, guard.device, guard.credential.client) == (azure.ASIDE, azure.DEVICE, guard_app)
    assert guard.device_addresses == ("ipad@university.example",)
    assert guard.credential.certificate_path == tenant.folder / "etc" / "guard.pem"


def test_without_an_account_of_the_device_nothing_is_made(tenant: Tenant) -> None:
    done = tenant.run(asked(arguments(end="release", device="nobody@university.example")).stdout)
    assert done.returncode != 0
    assert "does not exist" in done.stderr
    assert tenant.state["apps"] == {}


def test_names_arrive_as_they_are_and_nothing_in_them_is_run(tenant: Tenant) -> None:
    done = tenant.run(
        asked(
            arguments(
                site=f"https://university.sharepoint.com/sites/{HOSTILE.replace('#', '')}",
                folder=f"/{HOSTILE}/{HOSTILE}/",
                library=HOSTILE,
            )
        ).stdout
    )
    assert done.returncode == 0, done.stderr
    assert not list(tenant.folder.rglob("harm"))
    (folder,) = tenant.asked_for("/root:/")
    address = urlsplit(folder)
    assert unquote(address.path).endswith(f"/root:/{HOSTILE}/{HOSTILE}")
    assert (address.query, address.fragment) == ("$select=id", "")
    (site,) = tenant.asked_for("sharepoint.com:/")
    assert unquote(site).endswith(f":/sites/{HOSTILE.replace('#', '')}?$select=id")
    queries = [azure.option(words, "--query") for words in tenant.state["calls"]]
    assert "value[?name=='" + HOSTILE.replace("'", "\\'") + "'].id | [0]" in queries


def test_who_grants_is_removed_when_the_site_is_not_there(tenant: Tenant) -> None:
    done = tenant.run(asked(arguments(site="https://university.sharepoint.com/sites/missing")).stdout)
    assert done.returncode == 1
    assert "The site was not found" in done.stderr
    assert tenant.state["granted"] == []
    assert [facts["gone"] for facts in tenant.state["apps"].values()] == [False, True]
    assert list((tenant.folder / "tmp").iterdir()) == []


def test_a_folder_for_what_goes_aside_has_to_be_there(tenant: Tenant) -> None:
    done = tenant.run(asked(arguments(end="release", aside="missing")).stdout)
    assert done.returncode == 1
    assert "no folder for what goes aside: make it first" in done.stderr
    *ours, grantor = tenant.state["apps"].items()
    assert grantor[1]["gone"]
    assert all(f"az ad app delete --id {app};" in done.stderr for app, _ in ours), "what is to be undone"


def test_who_grants_is_removed_when_somebody_stops_it(tenant: Tenant) -> None:
    stop = 'case $(cat "$STAND_IN/state.json") in *-grantor-*) kill -TERM $PPID ;; esac'
    (tenant.folder / "bin" / "sleep").write_text(f"#!/bin/sh\n{stop}\n")
    assert tenant.run(asked(arguments()).stdout).returncode == 1
    assert tenant.state["granted"] == []
    assert [facts["gone"] for facts in tenant.state["apps"].values()] == [False, True]
    assert list((tenant.folder / "tmp").iterdir()) == []


def test_a_second_run_stops_before_it_makes_anything(tenant: Tenant) -> None:
    script = asked(arguments()).stdout
    assert tenant.run(script).returncode == 0
    again = tenant.run(script)
    assert again.returncode == 1
    assert "There is an application oneway-transfer-reader already" in again.stderr
    assert len(tenant.state["apps"]) == 2
    assert len(tenant.state["granted"]) == 1


def test_without_the_azure_command_line_the_first_part_is_done_alone(tenant: Tenant) -> None:
    (tenant.folder / "bin" / "az").unlink()
    done = tenant.run(asked(arguments()).stdout)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("to a computer with the Azure CLI, and run it there.\n")
    assert (tenant.folder / "etc" / "reader.pem").exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--end", "both"],
        arguments(end="both"),
        arguments(tenant="university.example; true"),
        arguments(tenant="university.example\n"),
        arguments(tenant=""),
        arguments(site="http://university.sharepoint.com/sites/x"),
        arguments(site="https://university.sharepoint.com@elsewhere.example/sites/x"),
        arguments(site="https://university.sharepoint.com:444/sites/x"),
        arguments(site="https://university.sharepoint.com/sites/x\ntouch harm"),
        arguments(site="https://university.sharepoint.com/sites/x%0atouch"),
        arguments(site="https://university.sharepoint.com/sites/x?y"),
        arguments(site="https://university.sharepoint.com/sites/../x"),
        arguments(site="https://[university.sharepoint.com/sites/x"),
        arguments(end="release", site="https://university-my.sharepoint.com/personal/sam"),
        [word for word in arguments(end="release") if "--device" not in word],
        arguments(end="release", device="ipad"),
        arguments(end="release", device="ipad@university.example'; touch harm"),
        arguments(end="release", aside="Gateway/Drop"),
        arguments(end="release", aside="gateway/drop/aside"),
        arguments(end="release", aside="Gateway"),
        arguments(end="release", aside="/"),
        arguments(aside="Gateway/Aside"),
        arguments(device="ipad@university.example"),
        arguments(folder="/"),
        arguments(folder="a//b"),
        arguments(folder="a/../b"),
        arguments(folder="a\nb"),
        arguments(folder='a"b'),
        arguments(folder="a" * 401),
        arguments(library=""),
        arguments(library="a/b:c"),
        arguments(certificate_days="0"),
        arguments(certificate_days="731"),
        arguments(certificate_days="ten"),
        [*arguments(), "--force"],
        [*arguments(), "more"],
    ],
)
def test_misuse_is_one_sentence(words: list[str]) -> None:
    done = asked(words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"onedrive-setup: [^\n]+[.]\n", done.stderr)


def test_it_only_prints(tmp_path: Path) -> None:
    done = asked(arguments(), cwd=tmp_path, env={"PATH": ""}, stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    assert "NOT TRIED ON A REAL TENANT" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_is_printed_does_not_depend_on_the_locale() -> None:
    words = arguments(folder="Öffentlichkeit")
    assert asked(words, env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}).stdout == asked(words).stdout


@given(end=st.sampled_from(["staging", "release"]), site=TEXTS, folder=TEXTS, aside=TEXTS, library=TEXTS, tenant=TEXTS)
def test_whatever_is_asked_for_the_commands_can_be_parsed(
    end: str, site: str, folder: str, aside: str, library: str, tenant: str
) -> None:
    options = argparse.Namespace(
        end=end,
        aside=aside or None if end == "release" else None,
        device="ipad@university.example" if end == "release" else None,
        tenant=tenant if setup._TENANT.fullmatch(tenant) else "university.example",
        site=f"https://university.sharepoint.com/{site}",
        folder=folder,
        library=library or None,
        certificate_days=365,
    )
    try:
        wish = setup.checked(options)
    except setup.Wrong:
        return
    script = setup.printed(wish)
    assert subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False).stderr == b""
    commands = [line for line in script.splitlines() if not line.startswith("#")]
    plain = setup.printed(
        setup.checked(argparse.Namespace(**vars(options) | {"folder": "a", "aside": None, "library": "b"}))
    )
    assert not setup._MARK.search(plain)
    assert len(commands) == len([line for line in plain.splitlines() if not line.startswith("#")])


PAGE = (TOP / "docs" / "onedrive.md").read_text()


@pytest.mark.parametrize("end", ["source", "release"])
def test_the_page_shows_settings_that_are_taken(end: str, tmp_path: Path) -> None:
    (shown,) = [text for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if f"[{end}.onedrive]" in text]
    head, release = REST.split("\n\n")
    (tmp_path / "transfer.toml").write_text(
        f"{head}\n{shown}{FOLDER_SOURCE}" if end == "release" else f"{head}\n\n{release}\n{shown}"
    )
    settings = load_settings(tmp_path)
    assert settings.onedrive is not None
    assert (settings.release.onedrive is not None) == (end == "release")
    for commented in re.findall(r"^# (\w+) = ", shown, re.MULTILINE):
        assert f'"{commented}":' in settings.model_dump_json(), "a key that the settings know, with its default"


SHOWN = [
    shlex.split(line.replace("$ ", "", 1))
    for found in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in found.replace("\\\n", " ").splitlines()
    if "onedrive-setup" in line
]


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_the_page_shows_commands_that_print(words: list[str]) -> None:
    *command, arrow, _ = words
    assert arrow == ">"
    assert command[0] == "./scripts/onedrive-setup"
    done = asked(command[1:])
    assert done.returncode == 0, done.stderr
    for shell in ("bash", "sh"):
        assert subprocess.run([shell, "-n"], input=done.stdout.encode(), check=False).returncode == 0


def test_the_page_shows_both_ends() -> None:
    assert {words[words.index("--end") + 1] for words in SHOWN} == {"staging", "release"}

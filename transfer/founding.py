"""Founds a workspace: its folders, keys, policy, settings and database, and the first entries of its log.

What enters: names. What leaves: a workspace that `transfer run` can start. The first approver's public key is written
to a file outside the database and into one of the log's first entries: there every chain of signatures ends (G1).
A founding that fails half-way removes what it made, so that it can be tried again.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from transfer import __version__
from transfer.approvals import campaigns, people
from transfer.approvals.authority import Root, render_root
from transfer.approvals.campaigns import Proposal
from transfer.approvals.devices import add_device
from transfer.approvals.drafts import draft_campaign, draft_enrolment
from transfer.approvals.signing import sign_statement
from transfer.approvals.statement import Risk, Role
from transfer.approvals.statement_keys import SigningKey, make_key
from transfer.approvals.wording import clean_name
from transfer.audit.keys import create_key
from transfer.audit.publish import Publisher
from transfer.errors import Misuse
from transfer.model.events import Event, EventName
from transfer.model.identifiers import CampaignId, DeviceId, PersonId, Sha256, SourceId, person_id_from_entropy
from transfer.policy.canonical import hashed_text
from transfer.policy.rulebook import load_policy, render_site_policy
from transfer.settings import load_settings
from transfer.settings_text import NewSource, render_settings
from transfer.store.adoption import POLICY, SETTINGS, adopt, keep_policy_text
from transfer.store.database import Database, WriteTx
from transfer.store.durable import replace_file, world_errors
from transfer.wiring import LOG_KEY, ROOT_FILE, Site, assemble
from transfer.workspace import Workspace

DEMO_CAMPAIGN = CampaignId("open-day")
_PRIVATE, _PUBLIC = 0o700, 0o755


@dataclass(frozen=True, kw_only=True)
class Founding:
    """What a new workspace is made from. `approver_key` is where the first approver's private key is written."""

    root: Path
    origin: str
    approver: str
    approver_key: Path
    submitter: str
    device: DeviceId
    policy: str
    clamd_socket: str | None = None
    demo: bool = False
    log_key: Path | None = None  # a new file outside of the workspace, where the log's key is to be kept


def found(founding: Founding) -> Site:
    """Makes the workspace. Raises Misuse if there is something already, Unavailable if the disk will not take it."""
    workspace = Workspace(Path(os.path.abspath(founding.root)))
    if clean_name(founding.approver).casefold() == clean_name(founding.submitter).casefold():
        raise Misuse(
            "The first approver and the submitter are the same person, who could then approve what they drop.",
            advice="Name two people.",
            clauses=("G6",),
        )
    log_key = founding.log_key or workspace.keys / LOG_KEY
    with _undone_on_failure(workspace.root, founding.approver_key, log_key):
        _make_folders(workspace, demo=founding.demo)
        approver, submitter = (person_id_from_entropy(secrets.token_bytes(16)) for _ in range(2))
        key = make_key(founding.approver_key, entropy=secrets.token_bytes)
        signer = create_key(log_key, name=founding.origin, entropy=secrets.token_bytes)
        root = Root(person=approver, public_key=key.public_key)
        _write(workspace.keys / ROOT_FILE, render_root(root), 0o644)
        for verifier in (workspace.log / "log.vkey", workspace.log_verifier):
            _write(verifier, signer.vkey + "\n", 0o644)
        _write(workspace.policy_file, render_site_policy(founding.policy), 0o644)
        source = NewSource(id=SourceId("staging"), path="staging", submitter=submitter)
        settings_text = render_settings(
            origin=founding.origin,
            sources=[source],
            device=founding.device,
            clamd_socket=founding.clamd_socket,
            log_key=None if founding.log_key is None else str(founding.log_key),
        )
        _write(workspace.root / "transfer.toml", settings_text, 0o644)
        settings, policy = load_settings(workspace.root), load_policy(workspace.policy_file)
        site = assemble(workspace, settings, policy, Database.create(workspace.database), root)
        site.blobs.prepare(shelves=True)
        with site.db.write() as tx:
            _first_entries(tx, site, founding, key=key, approver=approver, submitter=submitter)
        publisher = Publisher(
            db=site.db, log_dir=workspace.log, signer=signer, origin=founding.origin, clock=site.clock
        )
        publisher.sign()
        publisher.publish()
    return site


def _first_entries(
    tx: WriteTx, site: Site, founding: Founding, *, key: SigningKey, approver: PersonId, submitter: PersonId
) -> None:
    desk = site.desk
    site.log.append(tx, Event(name=EventName.GATEWAY_INITIALISED, facts={"version": __version__}))
    note = draft_enrolment(tx, approver, role=Role.APPROVER, public_key=key.public_key, by=approver, desk=desk)
    people.enrol(tx, sign_statement(note, key.seed), name=founding.approver, desk=desk)
    people.add(tx, name=founding.submitter, role=Role.SUBMITTER, person=submitter, desk=desk)
    add_device(tx, founding.device, label=founding.device, by=None, desk=desk)
    policy, settings = site.policy, site.settings
    adopted = Event(name=EventName.POLICY_ADOPTED, facts={"policy": policy.name, "sha256": policy.sha256})
    adopt(tx, POLICY, Sha256(policy.sha256), adopted, recorder=site.log)
    adopted = Event(name=EventName.SETTINGS_ADOPTED, facts={"sha256": settings.sha256})
    adopt(tx, SETTINGS, Sha256(settings.sha256), adopted, recorder=site.log)
    keep_policy_text(tx, hashed_text(policy))
    if founding.demo:
        _demo_campaign(tx, site, key=key, approver=approver, submitter=submitter)


def _demo_campaign(tx: WriteTx, site: Site, *, key: SigningKey, approver: PersonId, submitter: PersonId) -> None:
    today = site.clock.now().date()
    proposal = Proposal(
        campaign=DEMO_CAMPAIGN,
        account="@example.university",
        starts=today,
        ends=today + timedelta(days=90),
        risk=Risk.LOW,
        purpose="Invite prospective students to the open day.",
        justification="They are on TikTok; other channels reach them late (demonstration).",
        assessment="Public scenes of the campus; a manipulated copy would do little harm (demonstration).",
    )
    campaigns.propose(tx, proposal, by=submitter, desk=site.desk)
    note = draft_campaign(tx, DEMO_CAMPAIGN, by=approver, desk=site.desk)
    campaigns.approve(tx, sign_statement(note, key.seed), desk=site.desk)


def _make_folders(workspace: Workspace, *, demo: bool) -> None:
    with world_errors(f"making the workspace {workspace.root}"):
        private = (workspace.state, workspace.db, workspace.run, workspace.keys)
        sides = (workspace.staging, workspace.release, workspace.release_aside)
        public = (*sides, workspace.feedback, workspace.receipts, workspace.log)
        demo_folders = (workspace.demo, workspace.staging / DEMO_CAMPAIGN) if demo else ()
        for folder in (*private, *public, *demo_folders):
            folder.mkdir(parents=True)
            folder.chmod(_PRIVATE if folder in private else _PUBLIC)


def _write(path: Path, text: str, mode: int) -> None:
    with world_errors(f"writing {path}"):
        replace_file(path, text.encode(), mode=mode)


@contextmanager
def _undone_on_failure(root: Path, *keys: Path) -> Iterator[None]:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise Misuse(f"There is something at {root} already.", advice="Name a folder that is empty or not there yet.")
    existed, made = root.exists(), [key for key in keys if not os.path.lexists(key)]
    try:
        yield
    except BaseException:
        for child in root.iterdir() if root.is_dir() else ():
            shutil.rmtree(child, ignore_errors=True) if child.is_dir() else child.unlink(missing_ok=True)
        if not existed and root.is_dir():
            root.rmdir()
        for key in made:
            key.unlink(missing_ok=True)
        raise

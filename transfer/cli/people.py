"""`transfer people`: who submits, approves, audits and operates.

Whoever can sign is enrolled by an approver's signature; whoever signs nothing may be added by whoever runs the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import hint, paragraph, print_json, say
from transfer.cli.people_erase import erase
from transfer.cli.signing import DraftOption, Means, SignatureOption, SignerKeyOption, SignerOption, signed_note
from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.approvals.people import Listed
    from transfer.approvals.statement import Role
    from transfer.model.identifiers import PersonId
    from transfer.wiring import Site

PersonArgument = Annotated[str, typer.Argument(metavar="NAME", help="The person's name, as staff know it.")]

_MAX_KEY_FILE = 4096


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Submitters, approvers, auditors and operators.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_people)
    group.command("disable")(disable)
    group.command("erase")(erase)
    group.command("key")(key_file)
    app.add_typer(group, name="people")


def add(
    context: typer.Context,
    person: PersonArgument,
    role: Annotated[str, typer.Option(metavar="ROLE", help="submitter, approver, auditor or operator.")] = "",
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Their public key, from `transfer people key`; for who is to sign."),
    ] = None,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Enrol somebody, in a further role, or with a new key. An approver takes an approver's signature."""
    site = open_site(context, workspace)
    means = Means(name=name, key=key, draft=draft, signature=signature)
    if public_key is not None or signature is not None:
        added = _enrol(site, person, role, public_key, means)
    else:
        added = _add_unsigned(site, person, role, means)
    if added is None:
        return
    if json:
        print_json({"person": _facts_of(site, added)})
        return
    _say_person(_facts_of(site, added))
    if role == "submitter":
        say()
        say(f"For a staging folder of their own, add to {site.workspace.settings_file}:")
        say(f'  [[source]]\n  id = "…"\n  path = "…"\n  submitter = "{added}"')
        say("and restart the gateway.")


def disable(
    context: typer.Context,
    person: PersonArgument,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Take all rights from somebody. Who was enrolled by a signature is disabled by one."""
    from transfer.approvals import people
    from transfer.approvals.drafts import draft_disabling

    site = open_site(context, workspace)
    with site.db.read() as tx:
        which = people.find(tx, person, desk=site.desk).person
        signs = bool(_listed(people.listing(tx, desk=site.desk), which).signs)
    means = Means(name=name, key=key, draft=draft, signature=signature)
    if signs or signature is not None:
        note = signed_note(site, means, lambda tx, by: draft_disabling(tx, which, by=by, reason=reason, desk=site.desk))
        if note is None:
            return
        with site.db.write() as tx:
            stated = people.disable(tx, note, desk=site.desk)
            if stated != which:
                raise Misuse(f"This statement is about {stated}, not {which}.", advice="Name that person.")
    else:
        with site.db.write() as tx:
            people.remove(tx, which, desk=site.desk)
    if json:
        print_json({"person": _facts_of(site, which)})
        return
    say(f"{person} is disabled.")
    if any(which in source.submitters for source in site.settings.sources):
        say("A staging folder in the settings is still theirs; take it out or give it to somebody else.")


def list_people(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List everybody with what they may do and the pseudonym that the log knows them by."""
    from transfer.approvals import people

    site = open_site(context, workspace)
    with site.db.read() as tx:
        listed = [_facts(one) for one in people.listing(tx, desk=site.desk)]
    if json:
        print_json({"people": listed})
        return
    for facts in listed:
        _say_person(facts)


def key_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key is, or is to be written.")],
    json: JsonOption = False,
) -> None:
    """Make a signing key of your own; prints its public key, which an approver then enrols.

    If FILE holds a key already, only its public key is printed. Needs no workspace: it can run on your own machine.
    """
    import os
    import secrets

    from transfer.approvals.statement_keys import load_signing_key, make_key, render_public_key

    made = not os.path.lexists(file)
    public_key = (make_key(file, entropy=secrets.token_bytes) if made else load_signing_key(file)).public_key
    pem = render_public_key(public_key)
    if json:
        print_json(
            {"file": os.fsencode(file).decode(errors="replace"), "made": made, "public_key": public_key, "pem": pem}
        )
        return
    typer.echo(pem, nl=False)
    hint(f"{'Made' if made else 'Found'} the private key in {file}. Keep it to yourself, and back it up.")
    hint("Hand the public key above to an approver, who enrols you: `transfer people add`.")


def _enrol(site: Site, person: str, role: str, public_key: Path | None, means: Means) -> PersonId | None:
    """An enrolment by signature. None if it was only drafted."""
    import secrets

    from transfer.approvals import people
    from transfer.approvals.drafts import draft_enrolment
    from transfer.approvals.statement_keys import parse_public_key
    from transfer.approvals.wording import clean_name
    from transfer.model.identifiers import person_id_from_entropy

    if means.signature is None:
        wanted = _role(role)
        offered = parse_public_key(_read_key(public_key)) if public_key else ""
        with site.db.read() as tx:
            known = site.desk.directory.named(tx, clean_name(person))
        which = known.person if known else person_id_from_entropy(secrets.token_bytes(16))
        note = signed_note(
            site,
            means,
            lambda tx, by: draft_enrolment(tx, which, role=wanted, public_key=offered, by=by, desk=site.desk),
        )
    else:
        note = signed_note(site, means, lambda _tx, _by: "")
    if note is None:
        return None
    with site.db.write() as tx:
        return people.enrol(tx, note, name=person, desk=site.desk).person


def _add_unsigned(site: Site, person: str, role: str, means: Means) -> PersonId:
    from transfer.approvals import people
    from transfer.approvals.statement import Role

    wanted = _role(role)
    if wanted is Role.APPROVER:
        raise Misuse(
            "An approver needs a key of their own, and is enrolled by the signature of an approver.",
            advice="They run `transfer people key FILE` and hand over what it prints; then: transfer people add "
            f"{person} --role approver --public-key FILE --as NAME --key FILE.",
            clauses=("G1",),
        )
    if means.given:
        raise Misuse(
            f"There is nothing to sign: {person} has no public key.",
            advice="Give theirs with --public-key FILE, or leave --key away.",
        )
    with site.db.write() as tx:
        return people.add(tx, name=person, role=wanted, desk=site.desk).person


def _role(given: str) -> Role:
    from transfer.approvals.statement import Role

    try:
        return Role(given)
    except ValueError as error:
        said = f"There is no role {given[:40]!a}." if given else "Say what they are to be."
        raise Misuse(said, advice=f"--role is one of: {', '.join(Role)}.") from error


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_FILE + 1)
    except OSError as error:
        raise Misuse(
            f"The public key {path} cannot be read ({error.strerror}).", advice="Name the file that holds it."
        ) from error


def _listed(everybody: list[Listed], person: PersonId) -> Listed:
    return next(one for one in everybody if one.person == person)


def _facts_of(site: Site, person: PersonId) -> dict[str, Any]:
    from transfer.approvals import people

    with site.db.read() as tx:
        return _facts(_listed(people.listing(tx, desk=site.desk), person))


def _facts(listed: Listed) -> dict[str, Any]:
    """One person as `--json` prints them (docs/formats/people.schema.json)."""
    return {
        "person": listed.person,
        "name": listed.name,
        "roles": list(listed.roles),
        "signs": list(listed.signs),
        "public_key": listed.public_key,
        "disabled": listed.disabled,
    }


def _say_person(facts: dict[str, Any]) -> None:
    roles = "disabled" if facts["disabled"] else ", ".join(facts["roles"])
    say(paragraph(f"{facts['name'] or '(name erased)'}: {roles}", indent=2, first=""))
    say(f"  in the log   {facts['person']}")
    if facts["public_key"]:
        say(f"  signs as     {', '.join(facts['signs'])}, with the key")
        say(f"               {facts['public_key']}")

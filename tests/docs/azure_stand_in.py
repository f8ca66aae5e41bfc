"""What stands in for `az` where the commands of scripts/onedrive-setup are run: what it is told, and what it may do.

As the real one it lets a signed-in person do nothing on sites; an application may, that has a permission, signs in with
the key of the certificate it was given, and was not removed. What was just made is unknown when it is first asked for.
Every call is noted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

GRAPH = "https://graph.microsoft.com/v1.0"
SELECTED, FULL = "role-selected", "role-full"
REFUSED = "refused"
SITE = "university.sharepoint.com,1-1,2-2"
DRIVE = "b!CM3ky53sGlRL6NcvqIj0D24ijsWfVprruRBhLfCnoXg"
FOLDER = "01RYCE474DLBGJ7I55OBXOMH5RTIYW2FFF"
ASIDE = "01RYCE474AAAAAAAAAAAAAAAAAAAAAAAAA"
DEVICE = "dddddddd-0000-0000-0000-00000000000d"


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def refuse(sentence: str) -> None:
    sys.exit(f"ERROR: {sentence}")


def public_key(kind: str, file: str) -> str:
    words = ["openssl", "x509", "-noout", "-pubkey", "-in", file]
    return subprocess.check_output(words if kind == "crt" else ["openssl", "pkey", "-pubout", "-in", file], text=True)


def unknown_yet(state: dict, what: str) -> bool:
    """Once for each."""
    known = what in state["seen"]
    state["seen"] = sorted({*state["seen"], what})
    return not known


def ad(state: dict, words: list[str]) -> str:
    apps, id_ = state["apps"], option(words, "--id")
    match words[:3]:
        case ["app", "list", _]:
            wanted = option(words, "--filter").partition("'")[2].rstrip("'")
            return "\n".join(app for app, facts in apps.items() if facts["name"] == wanted and not facts["gone"])
        case ["app", "create", _]:
            state["made"] += 1
            app = f"00000000-0000-0000-0000-{state['made']:012}"
            apps[app] = {"name": option(words, "--display-name"), "gone": False, "key": "", "roles": []}
            return app
        case ["app", "credential", "reset"]:
            if unknown_yet(state, id_):
                return REFUSED
            apps[id_]["key"] = public_key("crt", option(words, "--cert").removeprefix("@"))
        case ["app", "permission", "add"]:
            assert option(words, "--api-permissions") == f"{SELECTED}=Role"
        case ["app", "delete", _]:
            apps[id_]["gone"] = True
        case ["sp", "create", _]:
            return f"principal-{id_}"
        case ["sp", "show", _]:
            asked = option(words, "--query")
            return {"id": "graph"}.get(asked) or (SELECTED if "Sites.Selected'" in asked else FULL)
        case _:
            raise AssertionError(words)
    return ""


def rest(state: dict, words: list[str], who: str) -> str:
    path = option(words, "--url").removeprefix(GRAPH)
    if path.startswith("/servicePrincipals/"):
        body = json.loads(option(words, "--body"))
        assert who == "person"
        assert body["resourceId"] == "graph"
        if unknown_yet(state, body["principalId"]):
            return REFUSED
        state["apps"][body["principalId"].removeprefix("principal-")]["roles"].append(body["appRoleId"])
        return ""
    app = state["apps"].get(who, {"gone": True, "roles": []})
    if app["gone"] or FULL not in app["roles"]:
        refuse("Forbidden: accessDenied")
    if "missing" in path:
        refuse("Not Found: itemNotFound")
    if path.startswith(f"/sites/{SITE}/permissions"):
        return granted(state, path.rpartition("/")[2], words)
    if path.startswith(f"/sites/{SITE}/drive"):
        return DRIVE
    if path.startswith(f"/drives/{DRIVE}/root:/"):
        return ASIDE if path.partition("?")[0].endswith("-aside") else FOLDER
    return SITE


def granted(state: dict, grant: str, words: list[str]) -> str:
    """A new grant is for reading or writing; one that is there can become more."""
    match option(words, "--method"):
        case "post":
            body = json.loads(option(words, "--body"))
            if not set(body["roles"]) <= {"read", "write"}:
                refuse("Bad Request: invalidRequest")
            state["granted"].append(body)
            return f"grant-{len(state['granted'])}" if option(words, "--query") == "id" else json.dumps(body)
        case "patch":
            state["granted"][int(grant.removeprefix("grant-")) - 1] |= json.loads(option(words, "--body"))
    return json.dumps({"value": state["granted"]})


def main() -> None:
    folder = Path(os.environ["STAND_IN"])
    file, words = folder / "state.json", sys.argv[1:]
    state = (
        json.loads(file.read_text())
        if file.exists()
        else {"apps": {}, "made": 0, "granted": [], "calls": [], "seen": []}
    )
    session = Path(os.environ.get("AZURE_CONFIG_DIR", folder / "person"))
    state["calls"].append(words)
    said = ""
    if words[0] == "login":
        session.mkdir(exist_ok=True)
        app = option(words, "--username") or "person"
        if app != "person" and state["apps"][app]["key"] != public_key("key", option(words, "--certificate")):
            refuse("AADSTS700027")
        (session / "who").write_text(app)
    elif words[:3] == ["ad", "user", "show"]:
        if option(words, "--id") != "ipad@university.example":
            refuse("Resource does not exist")
        said = DEVICE
    elif words[0] == "ad":
        said = ad(state, words[1:])
    elif words[0] == "rest":
        said = rest(state, words, (session / "who").read_text())
    file.write_text(json.dumps(state))
    if said == REFUSED:
        refuse("Not Found: Request_ResourceNotFound")
    if said and option(words, "--output") != "none":
        print(said)


if __name__ == "__main__":
    main()

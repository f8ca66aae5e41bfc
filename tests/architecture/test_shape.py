"""The shape of the code as tests: what DESIGN section 4 says in words, checked on the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "transfer"
# `static` holds what is handed to auditors as a file, one program each; it is no module of ours and imports none.
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "static" not in path.parts)

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60

# A third-party package has few doors: only these modules (or packages) may import it.
DOORS = {
    "watchdog": ("transfer.intake.folder", "transfer.return_guard.watch"),
    "magic": ("transfer.inspection.sniff",),
    "pylibmagic": ("transfer.inspection.sniff",),
    # demo_samples makes pictures of our own and never reads one
    "av": ("transfer.inspection.decode", "transfer.inspection.probe", "transfer.disarm", "transfer.demo_samples"),
    "PIL": (
        "transfer.inspection.decode",
        "transfer.inspection.fingerprint",
        "transfer.inspection.probe",
        "transfer.inspection.ocr",
        "transfer.inspection.picture_words",
        "transfer.disarm",
        "transfer.demo_samples",
    ),
    "pillow_heif": ("transfer.inspection.decode", "transfer.inspection.probe", "transfer.disarm"),
    "clamav_client": ("transfer.inspection.clamd_talk",),
    "numpy": (
        "transfer.inspection.fingerprint",
        "transfer.inspection.ocr",
        "transfer.inspection.structure_jpeg",
        "transfer.disarm.traces",
        "transfer.graph.quickxor",
        "transfer.store.fingerprint_search",
    ),
    "rapidocr": ("transfer.inspection.ocr",),
    "cv2": ("transfer.inspection.ocr",),
    "pdqhash": ("transfer.inspection.fingerprint",),
    "phonenumbers": ("transfer.inspection.personal_data", "transfer.policy.personal"),  # there: names of regions only
    "stdnum": ("transfer.inspection.national_ids",),
    "pyseccomp": ("transfer.sandbox",),
    "yara_x": ("transfer.inspection.yara_rules",),
    "cryptography": ("transfer.audit", "transfer.approvals.statement"),
    "typer": ("transfer.cli",),
    "rich": ("transfer.cli",),
    "sqlalchemy": ("transfer.store",),
    "msgraph": ("transfer.graph",),
    "msgraph_core": ("transfer.graph",),
    "kiota_abstractions": ("transfer.graph",),
    "kiota_http": ("transfer.graph",),
    "kiota_authentication_azure": ("transfer.graph",),
    "azure": ("transfer.graph",),
    "httpx": ("transfer.graph",),
    "certifi": ("transfer.graph",),
}

# Only these modules make the types that must be earned.
MAKERS = {
    "Approved": ("transfer.approvals.approve",),
    "Parcel": ("transfer.release.parcel",),
    "CleanBlob": ("transfer.store.blobs",),  # by hashing what the rebuild wrote; records.py reads it back
}

# Each direction of OneDrive has a client of its own. Those who build them are the composition roots and the checkup.
CLIENTS = {
    "transfer.graph.reader": ("transfer.intake",),
    "transfer.graph.writer": ("transfer.release",),
    "transfer.graph.lister": ("transfer.return_guard",),
}
BUILDERS = ("transfer.wiring", "transfer.assembly", "transfer.checkup", "transfer.onedrive")

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith((place + ".", place + "_")) for place in places)


def test_the_package_was_found() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_modules_are_small_and_functions_fit_a_screen(path: Path) -> None:
    assert path.read_text().count("\n") <= MAX_MODULE_LINES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_catch_all_modules_and_no_re_exports(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    if path.name == "__init__.py":
        body = [node for node in tree(path).body if not isinstance(node, ast.Expr)]
        allowed = [
            n for n in body if isinstance(n, ast.Assign) or (isinstance(n, ast.ImportFrom) and n.module == "__future__")
        ]
        assert body == allowed


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_every_public_thing_says_what_it_is(path: Path) -> None:
    module = tree(path)
    if path.name != "__init__.py" or module.body:
        assert ast.get_docstring(module), "the module has no docstring"
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_third_party_packages_come_through_their_doors(path: Path) -> None:
    name = module_name(path)
    for imported in imports(path):
        package = imported.partition(".")[0]
        if package in DOORS:
            assert within(name, DOORS[package]), f"{imported} may be imported only by {', '.join(DOORS[package])}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_each_direction_of_onedrive_has_its_own_client(path: Path) -> None:
    name = module_name(path)
    for imported in imports(path):
        for client, users in CLIENTS.items():
            if within(imported, (client,)):
                allowed = (*users, *BUILDERS, client)
                assert within(name, allowed), f"{client} may be imported only by {', '.join(users)}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_runtime_code_neither_asserts_nor_prints(path: Path) -> None:
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.Assert), f"assert in line {node.lineno}: python -O would drop it"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"print in line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_earned_types_are_made_only_by_those_who_earn_them(path: Path) -> None:
    name = module_name(path)
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        called = (
            node.func.id
            if isinstance(node.func, ast.Name)
            else node.func.attr
            if isinstance(node.func, ast.Attribute)
            else ""
        )
        if called in MAKERS:
            assert name in MAKERS[called], f"{called} is made in line {node.lineno}"


def class_methods(node: ast.ClassDef) -> set[str]:
    return {item.name for item in node.body if isinstance(item, ast.FunctionDef)}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_class_can_both_read_the_source_and_write_the_sink(path: Path) -> None:
    reads, writes, sees = {"sightings", "observe"}, {"put"}, {"inventory"}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef):
            methods = class_methods(node)
            kinds = sum(bool(methods & kind) for kind in (reads, writes, sees))
            assert kinds <= 1, f"{node.name} is more than one end of the line"


def test_a_sink_has_one_method() -> None:
    ends = tree(PACKAGE / "model" / "ends.py")
    sink = next(node for node in ends.body if isinstance(node, ast.ClassDef) and node.name == "Sink")
    assert class_methods(sink) == {"put"}


def test_no_import_cycles() -> None:
    names = {module_name(path) for path in MODULES}
    edges = {module_name(path): {i for i in imports(path) if i in names} - {module_name(path)} for path in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for following in sorted(edges[name]):
                visit(following, (*trail, name))
            done.add(name)

    for name in sorted(names):
        visit(name, ())

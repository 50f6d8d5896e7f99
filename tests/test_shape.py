"""The shape of the project: what no other tool checks, and what a reviewer should not have to."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

from adapters.registry import IMS

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "api", "netweave", "o2ims", "subscriptions", "tenancy")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
CODE = [path for path in SOURCES if "migrations" not in path.parts]
NAMELESS = {"utils", "helpers", "common", "core", "misc", "services", "manager", "handler", "processor"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_a_module_says_what_it_is_and_stays_one_noun(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert path.stem not in NAMELESS
    assert len(text.splitlines()) <= 400
    if tree.body:
        assert ast.get_docstring(tree), "a module's first line says what it is"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_public_things_are_documented_and_small(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        assert (node.end_lineno or 0) - node.lineno <= 60 or isinstance(node, ast.ClassDef), node.name
    for node in ast.parse(path.read_text()).body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_there_is_no_signal_receiver_of_ours() -> None:
    for path in CODE:
        assert not re.search(r"@receiver|\.connect\(\s*\w+,\s*sender", path.read_text()), path


def test_no_text_is_left_for_later() -> None:
    for path in CODE:
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text()), path


def test_every_kind_of_backend_has_a_contract_test_and_a_row_in_the_docs() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "contract").glob("test_*.py"))
    docs = (ROOT / "docs" / "backend-plugins.md").read_text()
    for kind, plugin in IMS.items():
        assert f"from {plugin.module} import" in tests, f"{plugin.module} has no contract test"
        assert f"`{kind}`" in docs, f"{kind} has no row in docs/backend-plugins.md"


def commands() -> list[str]:
    return sorted(
        path.stem for package in PACKAGES for path in (ROOT / package).glob("management/commands/[a-z]*.py")
    )


@pytest.mark.parametrize("command", commands())
def test_every_command_is_tested_and_documented(command: str) -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    docs = "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    assert f'"{command}"' in tests
    assert command in docs


def test_every_setting_is_documented() -> None:
    text = (ROOT / "netweave" / "settings.py").read_text()
    settings = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text))
    assert len(settings) > 10
    docs = (ROOT / "README.md").read_text()
    assert {setting for setting in settings if f"`{setting}`" not in docs} == set()


def test_every_table_of_ours_is_granted_in_the_migration_that_makes_it() -> None:
    migrations = "\n".join(path.read_text() for path in SOURCES if "migrations" in path.parts)
    ours: list[type[Model]] = [
        model for app in ("tenancy", "o2ims") for model in apps.get_app_config(app).get_models()
    ]
    for model in ours:
        assert f'"{model._meta.db_table}"' in migrations, model


def test_the_project_speaks_of_itself_alone() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    outside = re.compile(r"\.\./sha" + "red|/ro" + "ot/|/wo" + "rk/")
    for file in listed:
        path = ROOT / file
        if (
            path.suffix in {".py", ".md", ".sh", ".toml", ".yaml", ".html", ".css", ".txt", ""}
            and path.is_file()
        ):
            assert not outside.search(path.read_text(errors="replace")), file


def test_who_commits_names_both_databases_so_that_both_are_emptied_again() -> None:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for line in path.read_text().splitlines():
            if "django_db(transaction" + "=True" in line:
                assert '"owner"' in line, path

"""The code keeps its own rules: sizes, words, patterns, layers. What is not checked does not stay."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import tidy
from tests.harness.tidy import REPOSITORY

Check = Callable[[str, str], Iterator[str]]

# check → (a file it must complain about, one it must not)
CHECKS: dict[Check, tuple[tuple[str, str], tuple[str, str]]] = {
    tidy.long_files: (("credits/a.py", "x = 1\n" * 401), ("credits/a.py", "x = 1\n" * 400)),
    tidy.long_functions: (
        ("server/a.py", "async def f():\n" + "    x = 1\n" * 70),
        ("server/a.py", "async def f():\n" + "    x = 1\n" * 69),
    ),
    tidy.names_that_say_nothing: (("credits/ledger/burn_utils.py", ""), ("credits/ledger/commonly.py", "")),
    tidy.words_of_others: (("schema/a.py", "class Wallet: ..."), ("schema/a.py", "preservation = 1")),
    tidy.adding_across_an_await: (
        ("server/a.py", "async def f(): x.y += 1 + await g()"),
        ("server/a.py", "async def f(): y = await g(); x += y"),
    ),
    tidy.floats_near_credits: (("credits/ledger/a.py", "x = a / 2"), ("credits/ledger/a.py", "x = a // 2")),
    tidy.clocks: (("credits/a.py", "now = datetime.now(UTC)"), ("server/a.py", "now = datetime.now(UTC)")),
    tidy.unsafe_html: (("components/a.ts", "node.innerHTML = name;"), ("components/a.ts", "node.textContent = name;")),
    tidy.shared_extensions: (
        ("schema/a.py", "Schema(query=Q, extensions=[MaskErrors()])"),
        ("schema/a.py", "Schema(query=Q, extensions=[MaskErrors, lambda: Guard()])"),
    ),
    tidy.traces_of_a_machine: (("README.md", "cd /ro" + "ot/scrip"), ("README.md", "cd scrip")),
}

# More that each check must see.
ALSO_BAD = [
    (tidy.floats_near_credits, "credits/access/a.py", "x = float(y)"),
    (tidy.floats_near_credits, "credits/rating/a.py", "x = 0.5"),
    (tidy.floats_near_credits, "credits/revenue/a.py", "x = paid / 2"),
    (tidy.clocks, "server/a.py", "datetime.now()"),
    (tidy.clocks, "server/a.py", "datetime.datetime.utcnow()"),
    (tidy.clocks, "credits/a.py", "time.time()"),
    (tidy.traces_of_a_machine, "package-lock.json", '"resolved": "https://registry.example/x.tgz"'),
]

# (check, path): why it may stay.
ALLOWED: dict[tuple[Check, str], str] = {
    (tidy.words_of_others, "tests/test_tidy.py"): "the samples",
    (tidy.words_of_others, "tests/harness/tidy.py"): "the list of words",
    (tidy.traces_of_a_machine, "tests/harness/tidy.py"): "the pattern",
    (tidy.unsafe_html, "components/core/render.ts"): "what stands in the source of a template; values never",
    (tidy.traces_of_a_machine, "tests/test_tidy.py"): "the samples",
}

# Started by name, not by import.
ENTRIES = {
    "server.cli",  # the command `scrip`
    "credits.migrations.env",  # Alembic's
}


def name_of(check: Check) -> str:
    return check.__name__


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_the_code_passes(check: Check):
    files = tidy.read_everything_written() if check is tidy.traces_of_a_machine else tidy.read_all()
    found = [complaint for path, text in files if (check, path) not in ALLOWED for complaint in check(path, text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_the_check_sees_the_bad_and_lets_the_good(check: Check):
    bad, good = CHECKS[check]
    assert list(check(*bad))
    assert not list(check(*good))


@pytest.mark.parametrize(("check", "path", "text"), ALSO_BAD)
def test_the_check_sees_this_too(check: Check, path: str, text: str):
    assert list(check(path, text))


@pytest.mark.parametrize(("check", "path"), ALLOWED, ids=lambda part: part if isinstance(part, str) else name_of(part))
def test_an_exception_that_nothing_needs_any_more_is_removed(check: Check, path: str):
    assert list(check(path, (REPOSITORY / path).read_text(encoding="utf-8"))), f"{path} no longer needs its exception"


def test_no_module_is_orphaned():
    migrations = {
        f"credits.migrations.versions.{path.stem}" for path in (REPOSITORY / "credits/migrations/versions").glob("*.py")
    }
    assert not list(tidy.modules_nobody_imports(dict(tidy.read_all()), ENTRIES | migrations))


def test_an_orphan_is_seen():
    files = {
        "server/a.py": "from server import b; app = 'server.d:make'",
        "server/b.py": "",
        "server/c.py": "import server.c",
        "server/d.py": "",
    }
    assert list(tidy.modules_nobody_imports(files, {"server.a"})) == ["server/c.py: nobody imports it"]


def test_each_area_of_the_domain_says_what_it_means():
    areas = [path.parent for path in (REPOSITORY / "credits").glob("*/__init__.py")]
    assert len(areas) > 5
    silent = [area.name for area in areas if not (area / "README.md").exists()]
    assert not silent, f"no README.md in credits/{{{','.join(sorted(silent))}}}"


def lint_imports(folder: Path) -> int:
    """The exit status of import-linter on the packages in `folder`."""
    command = "import sys; sys.path[0] = '.'; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run([sys.executable, "-c", command], cwd=folder, capture_output=True, check=False).returncode


def test_imports_run_one_way_and_a_wrong_one_is_seen(tmp_path: Path):
    assert lint_imports(REPOSITORY) == 0
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for package in tidy.PACKAGES:
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "credits/bounds.py").open("a") as file:
        file.write("\nfrom schema import context\n")
    assert lint_imports(tmp_path) == 1

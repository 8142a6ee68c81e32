"""`FAULTS.md` keeps its word: each case has its row, and each test that a row names exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.harness.tidy import REPOSITORY

TABLE = Path(__file__).with_name("FAULTS.md")
# The cases there must be a row for: letter, and the numbers.
CASES = {
    *(f"C{number}" for number in (*range(1, 19), 20)),
    *(f"K{number}" for number in range(1, 13)),
    *(f"I{number}" for number in range(1, 11)),
    *(f"E{number}" for number in range(1, 15)),
    *(f"N{number}" for number in range(1, 8)),
    *(f"G{number}" for number in range(1, 21)),
    *(f"W{number}" for number in range(1, 10)),
    *(f"A{number}" for number in range(1, 14)),
    *(f"S{number}" for number in range(1, 21)),
    *(f"T{number}" for number in range(1, 9)),
    *(f"X{number}" for number in range(1, 13)),
    *("D8", "O6", "O7", "O8", "R9", "R10", "R14", "R15", "R18", "R19", "R20"),
}
_ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \|$")
_NAMED = re.compile(r"`([^`]*)`")
_PYTHON = re.compile(r"(\w+)(?:\[(.+)])?")


def read_rows(text: str) -> dict[str, tuple[str, str]]:
    """Case → what must happen, and the last column. Raises ValueError where a case has two rows."""
    rows: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        found = _ROW.match(line)
        if found is None:
            continue
        case, expected, proof = found.groups()
        if case in rows:
            raise ValueError(f"{case} has two rows")
        rows[case] = (expected, proof)
    return rows


def named_tests(proof: str) -> Iterator[tuple[str, str]]:
    """(path, name) of each test in a last column; a path that is left out is the one before."""
    path = ""
    for text in _NAMED.findall(proof):
        before, _, name = text.partition("::")
        path = before or path
        yield path, name


@cache
def python_tests(path: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The tests of a file, and every text that is written in it."""
    nodes = list(ast.walk(ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    texts = tuple(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return frozenset(name for name in names if name.startswith("test_")), texts


def exists(path: str, name: str) -> bool:
    """Whether that file has that test, and where a part is named, whether its table has such a case."""
    if not (REPOSITORY / path).is_file() or not name:
        return False
    if path.endswith(".ts"):
        # `it("title", …` or `it.each([…])("title", …`
        title = re.escape(name)
        return bool(re.search(rf"""\(\s*(["'`]){title}\1,""", (REPOSITORY / path).read_text(encoding="utf-8")))
    found = _PYTHON.fullmatch(name)
    if found is None:
        return False
    test, part = found.groups()
    tests, texts = python_tests(path)
    return test in tests and (part is None or any(re.match(rf"{re.escape(part)}\b", text) for text in texts))


ROWS = read_rows(TABLE.read_text(encoding="utf-8"))


def test_every_case_has_its_row():
    assert set(ROWS) == CASES


@pytest.mark.parametrize("case", sorted(ROWS))
def test_what_proves_a_case_exists(case: str):
    expected, proof = ROWS[case]
    assert len(expected) > 10
    if proof.startswith("none: "):
        assert len(proof) > 20, "say why"
        return
    tests = list(named_tests(proof))
    assert tests, "neither a test nor a reason"
    assert [each for each in tests if not exists(*each)] == []


@pytest.mark.parametrize(
    ("path", "name", "there"),
    [
        ("tests/test_faults.py", "test_every_case_has_its_row", True),
        ("tests/test_faults.py", "test_every_case_has_no_row", False),
        ("tests/test_faults.py", "read_rows", False),
        ("tests/no_such_file.py", "test_every_case_has_its_row", False),
        ("tests/test_faults.py", "", False),
        ("tests/server/test_tokens.py", "test_every_other_token_is_refused[A4]", True),
        ("tests/server/test_tokens.py", "test_every_other_token_is_refused[A5]", False),
        ("components/balance/balance.test.ts", "markup in names as text (X1)", True),
        ("components/balance/balance.test.ts", "markup in names", False),
    ],
)
def test_the_check_tells_what_is_there_from_what_is_not(path: str, name: str, there: bool):
    assert exists(path, name) is there


def test_the_table_is_read_with_its_paths():
    row = "| C1 | one, not two | `a.py::test_a`, `::test_b[x]`, `c.test.ts::says, so` |"
    ((_, proof),) = read_rows(f"# title\n\n| case | x |\n|---|---|\n{row}\n").values()
    assert list(named_tests(proof)) == [("a.py", "test_a"), ("a.py", "test_b[x]"), ("c.test.ts", "says, so")]
    with pytest.raises(ValueError, match="C1 has two rows"):
        read_rows(f"{row}\n{row}")

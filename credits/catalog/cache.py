"""What every process keeps of a workspace's configuration, until it changes. PURE.

The batch writer reads `workspaces.config_version` with every batch; what was read at another version is not used.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class ConfigCache(Generic[T]):
    """The newest of something, by workspace, with the configuration version it was read at."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, T]] = {}

    def get(self, workspace_id: int, config_version: int) -> T | None:
        """What was read at exactly this version, or None."""
        kept = self._kept.get(workspace_id)
        return kept[1] if kept is not None and kept[0] == config_version else None

    def put(self, workspace_id: int, config_version: int, value: T) -> T:
        """Keeps what was read at this version, unless something newer is kept already; returns it."""
        kept = self._kept.get(workspace_id)
        if kept is None or kept[0] <= config_version:
            self._kept[workspace_id] = (config_version, value)
        return value

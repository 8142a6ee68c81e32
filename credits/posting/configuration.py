"""Catalogs, policies and what webhooks tell of, of the workspaces at hand, each as of the configuration version it was read at.

A batch and a page learn the present version under their own snapshot, so what they decide by is never stale; the
rows are read once per change and process.
"""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.catalog.cache import ConfigCache
from credits.catalog.load import CatalogCache, load_catalog, load_catalog_hot
from credits.catalog.values import Catalog
from credits.db import HotConnection
from credits.enforcement.decide import Policies
from credits.enforcement.policies import PolicyCache, load_policies, load_policies_hot
from credits.webhooks.messages import Wanted
from credits.webhooks.outbox import read_wanted


class Configuration:
    """One per process. `late_cutoff` is the setting that a workspace without its own falls back to, `refund_lifetime`
    how long credits live that are given back after their grant has ended."""

    def __init__(self, late_cutoff: timedelta, refund_lifetime: timedelta = bounds.REFUND_LIFETIME) -> None:
        self.late_cutoff = late_cutoff
        self.refund_lifetime = refund_lifetime
        self._catalogs = CatalogCache()
        self._policies = PolicyCache()
        self._wanted: ConfigCache[Wanted] = ConfigCache()
        self._newest: dict[int, Catalog] = {}

    async def read(self, connection: AsyncConnection, workspace_id: int, version: int) -> tuple[Catalog, Policies]:
        """Both at that version."""
        catalog = self._catalogs.get(workspace_id, version)
        policies = self._policies.get(workspace_id, version)
        if catalog is None:
            catalog = self._keep(workspace_id, await load_catalog(connection, workspace_id))
        if policies is None:
            policies = await load_policies(connection)
            self._policies.put(workspace_id, version, policies)
        return catalog, policies

    async def read_hot(self, connection: HotConnection, workspace_id: int, version: int) -> tuple[Catalog, Policies]:
        """The same, on the bare driver, for the batch writer."""
        catalog = self._catalogs.get(workspace_id, version)
        policies = self._policies.get(workspace_id, version)
        if catalog is None:
            catalog = self._keep(workspace_id, await load_catalog_hot(connection, workspace_id))
        if policies is None:
            policies = await load_policies_hot(connection)
            self._policies.put(workspace_id, version, policies)
        return catalog, policies

    async def read_wanted(self, connection: HotConnection, workspace_id: int, version: int) -> Wanted:
        """What the workspace's webhooks are to tell of, for the batch writer."""
        wanted = self._wanted.get(workspace_id, version)
        if wanted is None:
            wanted = await read_wanted(connection)
            self._wanted.put(workspace_id, version, wanted)
        return wanted

    def newest(self, workspace_id: int) -> Catalog:
        """The newest catalog that this process has read. Raises `LookupError` where it has read none."""
        return self._newest[workspace_id]

    def _keep(self, workspace_id: int, catalog: Catalog) -> Catalog:
        self._catalogs.put(workspace_id, catalog.config_version, catalog)
        known = self._newest.get(workspace_id)
        if known is None or known.config_version <= catalog.config_version:
            self._newest[workspace_id] = catalog
        return catalog

"""A test workspace on a running server: its sandbox as the server has it, and a key of each role."""

from dataclasses import dataclass
from typing import Any

from credits.db import Database
from credits.recharge.provider import Order
from credits.workspaces import list_workspaces
from tests.harness.provider_contract import known
from tests.harness.server import SECRET_KEY, Server
from tests.harness.wire import Response, Wire
from tests.server.sandbox.outside import Street, open_street

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"accept": "application/json"}
ROLES = ("ADMIN", "BACKEND", "FINANCE", "VIEWER")


@dataclass
class Town:
    server: Server
    street: Street
    keys: dict[str, str]

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, role: str = "") -> Response:
        wire = Wire(self.server.url)
        given = dict(headers or {})
        if role:
            given["authorization"] = f"Bearer {self.keys[role]}"
        answer = await wire.request(method, path, given)
        wire.drop()
        return answer

    async def placed(self, **changes: Any) -> Order:
        order = self.street.order(**changes)
        await self.street.provider.start(order)
        return order

    async def state(self, order: Order) -> str:
        return (await known(self.street, order)).state


async def build_town(server: Server, name: str, *, test: bool = True) -> tuple[Town, Database]:
    keys = {role: await server.create_key(name, role, test=test) for role in ROLES}
    database = await Database.connect(server.settings["DATABASE_URL"], size=2)
    workspace_id = next(each.id for each in await list_workspaces(database) if each.name == name)
    return Town(
        server, await open_street(database, workspace_id, secret_key=SECRET_KEY, url=server.url), keys
    ), database

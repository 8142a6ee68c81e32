"""A clawback and its reversal, which the system makes and nobody asks for over HTTP, as everybody reads them there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from credits import ids
from credits.db import Database
from credits.posting.commands import GiveGrant
from credits.posting.configuration import Configuration
from credits.posting.corrections import Clawback, EntryId, GrantId, ReverseClawback
from credits.posting.keys import system_key
from credits.posting.writer import Writer
from credits.workspaces import list_workspaces
from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import build_world

TOLD = """query($id: ID!) { entry(id: $id) { kind amount reversedAmount idempotencyKey explanation
  reverses { id } allocations { amount overdraft grant { source } } } }"""
BALANCE = """query($key: String!) { customer(key: $key) { balance(creditType: "ai") {
  balance clawedBack givenBack burned } } }"""


async def test_what_a_payment_changed_is_told_without_a_key_of_the_systems_own(server: Server):
    name = f"clawbacks-{uuid4()}"
    secret = await server.create_key(name, "ADMIN")
    async with Client(server.url, secret) as client:
        await build_world(client, ["acme"])
        customer = (await client.ask('query { customer(key: "acme") { id } }'))["customer"]["id"]
        (customer_id,) = ids.parse("cus", customer, 1) or ()
        database = await Database.connect(server.settings["DATABASE_URL"], size=2)
        (workspace,) = [each for each in await list_workspaces(database) if each.name == name]
        writer = Writer(database, Configuration(timedelta(days=7)), publish=lambda *_: None)

        async def post(command: Any) -> Any:
            answer = await writer.post(workspace.id, command)
            assert not hasattr(answer, "code"), answer
            return answer

        given = await post(
            GiveGrant(customer_id, "ai", Decimal(10), "PURCHASE", system_key("top-up", 1), None, expires_at=None)
        )
        grant = GrantId(customer_id, given.credit_type_id, given.grant.number)
        clawed = (
            await post(Clawback(grant=grant, amount_micro=14_000_000, key=system_key("d", 1), actor_id=None))
        ).entry
        entry = EntryId(customer_id, given.credit_type_id, clawed.sequence)
        won = ReverseClawback(entry=entry, amount_micro=5_000_000, key=system_key("d", 1, "won"), actor_id=None)
        (back,) = (await post(won)).entries
        await writer.close()
        await database.close()

        def public(sequence: int) -> str:
            return ids.make("ent", customer_id, given.credit_type_id, sequence)

        told = (await client.ask(TOLD, id=public(clawed.sequence)))["entry"]
        assert (told["kind"], told["amount"], told["reversedAmount"]) == ("CLAWBACK", "-14", "5")
        told = (await client.ask(TOLD, id=public(back.sequence)))["entry"]
        assert told == {
            "kind": "REVERSE",
            "amount": "5",
            "reversedAmount": "0",
            "idempotencyKey": None,
            "explanation": (
                "5 credits given back, because their payment stands after all: 1 to 10 credits that never expire; "
                "4 of it no longer owed"
            ),
            "reverses": {"id": public(clawed.sequence)},
            "allocations": [
                {"amount": "4", "overdraft": True, "grant": None},
                {"amount": "1", "overdraft": False, "grant": {"source": "PURCHASE"}},
            ],
        }
        balance = (await client.ask(BALANCE, key="acme"))["customer"]["balance"]
        assert balance == {"balance": "1", "clawedBack": "14", "givenBack": "5", "burned": "0"}
        refused = await client.put(
            "reverseBurn", entry=public(clawed.sequence), amount="1", reason="OTHER", idempotencyKey="mine"
        )
        assert refused.code == "INVALID_INPUT"
        taken = await client.put(
            "burn", customer="acme", creditType="ai", amount="1", idempotencyKey=str(system_key("top-up", 1))
        )
        assert taken.code == "INVALID_INPUT", "a key with a space is nobody's"

"""What operators are shown over HTTP: the audit log, a reconciliation, the kill switch; and what the server proves by itself."""

import asyncio
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import build_world, give
from tests.scenarios.conftest import World

WITHIN_S = 30.0
LOG = """query($subject: String, $first: Int = 50, $after: String) {
  auditLog(subject: $subject, first: $first, after: $after) {
    edges { cursor node { id at action subject before after actor { kind id name } } }
    pageInfo { hasNextPage endCursor } } }"""
RECONCILIATION = """{ reconciliation { at accounts entries drift chainsBroken eventsUnaccounted ok
  mismatches { customer creditType check expected actual } } }"""


async def log(client: Client, **variables: Any) -> list[dict[str, Any]]:
    answer = await client.ask(LOG, **variables)
    return [edge["node"] for edge in answer["auditLog"]["edges"]]


async def test_each_change_is_in_the_audit_log_with_who_made_it(world: World):
    client = await world.client()
    customer = (await client.must("upsertCustomer", key="audited"))["customer"]
    policy = (await client.must("setPolicy", mode="SOFT", customer="audited"))["policy"]["id"]
    made = (await client.act("createApiKey", name="second", role="SUPPORT")).answer
    second = await world.client(secret=made["secret"])
    grant = await give(second, "audited", "25", "by-hand", reason="GOODWILL", note="for Ada")
    found = {event["action"]: event for event in reversed(await log(client))}
    assert found["policy.set"]["subject"] == policy
    assert found["policy.set"]["after"]["mode"] == "SOFT"
    assert (found["grant.given"]["subject"], found["grant.given"]["actor"]["name"]) == (grant, "second")
    assert found["grant.given"]["after"]["amount"] == "25"
    assert found["apiKey.created"]["actor"]["name"] == "command line", "the first key came by the command line"
    assert found["catalog.applied"]["actor"]["kind"] == "API_KEY"
    assert made["secret"] not in str(found)
    of_customer = await log(client, subject="audited")
    assert [event["action"] for event in of_customer] == ["customer.created"]
    assert of_customer == await log(client, subject=customer["id"])


async def test_the_audit_log_is_read_page_by_page(world: World):
    client = await world.client()
    for number in range(4):
        await client.must("setPolicy", mode="SOFT", overdraftLimit=str(number))
    everything = await log(client)
    pages, after = [], None
    while True:
        answer = (await client.ask(LOG, first=3, after=after))["auditLog"]
        pages += [edge["node"] for edge in answer["edges"]]
        after = answer["pageInfo"]["endCursor"]
        if not answer["pageInfo"]["hasNextPage"]:
            break
    assert pages == everything
    assert [event["at"] for event in everything] == sorted((event["at"] for event in everything), reverse=True)


async def test_a_customers_token_sees_no_audit_log_and_no_reconciliation(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="curious")
    token = await client.ask(
        'mutation { createEmbedToken(input: {customer: "curious"}) { ... on EmbedTokenOk { token } } }'
    )
    embedded = await world.client(secret=token["createEmbedToken"]["token"])
    for document in (LOG, RECONCILIATION):
        answer = await embedded.post("/graphql", f'{{"query": "{" ".join(document.split())}"}}'.encode())
        assert b"FORBIDDEN" in answer.body


async def test_the_kill_switch_lets_everything_through_and_back(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="stopped")
    switch = 'mutation($on: Boolean!) { killSwitch(on: $on, reason: "incident") { workspace } }'
    burn = {"customer": "stopped", "creditType": "soonest", "amount": "3"}
    for policy in (await client.ask("{ policies { id } }"))["policies"]:
        await client.act("removePolicy", id=policy["id"])
    assert (await client.put("burn", **burn, idempotencyKey="a")).code == "INSUFFICIENT_CREDITS"
    await client.ask(switch, on=True)
    burnt = await client.must("burn", **burn, idempotencyKey="b")
    assert burnt["decision"]["mode"] == "OFF"
    await client.ask(switch, on=False)
    assert (await client.put("burn", **burn, idempotencyKey="c")).code == "INSUFFICIENT_CREDITS"
    off_and_on = [(event["action"], event["after"]["reason"]) for event in await log(client, subject="enforcement")]
    assert off_and_on == [("enforcement.restored", "incident"), ("enforcement.off", "incident")]


async def test_a_reconciliation_of_a_small_book_is_of_now(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="counted")
    await give(client, "counted", "25", "counted")
    before = (await client.ask(RECONCILIATION))["reconciliation"]
    await client.must("burn", customer="counted", creditType="ai", amount="3", idempotencyKey="counted-1")
    after = (await client.ask(RECONCILIATION))["reconciliation"]
    assert (before["ok"], after["ok"], after["mismatches"], float(after["drift"])) == (True, True, [], 0)
    assert after["entries"] == before["entries"] + 1
    assert after["at"] > before["at"]


def figure(server: Server, name: str) -> float:
    with urllib.request.urlopen(f"{server.url}/metrics") as response:
        lines = response.read().decode().splitlines()
    return float(next(line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"{name} ")))


async def test_by_itself_the_server_writes_checkpoints_and_tells_when_a_book_does_not_reconcile(
    database_url: str, scratch: Path
):
    own = Server(scratch / "data", database_url=database_url, checkpoint_every="PT1S", reconcile_every="PT1S")
    await own.start()
    owner = await asyncpg.connect(database_url)

    async def until(wanted: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not await owner.fetchval(wanted):
                await asyncio.sleep(0.1)

    async def until_problems(some: bool) -> None:
        async with asyncio.timeout(WITHIN_S):
            while (await asyncio.to_thread(figure, own, "scrip_reconciliation_problems") > 0) is not some:
                await asyncio.sleep(0.1)

    try:
        async with Client(own.url, await own.create_key(f"proof-{uuid4()}", "ADMIN")) as client:
            await build_world(client, ["c"])
            await give(client, "c", "5", "k")
            await until("SELECT count(*) = 1 FROM checkpoints")
            await client.must("burn", customer="c", creditType="ai", amount="1", idempotencyKey="b")
            await until("SELECT count(*) = 2 FROM checkpoints")
            await until("SELECT count(*) = 1 FROM reconciliations WHERE at IS NOT NULL")
            await until_problems(False)
            await owner.execute("UPDATE grants SET remaining = remaining - 1, burned = burned + 1")
            await until_problems(True)
            found = (await client.ask(RECONCILIATION))["reconciliation"]
            assert not found["ok"]
            assert {each["customer"] for each in found["mismatches"]} == {"c"}
            assert "does not reconcile" in own.logs
            await owner.execute("UPDATE grants SET remaining = remaining + 1, burned = burned - 1")
            await until_problems(False)
        verified = await own.command("audit", "verify")
        assert verified.returncode == 0, verified.stdout
    finally:
        await owner.close()
        await own.close()

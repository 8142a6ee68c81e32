"""Every mutation is in the audit log with what was before and after, or in a list of those that are not, with the reason:
a new mutation fails here until somebody has decided."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from schema.permission import root_fields
from schema.schema import build
from tests.harness.client import Client
from tests.harness.documents import WEBHOOKS
from tests.harness.world import CATALOG, PACK, give
from tests.scenarios.conftest import World
from tests.scenarios.test_proof import log

MUTATIONS = {name.partition(".")[2] for name, _ in root_fields(build()) if name.startswith("Mutation.")}

USAGE = "usage itself: the ledger records who, when and why, and never changes it"
BOUGHT = "what customers buy: each top-up is kept with who asked, when, and what became of it"
NOT_LOGGED = {
    "burn": USAGE,
    "burnMany": USAGE,
    "hold": USAGE,
    "settle": USAGE,
    "release": USAGE,
    "extendHold": "usage itself: moves nothing; its earlier ends are kept beside the hold",
    "ingestEvents": "usage itself: each event is kept with what became of it",
    "startTopUp": BOUGHT,
    "cancelTopUp": BOUGHT,
    "setupPaymentMethod": "leads to where the customer saves it; nothing changes before that",
    "resolvePaymentIssue": "in the log: tests/credits/recharge/test_issues.py, for which nothing here goes wrong enough",
    "createEmbedToken": "lets a customer look at what is its own, for minutes; nothing changes",
}


@dataclass
class Scene:
    """A customer with credits, and what was made of it. `before` and `after` are what must be told at least."""

    client: Client
    key: str
    made: dict[str, Any] = field(default_factory=dict)

    async def ask(self, field_: str, arguments: str, answer: str) -> Any:
        text = f"mutation {{ {field_}({arguments}) {{ __typename {answer} ... on Refusal {{ code message }} }} }}"
        found = (await self.client.ask(text))[field_]
        assert found.get("code") is None, found
        return found

    async def grant(self, amount: str = "20") -> str:
        return await give(self.client, self.key, amount, str(uuid4()))

    async def burn(self, amount: str = "3") -> str:
        fields = {"customer": self.key, "creditType": "ai", "amount": amount, "idempotencyKey": str(uuid4())}
        return str((await self.client.must("burn", **fields))["entry"]["id"])

    async def dispute(self) -> str:
        entry = await self.burn()
        opened = await self.ask(
            "openDispute", f'entries: ["{entry}"], reason: "no"', "... on DisputeOk { dispute { id } }"
        )
        return str(opened["dispute"]["id"])

    async def letter(self) -> str:
        subject = f"nobody-{uuid4()}"
        event = {"id": str(uuid4()), "source": "s", "type": "llm.tokens", "subject": subject, "data": {}}
        await self.client.must("ingestEvents", events=[event])
        answer = await self.client.ask(
            "{ deadLetters(outcome: UNKNOWN_CUSTOMER, first: 500) { edges { node { id customer } } } }"
        )
        edges = answer["deadLetters"]["edges"]
        return str(next(edge["node"]["id"] for edge in edges if edge["node"]["customer"] == subject))

    async def bought(self) -> str:
        """A top-up that is paid, in the sandbox."""
        await self.client.must("applyCatalog", document={"bundles": [PACK]})
        fields = {"customer": self.key, "bundle": "pack", "idempotencyKey": str(uuid4())}
        top_up = str((await self.client.must("startTopUp", **fields))["topUp"]["id"])
        assert (await self.client.post(f"/sandbox/checkout/{top_up}/pay", b"")).status == 200
        return top_up


# (subject, action, before, after): of both at least what is named here.
Told = tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]


async def _grant_credits(scene: Scene) -> Told:
    return await scene.grant("25"), "grant.given", None, {"amount": "25", "source": "MANUAL"}


async def _grant_many(scene: Scene) -> Told:
    spend = f'customer: "{scene.key}", creditType: "ai", amount: "6", idempotencyKey: "{uuid4()}"'
    text = f"mutation {{ grantMany(inputs: [{{{spend}}}]) {{ ... on GrantOk {{ grant {{ id }} }} }} }}"
    ((made),) = (await scene.client.ask(text))["grantMany"]
    return made["grant"]["id"], "grant.given", None, {"amount": "6"}


async def _void(scene: Scene) -> Told:
    grant = await scene.grant()
    await scene.ask("voidGrant", f'grant: "{grant}", reason: OTHER, idempotencyKey: "{uuid4()}"', "")
    before, after = {"remaining": "20", "state": "ACTIVE"}, {"remaining": "0", "state": "VOIDED", "reason": "OTHER"}
    return grant, "grant.voided", before, after


async def _extend(scene: Scene) -> Told:
    grant = await scene.grant()
    arguments = f'grant: "{grant}", reason: GOODWILL, idempotencyKey: "{uuid4()}", expiresAt: "2090-01-01T00:00:00Z"'
    made = await scene.ask("extendGrant", arguments, "... on GrantOk { grant { id } }")
    after = {"expiresAt": "2090-01-01T00:00:00+00:00", "moved": "20", "grant": made["grant"]["id"]}
    return grant, "grant.extended", {"expiresAt": None}, after


async def _reverse(scene: Scene) -> Told:
    await scene.grant()
    entry = await scene.burn("5")
    for amount in ("2", "1"):
        arguments = f'entry: "{entry}", amount: "{amount}", reason: OTHER, idempotencyKey: "{uuid4()}"'
        await scene.ask("reverseBurn", arguments, "")
    return entry, "burn.reversed", {"givenBack": "2"}, {"givenBack": "3", "reason": "OTHER"}


async def _open(scene: Scene) -> Told:
    return await scene.dispute(), "dispute.opened", None, {"status": "OPEN", "amount": "3"}


async def _update(scene: Scene) -> Told:
    dispute = await scene.dispute()
    await scene.ask("updateDispute", f'id: "{dispute}", status: INVESTIGATING, assignee: "opr_7", note: "n"', "")
    before, after = (
        {"status": "OPEN", "assignee": None},
        {"status": "INVESTIGATING", "assignee": "opr_7", "noted": True},
    )
    return dispute, "dispute.updated", before, after


async def _withdraw(scene: Scene) -> Told:
    dispute = await scene.dispute()
    await scene.ask("withdrawDispute", f'id: "{dispute}"', "")
    return dispute, "dispute.withdrawn", {"status": "OPEN"}, {"status": "WITHDRAWN"}


async def _resolve(scene: Scene) -> Told:
    dispute = await scene.dispute()
    arguments = f'id: "{dispute}", uphold: true, amount: "2", resolution: "so", idempotencyKey: "{uuid4()}"'
    await scene.ask("resolveDispute", arguments, "")
    return dispute, "dispute.resolved", {"status": "OPEN"}, {"status": "UPHELD", "givenBack": "2"}


async def _retry(scene: Scene) -> Told:
    letter = await scene.letter()
    await scene.client.ask(f'mutation {{ retryDeadLetters(ids: ["{letter}"]) {{ accepted }} }}')
    unknown = {"outcome": "UNKNOWN_CUSTOMER"}
    return letter, "deadLetter.retried", unknown, unknown


async def _discard(scene: Scene) -> Told:
    letter = await scene.letter()
    await scene.client.ask(f'mutation {{ discardDeadLetters(ids: ["{letter}"], note: "never") {{ accepted }} }}')
    return letter, "deadLetter.discarded", {"outcome": "UNKNOWN_CUSTOMER"}, {"outcome": "DISCARDED"}


async def _refund(scene: Scene) -> Told:
    top_up = await scene.bought()
    arguments = f'id: "{top_up}", amount: {{amount: "2.5", currency: "EUR"}}, reason: GOODWILL, idempotencyKey: "k"'
    await scene.ask("refundTopUp", arguments, "")
    return top_up, "topUp.refundAsked", None, {"amount": "2.50", "currency": "EUR", "reason": "GOODWILL"}


async def _recharge(scene: Scene) -> Told:
    await scene.client.must("applyCatalog", document={"bundles": [PACK]})
    for cap in ("20", "30"):
        money = f'monthlyCap: {{amount: "{cap}", currency: "EUR"}}'
        rule = f'creditType: "ai", enabled: {str(cap == "20").lower()}, threshold: "5", bundle: "pack", {money}'
        await scene.ask("setRecharge", f'input: {{customer: "{scene.key}", {rule}}}', "")
    before = {"enabled": True, "monthlyCap": "20.00 EUR"}
    after = {"creditType": "ai", "enabled": False, "bundle": "pack", "threshold": "5", "monthlyCap": "30.00 EUR"}
    found = await scene.client.ask(f'{{ customer(key: "{scene.key}") {{ id }} }}')
    return found["customer"]["id"], "recharge.set", before, after


async def _customer(scene: Scene) -> Told:
    changed = await scene.client.must("upsertCustomer", key=scene.key, timezone="Europe/Berlin", name="Ada")
    after = {"timezone": "Europe/Berlin", "alsoChanged": ["name"]}
    return changed["customer"]["id"], "customer.changed", {"timezone": "UTC"}, after


async def _member(scene: Scene) -> Told:
    for group in ("lab", "field"):
        await scene.ask("upsertMember", f'customer: "{scene.key}", key: "ann", name: "Ann", group: "{group}"', "")
    return scene.key, "member.changed", {"member": "ann", "group": "lab"}, {"member": "ann", "group": "field"}


async def _limit(scene: Scene, *amounts: str) -> str:
    found: Any = None
    for amount in amounts:
        arguments = (
            f'customer: "{scene.key}", input: {{creditType: "ai", amount: "{amount}", window: DAY, member: "bob"}}'
        )
        found = await scene.ask("setLimit", arguments, "... on LimitOk { limit { id } }")
    return str(found["limit"]["id"])


async def _set_limit(scene: Scene) -> Told:
    limit = await _limit(scene, "5", "7")
    return limit, "limit.set", {"amount": "5", "member": "bob"}, {"amount": "7", "window": "DAY", "creditType": "ai"}


async def _remove_limit(scene: Scene) -> Told:
    limit = await _limit(scene, "9")
    await scene.ask("removeLimit", f'id: "{limit}"', "")
    return limit, "limit.removed", {"amount": "9", "member": "bob"}, None


async def _catalog(scene: Scene) -> Told:
    features = [
        *CATALOG["features"],
        {"key": f"f-{uuid4().hex[:8]}", "name": "New", "eventType": "new", "quantity": "1"},
    ]
    features[-1]["unit"] = "call"
    await scene.client.must("applyCatalog", document={**CATALOG, "features": features})
    return "catalog", "catalog.applied", {}, {}


async def _set_policy(scene: Scene) -> Told:
    for mode in ("SOFT", "ENFORCE"):
        policy = (await scene.client.must("setPolicy", mode=mode, customer=scene.key))["policy"]["id"]
    return policy, "policy.set", {"mode": "SOFT"}, {"mode": "ENFORCE"}


async def _remove_policy(scene: Scene) -> Told:
    policy = (await scene.client.must("setPolicy", mode="SHADOW", customer=scene.key))["policy"]["id"]
    await scene.ask("removePolicy", f'id: "{policy}"', "")
    return policy, "policy.removed", {"mode": "SHADOW"}, None


async def _cutoff(scene: Scene) -> Told:
    for cutoff in ("P30D", "P3D"):
        await scene.ask("setLateEventCutoff", f'cutoff: "{cutoff}"', "")
    return "lateEventCutoff", "lateEventCutoff.set", {"cutoff": "P30D"}, {"cutoff": "P3D"}


async def _create_key(scene: Scene) -> Told:
    made = await scene.ask("createApiKey", 'name: "k", role: VIEWER', "... on ApiKeyOk { apiKey { id } }")
    return made["apiKey"]["id"], "apiKey.created", None, {"name": "k", "role": "VIEWER"}


async def _revoke_key(scene: Scene) -> Told:
    made = await scene.ask("createApiKey", 'name: "r", role: VIEWER', "... on ApiKeyOk { apiKey { id } }")
    await scene.ask("revokeApiKey", f'id: "{made["apiKey"]["id"]}"', "")
    return made["apiKey"]["id"], "apiKey.revoked", {"name": "r"}, {}


async def _kill_switch(scene: Scene) -> Told:
    await scene.client.ask('mutation { killSwitch(on: false, reason: "a drill") { __typename } }')
    return "enforcement", "enforcement.restored", {"off": False}, {"off": False, "reason": "a drill"}


async def _endpoint(scene: Scene, *events: str) -> str:
    for found in (await scene.client.ask(WEBHOOKS))["webhookEndpoints"]:  # there are only so many
        await scene.client.must("removeWebhookEndpoint", id=found["id"])
    more = {"url": "https://8.8.8.8/T0P/path", "events": list(events or ("topup.failed",))}
    return str((await scene.client.must("createWebhookEndpoint", **more))["endpoint"]["id"])


async def _create_endpoint(scene: Scene) -> Told:
    after = {"origin": "https://8.8.8.8", "events": ["topup.failed"], "enabled": True}
    return await _endpoint(scene), "webhookEndpoint.created", None, after


async def _rotate_secret(scene: Scene) -> Told:
    endpoint = await _endpoint(scene)
    await scene.client.must("rotateWebhookSecret", id=endpoint)
    return endpoint, "webhookEndpoint.rotated", {}, {}


async def _enable_endpoint(scene: Scene) -> Told:
    endpoint = await _endpoint(scene)
    await scene.client.must("enableWebhookEndpoint", id=endpoint, enabled=False)
    return endpoint, "webhookEndpoint.disabled", {"enabled": True}, {"enabled": False}


async def _remove_endpoint(scene: Scene) -> Told:
    endpoint = await _endpoint(scene)
    await scene.client.must("removeWebhookEndpoint", id=endpoint)
    return endpoint, "webhookEndpoint.removed", {"origin": "https://8.8.8.8"}, None


async def _replay(scene: Scene) -> Told:
    await _endpoint(scene, "grant.created")
    await scene.grant()
    ((delivery,),) = [each["deliveries"] for each in (await scene.client.ask(WEBHOOKS))["webhookEndpoints"]]
    await scene.client.must("replayWebhook", id=delivery["id"])
    return delivery["id"], "webhookDelivery.replayed", {"status": "WAITING"}, {"message": delivery["messageId"]}


async def _clock(scene: Scene) -> Told:
    to = datetime.fromisoformat(await scene.client.now()) + timedelta(minutes=1)
    await scene.ask("advanceClock", f'to: "{to.isoformat()}"', "")
    return "clock", "clock.advanced", {}, {}


LOGGED: dict[str, Callable[[Scene], Awaitable[Told]]] = {
    "grantCredits": _grant_credits,
    "grantMany": _grant_many,
    "voidGrant": _void,
    "extendGrant": _extend,
    "reverseBurn": _reverse,
    "openDispute": _open,
    "updateDispute": _update,
    "withdrawDispute": _withdraw,
    "resolveDispute": _resolve,
    "retryDeadLetters": _retry,
    "discardDeadLetters": _discard,
    "refundTopUp": _refund,
    "setRecharge": _recharge,
    "upsertCustomer": _customer,
    "upsertMember": _member,
    "setLimit": _set_limit,
    "removeLimit": _remove_limit,
    "applyCatalog": _catalog,
    "setPolicy": _set_policy,
    "removePolicy": _remove_policy,
    "setLateEventCutoff": _cutoff,
    "createApiKey": _create_key,
    "revokeApiKey": _revoke_key,
    "killSwitch": _kill_switch,
    "advanceClock": _clock,
    "createWebhookEndpoint": _create_endpoint,
    "rotateWebhookSecret": _rotate_secret,
    "enableWebhookEndpoint": _enable_endpoint,
    "removeWebhookEndpoint": _remove_endpoint,
    "replayWebhook": _replay,
}


def test_of_every_mutation_it_is_decided_whether_it_is_in_the_audit_log():
    assert {*LOGGED, *NOT_LOGGED} == MUTATIONS, "an act goes into LOGGED, anything else into NOT_LOGGED with its reason"
    assert not set(LOGGED) & set(NOT_LOGGED)


@pytest.mark.parametrize("name", LOGGED)
async def test_each_of_them_is_found_by_its_subject_with_what_was_before_and_after(world: World, name: str):
    client = await world.client()
    scene = Scene(client, f"c-{uuid4()}")
    await client.must("upsertCustomer", key=scene.key)
    await scene.grant("100")
    subject, action, before, after = await LOGGED[name](scene)
    told = (await log(client, subject=subject))[0]
    assert told["action"] == action
    assert told["actor"]["kind"] == "API_KEY"
    for said, wanted in ((told["before"], before), (told["after"], after)):
        assert (said is None) == (wanted is None), told
        assert wanted is None or wanted.items() <= said.items(), told


async def test_what_changes_nothing_is_not_told_again(world: World):
    client = await world.client()
    scene = Scene(client, f"c-{uuid4()}")
    await client.must("upsertCustomer", key=scene.key)
    await _limit(scene, "5", "5")
    for _ in range(2):
        await scene.ask("upsertMember", f'customer: "{scene.key}", key: "ann", group: "lab"', "")
        await scene.ask("setLateEventCutoff", f'cutoff: "P9D", customer: "{scene.key}"', "")
    actions = [event["action"] for event in await log(client, subject=scene.key)]
    assert actions == ["lateEventCutoff.set", "member.created", "customer.created"]
    assert len(await log(client, subject=await _limit(scene, "5"))) == 1

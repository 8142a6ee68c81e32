"""A recharge storm: a thousand accounts with a card that always declines, usage that goes on, and a month."""

import asyncio
from collections import Counter as Tally
from datetime import timedelta

from sqlalchemy import text

from credits.customers.customers import upsert_customer
from credits.recharge.recharger import Recharger
from tests.credits.recharge.ruling import DAY, HOUR, Ruling
from tests.credits.webhooks.conftest import Desk

ACCOUNTS = 1_000
AT_ONCE = 8
# Steps of the month: after each of them usage goes on, and the rules are asked.
STEPS = (*[2 * HOUR] * 4, *[6 * HOUR] * 6, *[4 * DAY] * 7)


async def crowd(ruling: Ruling) -> list[str]:
    """Customers with a rule, and a card that the bank declines."""
    till = ruling.till
    keys = [f"customer-{number:04}" for number in range(ACCOUNTS)]
    async with till.reader.changing(till.workspace_id) as page:
        for key in keys:
            await upsert_customer(page.connection, till.workspace_id, key, {}, page.workspace.now)
    await ruling.rule(customer=keys[0])
    async with till.database.transaction(till.workspace_id) as connection:
        await connection.execute(
            text("""INSERT INTO payment_methods (customer_id, provider, provider_id, workspace_id, label, is_default, saved_at)
                    SELECT id, 'sandbox', 'card-' || id, workspace_id, 'declines', true, now() FROM customers
                     WHERE key LIKE 'customer-%'""")
        )
        await connection.execute(
            text("""INSERT INTO recharge_rules (customer_id, workspace_id, credit_type_id, threshold, cap, changed_at,
                                                bundle_id, version, enabled, currency)
                    SELECT c.id, r.workspace_id, credit_type_id, threshold, cap, changed_at, bundle_id, 1, true, r.currency
                      FROM customers c, recharge_rules r WHERE c.key LIKE 'customer-%'
                    ON CONFLICT DO NOTHING""")
        )
    rows = await till.rows("SELECT provider_id FROM payment_methods")
    ruling.bank.cards.update({row["provider_id"]: "declining" for row in rows})
    await asyncio.gather(*(till.must(till.grant("1000", customer=key)) for key in keys))
    return keys


async def sweep(ruling: Ruling, rechargers: list[Recharger]) -> None:
    """As the jobs of two processes: both look, and fire what they see."""
    room = asyncio.Semaphore(AT_ONCE)
    workspace_id = ruling.till.workspace_id

    async def fire(recharger: Recharger, account: tuple[int, int]) -> None:
        async with room:
            await recharger.fire(workspace_id, account)

    below = await rechargers[0].below(workspace_id, 10_000)
    twice = below[:20]  # where two processes see the same
    await asyncio.gather(*(fire(rechargers[0], each) for each in below), *(fire(rechargers[1], each) for each in twice))


async def test_a_card_that_always_declines_is_asked_four_times_a_rule_in_a_month_and_then_no_more(ruling: Ruling):
    desk, till = Desk(ruling.till), ruling.till
    await desk.endpoint("recharge.failed", "recharge.suspended", "recharge.succeeded")
    keys = await crowd(ruling)
    rechargers = [ruling.recharger, (await ruling.process()).recharger]
    passed = timedelta()
    await asyncio.gather(*(till.must(till.burn("901", customer=key)) for key in keys))
    for step in STEPS:
        await sweep(ruling, rechargers)
        await till.jump(step)
        passed += step
        await asyncio.gather(*(till.must(till.burn("1", customer=key)) for key in keys))
    assert passed >= 29 * DAY
    rows = await till.rows("SELECT customer_id, count(*) AS attempts FROM top_ups WHERE automatic GROUP BY 1")
    assert Tally(row["attempts"] for row in rows) == {4: ACCOUNTS}
    rules = await till.rows("SELECT failures, suspended_at IS NULL AS going FROM recharge_rules")
    assert {(rule["failures"], rule["going"]) for rule in rules} == {(4, False)}
    assert Tally(await desk.types()) == {"recharge.failed": 4 * ACCOUNTS, "recharge.suspended": ACCOUNTS}
    asked = Tally(what for verb, what in ruling.bank.asked if verb == "charge")
    assert (len(asked), max(asked.values())) == (4 * ACCOUNTS, 1)
    assert ruling.bank.charges == []

"""Prices, policies and burn orders change while customers hold and burn: the next batch knows, what was agreed stays."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from credits.enforcement.policies import list_policies, remove_policy
from credits.errors import InsufficientCredits, InvalidInput
from credits.posting.commands import HoldId
from credits.posting.outcomes import Burned
from credits.usage.envelope import from_attributes
from credits.workspaces import bump_config
from tests.credits.posting.till import CATALOG, Till


def priced(per_unit: str, *, follow: bool = True, **more: Any) -> dict[str, Any]:
    """The catalog with another price of a token, published to be followed."""
    (card,) = CATALOG["rateCards"]
    rates = [{**rate, "perUnit": per_unit} if rate["feature"] == "chat" else rate for rate in card["rates"]]
    changed = {"cohort": "default", "effectiveAt": "2020-01-01T00:00:00Z", "rates": rates}
    return {**CATALOG, "rateCards": [changed | ({"existing": "follow"} if follow else {})], **more}


async def test_a_hold_keeps_the_price_it_was_opened_at(till: Till):
    """C16."""
    await till.must(till.grant("1000"))
    opened = till.hold(spend=till.chat("10").spend)
    taken = await till.must(opened)
    hold = HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number)
    assert taken.hold.amount == 5_000_000
    await till.apply(priced("9"))
    part = await till.must(till.settle(hold, quantity=Decimal(4), partial=True))
    assert part.entry.amount == -2_000_000
    await till.apply({**priced("7"), "features": []})
    last = await till.must(till.settle(hold, quantity=Decimal(8)))
    assert (last.entry.amount, last.hold.settled) == (-4_000_000, 6_000_000), "one credit beyond the hold"
    (row,) = await till.rows("SELECT count(DISTINCT rate_id) AS rates FROM entries WHERE hold_number IS NOT NULL")
    assert row["rates"] == 1
    assert await till.available() == 994
    await till.check()


async def test_the_next_batch_of_every_process_knows_the_new_price(till: Till):
    await till.must(till.grant("1000"))
    second = await till.another_process()
    for price in ("0.5", "2", "3.25"):
        await till.apply(priced(price))
        for writer in (till.writer, second):
            answer = await till.post(till.chat("10"), writer)
            assert isinstance(answer, Burned)
            assert answer.entry.amount == -int(Decimal(price) * 10_000_000)
        events = [from_attributes(f"{price}{n}", "tests", "chat", "acme", None, {"tokens": 10}) for n in range(2)]
        before = (await till.balance()).available
        await till.many(events[0])
        await till.many(events[1], writer=second)
        assert before - (await till.balance()).available == int(Decimal(price) * 20_000_000)
    await till.check()


async def test_a_customer_stays_on_its_version_until_it_is_moved_whatever_its_batch(till: Till):
    await till.many(till.grant("100"), till.chat("2"))
    await till.apply(priced("5", follow=False))
    answers = await till.many(till.chat("2"), till.grant("100", customer="other"), till.chat("2", customer="other"))
    assert [-answer.entry.amount for answer in (answers[0], answers[2])] == [1_000_000, 10_000_000]  # type: ignore[union-attr]
    tags = await till.rows("SELECT key, rate_card_version FROM customers ORDER BY key")
    assert [tuple(row.values()) for row in tags] == [("acme", 1), ("other", 2)]


async def test_a_policy_decides_from_the_next_batch_on_and_no_longer_once_removed(till: Till):
    second = await till.another_process()
    for writer in (till.writer, second):
        assert isinstance(await till.post(till.burn("1"), writer), InsufficientCredits)
    await till.policy("SOFT", customer="acme")
    for writer in (till.writer, second):
        answer = await till.post(till.burn("1"), writer)
        assert isinstance(answer, Burned)
        assert answer.decision.would_block
    assert isinstance(await till.post(till.burn("1", customer="other"), second), InsufficientCredits)
    async with till.database.transaction(till.workspace_id) as connection:
        (policy,) = await list_policies(connection)
        await remove_policy(connection, till.workspace_id, policy.id)
    for writer in (till.writer, second):
        assert isinstance(await till.post(till.burn("1"), writer), InsufficientCredits)
    await till.check()


async def test_an_overdraft_limit_that_shrinks_under_debt_refuses_more_and_takes_nothing_back(till: Till):
    await till.policy("ENFORCE", overdraft_limit_micro=10_000_000)
    hold = await till.open_hold("6")
    await till.must(till.burn("4"))
    assert isinstance(await till.post(till.burn("0.000001")), InsufficientCredits)
    await till.policy("ENFORCE", overdraft_limit_micro=2_000_000)
    answer = await till.post(till.burn("1"))
    assert isinstance(answer, InsufficientCredits)
    assert (answer.available_micro, answer.overdraft_left_micro) == (-10_000_000, -8_000_000)
    await till.must(till.settle(hold, "5", partial=True))
    assert isinstance(await till.post(till.settle(hold, "1.000001")), InsufficientCredits)
    await till.must(till.release(hold))
    assert await till.available() == -9
    await till.check()


async def test_another_burn_order_draws_the_next_burn_from_another_grant(till: Till):
    now = await till.now()
    await till.must(till.grant("10", priority=90, expires_at=now + timedelta(days=1)))
    await till.must(till.grant("10", priority=10))
    first = await till.must(till.burn("1"))
    assert first.entry.allocations == [(2, 1_000_000)]
    kinds = [{**kind, "burnOrder": "EXPIRY_FIRST"} for kind in CATALOG["creditTypes"]]
    await till.apply({**CATALOG, "creditTypes": kinds})
    second = await till.must(till.burn("1"))
    assert second.entry.allocations == [(1, 1_000_000)]
    await till.check()


async def test_a_finer_scale_lets_finer_amounts_in(till: Till):
    coarse = {**CATALOG, "creditTypes": [*CATALOG["creditTypes"], {"key": "whole", "scale": 0}]}
    await till.apply(coarse)
    await till.must(till.grant("5", credit_type="whole"))
    assert isinstance(await till.post(till.burn("0.5", credit_type="whole")), InvalidInput)
    fine = {**CATALOG, "creditTypes": [*CATALOG["creditTypes"], {"key": "whole", "scale": 1}]}
    await till.apply(fine)
    await till.must(till.burn("0.5", credit_type="whole"))
    assert await till.available(credit_type="whole") == Decimal("4.5")
    await till.check()


async def test_a_credit_type_that_one_process_has_just_made_is_known_to_all(till: Till):
    second = await till.another_process()
    await till.must(till.grant("1"))
    await till.post(till.burn("0.1"), second)
    await till.apply({**CATALOG, "creditTypes": [*CATALOG["creditTypes"], {"key": "new"}]})
    assert isinstance(await till.post(till.burn("1", credit_type="new"), second), InsufficientCredits)
    await till.must(till.grant("3", credit_type="new"))
    assert isinstance(await till.post(till.burn("1", credit_type="new"), second), Burned)
    assert await till.available(credit_type="new") == 2


async def test_a_change_that_is_rolled_back_was_never_there(till: Till):
    await till.must(till.grant("10"))

    async def never_mind() -> None:
        async with till.database.transaction(till.workspace_id) as connection:
            await bump_config(connection)
            await connection.execute(
                text(
                    "INSERT INTO policies (workspace_id, mode, rollout_percent, updated_at) VALUES (:w, 'OFF', 100, :now)"
                ),
                {"w": till.workspace_id, "now": datetime.now(UTC)},
            )
            await asyncio.gather(till.post(till.burn("1")))
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await never_mind()
        assert isinstance(await till.post(till.burn("100")), InsufficientCredits)
    assert await till.available() == 7


async def test_configuration_that_changes_while_batches_run_never_mixes_two_versions_in_one_burn(till: Till):
    """Each burn's amount is what its own recorded rate says."""
    await till.must(till.grant("100000"))
    second = await till.another_process()
    done = asyncio.Event()

    async def change() -> None:
        for number in range(1, 25):
            await till.apply(priced(str(number)))
        done.set()

    async def burn(writer: Any) -> None:
        while not done.is_set():
            await till.many(*(till.chat("2") for _ in range(3)), writer=writer)

    await asyncio.gather(change(), burn(till.writer), burn(second))
    wrong = await till.rows(
        """SELECT e.sequence FROM entries e JOIN rates r ON r.id = e.rate_id
            WHERE e.kind = 2 AND -e.amount <> e.quantity * r.per_unit * 1000000"""
    )
    assert not wrong
    (used,) = await till.rows("SELECT count(DISTINCT rate_id) AS rates FROM entries WHERE kind = 2")
    assert used["rates"] > 1
    await till.check()

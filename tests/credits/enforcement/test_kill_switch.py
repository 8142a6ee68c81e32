"""The kill switch: OFF everywhere at once, back as it was, and in the log."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from credits.audit.log import list_acts
from credits.enforcement.kill_switch import set_kill_switch
from credits.enforcement.policies import set_policy
from credits.errors import InsufficientCredits, InvalidInput
from credits.posting.outcomes import Burned
from tests.credits.posting.conftest import till
from tests.credits.posting.till import Till

__all__ = ["till"]


async def switch(till: Till, *, off: bool, reason: str = "incident 7") -> InvalidInput | None:
    async with till.database.transaction(till.workspace_id) as connection:
        return await set_kill_switch(connection, off=off, reason=reason, actor_id=None)


async def test_it_turns_enforcement_off_in_every_process_and_restores_it(till: Till):
    """O8: logged, reversible."""
    await till.must(till.grant("5"))
    other = await till.another_process()
    for writer in (till.writer, other):
        assert isinstance(await till.post(till.burn("9"), writer), InsufficientCredits)
    assert await switch(till, off=True) is None
    for writer in (till.writer, other):
        answer = await till.post(till.burn("4"), writer)
        assert isinstance(answer, Burned)
        assert answer.decision.mode == "OFF"
    assert await till.available() == Decimal(-3)
    assert await switch(till, off=False) is None
    for writer in (till.writer, other):
        assert isinstance(await till.post(till.burn("1"), writer), InsufficientCredits)


async def test_policies_are_kept_and_decide_nothing_meanwhile(till: Till):
    async with till.database.transaction(till.workspace_id) as connection:
        more = {"actor_id": None, "now": datetime.now(UTC)}
        await set_policy(connection, till.workspace_id, mode="ENFORCE", overdraft_limit_micro=2_000_000, **more)
        await set_policy(connection, till.workspace_id, mode="SOFT", customer="other", **more)
    await switch(till, off=True)
    for key in ("acme", "other"):
        customer = await till.customer(key)
        async with till.reader.page(till.workspace_id) as page:
            effective = page.enforcement(customer, None, None)
        assert (effective.mode, effective.decided_by) == ("OFF", "the kill switch")
        assert effective.overdraft_limit_micro == 2_000_000, "what balances show of the limit stays"
    await switch(till, off=False)
    async with till.reader.page(till.workspace_id) as page:
        modes = [page.enforcement(await till.customer(key), None, None).mode for key in ("acme", "other")]
    assert modes == ["ENFORCE", "SOFT"]


async def test_each_turn_is_logged_with_its_reason(till: Till):
    for off in (True, True, False):
        await switch(till, off=off)
    async with till.database.transaction(till.workspace_id) as connection:
        found, _ = await list_acts(connection, ["enforcement"], 50, None)
    told = [(item.act.action, orjson.loads(item.act.before), orjson.loads(item.act.after)) for item in found]
    assert told == [
        ("enforcement.restored", {"off": True}, {"off": False, "reason": "incident 7"}),
        ("enforcement.off", {"off": True}, {"off": True, "reason": "incident 7"}),
        ("enforcement.off", {"off": False}, {"off": True, "reason": "incident 7"}),
    ]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2_001, "a\0b"])
async def test_without_a_reason_nothing_happens(till: Till, reason: str):
    assert isinstance(await switch(till, off=True, reason=reason), InvalidInput)
    async with till.reader.page(till.workspace_id) as page:
        assert page.enforcement(await till.customer(), None, None).mode == "ENFORCE"

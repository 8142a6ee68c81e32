"""A message is written with its fact, in the order of the facts, and only where somebody wants it (K7, K8, DESIGN 4)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from credits import ids
from credits.db import Connection
from credits.disputes.change import open_dispute, withdraw_dispute
from credits.disputes.resolve import resolving
from credits.enforcement.kill_switch import set_kill_switch
from credits.enforcement.policies import list_policies, remove_policy
from credits.errors import InsufficientCredits, Unavailable
from credits.posting.commands import GiveGrant
from credits.posting.corrections import EntryId
from credits.posting.outcomes import EventOutcome
from credits.usage.envelope import from_attributes
from tests.credits.posting.test_writer_faults import Cut, cut
from tests.credits.posting.till import Till
from tests.credits.webhooks.conftest import Desk

__all__ = ["cut"]
DAY = timedelta(days=1)


def event(number: int, *, subject: str = "acme", type_: str = "chat", tokens: Any = 2) -> Any:
    return from_attributes(str(number), "tests", type_, subject, None, {"tokens": tokens})


# ─── what is told ──────────────────────────────────────────────────────────────────────────────────
async def test_a_grant_and_the_lines_that_its_burns_cross_are_told_in_order(till: Till, desk: Desk):
    await desk.endpoint()
    granted = await till.must(till.grant("100", source="PROMOTION"))
    for amount in ("79", "1", "1", "19"):
        await till.must(till.burn(amount))
    await till.policy("SOFT")
    await till.must(till.burn("5"))
    await till.must(till.burn("5"))
    told = await desk.told()
    types = ["grant.created", "balance.low", "balance.depleted", "enforcement.changed", "balance.negative"]
    assert [each["type"] for each in told] == types
    created, low, depleted, _, negative = [each["data"] for each in told]
    public = ids.make("cus", (await till.customer()).id)
    whose = {"customer": "acme", "customerId": public, "creditType": "ai"}
    assert whose.items() <= created.items()
    assert {"amount": "100", "source": "PROMOTION", "status": "ACTIVE", "expiresAt": None}.items() <= created.items()
    assert created["grant"] == f"gra_{public[4:]}_{created['grant'].split('_')[2]}_{granted.grant.number}"
    assert {"available": "19", "balance": "19", "held": "0", "threshold": "20", "version": 4}.items() <= low.items()
    assert (depleted["available"], depleted["version"]) == ("0", 5)
    assert (negative["available"], negative["version"]) == ("-5", 6)


async def test_one_burn_that_crosses_all_lines_tells_all_of_them(till: Till, desk: Desk):
    await desk.endpoint("balance.low", "balance.depleted", "balance.negative")
    await till.policy("SHADOW")  # customers see nothing of it; operators do
    await till.must(till.grant("10"))
    await till.must(till.burn("11"))
    assert await desk.types() == ["balance.low", "balance.depleted", "balance.negative"]


async def test_within_a_batch_each_line_is_told_once_however_often_it_is_crossed(till: Till, desk: Desk):
    await till.must(till.grant("10"))
    await desk.endpoint("balance.low", "balance.depleted")
    await till.many(*(command for _ in range(2) for command in (till.burn("10"), till.grant("10"))))
    assert await desk.types() == ["balance.low", "balance.depleted"]


async def test_what_a_hold_sets_aside_is_not_available(till: Till, desk: Desk):
    await desk.endpoint("balance.low", "hold.lapsed")
    await till.must(till.grant("10"))
    hold = await till.open_hold("9")
    await till.advance(timedelta(hours=2))
    low, lapsed = await desk.told()
    assert {"available": "1", "held": "9", "balance": "10"}.items() <= low["data"].items()
    assert lapsed["type"] == "hold.lapsed"
    assert lapsed["data"]["amount"] == "9"
    assert lapsed["data"]["hold"].endswith(f"_{hold.number}")


async def test_what_the_clock_ends_is_told_at_its_due_instant(till: Till, desk: Desk):
    await desk.endpoint("grant.expired", "balance.depleted")
    ends_at = await till.now() + 3 * DAY
    await till.must(till.grant("10", expires_at=ends_at))
    await till.must(till.burn("4"))
    await till.advance(5 * DAY)
    expired, depleted = await desk.told()
    stamp = ends_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert expired["timestamp"] == depleted["timestamp"] == expired["data"]["expiresAt"] == stamp
    assert expired["data"]["amount"] == "6"


async def test_late_usage_that_takes_from_what_had_expired_crosses_no_line(till: Till, desk: Desk):
    """UNEXPIRE gives back, the late burn takes it: nothing more can be spent than before, and nothing less."""
    await till.must(till.grant("10", expires_at=await till.now() + DAY))
    within = await till.now() + timedelta(hours=1)
    await till.advance(2 * DAY)
    await desk.endpoint("balance.low", "balance.depleted", "balance.negative")
    late = from_attributes("late", "tests", "chat", "acme", within, {"tokens": 8})
    await till.many(late)
    kinds = [row["kind"] for row in await till.rows("SELECT kind FROM entries ORDER BY sequence")]
    assert kinds == [1, 7, 8, 2], "granted, expired, unexpired, burned"
    assert await desk.types() == []
    await till.many(from_attributes("more", "tests", "chat", "acme", within, {"tokens": 20}))
    assert await desk.types() == ["balance.negative"]


async def test_a_scheduled_grant_is_created_when_it_is_given_and_not_again_when_it_begins(till: Till, desk: Desk):
    await desk.endpoint("grant.created")
    await till.must(till.grant("10", effective_at=await till.now() + DAY))
    assert [each["data"]["status"] for each in await desk.told()] == ["SCHEDULED"]
    await till.advance(2 * DAY)
    assert await desk.types() == ["grant.created"]


async def test_dead_letters_of_a_batch_are_told_together_by_customer_and_outcome(till: Till, desk: Desk):
    await desk.endpoint("event.dead_lettered")
    fine = [event(number) for number in range(3)]
    unknown = [event(number + 100, subject="nobody") for number in range(30)]
    unmetered = [event(number + 200, type_="unheard of") for number in range(2)]
    await till.many(*fine, *unknown, *unmetered)
    await till.many(*unknown)  # once more: duplicates
    told = {each["data"]["outcome"]: each["data"] for each in await desk.told()}
    assert set(told) == {"UNKNOWN_CUSTOMER", "UNKNOWN_TYPE"}
    assert (told["UNKNOWN_TYPE"]["customer"], told["UNKNOWN_TYPE"]["count"]) == ("acme", 2)
    assert told["UNKNOWN_CUSTOMER"]["customer"] is None
    batches = [each["data"] for each in await desk.told() if each["data"]["outcome"] == "UNKNOWN_CUSTOMER"]
    assert sum(each["count"] for each in batches) == 30
    first = batches[0]["events"][0]
    assert first["id"].startswith("evt_")
    assert {"source": "tests", "type": "chat", "subject": "nobody"}.items() <= first.items()


async def test_changes_of_enforcement_are_told_with_what_they_came_to(till: Till, desk: Desk):
    await desk.endpoint("enforcement.changed")
    await till.policy("SOFT", customer="acme")
    async with till.database.transaction(till.workspace_id) as connection:
        (policy,) = await list_policies(connection)
        await remove_policy(connection, till.workspace_id, policy.id)
        await set_kill_switch(connection, off=True, reason="a drill", actor_id=None)
        await set_kill_switch(connection, off=False, reason="over", actor_id=None)
    told = [each["data"] for each in await desk.told()]
    changes = ["policy.set", "policy.removed", "enforcement.off", "enforcement.restored"]
    assert [each["change"] for each in told] == changes
    assert {"customer": "acme", "mode": "SOFT", "policy": policy.id}.items() <= told[0].items()
    assert told[2]["reason"] == "a drill"
    versions = [each["version"] for each in told]
    assert versions == sorted(set(versions))


async def test_disputes_are_told_when_they_open_and_when_they_end_whichever_way(till: Till, desk: Desk):
    await desk.endpoint("dispute.opened", "dispute.resolved")
    await till.must(till.grant("100"))
    entries = [(await till.must(till.burn("3"))).entry for _ in range(3)]
    upheld, rejected, withdrawn = [await till.contest(entry, reason="my secret") for entry in entries]
    for dispute, uphold in ((upheld, True), (rejected, False)):
        amount = Decimal(2) if uphold else None
        how: dict[str, Any] = {"upheld": uphold, "amount": amount, "resolution": "private", "key": till.key()}
        command = resolving(dispute, **how, actor_id=None)
        await till.must(command)  # type: ignore[arg-type]
        await till.must(command)  # type: ignore[arg-type] -- a replay tells nothing
    async with till.reader.changing(till.workspace_id) as page:
        await withdraw_dispute(page, withdrawn.place, actor_id=None)
    told = await desk.told()
    assert [each["type"] for each in told] == ["dispute.opened"] * 3 + ["dispute.resolved"] * 3
    assert [each["data"]["dispute"] for each in told] == [upheld.id, rejected.id, withdrawn.id] * 2
    ends = [(each["data"]["status"], each["data"]["givenBack"], each["data"]["version"]) for each in told[3:]]
    assert ends == [("UPHELD", "2", 2), ("REJECTED", "0", 2), ("WITHDRAWN", "0", 2)]
    assert told[0]["data"]["customer"] == "acme"
    assert told[0]["data"]["creditType"] == "ai"
    assert told[0]["data"]["amount"] == "3"
    assert "secret" not in str(told)
    assert "private" not in str(told)


# ─── with its fact or not at all ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("when", "happened"), [("before", False), ("after", True)])
async def test_at_a_commit_that_is_cut_off_message_and_fact_are_there_together_or_not_at_all(
    till: Till, desk: Desk, cut: Cut, when: str, happened: bool
):
    await desk.endpoint()
    commands = [till.grant("10") for _ in range(3)]
    await till.must(till.grant("1"))
    cut.armed = when
    answers = await asyncio.gather(*(till.post(command) for command in commands), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert cut.cuts == 1

    async def both() -> tuple[int, int]:
        return len(await till.rows("SELECT 1 AS one FROM grants")), len(await desk.told("grant.created"))

    assert await both() == ((4, 4) if happened else (1, 1))
    await till.many(*commands)
    assert await both() == (4, 4), "once more changes nothing that is there"


async def test_what_is_refused_replayed_or_rolled_back_is_not_told(till: Till, desk: Desk):
    await desk.endpoint()
    grant = till.grant("10")
    await till.must(grant)
    before = await desk.types()
    assert (await till.must(grant)).replayed
    assert isinstance(await till.post(till.burn("11")), InsufficientCredits)
    burned = (await till.must(till.burn("1"))).entry
    place = EntryId(burned.customer_id, burned.credit_type_id, burned.sequence)

    async def contest_and_fail() -> None:
        async with till.reader.changing(till.workspace_id) as page:
            await open_dispute(page, [place], "no", actor_id=None, sla=DAY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await contest_and_fail()
    assert await desk.types() == before == ["grant.created"]
    assert not await till.rows("SELECT 1 AS one FROM disputes")


async def test_a_poisoned_command_of_a_batch_takes_no_message_of_the_others_with_it(
    till: Till, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    from credits.posting import writer  # noqa: PLC0415

    apply = writer.apply

    def poisoned(book: Any, command: Any) -> Any:
        if isinstance(command, GiveGrant) and command.amount == 13:
            raise ZeroDivisionError
        return apply(book, command)

    monkeypatch.setattr(writer, "apply", poisoned)
    await desk.endpoint()
    answers = await asyncio.gather(
        *(till.post(till.grant(amount)) for amount in ("1", "13", "2")), return_exceptions=True
    )
    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert sorted(each["data"]["amount"] for each in await desk.told()) == ["1", "2"]


async def test_messages_of_a_customer_stand_in_the_order_of_its_entries_whoever_writes_them(till: Till, desk: Desk):
    await desk.endpoint("grant.created")
    others = [till.writer, await till.another_process(), await till.another_process()]
    grants = [(till.grant("1"), others[n % 3]) for n in range(60)]
    await asyncio.gather(*(till.post(command, writer) for command, writer in grants))
    versions = [each["data"]["version"] for each in await desk.told()]
    assert versions == sorted(versions)
    assert len(versions) == 60


# ─── only where it is wanted ───────────────────────────────────────────────────────────────────────
class Scripts:
    """What the writer sends to the database, each round trip."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def statements(self) -> int:
        """How many there were, and forgotten."""
        count = sum(script.count("EXECUTE ") + (0 if "EXECUTE " in script else 1) for script in self.sent)
        self.sent.clear()
        return count


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Scripts:
    seen = Scripts()
    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        plain: Callable[..., Awaitable[Any]] = getattr(asyncpg.Connection, name)

        async def noted(
            self: Any, query: str, *arguments: Any, _plain: Callable[..., Awaitable[Any]] = plain, **options: Any
        ) -> Any:
            seen.sent.append(query)
            return await _plain(self, query, *arguments, **options)

        monkeypatch.setattr(Connection, name, noted)
    return seen


async def test_where_nobody_wants_it_not_one_statement_more_is_sent(till: Till, desk: Desk, scripts: Scripts):
    writer = till.writer
    await till.must(till.grant("1000"))

    async def cost() -> int:
        for _ in range(3):
            await till.post(till.burn("1"), writer)  # configuration read, statements prepared
        scripts.statements()
        await till.post(till.burn("1"), writer)
        return scripts.statements()

    without = await cost()
    await desk.endpoint("topup.failed")
    assert await cost() == without, "an endpoint that wants something else"
    await desk.endpoint("balance.depleted")
    assert await cost() == without, "wanted, and nothing to tell"
    await till.must(till.burn("900"))
    await till.must(till.burn(str(await till.available())))
    scripts.statements()
    await till.must(till.grant("5"))
    await till.must(till.burn("5"))
    assert any("insert_messages" in script and script.endswith("COMMIT") for script in scripts.sent), "with its COMMIT"


async def test_nothing_is_written_for_whom_it_does_not_concern(till: Till, desk: Desk):
    wants = await desk.endpoint("balance.negative")
    everything = await desk.endpoint("*")
    await till.must(till.grant("10"))
    rows = await till.rows("SELECT endpoint_id, count(*) AS n FROM webhook_deliveries GROUP BY 1")
    assert {row["endpoint_id"]: row["n"] for row in rows} == {everything.number: 1}
    assert wants.number != everything.number
    assert len(await till.rows("SELECT 1 AS one FROM webhook_messages")) == 1


async def test_another_process_knows_a_new_endpoint_with_its_next_batch(till: Till, desk: Desk):
    other = await till.another_process()
    await till.post(till.grant("1"), other)
    await desk.endpoint("grant.created")
    await till.post(till.grant("2"), other)
    assert [each["data"]["amount"] for each in await desk.told()] == ["2"]


async def test_events_that_burn_tell_nothing_of_themselves(till: Till, desk: Desk):
    await desk.endpoint("event.dead_lettered")
    (taken,) = await till.many(event(1))
    assert taken.outcome is EventOutcome.BURNED  # type: ignore[union-attr]
    assert await desk.told() == []

"""The sandbox as a provider: the contract that all keep, and what is its own."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from credits.db import Database
from credits.errors import Unavailable
from credits.recharge.provider import ProviderRefused, ProviderUnavailable
from credits.workspaces import WorkspaceName, ensure_workspace
from server.sandbox import store
from server.sandbox.payments import ACTS, Act, Refused, SandboxPayment, act_on
from server.sandbox.setup_links import SetupLinks
from tests.credits.conftest import database, owner_url, workspace
from tests.harness.provider_contract import ProviderContract, known, method_of
from tests.server.sandbox.outside import SECRET, Street, open_street, placed

__all__ = ["database", "owner_url", "workspace"]


@pytest.fixture
async def street(database: Database, workspace: WorkspaceName) -> Street:
    return await open_street(database, workspace.id)


class TestTheSandbox(ProviderContract):
    @pytest.fixture
    def outside(self, street: Street) -> Street:
        return street


# ─── what an act makes of a payment ────────────────────────────────────────────────────────────────
def of_state(street: Street, state: Any, mode: Any = "HOSTED") -> SandboxPayment:
    return replace(street.provider._new(street.order(), street.clock), state=state, mode=mode)


REFUSED = "refused"
TABLE = [
    ("PENDING", "HOSTED", ("SUCCEEDED", "FAILED", "REQUIRES_ACTION", "CANCELED")),
    ("REQUIRES_ACTION", "HOSTED", ("SUCCEEDED", "FAILED", "SUCCEEDED", "CANCELED")),
    ("REQUIRES_ACTION", "OFF_SESSION", ("SUCCEEDED", "FAILED", "SUCCEEDED", "CANCELED")),
    ("FAILED", "HOSTED", ("SUCCEEDED", "FAILED", "REQUIRES_ACTION", "CANCELED")),
    ("FAILED", "OFF_SESSION", (REFUSED, "FAILED", REFUSED, REFUSED)),
    ("SUCCEEDED", "HOSTED", ("SUCCEEDED", REFUSED, REFUSED, REFUSED)),
    ("CANCELED", "HOSTED", (REFUSED, REFUSED, REFUSED, "CANCELED")),
]


@pytest.mark.parametrize(("state", "mode", "ends"), TABLE)
def test_what_each_act_makes_of_each_state(street: Street, state: str, mode: str, ends: tuple[str, ...]):
    assert ACTS == ("pay", "decline", "authenticate", "cancel")
    for act, end in zip(ACTS, ends, strict=True):
        became = act_on(of_state(street, state, mode), act, street.clock)
        assert (REFUSED if isinstance(became, Refused) else became.state) == end, act


@given(acts=st.lists(st.sampled_from(ACTS), max_size=12), late=st.booleans())
def test_what_is_paid_or_canceled_stays_so_whatever_comes(acts: list[Act], late: bool):
    at = Street.__dataclass_fields__["clock"].default_factory()  # type: ignore[misc]
    payment = SandboxPayment(
        1, 1, 100, 0, "EUR", "b", 1, "PENDING", "HOSTED", None, None, None, None, 1, at, at + timedelta(hours=1)
    )
    end = None
    for act in acts:
        became = act_on(payment, act, at + timedelta(hours=2 if late else 0))
        payment = payment if isinstance(became, Refused) else became
        assert end in (None, payment.state)
        end = payment.state if payment.state in ("SUCCEEDED", "CANCELED") else None
    assert not (late and payment.state == "SUCCEEDED")


async def test_a_failed_authentication_is_told_apart_from_a_declined_card(street: Street):
    order = street.order()
    await street.provider.start(order)
    await street.act(order, "authenticate")
    assert (await known(street, order)).state == "REQUIRES_ACTION"
    await street.act(order, "decline")
    failed = await known(street, order)
    assert (failed.state, failed.decline_code) == ("FAILED", "authentication_failed")
    await street.pay(order)
    paid = await known(street, order)
    assert (paid.state, paid.failure, paid.decline_code) == ("SUCCEEDED", None, None)


async def test_a_checkout_ends_after_a_day(street: Street):
    order, paid, declined = street.order(), street.order(), street.order()
    for each in (order, paid, declined):
        await street.provider.start(each)
    await street.pay(paid)
    await street.decline(declined)
    street.later(timedelta(hours=24))
    assert [(await known(street, each)).state for each in (order, paid, declined)] == [
        "CANCELED",
        "SUCCEEDED",
        "FAILED",
    ]
    for each in (order, declined):
        assert isinstance(await street.act(each, "pay"), Refused)
    assert (await known(street, order)).failure == "The checkout has expired."


async def test_a_charge_that_asks_for_authentication_leads_to_the_page_where_it_is_given(street: Street):
    payer = street.payer()
    order = street.order(payer=payer, mode="OFF_SESSION", method=await method_of(street, payer, "authenticating"))
    assert (await street.provider.charge(order)).checkout_url == f"http://credits.example/sandbox/checkout/{order.id}"
    await street.act(order, "authenticate")
    assert (await known(street, order)).state == "SUCCEEDED"


async def test_a_click_on_what_has_changed_meanwhile_does_nothing(street: Street):
    """A double click on "Require authentication" would else authenticate, too."""
    order = street.order()
    await street.provider.start(order)
    answers = [await street.act(order, "authenticate", seen=1) for _ in range(2)]
    assert answers[0] is None
    assert isinstance(answers[1], Refused)
    assert (await known(street, order)).state == "REQUIRES_ACTION"


async def test_a_card_saved_again_is_listed_once_as_a_new_method_and_the_old_one_can_still_be_charged(street: Street):
    payer = street.payer()
    ids = [await method_of(street, payer, card) for card in ("ok", "declining", "ok")]
    listed = await street.provider.methods(payer)
    assert [(method.provider_id, method.is_default) for method in listed] == [(ids[2], True), (ids[1], False)]
    order = street.order(payer=payer, mode="OFF_SESSION", method=ids[0])
    assert (await street.provider.charge(order)).state == "SUCCEEDED"


async def test_cards_saved_at_once_are_all_saved(street: Street):
    payer = street.payer()
    await asyncio.gather(*(street.save(payer, card) for card in ("ok", "declining", "authenticating", "ok")))
    listed = await street.provider.methods(payer)
    assert len(listed) == 3
    assert [method.is_default for method in listed] == [True, False, False]


# ─── at once ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("_round", range(8))
async def test_pay_and_cancel_at_once_have_one_end(street: Street, _round: int):
    order = street.order()
    await street.provider.start(order)
    acts: list[Act] = ["pay", "cancel", "decline", "pay", "cancel", "authenticate"]
    answers = await asyncio.gather(*(street.act(order, act) for act in acts))
    end = (await known(street, order)).state
    assert end in ("SUCCEEDED", "CANCELED")
    happened = [act for act, answer in zip(acts, answers, strict=True) if answer is None]
    assert ("pay" in happened or "authenticate" in happened) == (end == "SUCCEEDED") or end == "CANCELED"
    if end == "SUCCEEDED":
        assert "cancel" not in happened
    else:
        assert "pay" not in happened


async def test_sixteen_payments_of_one_order_are_one(street: Street, owner_url: str):
    order = street.order()
    await street.provider.start(order)
    answers = await asyncio.gather(*(street.act(order, "pay") for _ in range(16)))
    assert answers == [None] * 16
    owner = await asyncpg.connect(owner_url)
    row = await owner.fetchrow("SELECT state, version FROM sandbox_payments WHERE customer_id = $1", placed(order)[0])
    await owner.close()
    assert (row["state"], row["version"]) == ("SUCCEEDED", 2)


async def test_refund_and_payment_dispute_at_once_never_take_more_than_was_paid(street: Street):
    order = street.order()
    await street.provider.start(order)
    await street.pay(order)
    refunds = (street.provider.refund(order, f"{order.id}-{number}", 900, "requested") for number in range(6))
    contested = street.provider.dispute(street.workspace_id, placed(order), "open")
    await asyncio.gather(*refunds, contested, return_exceptions=True)
    assert sum(back.amount for back in (await known(street, order)).paybacks) == 3_600


# ─── payment disputes ──────────────────────────────────────────────────────────────────────────────
async def test_a_payment_dispute_takes_what_is_left_and_ends_once(street: Street):
    order = street.order()
    await street.provider.start(order)
    unpaid = await street.provider.dispute(street.workspace_id, placed(order), "open")
    assert isinstance(unpaid, Refused)
    await street.pay(order)
    await street.provider.refund(order, f"{order.id}-r", 600, "requested")
    for _ in range(2):
        await street.contest(order, "open")
    assert [back.amount for back in (await known(street, order)).paybacks] == [600, 3_000]
    await street.contest(order, "win")
    assert isinstance(await street.provider.dispute(street.workspace_id, placed(order), "lose"), Refused)
    await street.contest(order, "open")  # the bank changes its mind
    await street.contest(order, "lose")
    assert [back.state for back in (await known(street, order)).paybacks] == ["DONE", "FAILED", "DONE"]
    assert isinstance(await street.provider.dispute(street.workspace_id, placed(order), "win"), Refused)
    with pytest.raises(ProviderRefused):
        await street.provider.refund(order, f"{order.id}-r2", 1, "requested")


# ─── walls ─────────────────────────────────────────────────────────────────────────────────────────
async def test_a_live_workspace_has_no_sandbox(database: Database, street: Street):
    live = await ensure_workspace(database, f"live-{street.workspace_id}", test_mode=False, now=street.clock)
    there = await open_street(database, live.id, 1)
    payer = there.payer()
    with pytest.raises(ProviderRefused, match="test workspaces"):
        await there.provider.start(there.order(payer=payer))
    assert await there.provider.save_method(live.id, payer.customer_id, "ok") is None
    assert await there.provider.methods(payer) == ()


async def test_an_order_of_a_workspace_that_went_live_is_not_found(database: Database, street: Street, owner_url: str):
    order = street.order()
    await street.provider.start(order)
    assert await store.find_workspace(database, placed(order)) == street.workspace_id
    owner = await asyncpg.connect(owner_url)
    await owner.execute("UPDATE workspaces SET test_mode = false WHERE id = $1", street.workspace_id)
    await owner.close()
    assert await store.find_workspace(database, placed(order)) is None


async def test_an_order_is_its_workspaces_alone(database: Database, street: Street):
    order = street.order()
    await street.provider.start(order)
    other = await ensure_workspace(database, f"other-{street.workspace_id}", test_mode=True, now=street.clock)
    foreign = replace(order, payer=replace(order.payer, workspace_id=other.id))
    assert await street.provider.read(foreign) is None
    assert isinstance(await street.provider.act(other.id, placed(order), "pay"), Refused)
    with pytest.raises(ProviderRefused):
        await street.provider.start(foreign)
    with pytest.raises(ProviderRefused):
        await street.provider.start(replace(order, payer=street.payer()))
    assert (await known(street, order)).state == "PENDING"


async def test_where_the_store_cannot_write_it_is_not_known_whether_anything_happened(street: Street):
    order = street.order()
    street.disk_is_full = True
    with pytest.raises(ProviderUnavailable):
        await street.provider.start(order)
    street.disk_is_full = False
    assert await street.provider.read(order) is None


async def test_a_store_that_is_away_is_said_to_be_so(street: Street):
    gone = await Database.connect(street.database.url, size=1)
    order = street.order()
    away = Street(gone, street.workspace_id, street.customers)
    await gone.close()
    gone.engine.sync_engine.pool._creator = _refuse  # type: ignore[method-assign]
    for asking in (away.provider.start(order), away.provider.read(order), away.provider.cancel(order)):
        with pytest.raises(ProviderUnavailable):
            await asking
    with pytest.raises(Unavailable):
        await store.find_workspace(gone, placed(order))


def _refuse(*_: Any) -> Any:
    raise ConnectionRefusedError("nobody is there")


LAWS = [
    ("UPDATE sandbox_payments SET paid_back = subtotal + 1", "sandbox_pays_back_what_was_paid"),
    ("UPDATE sandbox_payments SET state = 'STOLEN', paid_back = 0", "sandbox_state"),
    ("UPDATE sandbox_payments SET paid_back = 1, state = 'PENDING'", "sandbox_pays_back_what_was_paid"),
    ("UPDATE sandbox_paybacks SET amount = 0", "sandbox_payback_is_something"),
    ("UPDATE sandbox_paybacks SET state = 'OPEN'", "sandbox_payback_state"),
]


@pytest.mark.parametrize(("statement", "law"), LAWS)
async def test_the_tables_keep_the_laws_too(database: Database, street: Street, statement: str, law: str):
    order = street.order()
    await street.provider.start(order)
    await street.pay(order)
    await street.provider.refund(order, f"{order.id}-r", 1, "requested")
    with pytest.raises(Exception, match=law):
        async with database.transaction(street.workspace_id) as connection:
            await connection.execute(text(statement))


# ─── links ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_link_says_what_was_put_into_it_for_a_day_and_cannot_be_made_by_others(street: Street):
    links = SetupLinks(SECRET)
    token = links.make(7, 2**62, "https://shop.example/ü", street.clock)
    link = links.read(token, street.clock + timedelta(hours=23))
    assert link is not None
    assert (link.workspace_id, link.customer_id, link.return_url) == (7, 2**62, "https://shop.example/ü")
    head, body, signature = token.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    forged = (f"{head}.{body}.{signature[::-1]}", f"{none}.{body}.", body, "", "ü", "a" * 9_000)
    assert [links.read(each, street.clock) for each in forged] == [None] * len(forged)
    assert SetupLinks("another secret key, as long as it must be").read(token, street.clock) is None
    assert links.read(token, street.clock + timedelta(hours=24)) is None

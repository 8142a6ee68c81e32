"""`/sandbox/…` on a real server: who may do what, what browsers and programs are told, and that names stay text."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from credits.customers.customers import upsert_customer
from server.sandbox.pages import return_address
from tests.harness.provider_contract import known
from tests.harness.server import Server
from tests.harness.wire import Response
from tests.server.sandbox.town import BROWSER, PROGRAM, Town, build_town


@pytest.fixture(scope="module")
async def town(server: Server) -> AsyncIterator[Town]:
    built, database = await build_town(server, "sandbox town")
    yield built
    await database.close()


@pytest.fixture(scope="module")
async def other_town(server: Server) -> AsyncIterator[Town]:
    built, database = await build_town(server, "another sandbox town")
    yield built
    await database.close()


def told(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


# ─── acts ──────────────────────────────────────────────────────────────────────────────────────────
STORIES = [
    (["pay"], [(200, "SUCCEEDED")]),
    (["pay", "pay"], [(200, "SUCCEEDED"), (200, "SUCCEEDED")]),
    (["decline", "pay"], [(200, "FAILED"), (200, "SUCCEEDED")]),
    (["authenticate", "authenticate"], [(200, "REQUIRES_ACTION"), (200, "SUCCEEDED")]),
    (["authenticate", "pay"], [(200, "REQUIRES_ACTION"), (200, "SUCCEEDED")]),
    (["authenticate", "decline"], [(200, "REQUIRES_ACTION"), (200, "FAILED")]),
    (["pay", "decline"], [(200, "SUCCEEDED"), (409, "SUCCEEDED")]),
    (["cancel", "pay"], [(200, "CANCELED"), (409, "CANCELED")]),
]


@pytest.mark.parametrize(("acts", "answers"), STORIES, ids=[" ".join(acts) for acts, _ in STORIES])
async def test_a_program_plays_by_post_and_is_told_the_status(town: Town, acts: list[str], answers: list[Any]):
    order = await town.placed()
    for act, (status, state) in zip(acts, answers, strict=True):
        answer = await town.ask("POST", f"/sandbox/checkout/{order.id}/{act}", PROGRAM)
        assert (answer.status, told(answer)["status"]) == (status, state)
    page = await town.ask("GET", f"/sandbox/checkout/{order.id}", PROGRAM)
    assert told(page) == {"status": answers[-1][1]}


async def test_who_says_nothing_of_what_it_accepts_is_told_in_json(town: Town):
    order = await town.placed()
    answer = await town.ask("POST", f"/sandbox/checkout/{order.id}/pay", {"accept": "*/*"})
    assert (answer.status, told(answer)) == (200, {"status": "SUCCEEDED"})


async def test_a_browser_is_led_back_to_the_page_and_from_there_to_where_it_came_from(town: Town):
    order = await town.placed(return_url="https://shop.example/credits?tab=buy#top")
    paid = await town.ask("POST", f"/sandbox/checkout/{order.id}/pay?seen=1", BROWSER)
    assert (paid.status, paid.headers["location"]) == (303, f"/sandbox/checkout/{order.id}?done")
    page = await town.ask("GET", paid.headers["location"], BROWSER)
    back = f"https://shop.example/credits?tab=buy&scrip_top_up={order.id}&scrip_result=paid#top"
    assert page.headers["refresh"] == f"1; url={back}"
    assert f'href="{html.escape(back)}"' in page.body.decode()
    assert "refresh" not in (await town.ask("GET", f"/sandbox/checkout/{order.id}", BROWSER)).headers


@pytest.mark.parametrize(("act", "result", "leaves"), [("decline", "failed", False), ("cancel", "canceled", True)])
async def test_a_declined_payment_stays_to_be_tried_again_and_a_canceled_one_goes_back(
    town: Town, act: str, result: str, leaves: bool
):
    order = await town.placed()
    answer = await town.ask("POST", f"/sandbox/checkout/{order.id}/{act}", BROWSER)
    page = await town.ask("GET", answer.headers["location"], BROWSER)
    assert ("refresh" in page.headers) == leaves
    assert f"scrip_result={result}" in page.body.decode()
    assert (">Pay</button>" in page.body.decode()) != leaves


async def test_a_stale_page_and_a_double_click_do_nothing(town: Town):
    order = await town.placed()
    path = f"/sandbox/checkout/{order.id}/authenticate?seen=1"
    answers = [await town.ask("POST", path, BROWSER) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert await town.state(order) == "REQUIRES_ACTION"


async def test_pay_decline_and_cancel_at_once_over_http_have_one_end(town: Town):
    for _ in range(5):
        order = await town.placed()
        acts = ["pay", "cancel", "decline", "pay", "cancel", "pay"]
        answers = await asyncio.gather(
            *(town.ask("POST", f"/sandbox/checkout/{order.id}/{act}", PROGRAM) for act in acts)
        )
        end = await town.state(order)
        assert end in ("SUCCEEDED", "CANCELED")
        ended = {"SUCCEEDED": "pay", "CANCELED": "cancel"}
        for act, answer in zip(acts, answers, strict=True):
            if act in ended.values():
                assert (answer.status == 200) == (act == ended[end]), (act, end, answer)


# ─── who may ───────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_unknown_or_live_is_not_found_alike(town: Town, server: Server):
    live, database = await build_town(server, "live town", test=False)
    order = await town.placed()
    unknown = [
        "top_1_1",
        "nonsense",
        "gra_1_1_1",
        f"{order.id}_1",
        order.id.upper(),
        live.street.order().id,
        f"top_{order.id.split('_')[1]}_zzzzzzzzz",
        "top_%00_1",
    ]
    for name in unknown:
        for method, path in (("GET", f"/sandbox/checkout/{name}"), ("POST", f"/sandbox/checkout/{name}/pay")):
            page = await town.ask(method, path, BROWSER)
            assert (page.status, "Nothing here" in page.body.decode()) == (404, True), (method, path)
            assert (await town.ask(method, path, PROGRAM)).status == 404
    assert (await town.ask("POST", f"/sandbox/checkout/{order.id}/steal", PROGRAM)).status == 404
    customer = live.street.payer().key
    assert (await live.ask("POST", f"/sandbox/setup/{customer}/ok", role="ADMIN")).status == 404
    await database.close()


DISPUTERS = [("", 401), ("VIEWER", 403), ("BACKEND", 403), ("FINANCE", 200), ("ADMIN", 200)]


@pytest.mark.parametrize(("role", "status"), DISPUTERS)
async def test_a_payment_dispute_is_played_by_finance_and_admin(town: Town, role: str, status: int):
    order = await town.placed()
    await town.street.pay(order)
    answer = await town.ask("POST", f"/sandbox/checkout/{order.id}/dispute/open", role=role)
    assert answer.status == status, answer
    assert len((await known(town.street, order)).paybacks) == (1 if status == 200 else 0)


async def test_a_payment_dispute_is_opened_won_and_not_lost_afterwards(town: Town, other_town: Town):
    order = await town.placed()
    path = f"/sandbox/checkout/{order.id}/dispute"
    assert (await town.ask("POST", f"{path}/open", role="ADMIN")).status == 409
    await town.street.pay(order)
    assert (await other_town.ask("POST", f"{path}/open", role="ADMIN")).status == 404
    statuses = [
        (await town.ask("POST", f"{path}/{act}", role="ADMIN")).status for act in ("open", "win", "win", "lose")
    ]
    assert statuses == [200, 200, 200, 409]
    assert (await town.ask("POST", f"{path}/forget", role="ADMIN")).status == 404


SAVERS = [("", 404), ("VIEWER", 403), ("FINANCE", 403), ("BACKEND", 200), ("ADMIN", 200)]


@pytest.mark.parametrize(("role", "status"), SAVERS)
async def test_a_method_is_saved_with_a_key_of_a_backend(town: Town, role: str, status: int):
    payer = town.street.payer()
    answer = await town.ask("POST", f"/sandbox/setup/{payer.key}/declining", role=role)
    assert answer.status == status, answer
    methods = await town.street.provider.methods(payer)
    assert [method.label for method in methods] == (["Sandbox card •••• 0002 (declines)"] if status == 200 else [])
    if status == 200:
        assert told(answer) == {
            "id": methods[0].provider_id,
            "label": methods[0].label,
            "expires": "2099-12",
            "isDefault": True,
        }


async def test_a_method_is_saved_for_customers_of_ones_own_workspace_by_their_keys(town: Town, other_town: Town):
    key = "tenant/7 ü?"
    async with town.street.database.transaction(town.street.workspace_id) as connection:
        assert isinstance(
            await upsert_customer(connection, town.street.workspace_id, key, {}, town.street.clock), tuple
        )
    path = f"/sandbox/setup/{quote(key, safe='')}/ok"
    assert (await other_town.ask("POST", path, role="ADMIN")).status == 404
    assert (await town.ask("POST", f"{path}ish", role="ADMIN")).status == 404
    assert (await town.ask("POST", path, role="ADMIN")).status == 200


async def test_the_link_of_a_setup_shows_three_cards_and_saves_the_one_chosen(town: Town):
    payer = replace(town.street.payer(), key="")
    setup = await town.street.provider.set_up(payer, "HOSTED", "https://shop.example/cards")
    path = (setup.url or "").removeprefix(town.server.url)
    page = (await town.ask("GET", path, BROWSER)).body.decode()
    kinds = re.findall(r"/(ok|declining|authenticating)\"", page)
    assert sorted(kinds) == ["authenticating", "declining", "ok"]
    saved = await town.ask("POST", f"{path}/authenticating", BROWSER)
    assert saved.status == 303
    shown = await town.ask("GET", saved.headers["location"], BROWSER)
    assert shown.headers["refresh"] == "1; url=https://shop.example/cards?scrip_setup=saved"
    assert [method.label for method in await town.street.provider.methods(payer)] == [
        "Sandbox card •••• 3220 (asks for authentication)"
    ]
    for forged in (path[:-3], f"{path}x"):
        assert (await town.ask("GET", forged, BROWSER)).status == 404
        assert (await town.ask("POST", f"{forged}/ok", BROWSER)).status == 404


# ─── the page ──────────────────────────────────────────────────────────────────────────────────────
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    '"><form action="https://evil.example">',
    "$shop ${base} $$",
    "\u202eevil \u2066name",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_stays_text(town: Town, name: str):
    """X1."""
    order = await town.placed(name=name)
    page = (await town.ask("GET", f"/sandbox/checkout/{order.id}", BROWSER)).body.decode()
    assert f"<bdi>{html.escape(name)}</bdi>" in page
    assert not re.search(r"<(script|img|style)|<[^>]*\son\w+=", page)
    assert page.count("<form") == 1


async def test_the_page_may_not_be_framed_indexed_kept_or_scripted(town: Town):
    """X4, X6, X7."""
    order = await town.placed()
    for path in (f"/sandbox/checkout/{order.id}", "/sandbox/checkout/top_1_1", f"/sandbox/checkout/{order.id}?done"):
        answer = await town.ask("GET", path, BROWSER)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert not re.search(r"script-src|unsafe|https?:", policy)
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"].startswith("noindex")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"<script|style=|<style", answer.body.decode())
        assert "Sandbox" in answer.body.decode()
        assert "No money moves here" in answer.body.decode()


async def test_money_is_shown_with_the_decimals_of_its_currency(town: Town):
    shown = {("USD", 123_456): "1,234.56 USD", ("JPY", 1_500): "1,500 JPY", ("KWD", 1_500): "1.500 KWD"}
    for (currency, minor), text in shown.items():
        order = await town.placed(currency=currency, price=minor)
        assert f"Pay {text}" in (await town.ask("GET", f"/sandbox/checkout/{order.id}", BROWSER)).body.decode()


async def test_an_expired_checkout_says_so_and_has_no_buttons(town: Town):
    before, town.street.clock = town.street.clock, town.street.clock - timedelta(hours=25)
    order = await town.placed()
    town.street.clock = before
    page = (await town.ask("GET", f"/sandbox/checkout/{order.id}", BROWSER)).body.decode()
    assert "The checkout has expired." in page
    assert "<button" not in page
    assert (await town.ask("POST", f"/sandbox/checkout/{order.id}/pay", PROGRAM)).status == 409


NO_ADDRESS = ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/relative", "https://", "http://[", ""]


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_of_the_web_is_never_gone_back_to(address: str):
    """X9: which addresses a caller may name is decided when the order is placed."""
    assert return_address(address, "paid", "top_1_1") is None


ADDRESSES = [
    ("https://a.example", "https://a.example?scrip_top_up=top_1_1&scrip_result=paid"),
    ("https://a.example/x?a=%20b&c", "https://a.example/x?a=%20b&c&scrip_top_up=top_1_1&scrip_result=paid"),
    (
        "https://a.example/ü d\u2028\\",
        "https://a.example/%C3%BC%20d%E2%80%A8%5C?scrip_top_up=top_1_1&scrip_result=paid",
    ),
]


@pytest.mark.parametrize(("given", "told_back"), ADDRESSES)
def test_the_way_back_keeps_what_was_given_and_is_plain_ascii(given: str, told_back: str):
    assert return_address(given, "paid", "top_1_1") == told_back

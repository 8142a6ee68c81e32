"""The elements with which somebody buys, in real Chromium against a real server and its sandbox: from a bundle to a
balance that has it, without leaving the page; the rule that recharges; the gate that opens and closes.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from e2e.host import PAGE, POLICY, SHOWN_MS, Host, hosting, part
from tests.harness.server import Server
from tests.harness.world import PACK, build_world, give

CSP_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  window.violations.push(`${violatedDirective} ${blockedURI}`));
window.heard = [];
for (const name of ["top-up-start", "top-up-done", "top-up-failed", "gate-change"])
  addEventListener(`scrip-${name}`, ({type, detail}) => window.heard.push([type, detail]));
"""
DONE = "1,100 credits added · 1,100 available"


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    async with hosting(chromium, server, "buying") as host:
        yield host


@pytest.fixture
async def buyer(host: Host, request: pytest.FixtureRequest) -> str:
    """A customer without credits, of a workspace that sells one bundle."""
    key = request.node.name[:60].replace("[", "-").replace("]", "")
    await build_world(host.client, [key])
    await host.client.must("applyCatalog", document={"bundles": [PACK]})
    return key


async def open_page(host: Host, customer: str, elements: str, **changes: Any) -> Page:
    """The host's page, in a policy as strict as the documentation has it, on an origin of its own."""
    origin = f"http://127.0.0.1:{host.pages.server_port}"
    scopes = ["balance:read", "ledger:read", "usage:read", "limits:read", "topup:create", "recharge:manage"]
    token = {"scopes": scopes, "origins": [origin]} | changes
    reply = await host.client.must("createEmbedToken", customer=customer, **token)
    context = await host.browser.new_context(timezone_id="UTC")
    host.contexts.append(context)
    page = await context.new_page()
    page.on("pageerror", lambda error: host.problems.append(str(error)))
    await page.add_init_script(CSP_WATCH)
    url = host.server.url
    host.pages.policy = POLICY.format(url=url, socket=url.replace("http", "ws"))
    host.pages.body = PAGE.format(url=url, root='lang="en"', session=f'token="{reply["token"]}"', elements=elements)
    await page.goto(f"{origin}/")
    return page


async def heard(page: Page) -> list[str]:
    return [name for name, _ in await page.evaluate("window.heard")]


TOP_UP = '<scrip-balance credit-type="ai"></scrip-balance><scrip-top-up credit-type="ai"></scrip-top-up>'


async def test_from_a_bundle_to_the_balance_in_a_tab_beside_the_page(host: Host, buyer: str):
    page = await open_page(host, buyer, TOP_UP)
    await expect(part(page, "bundle")).to_have_count(1, timeout=SHOWN_MS)
    async with page.expect_popup() as opened:
        await page.locator("scrip-top-up [part=action]").click()
    tab = await opened.value
    await tab.wait_for_url("**/sandbox/checkout/**")
    await expect(part(page, "status")).to_contain_text("Waiting for your payment")
    await tab.get_by_role("button", name="Pay").click()
    await expect(part(page, "status")).to_have_text(DONE, timeout=SHOWN_MS)
    await expect(page.locator("scrip-balance [part=value]")).to_have_text("1,100")
    assert await heard(page) == ["scrip-top-up-start", "scrip-top-up-done"]
    assert await page.evaluate("window.violations") == []


async def test_where_no_tab_may_open_the_page_goes_to_pay_and_goes_on_when_it_is_back(host: Host, buyer: str):
    page = await open_page(host, buyer, TOP_UP)
    await page.evaluate("window.open = () => null")
    await page.locator("scrip-top-up [part=action]").click()
    await page.wait_for_url("**/sandbox/checkout/**")
    await page.get_by_role("button", name="Pay").click()
    await page.wait_for_url(f"http://127.0.0.1:{host.pages.server_port}/**")
    await expect(part(page, "status")).to_have_text(DONE, timeout=SHOWN_MS)


async def test_a_token_without_origins_buys_too_though_nothing_leads_back(host: Host, buyer: str):
    page = await open_page(host, buyer, TOP_UP, origins=None)
    await page.evaluate("window.open = () => null")
    await page.locator("scrip-top-up [part=action]").click()
    await page.wait_for_url("**/sandbox/checkout/**")


async def test_what_is_declined_or_canceled_is_told_and_can_be_tried_again(host: Host, buyer: str):
    page = await open_page(host, buyer, TOP_UP)
    for button, told in [("Decline", "The payment failed"), ("Cancel", "Canceled, nothing was charged")]:
        async with page.expect_popup() as opened:
            await page.locator("scrip-top-up [part=action]").click()
        tab = await opened.value
        await tab.wait_for_url("**/sandbox/checkout/**")
        await (tab if button == "Decline" else page.locator("scrip-top-up")).get_by_role("button", name=button).click()
        await expect(part(page, "status")).to_contain_text(told, timeout=SHOWN_MS)
        await tab.close()
        await page.reload()
    reply = await host.client.ask(
        "query($key: String!) { customer(key: $key) { topUps { edges { node { status } } } } }", key=buyer
    )
    # What was declined has ended with the one that came after it: nobody pays both.
    assert [edge["node"]["status"] for edge in reply["customer"]["topUps"]["edges"]] == ["CANCELED", "CANCELED"]


async def test_a_rule_is_saved_as_it_was_written(host: Host, buyer: str):
    page = await open_page(host, buyer, '<scrip-recharge credit-type="ai"></scrip-recharge>')
    await expect(part(page, "form")).to_be_visible(timeout=SHOWN_MS)
    await page.locator("[name=threshold]").fill("200.125")
    await page.locator("[name=cap]").fill("150")
    await page.get_by_role("button", name="Save").click()
    await expect(part(page, "form")).to_contain_text("Saved", timeout=SHOWN_MS)
    reply = await host.client.ask(
        'query($key: String!) { customer(key: $key) { recharge(creditType: "ai") { enabled threshold target bundle { key } monthlyCap { amount currency } } } }',
        key=buyer,
    )
    rule = reply["customer"]["recharge"]
    assert (rule["enabled"], rule["target"], rule["bundle"]["key"]) == (False, None, PACK["key"])
    assert float(rule["threshold"]) == 200.125
    assert (float(rule["monthlyCap"]["amount"]), rule["monthlyCap"]["currency"]) == (150, PACK["price"]["currency"])


async def test_without_the_scope_a_rule_is_only_shown(host: Host, buyer: str):
    page = await open_page(host, buyer, '<scrip-recharge credit-type="ai"></scrip-recharge>', scopes=None)
    await expect(page.locator("[name=threshold]")).to_be_disabled(timeout=SHOWN_MS)
    assert await part(page, "action").count() == 0


async def test_a_gate_opens_with_credits_and_closes_without(host: Host, buyer: str):
    gate = '<scrip-gate feature="input-tokens" quantity="50000"><b slot="allowed">Go</b><i slot="blocked">Buy</i></scrip-gate>'
    page = await open_page(host, buyer, gate)
    await expect(page.locator("i")).to_be_visible(timeout=SHOWN_MS)
    await give(host.client, buyer, "60", f"{buyer}-some")
    await expect(page.locator("b")).to_be_visible(timeout=SHOWN_MS)
    await expect(page.locator("i")).to_be_hidden()
    await host.burn(buyer, "20000", f"{buyer}-much")
    await expect(page.locator("i")).to_be_visible(timeout=SHOWN_MS)
    told = await page.evaluate("window.heard.map(([, {allowed, reason}]) => `${allowed} ${reason}`)")
    assert told == ["false INSUFFICIENT_CREDITS", "true null", "false INSUFFICIENT_CREDITS"]


async def test_the_dashboard_has_all_of_it(host: Host, buyer: str):
    await give(host.client, buyer, "100", f"{buyer}-some")
    page = await open_page(host, buyer, '<scrip-dashboard credit-type="ai"></scrip-dashboard>')
    for shown in ["balance [part=value]", "runway [part=date]", "top-up [part=bundle]", "recharge [part=form]"]:
        await expect(page.locator(f"scrip-{shown}").first).to_be_visible(timeout=SHOWN_MS)
    await expect(page.locator("scrip-ledger [part=row]")).to_have_count(1, timeout=SHOWN_MS)
    assert await page.evaluate("window.violations") == []

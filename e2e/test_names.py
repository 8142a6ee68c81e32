"""Names are texts, whatever they are made of: markup, quotes, letters of both directions, emoji of several parts. Every
element shows them as they are written; characters that turn or hide what stands beside them never get that far.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from e2e.host import MARKUP, SHOWN_MS, Host, hosting, part
from tests.harness.server import Server
from tests.harness.world import PACK, PER_INPUT, build_world, give

NASTY = """<img src=x onerror="alert(1)"> '"&amp; ${1} </script>"""
PEOPLE = "👩‍👩‍👧 שלום مرحبا"
CREDIT, UNIT, FEATURE = f"C{NASTY}", f"u{PEOPLE}", f"F{NASTY} {PEOPLE}"
BUNDLE, MEMBER, REASON = f"B{NASTY} {PEOPLE}", f"M{NASTY} {PEOPLE}", f"R{NASTY} {PEOPLE}"
CATALOG = {
    "creditTypes": [{"key": "ai", "name": CREDIT, "unitSingular": UNIT, "unitPlural": UNIT, "scale": 3}],
    "features": [
        {
            "key": "input-tokens",
            "name": FEATURE,
            "eventType": "llm.tokens",
            "quantity": "input_tokens",
            "unit": UNIT,
        }
    ],
    "rateCards": [
        {
            "cohort": "default",
            "effectiveAt": "2023-01-01T00:00:00Z",
            "rates": [{"feature": "input-tokens", "creditType": "ai", "perUnit": PER_INPUT}],
        }
    ],
    "bundles": [PACK | {"name": BUNDLE}],
}
# What of them is on the screen, and where.
SHOWN = {
    "balance": [CREDIT, UNIT],
    "usage": [CREDIT, FEATURE],
    "ledger": [CREDIT, FEATURE, UNIT],
    "expirations": [CREDIT, UNIT],
    "runway": [CREDIT, UNIT],
    "top-up": [CREDIT, BUNDLE, UNIT],
    "recharge": [CREDIT, BUNDLE],
    "dashboard": [CREDIT, FEATURE, BUNDLE, UNIT],
}
# Elements that no template of ours writes.
FOREIGN = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (root !== document && /^(img|script|iframe|object|embed|link|style)$/.test(node.localName)) found.push(node.localName);
      for (const {name} of node.attributes) if (/^on/.test(name)) found.push(name);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document);
  return found;
}"""


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    async with hosting(chromium, server, "names") as host:
        yield host


async def test_every_element_shows_names_as_they_are_written(host: Host):
    await host.client.must("applyCatalog", document=CATALOG)
    await host.client.must("upsertCustomer", key="acme")
    await host.client.must("upsertMember", customer="acme", key="ada", name=MEMBER)
    ends = (datetime.now(UTC) + timedelta(days=10)).isoformat()
    await give(host.client, "acme", "500", "acme-plan", source="PLAN", expiresAt=ends)
    await host.burn("acme", "5000", "acme-burn", member="ada")
    page = await host.open("acme", "".join(f"<section>{MARKUP[name]}</section>" for name in MARKUP))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for name, texts in SHOWN.items():
        for text in texts:
            await expect(page.locator(f"scrip-{name}").get_by_text(text).first).to_be_attached(timeout=SHOWN_MS)
    ledger = page.locator("scrip-ledger").first
    await part(ledger, "row").first.get_by_role("button").click()
    await expect(part(ledger, "details")).to_contain_text(MEMBER)
    await ledger.get_by_role("button", name="This is not mine").click()
    await ledger.get_by_role("textbox").fill(REASON)
    await ledger.get_by_role("button", name="Send").click()
    await expect(part(ledger, "dispute").first).to_have_text("Disputed", timeout=SHOWN_MS)
    [dispute] = (await host.client.ask("query { disputes { reason } }"))["disputes"]
    assert dispute["reason"] == REASON
    assert await page.evaluate(FOREIGN) == []
    assert dialogs == []
    assert (await page.evaluate("watched"))["violations"] == []


@pytest.mark.parametrize("turning", ["\u202e", "\u2066", "\u200b"], ids=["override", "isolate", "zero width"])
async def test_a_name_that_turns_or_hides_what_stands_beside_it_is_refused(host: Host, turning: str):
    await build_world(host.client, [])
    changed = CATALOG["bundles"][0] | {"name": f"A{turning}pack"}  # type: ignore[operator]
    reply = await host.client.put("applyCatalog", document={"bundles": [changed]})
    assert reply.outcome == "refused"

"""`scrip doctor` about Stripe: what it finds out, and what it says to do."""

import asyncio

import pytest

from server import doctor
from server.doctor import Level
from tests.harness.databases import execute
from tests.harness.stripe.handle import TEST_KEY

KEY = "the same in every process of a test, and long enough"


@pytest.fixture
def asked(monkeypatch, fake, database_url):
    """What the doctor finds, with these settings besides."""

    def ask(**settings):
        given = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": KEY,
            "STRIPE_SECRET_KEY": TEST_KEY,
            "STRIPE_WEBHOOK_SECRET": "whsec_of_this_test",
            "STRIPE_API_BASE": fake.url,
        }
        for name, value in (given | settings).items():
            monkeypatch.setenv(f"SCRIP_{name}", value)
        return {finding.subject: finding for finding in doctor.examine(None)}

    return ask


def test_it_says_in_which_mode_which_account_takes_payments(asked):
    found = asked()
    assert found["payments"].text == "Stripe, test mode: no money moves"
    assert found["stripe"].level is Level.OK
    assert found["stripe"].text.endswith("in US, takes payments")
    assert found["stripe clock"].level is Level.OK
    assert "stripe hooks" not in found


def test_a_missing_webhook_secret_is_said(asked):
    assert asked(STRIPE_WEBHOOK_SECRET="")["stripe hooks"].level is Level.WARN


def test_a_key_that_is_not_taken_and_a_network_that_is_not_there_fail(asked, fake):
    fake.revoke("sk_test_revoked_by_now")
    assert asked(STRIPE_SECRET_KEY="sk_test_revoked_by_now")["stripe"].level is Level.FAIL
    found = asked(STRIPE_SECRET_KEY=TEST_KEY, STRIPE_API_BASE="http://127.0.0.1:9")["stripe"]
    assert (found.level, "check the network" in found.text) == (Level.FAIL, True)


def test_the_sandbox_needs_nobody(asked):
    found = asked(PAYMENTS="sandbox")
    assert "stripe" not in found
    assert (found["payments"].level, "live ones need" in found["payments"].text) == (Level.OK, True)


def test_a_clock_that_webhooks_would_not_pass_is_seen(asked, monkeypatch):
    from server.stripe_gateway import examine  # noqa: PLC0415 -- whose clock is turned

    true = examine.datetime

    class Ahead(true):
        @classmethod
        def now(cls, tz=None):
            return true.now(tz) + examine.timedelta(minutes=5)

    monkeypatch.setattr(examine, "datetime", Ahead)
    assert asked()["stripe clock"].level is Level.FAIL


SOLD = [
    "\nSELECT create_workspace('shop', true, now())",
    "\nINSERT INTO credit_types (workspace_id, key, name, unit_singular, unit_plural, scale, burn_order)\nSELECT id, 'ai', 'AI', 'credit', 'credits', 3, 'PRIORITY_THEN_EXPIRY' FROM workspaces",
    "\nINSERT INTO bundles (workspace_id, key, name, credit_type_id, amount, bonus, price, currency)\nSELECT workspace_id, 'b', 'B', id, 1, 0, 1, '{currency}' FROM credit_types\n",
]


@pytest.mark.parametrize(("currency", "level"), [("EUR", Level.OK), ("XAU", Level.FAIL)])
def test_currencies_of_bundles_are_held_against_the_account(asked, database_url, currency, level):
    assert "currencies" not in asked()  # nothing is sold yet
    for statement in SOLD:
        asyncio.run(execute(database_url, statement.format(currency=currency)))
    assert asked()["currencies"].level is level

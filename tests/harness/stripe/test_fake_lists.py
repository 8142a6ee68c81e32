"""Finding what there is: lists with cursors, events, search, expansion, the other mode; and how it is asked for."""

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from tests.harness.stripe import forms
from tests.harness.stripe.handle import FakeStripe
from tests.harness.stripe.paying import charge_of, charged, kept_card


async def test_a_list_is_walked_in_both_directions_newest_first(client: stripe.StripeClient):
    customers = client.v1.customers
    made = [(await customers.create_async({"name": str(number)})).id for number in range(7)]
    newest = made[::-1]
    page = await customers.list_async({"limit": 3})
    assert ([item.id for item in page.data], page.has_more) == (newest[:3], True)
    page = await customers.list_async({"limit": 3, "starting_after": newest[2]})
    assert ([item.id for item in page.data], page.has_more) == (newest[3:6], True)
    page = await customers.list_async({"limit": 3, "starting_after": newest[5]})
    assert ([item.id for item in page.data], page.has_more) == (newest[6:], False)
    page = await customers.list_async({"limit": 3, "ending_before": newest[5]})
    assert ([item.id for item in page.data], page.has_more) == (newest[2:5], True)
    everything = [item.id async for item in (await customers.list_async({"limit": 2})).auto_paging_iter()]
    assert everything == newest


async def test_events_are_read_from_a_point_in_time_by_type_and_cursor(fake: FakeStripe, client: stripe.StripeClient):
    await charged(client, "o1")
    fake.advance(100)
    second = await charged(client, "o2")
    events = client.v1.events
    late = await events.list_async({"created": {"gte": second.created}, "types": ["payment_intent.succeeded"]})
    assert [event.data.object["metadata"]["order"] for event in late.data] == ["o2"]
    charges = await events.list_async({"type": "charge.*"})
    assert [event.type for event in charges.data] == ["charge.succeeded"] * 2
    since = await events.list_async({"ending_before": charges.data[1].id, "limit": 100})
    assert charges.data[0].id in [event.id for event in since.data]
    assert charges.data[1].id not in [event.id for event in since.data]
    again = await events.retrieve_async(charges.data[0].id)
    assert (again.type, again.livemode, again.api_version) == ("charge.succeeded", False, stripe.api_version)
    assert again.request.idempotency_key


async def test_events_are_kept_30_days(fake: FakeStripe, client: stripe.StripeClient):
    await charged(client)
    fake.advance(31 * 86400)
    assert (await client.v1.events.list_async()).data == []


async def test_an_event_shows_the_object_as_it_was(fake: FakeStripe, client: stripe.StripeClient):
    customer = await client.v1.customers.create_async({"name": "before"})
    await client.v1.customers.update_async(customer.id, {"name": "after"})
    created, updated = fake.objects("event")
    assert created["data"]["object"]["name"] == "before"
    assert (updated["data"]["object"]["name"], updated["data"]["previous_attributes"]["name"]) == ("after", "before")


FOUND = [
    ("metadata['order']:'o1'", {"o1"}),
    ("metadata['order']:'o1' AND status:'succeeded'", {"o1"}),
    ("metadata['order']:'o1' OR metadata['order']:'o2'", {"o1", "o2"}),
    ("metadata['order']:'o1' AND status:'canceled'", set()),
    ("-metadata['order']:'o1'", {"o2", "it's"}),
    ("metadata['order']:'it\\'s'", {"it's"}),
    ("amount>1500", {"o2"}),
    ("metadata['nothing']:'o1'", set()),
]


@pytest.mark.parametrize(("query", "orders"), FOUND)
async def test_intents_are_found_by_what_we_wrote_on_them(client: stripe.StripeClient, query: str, orders: set[str]):
    for order, amount in (("o1", 1000), ("o2", 2000), ("it's", 1000)):
        await charged(client, order, amount=amount)
    found = await client.v1.payment_intents.search_async({"query": query})
    assert {intent.metadata["order"] for intent in found.data} == orders


async def test_a_query_that_makes_no_sense_is_refused(client: stripe.StripeClient):
    for query in ("", "metadata[order]", "metadata['a']:'b' AND metadata['c']:'d' OR status:'x'"):
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.payment_intents.search_async({"query": query})


async def test_search_sees_late_what_a_list_sees_at_once(fake: FakeStripe, client: stripe.StripeClient):
    fake.search_lag(60)
    customer, method = await kept_card(client)
    made = await client.v1.payment_intents.create_async(charge_of(customer, method))
    query: Any = {"query": "metadata['order']:'o1'"}
    assert (await client.v1.payment_intents.search_async(query)).data == []
    assert [i.id for i in (await client.v1.payment_intents.list_async({"customer": customer})).data] == [made.id]
    fake.advance(61)
    assert [i.id for i in (await client.v1.payment_intents.search_async(query)).data] == [made.id]


async def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient):
    charge = await charged(client)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await client.v1.charges.retrieve_async(charge.id, {"expand": ["nothing"]})
    found = await client.v1.charges.list_async({"expand": ["data.payment_intent.customer"]})
    assert found.data[0].payment_intent.customer.email == "ada@example.com"


async def test_live_and_test_mode_share_nothing(fake: FakeStripe, client: stripe.StripeClient):
    live = fake.client("sk_live_x")
    charge = await charged(live)
    assert charge.livemode
    with pytest.raises(stripe.InvalidRequestError, match="other mode") as refused:
        await client.v1.charges.retrieve_async(charge.id)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert fake.charges() == []
    assert len(fake.charges(livemode=True)) == 1
    assert (await live.v1.balance.retrieve_async()).livemode


@pytest.mark.parametrize("key", ["pk_test_x", "nothing"])
async def test_a_wrong_key_is_refused(fake: FakeStripe, key: str):
    with pytest.raises(stripe.AuthenticationError):
        await fake.client(key).v1.balance.retrieve_async()


async def test_a_revoked_key_is_refused(fake: FakeStripe, client: stripe.StripeClient):
    account = await client.v1.accounts.retrieve_current_async()
    assert account.charges_enabled
    fake.revoke("sk_test_fake")
    with pytest.raises(stripe.AuthenticationError) as refused:
        await client.v1.accounts.retrieve_current_async()
    assert refused.value.error.code == "api_key_expired"


async def test_an_address_that_is_not_built_says_so(client: stripe.StripeClient):
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        await client.v1.invoices.list_async()


texts = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1, max_size=8)
names = st.text("abcdefgh_", min_size=1, max_size=8)
values = st.recursive(
    texts, lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(names, inner, min_size=1, max_size=4)
)


@given(st.dictionaries(names, values, max_size=4), st.dictionaries(texts, texts, min_size=1, max_size=4))
def test_what_the_library_writes_is_read_as_it_was_meant(form: dict[str, Any], metadata: dict[str, str]):
    written = urlencode(list(_api_encode({**form, "metadata": metadata})))
    assert forms.parse(written) == {**form, "metadata": metadata}


async def test_customers_are_found_by_what_we_wrote_on_them_and_by_address(client: stripe.StripeClient):
    made = await client.v1.customers.create_async({"email": "ada@example.com", "metadata": {"customer": "c1"}})
    await client.v1.customers.create_async({"email": "bob@example.com"})
    by_ours = await client.v1.customers.search_async({"query": "metadata['customer']:'c1'"})
    by_address = await client.v1.customers.list_async({"email": "ada@example.com"})
    assert [[c.id for c in found.data] for found in (by_ours, by_address)] == [[made.id]] * 2

"""Stripe: the provider that takes real money.

asked    the cashier → gateway (the verbs) → params (what is asked for, PURE), finding → asking → Stripe
told     webhooks → signature ↘
         listing (Stripe's own list of events) → telling → events (what it is about, PURE) → the cashier, who asks
truth    what Stripe's objects say of an order's money. PURE; everything that is decided about them is there

An event is a hint where to look, and nothing more: money is what Stripe says when it is asked. So webhooks may come twice,
late, in any order, forged with a stolen secret, or never. An order is asked for under its own id, as idempotency key and as
metadata of all that is made for it: whatever was lost in between is found again by either, and never made twice.

Card data never comes here: customers type it on Stripe's page, or into Stripe's element. What a webhook carries is not
kept but for its id and type.
"""

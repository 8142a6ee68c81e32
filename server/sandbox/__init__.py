"""Sandbox payments: a provider that moves no money, for test workspaces, with a page of its own.

routes → pages (what is shown) · provider → payments (PURE: what may happen) · store (its own tables)

It is an outside party: it keeps its own books, and Scrip learns of what happened there by asking, as with any other.
The id of an order is all that its page asks for: a browser has no credential, and the id carries the customer's random
number of 62 bits. That is enough where no money moves, and no cookie is there that another site's page could use.
"""

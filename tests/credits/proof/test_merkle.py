"""The root over all accounts: as RFC 6962 makes it, and another one for any other accounts."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.proof.merkle import Tree

HEADS = st.binary(min_size=32, max_size=32)
ACCOUNT = st.tuples(
    st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**31 - 1), HEADS
)


def root_of(accounts: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    tree = Tree()
    for account in accounts:
        tree.add(*account)
    assert tree.leaves == len(accounts)
    return tree.root()


def slow_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


@given(st.lists(ACCOUNT, max_size=40))
def test_it_is_the_root_that_the_rfc_defines(accounts: list[tuple[int, int, int, bytes]]):
    leaves = [
        customer.to_bytes(8, "big", signed=True)
        + kind.to_bytes(4, "big", signed=True)
        + number.to_bytes(4, "big")
        + head
        for customer, kind, number, head in accounts
    ]
    assert root_of(accounts) == slow_root(leaves)


@given(st.lists(ACCOUNT, min_size=1, max_size=20), st.data())
def test_any_change_of_any_account_is_another_root(accounts: list[tuple[int, int, int, bytes]], data: st.DataObject):
    index = data.draw(st.integers(0, len(accounts) - 1))
    other = data.draw(ACCOUNT.filter(lambda account: account != accounts[index]))
    assert root_of(accounts) != root_of([*accounts[:index], other, *accounts[index + 1 :]])
    assert root_of(accounts) != root_of(accounts[:index] + accounts[index + 1 :])


@pytest.mark.parametrize("account", [(2**63, 1, 1, bytes(32)), (1, 2**31, 1, bytes(32)), (1, 1, 1, bytes(31))])
def test_what_is_no_place_in_a_chain_is_refused(account: tuple[int, int, int, bytes]):
    with pytest.raises(ValueError, match="no account's place"):
        Tree().add(*account)

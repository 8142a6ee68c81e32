"""One hash for many accounts: the root of a Merkle tree over where their chains stand. PURE.

As RFC 6962 has it: a leaf is SHA-256(0 ‖ account), a node SHA-256(1 ‖ left ‖ right), the left side of a tree the largest
power of two that is less than its leaves; no leaves at all: SHA-256 of nothing. Leaves come one by one, in order of
(customer, credit type), and a handful of hashes is kept.
"""

import hashlib
import struct

_HEAD_BYTES = 32
_LEAF = struct.Struct(">Bqii32s")  # 0, customer, credit type, sequence, head


class Tree:
    """Takes leaves, gives the root."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []  # (leaves below, hash), each larger than all after it
        self.leaves = 0

    def add(self, customer_id: int, credit_type_id: int, sequence: int, head: bytes) -> None:
        """The next account. Raises `ValueError` for what is no place in a chain."""
        try:
            leaf = _LEAF.pack(0, customer_id, credit_type_id, sequence, head)
        except struct.error as error:
            raise ValueError(f"no account's place in a chain: {error}") from None
        if len(head) != _HEAD_BYTES:
            raise ValueError("no account's place in a chain: a hash has 32 bytes")
        size, node = 1, hashlib.sha256(leaf).digest()
        while self._peaks and self._peaks[-1][0] == size:
            _, left = self._peaks.pop()
            size, node = 2 * size, _above(left, node)
        self._peaks.append((size, node))
        self.leaves += 1

    def root(self) -> bytes:
        if not self._peaks:
            return hashlib.sha256().digest()
        *rest, (_, node) = self._peaks
        for _, left in reversed(rest):
            node = _above(left, node)
        return node


def _above(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()

"""The seal under a checkpoint: an Ed25519 key pair made from the server's secret key.

Whoever has the database and not that key can neither make nor change a checkpoint. The public key goes with every
checkpoint, and is kept outside once: `scrip audit public-key`.
"""

from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE = b"scrip checkpoint, Ed25519"  # never changed: another text is another key


class Seal:
    """Signs. The same secret key makes the same seal, in every process and after every restart."""

    def __init__(self, secret_key: str) -> None:
        seed = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret_key.encode())
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def is_sealed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether the signature is that of the key under the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def as_text(raw: bytes) -> str:
    """Keys, hashes and signatures as a checkpoint writes them: base64."""
    return b64encode(raw).decode()


def from_text(text: str) -> bytes:
    """Raises `ValueError` for what is no base64."""
    return b64decode(text, validate=True)

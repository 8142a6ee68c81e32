"""Requests go to public addresses alone, and to exactly the one that was checked (X12)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from credits import bounds
from credits.webhooks.addresses import networks
from server.outgoing import Outgoing, Refused, look_up
from tests.harness.receiver import Received, receiving

LOCAL = networks(["127.0.0.0/8"])
Address = IPv4Address | IPv6Address


class Names:
    """A resolver told what names stand for; each answer is used once, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[Address]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(text) for text in found]


@pytest.fixture
async def local() -> AsyncIterator[Outgoing]:
    outgoing = Outgoing(LOCAL)
    yield outgoing
    await outgoing.close()


async def post(outgoing: Outgoing, url: str) -> int:
    return (await outgoing.post(url, b"{}", {})).status


PRIVATE = ("127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "::ffff:127.0.0.1", "fe80::1", "0.0.0.0")


@pytest.mark.parametrize("address", PRIVATE)
async def test_no_connection_is_made_to_what_is_not_public_by_address_or_by_name(address: str):
    shown = f"[{address}]" if ":" in address else address
    outgoing = Outgoing(resolve=Names([address]))
    for url in (f"https://{shown}/", "https://innocent.example/", "https://innocent.example:22/"):
        assert "not public" in (await outgoing.problem_of(url) or ""), url
        with pytest.raises(httpx.ConnectError, match="may not be called"):
            await outgoing.post(url, b"{}", {})
    await outgoing.close()


async def test_a_name_with_one_private_address_among_public_ones_is_refused():
    outgoing = Outgoing(resolve=Names(["8.8.8.8", "192.168.0.1"]))
    assert "not public" in (await outgoing.problem_of("https://two.example/") or "")
    with pytest.raises(httpx.ConnectError, match="may not be called"):
        await outgoing.post("https://two.example/", b"{}", {})
    await outgoing.close()


async def test_a_name_that_changes_between_the_check_and_the_call_gains_nothing():
    """Rebinding: public when it was made an endpoint, this machine when it is called. A server does listen there."""
    async with receiving() as receiver:
        names = Names(["8.8.8.8"], ["127.0.0.1"])
        outgoing = Outgoing(resolve=names)
        url = f"https://rebound.example:{receiver.port}/"
        assert await outgoing.problem_of(url) is None
        with pytest.raises(httpx.ConnectError, match="may not be called"):
            await outgoing.post(url, b"{}", {})
        assert receiver.connections == 0
        await outgoing.close()


async def test_a_name_is_looked_up_once_for_a_connection_and_what_was_found_is_connected_to():
    """Of a resolver that would answer otherwise the second time, the second answer is never asked for."""
    async with receiving() as receiver:
        names = Names(["127.0.0.1"], ["127.0.0.99"])
        outgoing = Outgoing(LOCAL, resolve=names)
        url = f"http://once.example:{receiver.port}/in?x=1"
        assert await post(outgoing, url) == 204
        assert names.asked == ["once.example"]
        assert receiver.received[0].headers["host"] == f"once.example:{receiver.port}"
        assert receiver.received[0].path == "/in?x=1"
        await outgoing.close()


async def test_http_goes_to_allowed_networks_alone_also_when_a_name_moves():
    outgoing = Outgoing(LOCAL, resolve=Names(["127.0.0.1"], ["8.8.8.8"]))
    assert await outgoing.problem_of("http://moved.example/") is None
    with pytest.raises(httpx.ConnectError, match="may not be called"):
        await outgoing.post("http://moved.example/", b"{}", {})
    assert "https://" in (await outgoing.problem_of("http://moved.example/") or "")
    await outgoing.close()


async def test_a_redirect_is_an_answer_and_is_not_followed():
    async with receiving() as inner:

        async def elsewhere(_: Received) -> tuple[int, dict[str, str], bytes]:
            return 302, {"Location": inner.url}, b""

        async with receiving(elsewhere) as receiver:
            outgoing = Outgoing(LOCAL)
            assert await post(outgoing, receiver.url) == 302
            assert inner.connections == 0
            await outgoing.close()


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch):
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        outgoing = Outgoing(LOCAL)
        assert await post(outgoing, receiver.url) == 204
        assert proxy.connections == 0
        await outgoing.close()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "https://user:pass@a.example/", "gopher://a.example/", "https://2130706433/"]
)
async def test_what_is_refused_for_its_form_is_refused_again_when_it_is_called(local: Outgoing, url: str):
    assert await local.problem_of(url) is not None
    with pytest.raises(Refused):
        await local.post(url, b"{}", {})


async def test_a_name_that_nobody_knows_yet_may_become_an_endpoint_and_is_not_connected_to():
    async def nobody(_host: str, _port: int) -> list[Address]:
        raise OSError("no such name")

    outgoing = Outgoing(resolve=nobody)
    assert await outgoing.problem_of("https://later.example/") is None
    with pytest.raises(httpx.ConnectError, match="cannot be looked up"):
        await outgoing.post("https://later.example/", b"{}", {})
    await outgoing.close()


async def test_a_resolver_that_does_not_answer_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("server.outgoing._LOOKUP_S", 0.05)

    async def silent(_host: str, _port: int) -> list[Address]:
        await asyncio.sleep(60)
        return []

    outgoing = Outgoing(resolve=silent)
    assert await outgoing.problem_of("https://silent.example/") is None
    await outgoing.close()


async def test_this_machines_own_resolver_knows_this_machine():
    assert all(address.is_loopback for address in await look_up("localhost", 80))
    assert await look_up("127.0.0.1", 80) == [ip_address("127.0.0.1")]
    outgoing = Outgoing()
    assert "not public" in (await outgoing.problem_of("https://localhost/") or "")
    await outgoing.close()


async def test_of_a_long_answer_only_the_beginning_is_read():
    async def endless(_: Received) -> tuple[int, dict[str, str], bytes]:
        return 500, {}, b"x" * 5_000_000

    async with receiving(endless) as receiver:
        outgoing = Outgoing(LOCAL)
        answered = await outgoing.post(receiver.url, b"{}", {})
        assert len(answered.text) == bounds.WEBHOOK_RESPONSE_BYTES_MAX
        await outgoing.close()


async def test_who_drips_an_answer_for_ever_is_given_up_on(monkeypatch: pytest.MonkeyPatch):
    """Each byte comes well within the time for one read: it is the whole request that has an end."""
    monkeypatch.setattr(bounds, "WEBHOOK_TIMEOUT", timedelta(seconds=1))

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.1)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    outgoing = Outgoing(LOCAL)
    async with asyncio.timeout(10):
        with pytest.raises((TimeoutError, httpx.TimeoutException)):
            await outgoing.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", b"{}", {})
    await outgoing.close()
    server.close()


# ─── TLS ───────────────────────────────────────────────────────────────────────────────────────────
def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server of that name, and for who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate_file, key_file)
    return serving, ssl.create_default_context(cafile=str(certificate_file))


async def test_the_certificate_must_be_the_names_though_the_address_is_what_we_connect_to(tmp_path: Path):
    serving, trusting = certificate(tmp_path, "hooks.example")
    shown: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: shown.append(name)
    async with receiving(context=serving) as receiver:
        outgoing = Outgoing(LOCAL, resolve=Names(["127.0.0.1"]), context=trusting)
        assert await post(outgoing, f"https://hooks.example:{receiver.port}/") == 204
        assert shown == ["hooks.example"]
        assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            await outgoing.post(f"https://another.example:{receiver.port}/", b"{}", {})
        await outgoing.close()

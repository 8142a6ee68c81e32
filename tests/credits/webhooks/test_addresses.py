"""Which addresses may be called (X12): each form in which somebody could write one of ours."""

from ipaddress import ip_address

import pytest

from credits.webhooks.addresses import Target, is_allowed, may_be_called, networks, parse, problem_of

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("0.0.0.0", "this machine"),
    ("::", "this machine"),
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fec0::1", "private, of old"),
    ("169.254.169.254", "link-local: the metadata of most clouds"),
    ("fe80::1", "link-local"),
    ("fd00:ec2::254", "metadata"),
    ("100.64.0.1", "shared (CGNAT)"),
    ("100.100.100.200", "shared: metadata of another cloud"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("240.0.0.1", "reserved"),
    ("192.0.2.1", "documentation"),
    ("2001:db8::1", "documentation"),
    ("198.18.0.1", "benchmarks"),
    ("::ffff:127.0.0.1", "IPv4-mapped loopback"),
    ("::ffff:169.254.169.254", "IPv4-mapped metadata"),
    ("::ffff:10.0.0.1", "IPv4-mapped private"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("64:ff9b::a9fe:a9fe", "NAT64 of metadata"),
    ("64:ff9b::7f00:1", "NAT64 of loopback"),
    ("2002:7f00:1::", "6to4 of loopback"),
    ("2002:a9fe:a9fe::", "6to4 of metadata"),
    ("2001:0:a9fe:a9fe::", "Teredo"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize(("address", "why"), REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str, why: str):
    assert not may_be_called(ip_address(address)), why


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str):
    assert may_be_called(ip_address(address))


def test_what_is_allowed_by_name_may_be_called_in_both_forms_and_nothing_beside_it():
    allowed = networks(["127.0.0.0/8", "fd00::/8"])
    for text in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::5"):
        assert may_be_called(ip_address(text), allowed)
        assert is_allowed(ip_address(text), allowed)
    assert not may_be_called(ip_address("10.0.0.1"), allowed)
    assert not is_allowed(ip_address("8.8.8.8"), allowed)


def test_a_network_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        networks(["10.0.0.1/8"])


BAD_URLS = [
    ("", "visible ASCII"),
    ("https://a.example/" + "x" * 2_000, "visible ASCII"),
    ("https://a.example/a b", "visible ASCII"),
    ("https://a.example\\@127.0.0.1/", "visible ASCII"),
    ("https://ex\u0430mple.com/", "visible ASCII"),
    ("https://a.example/\n", "visible ASCII"),
    ("file:///etc/passwd", "https://"),
    ("gopher://a.example/", "https://"),
    ("ftp://a.example/", "https://"),
    ("javascript:alert(1)", "https://"),
    ("//a.example/", "https://"),
    ("https://user:pass@a.example/", "no user name"),
    ("https://user@a.example/", "no user name"),
    ("https://@a.example/", "no user name"),
    ("https:///path", "no host"),
    ("https://:443/", "no host"),
    ("https://a.example/#x", "no fragment"),
    ("https://a.example:0/", "no port"),
    ("https://a.example:99999/", "not a URL"),
    ("https://[::1/", "not a URL"),
    ("https://2130706433/", "usual form"),
    ("https://0x7f000001/", "usual form"),
    ("https://0177.0.0.1/", "usual form"),
    ("https://127.1/", "usual form"),
]


@pytest.mark.parametrize(("url", "said"), BAD_URLS)
def test_a_url_that_nobody_means_well_with_is_refused_for_its_form(url: str, said: str):
    problem = parse(url)
    assert isinstance(problem, str), problem
    assert said in problem


def test_a_url_is_taken_apart():
    assert parse("https://Hooks.Example/in?x=1") == Target("https", "hooks.example", 443, None)
    assert parse("http://hooks.example") == Target("http", "hooks.example", 80, None)
    assert parse("https://[2606:4700::1]:8443/") == Target("https", "2606:4700::1", 8443, ip_address("2606:4700::1"))


HTTPS, HTTP = Target("https", "h", 443, None), Target("http", "h", 80, None)
LOCAL = networks(["127.0.0.0/8"])


@pytest.mark.parametrize(
    ("target", "found", "allowed", "said"),
    [
        (HTTPS, ["8.8.8.8"], (), None),
        (HTTPS, [], (), None),  # nobody knows the name yet: it is checked again with each request
        (HTTPS, ["8.8.8.8", "10.0.0.1"], (), "not public"),  # one of several is enough
        (HTTPS, ["127.0.0.1"], LOCAL, None),
        (HTTP, ["127.0.0.1"], LOCAL, None),
        (HTTP, ["127.0.0.1"], (), "not public"),
        (HTTP, ["8.8.8.8"], LOCAL, "https://"),  # in the open nobody reads along
        (HTTP, ["127.0.0.1", "8.8.8.8"], LOCAL, "https://"),
        (HTTP, [], LOCAL, "https://"),
    ],
)
def test_a_name_may_be_called_when_all_that_it_stands_for_may(target, found, allowed, said):
    problem = problem_of(target, [ip_address(text) for text in found], allowed)
    assert problem is None if said is None else said in (problem or "")

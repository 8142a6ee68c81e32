"""`scrip doctor`: finds what would stop or endanger a server, and says what to do."""

import asyncio
import os
from pathlib import Path

import pytest

from server import doctor
from server.disk import DiskFloor
from server.doctor import Finding, Level, examine
from server.embedded import EmbeddedPostgres
from server.migrate import upgrade
from tests.harness.databases import execute

KEY = "the same in every process of a test, and long enough"


@pytest.fixture(autouse=True)
def no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test run has settings of its own, which the doctor would ask about."""
    for name in [name for name in os.environ if name.startswith("SCRIP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch, database_url: str) -> str:
    """A given database in good order; its URL."""
    monkeypatch.setenv("SCRIP_DATABASE_URL", database_url)
    monkeypatch.setenv("SCRIP_SECRET_KEY", KEY)
    return database_url


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.subject: finding.level for finding in findings}


def found(subject: str) -> Finding:
    return next(finding for finding in examine(None) if finding.subject == subject)


def test_all_is_well_with_a_given_database(healthy):
    findings = list(examine(None))
    assert [finding.subject for finding in findings] == [
        "settings",
        "secret key",
        "database",
        "checksums",
        "clock",
        "schema",
        "role",
        "webhooks",
        "broadcaster",
        "payments",
    ]
    assert set(levels(findings).values()) == {Level.OK}, [str(finding) for finding in findings]
    assert all(str(finding).count("\n") == 0 for finding in findings)


def test_all_is_well_with_the_embedded_one_and_looking_stops_nothing(scratch):
    with EmbeddedPostgres(scratch) as url:
        asyncio.run(upgrade(url))
        findings = list(examine(scratch))
        assert levels(findings)["disk"] in {Level.OK, Level.WARN}
        assert Level.FAIL not in levels(findings).values()
        asyncio.run(execute(url, "SELECT 1"))


def test_a_folder_without_a_database_is_not_given_one(tmp_path):
    database = next(finding for finding in examine(tmp_path / "new") if finding.subject == "database")
    assert database.text.endswith("`scrip serve` makes it")
    assert not (tmp_path / "new" / "pg").exists()


def test_a_wrong_setting_is_the_only_finding(monkeypatch):
    monkeypatch.setenv("SCRIP_LATE_EVENT_CUTOFF", "x")
    (finding,) = examine(None)
    assert str(finding) == "fail  settings     SCRIP_LATE_EVENT_CUTOFF: 'x' is not an ISO 8601 duration such as P7D"


def test_a_missing_secret_key_does_not_hide_the_rest(healthy, monkeypatch):
    monkeypatch.delenv("SCRIP_SECRET_KEY")
    findings = levels(list(examine(None)))
    assert findings.pop("secret key") is Level.FAIL
    assert set(findings.values()) == {Level.OK}


def test_a_database_out_of_reach_fails(monkeypatch):
    monkeypatch.setenv("SCRIP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert found("database").level is Level.FAIL


def test_an_old_schema_fails_and_says_what_to_run(healthy):
    asyncio.run(execute(healthy, "DROP TABLE alembic_version"))
    assert found("schema").text == "the database has no Scrip schema yet; run: scrip migrate"


@pytest.mark.parametrize(
    ("harm", "repair"),
    [
        ("GRANT UPDATE ON entries TO scrip_app", "SELECT 1"),
        ("ALTER ROLE scrip_app BYPASSRLS", "ALTER ROLE scrip_app NOBYPASSRLS"),
    ],
)
def test_a_role_that_could_change_the_ledger_fails(healthy, harm, repair):
    asyncio.run(execute(healthy, harm))
    assert found("role").level is Level.FAIL
    asyncio.run(execute(healthy, repair))  # roles are the whole server's


WAITING = """
INSERT INTO workspaces (name, test_mode, created_at) VALUES ('slow', true, now());
INSERT INTO webhook_endpoints (workspace_id, url, events, salt, created_at)
SELECT id, 'https://hooks.example', '{*}', 'x', now() FROM workspaces;
INSERT INTO webhook_deliveries (customer_id, message, created_at, workspace_id, endpoint_id)
SELECT n, gen_random_uuid(), now() - n * interval '1 hour', workspace_id, id FROM webhook_endpoints, generate_series(1, 3) n
"""


def test_webhooks_that_wait_for_long_are_seen(healthy):
    assert found("webhooks").text == "0 waiting"
    asyncio.run(execute(healthy, WAITING))
    seen = found("webhooks")
    assert seen.level is Level.WARN
    assert seen.text.startswith("3 waiting, the oldest for 3:00:0")


@pytest.mark.parametrize(("ahead_s", "level"), [(0.0, Level.OK), (2.0, Level.WARN), (-60.0, Level.FAIL)])
def test_a_clock_that_goes_wrong_is_seen(healthy, monkeypatch, ahead_s, level):
    time = doctor.time.time
    monkeypatch.setattr(doctor.time, "time", lambda: time() + ahead_s)
    assert found("clock").level is level


@pytest.mark.parametrize(("free_mib", "level"), [(100, Level.FAIL), (1000, Level.WARN), (10_000, Level.OK)])
def test_a_disk_is_judged_by_what_is_free(tmp_path: Path, monkeypatch, free_mib, level):
    monkeypatch.setattr(DiskFloor, "free_bytes", lambda _: free_mib << 20)
    assert levels(list(examine(tmp_path)))["disk"] is level


def test_notices_that_never_arrive_fail(healthy, monkeypatch):
    """As through a pooler, which hands the listening connection on to somebody else."""

    async def swallow(_url: str) -> None:
        pass

    monkeypatch.setattr(doctor, "NOTICE_S", 0.2)
    monkeypatch.setattr(doctor, "_notify", swallow)
    assert found("broadcaster").text.startswith("notices do not arrive: point SCRIP_BROADCAST_URL at PostgreSQL itself")

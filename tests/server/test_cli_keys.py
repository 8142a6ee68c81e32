"""`scrip` as people call it: keys, settings that stop it, results on standard output alone."""

import pytest

from credits.access.keys import find_key
from credits.db import Database
from server.cli import main
from tests.harness.server import SECRET_KEY, Server


@pytest.fixture
def on(tmp_path, database_url):
    """The commands on a database of this test's own."""
    return Server(tmp_path / "data", database_url=database_url)


async def test_a_key_is_printed_alone_and_opens_its_workspace(on, database_url):
    done = await on.command("keys", "create", "--workspace", "Acme", "--role", "backend")
    assert (done.returncode, done.stderr) == (0, "")
    secret = done.stdout.removesuffix("\n")
    assert secret.startswith("sk_live_")
    assert secret.split() == [secret]
    again = await on.create_key("Acme", "VIEWER", test=False)
    database = await Database.connect(database_url, size=1)
    holders = [await find_key(database, each, SECRET_KEY) for each in (secret, again)]
    await database.close()
    assert [holder.role for holder in holders] == ["BACKEND", "VIEWER"]
    assert holders[0].workspace_id == holders[1].workspace_id


async def test_a_workspace_keeps_its_mode(on):
    of_test, live = (("keys", "create", "--workspace", name, "--role", "ADMIN") for name in ("Trial", "Acme"))
    assert (await on.command(*of_test, "--test")).stdout.startswith("sk_test_")
    assert (await on.command(*of_test)).stdout.startswith("sk_test_")
    assert (await on.command(*live)).stdout.startswith("sk_live_")
    refused = await on.command(*live, "--test")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "scrip: 'Acme' is a live workspace; leave out --test, or name another\n"


async def test_an_unknown_role_is_told_with_the_known_ones(on):
    refused = await on.command("keys", "create", "--workspace", "Acme", "--role", "KING")
    assert refused.returncode == 2
    assert "VIEWER" in refused.stderr


async def test_a_command_works_beside_a_server_on_its_folder_and_alone(own_server):
    first = await own_server.create_key("Acme", "ADMIN")
    assert await own_server.terminate() == 0
    second = await own_server.create_key("Acme", "ADMIN")
    assert first != second
    assert not (own_server.data_dir / "pg" / "postmaster.pid").exists(), "the command left the database running"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"database_url": "mysql://h/d"}, "scrip: SCRIP_DATABASE_URL: must begin with postgresql://"),
        ({"database_url": "postgresql://nobody@127.0.0.1:1/d"}, "scrip: the database cannot be reached: "),
        ({"database_url": "postgresql://h/d", "SECRET_KEY": ""}, "scrip: SCRIP_SECRET_KEY: is required with "),
    ],
)
async def test_what_stops_a_command_is_one_line(tmp_path, settings, says):
    refused = await Server(tmp_path / "data", **settings).command(
        "keys", "create", "--workspace", "w", "--role", "ADMIN"
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(says)
    assert refused.stderr.count("\n") == 1


async def test_migrate_says_what_it_did(on):
    assert "as it was" in (await on.command("migrate")).stdout


@pytest.mark.parametrize("command", [(), ("serve",), ("migrate",), ("doctor",), ("keys",), ("keys", "create")])
def test_everything_has_help(monkeypatch, capsys, command):
    monkeypatch.setattr("sys.argv", ["scrip", *command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "Usage: scrip" in capsys.readouterr().out

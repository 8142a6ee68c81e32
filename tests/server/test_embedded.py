"""The embedded PostgreSQL: one for each data folder, however many use it, and back after whatever ends it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from server import embedded, embedded_host
from server.embedded import EmbeddedPostgres
from server.embedded_cluster import Cluster
from server.embedded_host import EmbeddedError, FileLock

WITHIN_S = 15.0


@pytest.fixture
def folder(scratch: Path) -> Iterator[Path]:
    """A data folder; what a test leaves running in it is stopped."""
    yield scratch / "data"
    for path in (scratch / "data", *(scratch / "data").glob("*/")):
        if (path / "pg" / "postmaster.pid").exists():
            with EmbeddedPostgres(path):
                pass


async def ask(url: str, sql: str = "SELECT 1") -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def until_it_answers(url: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await ask(url)
                return
            await asyncio.sleep(0.02)


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "pg" / "postmaster.pid").read_text().split()[0]))


def running(folder: Path) -> list[psutil.Process]:
    return list(Cluster(folder, None).processes())


@contextlib.contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the folder until its standard input ends; it has said "up"."""
    program = f"""
        import sys
        from pathlib import Path
        from server.embedded import EmbeddedPostgres
        with EmbeddedPostgres(Path({str(folder)!r})):
            print("up", flush=True)
            sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_it_is_safe_private_and_the_same_on_every_machine(folder):
    with EmbeddedPostgres(folder) as url:
        shown = {
            name: await ask(url, f"SHOW {name}")
            for name in (
                "data_checksums",
                "fsync",
                "full_page_writes",
                "synchronous_commit",
                "listen_addresses",
                "timezone",
            )
        }
        collation = await ask(url, "SELECT datlocale FROM pg_database WHERE datname = current_database()")
        modes = {path: path.stat().st_mode & 0o777 for path in (folder / "pg", folder / "pg" / ".s.PGSQL.5432")}
    assert shown == {
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "timezone": "UTC",
    }
    assert collation == "C.UTF-8"
    assert set(modes.values()) == {0o700}
    assert running(folder) == []


async def test_who_leaves_first_does_not_stop_it_and_who_leaves_last_does(folder):
    with EmbeddedPostgres(folder) as url:
        with other_process(folder) as other:
            first = postmaster(folder)
            other.communicate()
            assert other.returncode == 0
        assert await ask(url) == 1
        assert postmaster(folder) == first
    assert running(folder) == []


async def test_a_killed_user_counts_no_longer(folder):
    with other_process(folder) as other:
        first = postmaster(folder)
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert first.is_running(), "it runs on without its server"
        with EmbeddedPostgres(folder) as url:
            assert await ask(url) == 1
            assert postmaster(folder) == first, "adopted, not started again"
    assert running(folder) == []


async def test_many_that_start_at_once_share_one(folder):
    users = [EmbeddedPostgres(folder) for _ in range(6)]
    urls = await asyncio.gather(*(asyncio.to_thread(user.start) for user in users))
    assert len(set(urls)) == 1
    assert [process.pid for process in running(folder) if process.ppid() == os.getpid()] == [postmaster(folder).pid]
    await asyncio.gather(*(asyncio.to_thread(user.stop) for user in users))
    assert running(folder) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM], ids=lambda each: each.name)
async def test_it_comes_back_whatever_ended_it(folder, number):
    with EmbeddedPostgres(folder) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 7 AS seven")
        first = postmaster(folder)
        first.send_signal(number)
        await asyncio.to_thread(first.wait, WITHIN_S)
        began = time.monotonic()
        await until_it_answers(url)
        assert await ask(url, "SELECT seven FROM kept") == 7
        print(f"back {time.monotonic() - began:.2f} s after the end")
    assert running(folder) == []


async def test_it_comes_back_although_a_backend_outlives_it(folder):
    """A backend that computes does not notice; until it ends the data is in use."""
    with EmbeddedPostgres(folder) as url:
        connection = await asyncpg.connect(url)
        computing = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 10000000000)"))
        async with asyncio.timeout(WITHIN_S):
            while not await ask(
                url,
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1,%' AND pid <> pg_backend_pid()",
            ):
                await asyncio.sleep(0.02)
        postmaster(folder).kill()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await asyncio.wait_for(computing, WITHIN_S)
        await until_it_answers(url)


async def test_a_lost_backend_is_recovered_by_postgresql_itself(folder):
    with EmbeddedPostgres(folder) as url:
        first = postmaster(folder)
        connection = await asyncpg.connect(url)
        os.kill(connection.get_server_pid(), signal.SIGKILL)
        await until_it_answers(url)
        assert postmaster(folder) == first


async def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(folder):
    """As after a restart of a container, where process ids begin anew."""
    with EmbeddedPostgres(folder):
        pass
    stale = f"{os.getpid()}\n{folder}/pg\n1\n5432\n{folder}/pg\n\n0 0\nready\n"
    (folder / "pg" / "postmaster.pid").write_text(stale)
    (folder / "pg" / ".s.PGSQL.5432.lock").write_text(stale)
    with EmbeddedPostgres(folder) as url:
        assert await ask(url) == 1


async def test_a_crash_in_the_middle_of_initdb_leaves_nothing_to_stumble_over(folder):
    (folder / "pg.new" / "base").mkdir(parents=True)
    (folder / "pg.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as url:
        assert await ask(url) == 1


async def test_a_path_too_long_for_a_socket_gets_a_private_one_elsewhere(folder):
    deep = folder / ("deep" * 20) / "data"
    with EmbeddedPostgres(deep) as url:
        assert await ask(url) == 1
        place = Path(str(await ask(url, "SHOW unix_socket_directories")).strip('"'))
        assert place.parent == Path("/tmp")
        assert place.stat().st_mode & 0o777 == 0o700
        with other_process(deep):
            pass
    place.rmdir()


async def test_a_place_for_the_socket_that_somebody_else_made_is_refused(folder):
    deep = folder / ("deep" * 20) / "data"
    with EmbeddedPostgres(deep) as url:
        place = Path(str(await ask(url, "SHOW unix_socket_directories")).strip('"'))
    place.chmod(0o777)
    with pytest.raises(EmbeddedError, match="is not ours alone"):
        EmbeddedPostgres(deep).start()
    place.rmdir()


async def test_a_fight_for_the_start_lock_ends(folder, monkeypatch):
    monkeypatch.setattr(embedded, "START_LOCK_S", 0.2)
    folder.mkdir()
    with FileLock(folder / "pg.start") as lock:
        assert lock.try_exclusive()
        with pytest.raises(EmbeddedError, match="another process has been starting or stopping"):
            EmbeddedPostgres(folder).start()


async def test_data_in_use_from_where_we_cannot_see_is_left_alone(folder, monkeypatch):
    """Another container on the same volume has its own process ids; the lock is seen across."""
    monkeypatch.setattr(embedded, "LET_GO_S", 0.2)
    with EmbeddedPostgres(folder):
        pass
    with FileLock(folder / "pg.running") as lock:
        assert lock.try_exclusive()
        with pytest.raises(EmbeddedError, match="is in use by a PostgreSQL that is not to be seen from here"):
            EmbeddedPostgres(folder).start()
    assert running(folder) == []


async def test_data_of_another_version_is_refused_with_what_to_do(folder):
    (folder / "pg").mkdir(parents=True)
    (folder / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 16, this Scrip brings 18: pg_upgrade it"):
        EmbeddedPostgres(folder).start()


async def test_a_start_that_fails_tells_postgresqls_last_words(folder):
    with EmbeddedPostgres(folder):
        pass
    with (folder / "pg" / "postgresql.conf").open("a") as settings:
        settings.write("nonsense = 1\n")
    with pytest.raises(
        EmbeddedError, match=r"PostgreSQL does not start: .* FATAL:  configuration file .* contains errors"
    ):
        EmbeddedPostgres(folder).start()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the database as another user, and mounts")


@needs_root
async def test_root_lets_the_databases_user_through_and_nobody_else(scratch):
    private = scratch / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "data") as url:
        assert await ask(url) == 1
    assert private.stat().st_mode & 0o007 == 0
    assert may_enter(embedded_host.OS_USER, private)
    assert not may_enter("nobody", private)


def may_enter(user: str, folder: Path) -> bool:
    return (
        subprocess.run(["test", "-x", folder], user=user, group="nogroup", extra_groups=[], check=False).returncode == 0
    )


@needs_root
async def test_root_opens_a_folder_by_its_mode_where_there_are_no_access_lists(scratch, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("no access lists here")

    monkeypatch.setattr(os, "setxattr", refuse)
    private = scratch / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "data") as url:
        assert await ask(url) == 1
    assert private.stat().st_mode & 0o777 == 0o701


@pytest.fixture
def small_disk(scratch: Path) -> Iterator[Path]:
    """A file system of 160 MB."""
    place = scratch / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", place], check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@needs_root
async def test_a_full_disk_stops_it_and_it_comes_back_whole_once_there_is_room(small_disk):
    with EmbeddedPostgres(small_disk / "data") as url:
        await ask(url, "CREATE TABLE kept (number bigint)")
        filler = small_disk / "filler"
        free = os.statvfs(small_disk)
        filler.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - 8 * 1024 * 1024))
        acknowledged = await write_until_it_dies(url)
        assert "PANIC" in (small_disk / "data" / "postgres.log").read_text()
        filler.unlink()
        await until_it_answers(url)
        assert await ask(url, "SELECT count(*) FROM kept") >= acknowledged > 0


async def write_until_it_dies(url: str) -> int:
    """How many rows were acknowledged before the disk was full."""
    acknowledged = 0
    connection = await asyncpg.connect(url)
    # A full disk is first an error of the statement, and a PANIC when the log cannot grow.
    with contextlib.suppress(asyncpg.InterfaceError, asyncpg.PostgresConnectionError, OSError):
        while True:
            with contextlib.suppress(asyncpg.DiskFullError):
                await connection.execute("INSERT INTO kept SELECT generate_series(1, 20000)")
                acknowledged += 20000
    return acknowledged

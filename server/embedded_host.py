"""What the embedded PostgreSQL needs from the machine: file locks, a place for its socket, and, under root, an OS user.

PostgreSQL refuses to run as root. Under root it runs as the OS user `pgserver`, who must be let through to the
programs and to the data; nothing else changes for anybody.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import pwd
import shutil
import stat
import struct
import subprocess
import time
from pathlib import Path
from typing import Self

from server.operator_error import OperatorError

logger = logging.getLogger(__name__)

OS_USER = "pgserver"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_MAX = 100  # bytes: 107 on Linux, 103 on macOS
POLL_S = 0.02


class EmbeddedError(OperatorError):
    """The embedded database cannot run."""


class FileLock:
    """flock(2): the kernel drops it with the last process that holds it, also at kill -9, so it is never stale."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_exclusive(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def shared(self) -> None:
        """Waits for an exclusive holder."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def wait_exclusive(self, timeout_s: float) -> bool:
        """Exclusive within `timeout_s`, or False."""
        deadline = time.monotonic() + timeout_s
        while not self.try_exclusive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def close(self) -> None:
        """Let go, unless another process inherited the lock."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def os_user() -> pwd.struct_passwd | None:
    """Who runs the database: None is us, under root the OS user `pgserver`, made when absent."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(OS_USER)
    useradd = shutil.which("useradd")
    try:
        if useradd is None:
            raise FileNotFoundError("no useradd")
        subprocess.run([useradd, "--system", "--no-create-home", OS_USER], check=True, capture_output=True)  # noqa: S603
        return pwd.getpwnam(OS_USER)
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the OS user {OS_USER} could not be made ({error}); "
            "run scrip as another user, or set SCRIP_DATABASE_URL"
        ) from error


def let_through(user: pwd.struct_passwd, programs: Path, data: Path) -> None:
    """Make sure that `user` can run `programs` and enter `data`; changes nothing where it already can."""
    for target in (programs / "postgres", data):
        if _may_execute(user, target):
            continue
        for folder in (*reversed(target.parents), target):
            if folder.is_dir() and not _may_execute(user, folder):
                _let_pass(user, folder)
    if not _may_execute(user, programs / "postgres"):
        _open_programs(programs.parent)  # installed under a strict umask
    if not (_may_execute(user, programs / "postgres") and _may_execute(user, data)):
        raise EmbeddedError(
            f"the OS user {user.pw_name} cannot reach {data}; choose another --data-dir, such as /var/lib/scrip"
        )


def _may_execute(user: pwd.struct_passwd, path: Path) -> bool:
    """Asked of the kernel, as that user: modes, access lists and mounts all count."""
    done = subprocess.run(  # noqa: S603
        ["/usr/bin/env", "test", "-x", path],
        check=False, user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/",
    )  # fmt: skip
    return done.returncode == 0


def _let_pass(user: pwd.struct_passwd, folder: Path) -> None:
    """May pass through `folder` without listing it: this one user by access list, else everybody by mode."""
    try:
        _add_to_access_list(folder, user.pw_uid)
        logger.info("let the OS user %s pass through %s (access list)", user.pw_name, folder)
    except OSError:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
        logger.warning("let every OS user pass through %s (chmod o+x): it takes no access lists", folder)


ACCESS_LIST = "system.posix_acl_access"
ACL_VERSION = struct.Struct("<I")
ACL_ENTRY = struct.Struct("<HHI")  # tag, permissions, id
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY = 0xFFFFFFFF  # the id of entries that name none
EXECUTE = 1


def _add_to_access_list(folder: Path, uid: int) -> None:
    """`setfacl -m u:UID:x FOLDER`, which machines often lack. OSError where the file system has no access lists."""
    entries = _access_list(folder)
    entries[(USER, uid)] = entries.get((USER, uid), 0) | EXECUTE
    entries[(MASK, NOBODY)] = 0
    for (tag, _), permissions in list(entries.items()):
        if tag in {USER, GROUP_OBJ, GROUP}:
            entries[(MASK, NOBODY)] |= permissions
    packed = b"".join(ACL_ENTRY.pack(tag, permissions, who) for (tag, who), permissions in sorted(entries.items()))
    os.setxattr(folder, ACCESS_LIST, ACL_VERSION.pack(2) + packed)


def _access_list(folder: Path) -> dict[tuple[int, int], int]:
    """(tag, id) → permissions; from the mode where there is no list yet."""
    with contextlib.suppress(OSError):
        raw = os.getxattr(folder, ACCESS_LIST)
        entries = ACL_ENTRY.iter_unpack(raw[ACL_VERSION.size :])
        return {(tag, who): permissions for tag, permissions, who in entries}
    mode = folder.stat().st_mode
    return {(USER_OBJ, NOBODY): mode >> 6 & 7, (GROUP_OBJ, NOBODY): mode >> 3 & 7, (OTHER, NOBODY): mode & 7}


def _open_programs(install: Path) -> None:
    """`chmod -R o+rX` on the PostgreSQL of the wheel: published software, nothing of anybody's."""
    for path in (install, *install.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            more = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            path.chmod(mode | more)


def socket_folder(data: Path, owner_uid: int) -> Path:
    """Where the socket lies: in the data folder, or, where that path is too long for a socket, in a private one."""
    if len(os.fsencode(data / SOCKET_NAME)) <= SOCKET_PATH_MAX:
        return data
    # Not $TMPDIR: every process must come to the same folder.
    folder = Path("/tmp") / f"scrip-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"  # noqa: S108 -- owner checked below
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, owner_uid, -1)
    found = folder.lstat()
    # Somebody else may have made it before us to serve us a false database.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner_uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedError(f"{folder} is not ours alone; remove it, or choose a shorter --data-dir")
    return folder

"""Landlock, by which a process gives up its own rights on Linux, through ctypes.

Numbers and structures come from `linux/landlock.h`. Which of them a kernel knows depends on its ABI
version (`landlock(7)`, table of ABI versions).
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

# The same numbers on every architecture.
_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446

_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_TRUNCATE = 1 << 14
_IOCTL_DEV = 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

# How many filesystem rights, counted from bit 0, each ABI version knows.
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_FS_RIGHTS_SINCE_5 = 16

_NET_SINCE = 4
_NET_BIND_TCP = 1 << 0
_NET_CONNECT_TCP = 1 << 1

_SCOPE_SINCE = 6
_SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0
_SCOPE_SIGNAL = 1 << 1


def abi_version() -> int:
    """Return the ABI version of the running kernel, 0 if it has no Landlock."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION))


def restrict(
    readable: Iterable[str], writable: Iterable[str] = (), *, abi: int | None = None
) -> bool:
    """Give up access to all files except those named, forever, for this process and its children.

    `readable` are files and folders, with everything below them, that may be read and mapped as
    code. `writable` are device files that may also be written and controlled. The process also
    loses TCP (from ABI 4) and signals and abstract sockets of other processes (from ABI 6). Paths
    that do not exist are ignored. Needs `no_new_privs`.

    Return False, with nothing restricted, on a kernel without Landlock. Raises `OSError` if the
    kernel has Landlock but refuses the call.
    """
    version = abi_version() if abi is None else abi
    if version == 0:
        return False
    handled = (1 << _FS_RIGHTS.get(version, _FS_RIGHTS_SINCE_5)) - 1
    net = _NET_BIND_TCP | _NET_CONNECT_TCP if version >= _NET_SINCE else 0
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if version >= _SCOPE_SINCE else 0
    attributes = struct.pack("=QQQ", handled, net, scoped)
    size = 24 if version >= _SCOPE_SINCE else 16 if version >= _NET_SINCE else 8
    ruleset = _call(_CREATE_RULESET, attributes, size, 0)
    try:
        reading = _EXECUTE | _READ_FILE | _READ_DIR
        for path in readable:
            _allow(ruleset, path, reading & handled)
        for path in writable:
            _allow(ruleset, path, (reading | _WRITE_FILE | _IOCTL_DEV) & handled)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes) -> int:
    # Variadic C functions take plain integers as int, so widen each to the long of a system call.
    widened = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = _libc.syscall(ctypes.c_long(number), *widened)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result

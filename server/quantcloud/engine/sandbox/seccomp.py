"""A seccomp filter that refuses system calls that no simulation needs, through ctypes.

It covers what Landlock does not: UDP and Unix sockets, starting programs and processes, access to
other processes, file modes and times, and memory that no limit counts. A refused call fails with
EPERM. The filter is classic BPF (`seccomp(2)`, `linux/filter.h`). System call numbers and argument
values are the kernel's; the numbers differ by architecture.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000  # SECCOMP_RET_ERRNO
_EPERM, _ENOSYS = 1, 38

# Offsets in struct seccomp_data. Both architectures are little-endian, so the low word of an
# argument comes first. The checked arguments fit in it, or have no meaning beyond it.
_NUMBER = 0
_ARCHITECTURE = 4
_ARGUMENTS = 16

# x86-64 has a second numbering (x32) from here on, which a list of numbers would miss.
_X32 = 0x40000000

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Name: number on x86-64, number on aarch64. None if aarch64 lacks the call.
_REFUSED: dict[str, tuple[int, int | None]] = {
    # Sockets. The worker already has those that it needs.
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "setsockopt": (54, 208),
    "shutdown": (48, 210),
    # An io_uring opens sockets and files for its owner without passing the filter.
    "io_uring_setup": (425, 425),
    # Entries in tables that all processes, or all of one user, share.
    "io_setup": (206, 0),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # A lock on a file that is only readable still blocks other processes that lock it.
    "flock": (73, 32),
    # Makes every disk of the machine write.
    "sync": (162, 81),
    "syncfs": (306, 267),
    # Other programs and processes.
    "setrlimit": (160, 164),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # When and where processes run, both this one and others of the same user.
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    # Modes, owners, times and attributes of files, which Landlock does not cover.
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # Memory that the limit does not count. A moved stack could still grow. Where mremap() is
    # refused, realloc() of the C library copies.
    "mremap": (25, 216),
    "map_shadow_stack": (453, 453),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # A pipe keeps the pages that were put into it: a whole huge page for 4 KiB of it.
    "vmsplice": (278, 75),
    "splice": (275, 76),
    "tee": (276, 77),
    # Memory and messages that outlive the worker. A worker may guess an id without calling *get().
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # Less tested parts of the kernel, which were used for privilege escalation before.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}

# Calls that are refused or allowed by an argument; numbers as above.
_TGKILL = (234, 131)
_SETPRIORITY = (141, 140)
_SCHED_SETSCHEDULER = (144, 119)
_PRLIMIT = (302, 261)
_PRCTL = (157, 167)
_FCNTL = (72, 25)
_IOCTL = (16, 29)
_CLONE = (56, 220)
_MMAP = (9, 222)
_CLONE3 = (435, 435)
_SOCKETPAIR = (53, 199)

# A pair of stream sockets reaches only itself. A datagram socket can send to any name.
_AF_UNIX = 1
_SOCK_STREAM = 1
_SOCK_TYPE = 0xF  # without SOCK_NONBLOCK and SOCK_CLOEXEC

# A thread is started with this flag, a process without it.
_CLONE_THREAD = 0x10000
# Memory that RLIMIT_DATA does not count: shared, or mapped as a stack that grows.
_SHARED_ANONYMOUS = 0x21  # MAP_SHARED | MAP_ANONYMOUS
_GROWS_DOWN = 0x100  # MAP_GROWSDOWN
# Commands by which the kernel sends a signal to any process of the same user, makes others wait to
# open or lock a file (each lock also takes kernel memory that no limit counts), or reports on them:
# F_SETLK, F_SETLKW, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE,
# F_NOTIFY.
_FCNTL_COMMANDS = (6, 7, 8, 10, 15, 37, 38, 1024, 1026)
# Commands that set the process to signal, and file attributes: FIOSETOWN, SIOCSPGRP, FIOASYNC,
# FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR.
_IOCTL_COMMANDS = (0x8901, 0x8902, 0x5452, 0x40086602, 0x401C5820)
# With this call a worker could outlive the fork server.
_PR_SET_PDEATHSIG = 1
# Threads of this policy run only where nothing else wants to.
_SCHED_IDLE = 5

_Instruction = tuple[int, int, int, int]

_PASS: _Instruction = (_RETURN, 0, 0, _ALLOW)
_REFUSE: _Instruction = (_RETURN, 0, 0, _ERRNO | _EPERM)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def is_supported() -> bool:
    """Return whether there is a filter for this machine."""
    return platform.machine() in _AUDIT_ARCH


def refuse_unneeded(*, shared_memory: bool = False) -> bool:
    """Refuse the calls for this process and its threads, forever. Needs `no_new_privs`.

    With `shared_memory` the process may map shared memory. Return False, with nothing changed, if
    there is no filter for the machine or the kernel.
    """
    if not is_supported():
        return False
    instructions = _filter(platform.machine(), os.getpid(), shared_memory=shared_memory)
    program = _Program(len(instructions) // 8, instructions)
    pointer = ctypes.c_ulong(ctypes.addressof(program))
    return _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), pointer) == 0


def _filter(machine: str, pid: int, *, shared_memory: bool) -> bytes:
    column = 0 if machine == "x86_64" else 1
    not_shared = _refuse_where(3, [_SHARED_ANONYMOUS], mask=_SHARED_ANONYMOUS)
    head = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        _REFUSE,
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        _REFUSE,
    ]
    looked_at = [
        # raise() and abort() call tgkill for the own process, which stays allowed.
        *_of(_TGKILL[column], _refuse_unless(0, [pid])),
        # 0 is this process. It may read its limits, and the server alone changes them.
        *_of(_PRLIMIT[column], _zeros((0, 0), (2, 0), (2, 1))),
        # PRIO_PROCESS and 0: a thread may lower its own priority.
        *_of(_SETPRIORITY[column], _zeros((0, 0), (1, 0))),
        # 0 is the calling thread. It may give way to all others.
        *_of(
            _SCHED_SETSCHEDULER[column],
            [*_zeros((0, 0))[:-1], *_refuse_unless(1, [_SCHED_IDLE])],
        ),
        *_of(_PRCTL[column], _refuse_where(0, [_PR_SET_PDEATHSIG])),
        *_of(_FCNTL[column], _refuse_where(1, _FCNTL_COMMANDS)),
        *_of(_IOCTL[column], _refuse_where(1, _IOCTL_COMMANDS)),
        *_of(_CLONE[column], _refuse_unless(0, [_CLONE_THREAD], mask=_CLONE_THREAD)),
        *_of(
            _SOCKETPAIR[column],
            [
                *_load(0, None),
                (_JUMP_EQUAL, 1, 0, _AF_UNIX),
                _REFUSE,
                *_refuse_unless(1, [_SOCK_STREAM], mask=_SOCK_TYPE),
            ],
        ),
        *_of(
            _MMAP[column],
            [
                *_load(3, _GROWS_DOWN),
                (_JUMP_EQUAL, 0, 1, _GROWS_DOWN),
                _REFUSE,
                *([_PASS] if shared_memory else not_shared),
            ],
        ),
        # Its flags are in memory, which no filter can read. On ENOSYS the C library uses clone.
        *_of(_CLONE3[column], [(_RETURN, 0, 0, _ERRNO | _ENOSYS)]),
    ]
    numbers = [number for call in _REFUSED.values() if (number := call[column]) is not None]
    lines = [*head, *looked_at, *_among(numbers), _PASS, _REFUSE]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _of(number: int, rule: list[_Instruction]) -> list[_Instruction]:
    """Apply a rule to one call. The rule must end in a return on every path."""
    return [(_JUMP_EQUAL, 0, len(rule), number), *rule]


def _zeros(*words: tuple[int, int]) -> list[_Instruction]:
    """Refuse a call unless these words are 0: (argument, 0 for low, 1 for high)."""
    checks = [
        line
        for argument, half in words
        for line in (
            (_LOAD_WORD, 0, 0, _ARGUMENTS + 8 * argument + 4 * half),
            (_JUMP_EQUAL, 1, 0, 0),
            _REFUSE,
        )
    ]
    return [*checks, _PASS]


def _refuse_where(
    argument: int, values: Iterable[int], mask: int | None = None
) -> list[_Instruction]:
    """Refuse a call if the bits of `mask` of an argument are one of `values`."""
    return [*_load(argument, mask), *_among([*values]), _PASS, _REFUSE]


def _refuse_unless(
    argument: int, values: Iterable[int], mask: int | None = None
) -> list[_Instruction]:
    """Refuse a call unless the bits of `mask` of an argument are one of `values`."""
    return [*_load(argument, mask), *_among([*values]), _REFUSE, _PASS]


def _load(argument: int, mask: int | None) -> list[_Instruction]:
    load = (_LOAD_WORD, 0, 0, _ARGUMENTS + 8 * argument)
    return [load] if mask is None else [load, (_AND, 0, 0, mask)]


def _among(values: list[int]) -> list[_Instruction]:
    """If the loaded word is one of `values`, skip the next instruction."""
    return [(_JUMP_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]

"""A seccomp filter that refuses the system calls which no simulation needs, through ctypes.

It closes what Landlock leaves open: UDP and Unix sockets, programs, other processes. A refused
call fails with EPERM. The filter is classic BPF (`seccomp(2)`, `linux/filter.h`); system call
numbers are the kernel's, per architecture.
"""

import ctypes
import os
import platform
import struct
import sys

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM

# Offsets in struct seccomp_data; both architectures are little-endian, so the low word is first.
_NUMBER = 0
_ARCHITECTURE = 4
_FIRST_ARGUMENT = 16

# x86-64 has a second numbering (x32) from here on, which would pass by a list of numbers.
_X32 = 0x40000000

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Name: number on x86-64, on aarch64.
_REFUSED = {
    # Sockets. The worker has the one that it needs.
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # An io_uring opens sockets and files on behalf of its owner, past any filter.
    "io_uring_setup": (425, 425),
    # Other programs and processes.
    "execve": (59, 221),
    "execveat": (322, 281),
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
    # The kernel's less trodden parts, from where rights have been regained before.
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
_TGKILL = (234, 131)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def is_supported() -> bool:
    """Tell whether there is a filter for this machine."""
    return sys.platform == "linux" and platform.machine() in _AUDIT_ARCH


def refuse_unneeded() -> bool:
    """Refuse the calls for this process and its children, for good. Needs `no_new_privs`.

    Returns False, with nothing changed, on a machine or kernel for which there is no filter.
    """
    if not is_supported():
        return False
    instructions = _filter(platform.machine(), os.getpid())
    program = _Program(len(instructions) // 8, instructions)
    pointer = ctypes.c_ulong(ctypes.addressof(program))
    return _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), pointer) == 0


def _filter(machine: str, pid: int) -> bytes:
    column = 0 if machine == "x86_64" else 1
    # After the head come one test per number, then ALLOW, then REFUSE, and the test of tgkill.
    numbers = [call[column] for call in _REFUSED.values()]
    head = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, len(numbers) + 2, 0, _X32),
    ]
    tests = [
        (_JUMP_EQUAL, len(numbers) - index + 1, 0, number) for index, number in enumerate(numbers)
    ]
    tail = [
        (_JUMP_EQUAL, 2, 0, _TGKILL[column]),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
        # raise() and abort() are a tgkill of the own process, and stay what they are.
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_EQUAL, 0, 1, pid),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in head + tests + tail)

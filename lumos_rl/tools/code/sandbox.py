"""Confines the process that calls it, for good: for `child.py`, before it runs the code of a model. The package never
imports it, and only the standard library is imported here.

    >>> confine(["/usr/lib/python3.11"])     # what could not be closed on this machine
    []

Two means of the Linux kernel, without privileges. Landlock (`man 7 landlock`) closes the file system but for what an
import reads; where the kernel knows them, also TCP and signals. A filter of system calls (`man 2 seccomp`) allows those
of a computing process, of one thread, and refuses all others with EPERM: sockets, new processes and threads, programs,
signals, tracing, changes of limits, modes or times.
"""

from __future__ import annotations

import os
import platform
import struct
import sys
from typing import Any

try:
    import ctypes
except ImportError:  # a Python built without libffi
    ctypes = None  # type: ignore[assignment]

FILES, CALLS = "files", "processes, network and signals"  # what a missing means leaves open

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # landlock_create_ruleset, …_add_rule, …_restrict_self; on every architecture
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # those that each version of Landlock added
_TCP, _SCOPES = 0b11, 0b11  # bind and connect (version 4); abstract sockets and signals (version 6)
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2

_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # seccomp's answers; refuse = EPERM
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 1030)  # duplicate, flags; not F_SETOWN, which sends signals
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# The system calls that a computing Python makes after its start: number on x86_64 and on aarch64, None where missing.
_FCNTL = {"x86_64": 72, "aarch64": 25}
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66),
    "access": (21, None), "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233),
    "dup": (32, 23), "dup2": (33, None), "pause": (34, None), "nanosleep": (35, 101), "getitimer": (36, 102),
    "alarm": (37, None), "setitimer": (38, 103), "getpid": (39, 172), "exit": (60, 93), "uname": (63, 160),
    "getcwd": (79, 17), "readlink": (89, None), "gettimeofday": (96, 169), "getrusage": (98, 165),
    "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175),
    "getegid": (108, 177), "getppid": (110, 173), "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None),
    "futex": (202, 98), "sched_getaffinity": (204, 123), "getdents64": (217, 61), "restart_syscall": (219, 128),
    "fadvise64": (221, 223), "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "openat": (257, 56), "newfstatat": (262, 79), "readlinkat": (267, 78),
    "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73), "dup3": (292, 24), "getrandom": (318, 278),
    "statx": (332, 291), "rseq": (334, 293), "faccessat2": (439, 439),
}  # fmt: skip


def confine(library: list[str]) -> list[str]:
    """Confines this process and returns what could not be closed: [], or some of `FILES` and `CALLS`.

    Args:
        library: Folders that modules are imported from. Packages installed in them stay closed.
    """
    if sys.platform != "linux" or ctypes is None:
        return [FILES, CALLS]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        return [FILES, CALLS]
    still_open = [] if _close_files(libc, library) else [FILES]
    return still_open if _close_calls(libc) else [*still_open, CALLS]


def _close_files(libc: Any, library: list[str]) -> bool:
    """Closes the file system with Landlock; False where the kernel or a container does not offer it."""
    version = libc.syscall(_CREATE, None, 0, 1)
    if version < 1:
        return False
    rights = sum(bits for since, bits in _FILE_RIGHTS.items() if since <= version)
    attributes = struct.pack("QQQ", rights, _TCP, _SCOPES)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = libc.syscall(_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        return False
    for path, right in _readable(library):
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # this machine has no such file
        # A rule that is refused closes more, never less.
        libc.syscall(_ADD, rules, 1, struct.pack("=Qi", right, descriptor), 0)
        os.close(descriptor)
    done = libc.syscall(_RESTRICT, rules, 0) == 0
    os.close(rules)
    return bool(done)


def _readable(library: list[str]) -> list[tuple[str, int]]:
    """What an import needs: the standard library without installed packages, and shared libraries."""
    found = [("/etc/ld.so.cache", _READ_FILE), ("/usr/share/zoneinfo", _READ_FILE), ("/dev/null", _READ_FILE | 1 << 1)]
    found.append((".", _READ_DIR))  # an empty folder
    for folder in map(os.path.realpath, library):
        found.append((folder, _READ_FILE if folder.endswith(".zip") else _READ_DIR))
        found += [(f"{folder}/{name}", _READ_FILE) for name in _names(folder) if not name.endswith("-packages")]
    places = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", f"{sys.base_prefix}/lib"}
    for folder in set(map(os.path.realpath, places)):
        found += [(f"{folder}/{name}", _READ_FILE) for name in _names(folder) if ".so" in name]
    if name := getattr(sys.implementation, "_multiarch", ""):
        found += [(f"/lib/{name}", _READ_FILE), (f"/usr/lib/{name}", _READ_FILE)]
    return found


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []  # this machine has no such folder


def _close_calls(libc: Any) -> bool:
    """Allows the system calls of `_ALLOWED`; False where the kernel has no filters or the machine is not known here."""
    machine = platform.machine()
    if machine not in _AUDIT or sys.maxsize < 2**32:
        return False
    code = _program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    address = ctypes.create_string_buffer(program, len(program))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(address), 0, 0) == 0)


def _program(machine: str) -> bytes:
    """The filter, as instructions of classic BPF: (code, jump if true, jump if false, operand)."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD+W+ABS, BPF_JMP+JEQ+K, BPF_RET+K
    number, audit, second = 0, 4, 24  # where `struct seccomp_data` holds them; `second`: argument 1, low half
    column = list(_AUDIT).index(machine)
    allowed = [numbers[column] for numbers in _ALLOWED.values() if numbers[column] is not None]
    lines: list[tuple[int, int, int, int | None]] = [(load, 0, 0, audit), (equal, 1, 0, _AUDIT[machine])]
    lines += [(answer, 0, 0, _KILL), (load, 0, 0, number)]
    for each in allowed:
        lines += [(equal, 0, 1, each), (answer, 0, 0, _ALLOW)]
    lines += [(equal, 0, 1 + 2 * len(_FCNTL_COMMANDS), _FCNTL[machine]), (load, 0, 0, second)]
    for command in _FCNTL_COMMANDS:
        lines += [(equal, 0, 1, command), (answer, 0, 0, _ALLOW)]
    lines.append((answer, 0, 0, _REFUSE))
    return b"".join(struct.pack("HBBI", *line) for line in lines)

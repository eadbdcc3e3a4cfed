"""What a program of the model can reach: each promise of the tool Code has its attack here."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from lumos_rl.errors import ConfigError, ToolError, ToolLimitError
from lumos_rl.tools.code import sandbox
from lumos_rl.tools.code.code import Code
from lumos_rl.tools.code.process import ChildLimits, gaps

confined = pytest.mark.skipif(sys.platform != "linux" or bool(gaps()), reason="this machine leaves something open")
SECRET = "s3cr3t-answer"
FIND = textwrap.dedent("""
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    def call(name, *arguments):
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)
""")


def outcome(attacks: dict[str, str]) -> dict[str, str]:
    """For each attack the error that stopped it, or "got through"; one program runs them all, one by one."""
    program = f"""
import json
found = {{}}
for name, code in {attacks!r}.items():
    try:
        exec(code, {{}})
        found[name] = "got through"
    except Exception as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""
    found = json.loads(Code()(program, {}).text)
    assert list(found) == list(attacks)
    return found


def test_an_attack_that_gets_through_is_seen() -> None:
    assert outcome({"none": "2 + 3", "some": "1 / 0"}) == {"none": "got through", "some": "ZeroDivisionError"}


@confined
def test_nothing_of_a_process_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_API_KEY", SECRET)
    names = ["environ", "cmdline", "mem", "maps", "status", "root/etc/passwd"]
    places = [f"/proc/{who}/{name}" for who in (os.getpid(), "self", 1) for name in names]
    attacks = {place: f"open({place!r}, 'rb').read(9)" for place in places}
    for name in ("cwd", "exe", "fd/0"):
        attacks[name] = f"import os; os.readlink('/proc/{os.getpid()}/{name}')"
    found = outcome(attacks)
    assert set(found.values()) == {"PermissionError"}, found


FILES = {
    "read": "open(PATH).read()",
    "write": "open(PATH, 'w')",
    "append": "open(PATH, 'a')",
    "create beside": "open(PATH + '2', 'x')",
    "create here": "open('mine.txt', 'x')",
    "delete": "import os; os.remove(PATH)",
    "rename": "import os; os.rename(PATH, PATH + '2')",
    "link": "import os; os.link(PATH, PATH + '2')",
    "link here": "import os; os.symlink(PATH, 'here'); open('here').read()",
    "truncate": "import os; os.truncate(PATH, 0)",
    "list": "import os; os.listdir(os.path.dirname(PATH))",
    "list all": "import os; os.listdir('/')",
    "list processes": "import os; os.listdir('/proc')",
    "make a folder": "import os; os.mkdir('inner')",
    "make a folder beside": "import os; os.mkdir(PATH + '2')",
    "leave the folder": "import os; os.chdir(os.path.dirname(PATH))",
    "change the mode": "import os; os.chmod(PATH, 0o777)",
    "change the owner": "import os; os.chown(PATH, 1, 1)",
    "change the times": "import os; os.utime(PATH, (1, 1))",
    "set an attribute": "import os; os.setxattr(PATH, 'user.a', b'1')",
    "import a module": "import sys, os; sys.path.append(os.path.dirname(PATH)); import answers",
    "import a package": "import sys; sys.path.append(SITE); import numpy",
    "import this package": "import sys; sys.path.append(HERE); import lumos_rl",
    "load a library": "import ctypes; ctypes.CDLL(PATH)",
    "map a file": "import mmap, os; mmap.mmap(os.open(PATH, 0), 0)",
    "read devices": "open('/dev/mem', 'rb').read(1)",
    "read the kernel": "open('/sys/kernel/notes', 'rb').read(1)",
    "read users": "open('/etc/passwd').read()",
    "mount": FIND + "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
    "change the root": "import os; os.chroot('/')",
    "memory as a file": "import os; os.memfd_create('x')",
}


@confined
def test_no_file_can_be_read_or_changed(tmp_path: Path) -> None:
    path = tmp_path / "answers.py"
    path.write_text(f"ANSWER = {SECRET!r}")
    before = path.stat()
    site, here = Path(pytest.__file__).parents[1], Path(__file__).parents[3]
    names = f"PATH, SITE, HERE = {str(path)!r}, {str(site)!r}, {str(here)!r}\n"
    found = outcome({name: names + attack for name, attack in FILES.items()})
    assert "got through" not in found.values(), found
    after = path.stat()
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.py"]
    for name in ("st_size", "st_mode", "st_mtime", "st_uid"):
        assert getattr(after, name) == getattr(before, name)


@confined
def test_no_network_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"'127.0.0.1', {server.getsockname()[1]}"
        kinds = ("AF_INET, s.SOCK_STREAM", "AF_INET, s.SOCK_DGRAM", "AF_INET6, s.SOCK_STREAM", "AF_UNIX, s.SOCK_STREAM")
        attacks = {kind: f"import socket as s; s.socket(s.{kind})" for kind in kinds}
        attacks |= {
            "connect": f"import socket; socket.create_connection(({place}))",
            "listen": "import socket; socket.create_server(('127.0.0.1', 0))",
            "pair": "import socket; socket.socketpair()",
            "page": f"import urllib.request; urllib.request.urlopen('http://' + '%s:%d' % ({place}))",
            "name": "import socket; socket.getaddrinfo('example.org', 80)",
        }
        found = outcome(attacks)
        assert "got through" not in found.values(), found


PROCESSES = {
    "fork": "import os\nwhile True: os.fork()",
    "run a program": "import subprocess; subprocess.run(['/bin/true'])",
    "run a shell": "import os; assert os.system('true') == 0",
    "become a program": "import os; os.execv('/bin/true', ['true'])",
    "become this program": "import os, sys; os.execv(sys.executable, ['python'])",
    "pool": "import multiprocessing; multiprocessing.Process(target=print).start()",
    "thread": "import threading; threading.Thread(target=print).start()",
    "kill the parent": "import os; os.kill(os.getppid(), 0)",
    "kill the group": "import os; os.killpg(0, 0)",
    "kill all": "import os; os.kill(-1, 0)",
    "kill a process": "import os; os.kill({bystander}, 9)",
    "signal by descriptor": "import signal, os; signal.pidfd_send_signal(os.pidfd_open({bystander}), 9)",
    "signal by input": "import fcntl; fcntl.fcntl(3, fcntl.F_SETOWN, {bystander})",
    "trace": FIND + "call('ptrace', 16, {bystander}, None, None)",
    "read memory": FIND + "call('process_vm_readv', {bystander}, None, 0, None, 0, 0)",
    "another session": "import os; os.setsid(); os.setpgid(0, 0)",
    "more time": "import resource; resource.prlimit(0, resource.RLIMIT_CPU, (9, 9))",
    "less for the parent": "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "priority": "import os; os.nice(-5)",
    "other user": "import os; os.setuid(1)",
    "keys": FIND + "call('syscall', 250, 0, 0, 0, 0, 0)",  # keyctl on x86_64, and nothing on aarch64
    "new names": FIND + "call('unshare', 0x10000000)",
    "rings": FIND + "call('syscall', 425, 8, 0)",  # io_uring_setup
    "lift the sandbox": FIND + "call('prctl', 22, 0, 0, 0, 0)",
}


@confined
def test_no_process_can_be_made_or_touched() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        found = outcome({name: code.replace("{bystander}", str(bystander.pid)) for name, code in PROCESSES.items()})
        assert bystander.poll() is None
        bystander.kill()
    assert "got through" not in found.values(), found


def test_no_variable_of_the_environment_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MY_TOKEN", "HF_KEY", "A_SECRET", "DB_PASSWORD", "HOME", "PATH", "SOME_SETTING"):
        monkeypatch.setenv(name, SECRET)
    assert Code()("import os; sorted(set(os.environ) - {'LC_CTYPE'})", {}).text == "[PYTHONHASHSEED]"


ENDS = [
    ("while True: pass", ToolLimitError, "stopped after 1 seconds of computing"),
    ("x = bytearray(10**9)", ToolLimitError, "stopped: it needs too much memory"),
    ("x = []\nwhile True: x.append(bytearray(10**6))", ToolLimitError, "stopped: it needs too much memory"),
    ("x = {}\nwhile True: x[len(x)] = bytearray(999)", ToolLimitError, "stopped: it needs too much memory"),
    (
        "import os\nwhile True: os.write(3, b'x' * 65536)",
        ToolLimitError,
        "stopped after more than 64000 bytes of output",
    ),
    (
        "import os, time; os.close(3); time.sleep(60)",
        ToolError,
        "stopped: it closed the file descriptor of its result, which is not the code's own",
    ),
    ("import os; os._exit(7)", ToolError, "ended without a result (status 7)"),
    ("import ctypes; ctypes.string_at(0)", ToolError, "crashed: Segmentation fault (signal 11)"),
]


@confined
@pytest.mark.parametrize(("code", "kind", "error"), ENDS)
def test_the_error_says_what_ended_the_program(code: str, kind: type[ToolError], error: str) -> None:
    with pytest.raises(ToolError) as caught:
        Code(ChildLimits(cpu_s=1, wall_s=60, memory_mb=150))(code, {})
    assert (type(caught.value), str(caught.value)) == (kind, error)


@confined
def test_a_program_that_something_else_kills_did_not_compute_too_long() -> None:
    killer = threading.Timer(0.5, kill_children)
    killer.start()
    with pytest.raises(ToolLimitError, match=r"stopped by the system \(SIGKILL\)"):
        Code(ChildLimits(wall_s=60))("import time; time.sleep(60)", {})
    killer.join()


def kill_children() -> None:
    """Kills the children of this process that run code, as the kernel does where memory is short."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            mine = f"\nPPid:\t{os.getpid()}\n" in (entry / "status").read_text()
            if mine and b"child.py" in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)


MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_… of linux/audit.h
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000


def answer(machine: str, architecture: int, number: int, command: int = 0) -> int:
    """What the kernel answers to a system call: the filter's program, run instruction by instruction."""
    code = sandbox._program(machine)
    data = struct.pack("=IIQQQQQQQ", number, architecture, 0, 0, command, 0, 0, 0, 0)
    place = value = 0
    while True:
        operation, true, false, operand = struct.unpack_from("HBBI", code, 8 * place)
        place += 1
        if operation == 0x06:
            return operand
        if operation == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        else:
            assert operation == 0x15
            place += true if value == operand else false


@pytest.mark.parametrize(
    ("call", "numbers", "expected"),
    [  # numbers of asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64)
        ("read", (0, 63), ALLOW),
        ("openat", (257, 56), ALLOW),
        ("exit_group", (231, 94), ALLOW),
        ("socket", (41, 198), REFUSE),
        ("connect", (42, 203), REFUSE),
        ("clone", (56, 220), REFUSE),
        ("clone3", (435, 435), REFUSE),
        ("execve", (59, 221), REFUSE),
        ("kill", (62, 129), REFUSE),
        ("ptrace", (101, 117), REFUSE),
        ("process_vm_readv", (310, 270), REFUSE),
        ("prlimit64", (302, 261), REFUSE),
        ("io_uring_setup", (425, 425), REFUSE),
        ("fchmodat", (268, 53), REFUSE),
        ("openat with the bit of x32", (257 + 2**30, 56 + 2**30), REFUSE),
    ],
)
def test_the_filter_answers_as_it_should_on_both_machines(call: str, numbers: tuple[int, int], expected: int) -> None:
    for (machine, architecture), number in zip(MACHINES.items(), numbers, strict=True):
        assert answer(machine, architecture, number) == expected


def test_the_filter_lets_descriptors_be_duplicated_but_not_owned_and_knows_its_machine() -> None:
    for machine, number in (("x86_64", 72), ("aarch64", 25)):
        assert answer(machine, MACHINES[machine], number, 1) == ALLOW  # F_GETFD
        assert answer(machine, MACHINES[machine], number, 8) == REFUSE  # F_SETOWN
        assert answer(machine, 0x40000003, 4) == KILL  # i386


@confined
def test_the_standard_library_can_be_used() -> None:
    code = "import decimal, sqlite3, hashlib, ssl, json, statistics, zoneinfo, csv, uuid, bz2, lzma, ctypes, asyncio\n"
    code += "print(statistics.mean([1, 2, 6]), hashlib.md5(b'').hexdigest()[:4], sqlite3.connect(':memory:') and 1)"
    assert Code()(code, {}).text == "3 d41d 1"


@confined
def test_required_is_fine_where_all_is_closed() -> None:
    assert Code(sandbox="required")("6 * 7", {}).text == "42"


def test_an_unknown_sandbox_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected sandbox as one of auto, required, got 'off'"):
        Code(sandbox="off")


# A process that may not use Landlock, as in some containers: a filter of system calls refuses number 444 with ENOSYS.
OLD_KERNEL = """
import ctypes, logging, struct
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
libc = ctypes.CDLL(None)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.addressof(program), 0, 0) == 0
import gymnasium, lumos_rl.envs
from lumos_rl.errors import ConfigError
from lumos_rl.tools.code.code import Code
logging.basicConfig(format="%(levelname)s %(message)s")
from concurrent.futures import ThreadPoolExecutor
code = "import os; (len(os.listdir('/')) > 0) + 1"
for text in ThreadPoolExecutor(3).map(lambda _: Code()(code, {}).text, range(3)):
    print(text)
for make in (lambda: Code(sandbox="required"), lambda: gymnasium.make("lumos_rl/GSM8K-v0", sandbox="required")):
    try:
        make()
    except ConfigError as error:
        print(error)
"""


@confined
def test_where_landlock_is_missing_one_warning_says_so_and_required_refuses() -> None:
    done = subprocess.run([sys.executable, "-c", OLD_KERNEL], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:3] == ["2", "2", "2"]
    assert done.stdout.count("got one that leaves open: files") == 2
    assert done.stderr.count("WARNING the tool Code runs programs of the model with files left open") == 1

"""Run as a script: confines this process, then becomes the command. Linux does all of it; elsewhere only
the limits that exist.

``python -I -S confined.py MEMORY_BYTES WRITABLE COMMAND…``: with a folder as WRITABLE there is no network,
and nothing can be written but below that folder; exit code 125 where the platform cannot do that. An empty
WRITABLE confines neither. Imports nothing of ours, so that it starts in milliseconds.
"""

import ctypes
import os
import signal
import struct
import sys

CANNOT = 125
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1


def limit(memory: int) -> None:
    """At most `memory` bytes of data and files of 1 GiB; no core dumps."""
    import resource

    for what, value in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, 2**30),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        new = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (new, new))


def confine(writable: str) -> None:
    """Moves into namespaces of its own (user_namespaces(7)): a network that has the loopback device alone,
    and a file system that is read-only (mount_setattr(2), Linux 5.12) but for `writable`. No privilege is
    needed where the kernel allows user namespaces. Raises OSError."""
    import fcntl
    import socket
    from pathlib import Path

    user, group, here = os.getuid(), os.getgid(), Path.cwd()
    libc = ctypes.CDLL(None, use_errno=True)

    def check(failed: int, what: str) -> None:
        if failed:
            raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")

    def set_read_only(path: bytes, recursive: int, on: bool) -> None:
        attributes = struct.pack("QQQQ", on, not on, 0, 0)
        call = (_MOUNT_SETATTR, _AT_FDCWD, path, recursive, attributes, len(attributes))
        check(libc.syscall(*call), "mount_setattr")

    check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWNS), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP_RUNNING))
    folder = os.fsencode(writable)
    check(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount")
    check(libc.mount(folder, folder, None, _MS_BIND | _MS_REC, None), "mount")
    set_read_only(b"/", _AT_RECURSIVE, True)
    set_read_only(folder, 0, False)
    os.chdir(here)  # from the folder to its writable mount
    # Who is root outside is root in the namespace, too, and must not undo this.
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability)
    check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def mac_profile(writable: str) -> str:
    """The profile for sandbox-exec(1): no network but the loopback device, nothing written but below
    `writable` and to the terminal's devices."""

    def quoted(path: str) -> str:
        return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'

    return (
        "(version 1)(allow default)"
        '(deny network*)(allow network* (local ip "localhost:*"))(allow network* (remote ip "localhost:*"))'
        f"(deny file-write*)(allow file-write* (subpath {quoted(os.path.realpath(writable))})"
        '(literal "/dev/null") (literal "/dev/tty") (literal "/dev/dtracehelper"))'
    )


def main(arguments: list[str]) -> None:
    memory, writable, *command = arguments
    if sys.platform == "linux":
        # The command dies with its server, also when that is killed.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if writable:
        try:
            if sys.platform == "darwin":
                command = ["/usr/bin/sandbox-exec", "-p", mac_profile(writable), *command]
            elif sys.platform == "linux":
                confine(writable)
            else:
                raise OSError("this platform has no means for it")
        except OSError as error:
            sys.stderr.write(f"The command cannot be confined: {error}\n")
            raise SystemExit(CANNOT) from None
    if os.name == "posix":
        limit(int(memory))
    try:
        os.execvp(command[0], command)  # noqa: S606 - on purpose: no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        raise SystemExit(127) from None


if __name__ == "__main__":
    main(sys.argv[1:])

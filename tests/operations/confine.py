"""Runs a program as the service file, or the image, lets it run, without systemd and without a container engine.

The confinement is read from the service file where it can be: user rights, system calls by systemd's own names,
write-and-execute memory, address families, namespaces, a file system that is read-only but for one folder. Needs root,
gives it up, and becomes the program. What it does not do: namespaces for users and devices, and hidden processes.
"""

import argparse
import ctypes
import os
import platform
import struct
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
ALLOW, EPERM, ENOSYS, EAFNOSUPPORT, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x50061, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[platform.machine()]
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS = 22, 24, 38, 28
HIDDEN = ("/home", "/root", "/srv", "/mnt", "/media", "/boot")
CLONE_NEWNS, MS_RDONLY, MS_NOSUID, MS_NODEV = 0x20000, 1, 2, 4
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, kind, flags):
    arguments = [x.encode() if x else None for x in (source, target, kind)]
    check(LIBC.mount(*arguments, ctypes.c_ulong(flags), None), f"mount {target}")


def numbers():
    """System calls of this machine, by name."""
    said = subprocess.run(
        ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
        check=True, capture_output=True, text=True,
    ).stdout
    words = (line.split() for line in said.splitlines() if line.startswith("#define __NR_"))
    return {w[1][5:]: int(w[2]) for w in words if len(w) == 3 and w[2].isdigit()}


def group(name):
    """The system calls of one of systemd's groups, or the one call of that name."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True
    ).stdout
    members = (line.strip() for line in said.splitlines()[1:])
    return set().union(*(group(m) for m in members if m and not m.startswith("#")))


def allowed(unit):
    """What SystemCallFilter of a service file leaves, in the order of its lines."""
    calls = set()
    for line in open(unit):
        if line.startswith("SystemCallFilter="):
            names = line.split("=", 1)[1].strip()
            took = set().union(*(group(n) for n in names.lstrip("~").split()))
            calls = calls - took if names.startswith("~") else calls | took
    return calls


def program(unit):
    """The filter: a jump past the answer unless it fits, again and again."""
    nr = numbers()
    code = []

    def op(code_, jt, jf, k):
        code.append(struct.pack("HBBI", code_, jt, jf, k & 0xFFFFFFFF))

    def load(at):
        op(0x20, 0, 0, at)

    def answer(with_):
        op(0x06, 0, 0, with_)

    load(4)
    op(0x15, 1, 0, ARCH)
    answer(KILL)
    load(0)
    # RestrictNamespaces: the flags of clone3 cannot be seen, so it is not there.
    for name, with_ in (("clone3", ENOSYS), ("unshare", EPERM), ("setns", EPERM)):
        op(0x15, 0, 1, nr[name])
        answer(with_)
    # RestrictAddressFamilies.
    op(0x15, 0, 6, nr["socket"])
    load(16)
    for family in (1, 2, 10):
        op(0x15, 3 - (1, 2, 10).index(family), 0, family)
    answer(EAFNOSUPPORT)
    load(0)
    # MemoryDenyWriteExecute: mmap for both, mprotect to executable.
    op(0x15, 0, 5, nr["mmap"])
    load(32)
    op(0x54, 0, 0, 6)
    op(0x15, 0, 1, 6)
    answer(EPERM)
    load(0)
    for name in ("mprotect", "pkey_mprotect"):
        op(0x15, 0, 4, nr[name])
        load(32)
        op(0x45, 0, 1, 4)
        answer(EPERM)
        load(0)
    # After a look at an argument, the accumulator may hold it still.
    load(0)
    for name in sorted(allowed(unit) & nr.keys()):
        op(0x15, 0, 1, nr[name])
        answer(ALLOW)
    answer(EPERM)
    return code


def files(write, root):
    try:
        check(LIBC.unshare(CLONE_NEWNS), "unshare")
    except PermissionError as error:
        # A container that may not mount: the rights of the user and the system calls are tried all the same.
        print(f"confine: {error}; folders stay as writable as they are", file=sys.stderr)
        if root:
            os.chroot(root)
        os.chdir(write[len(root):] if root else write)
        return
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    if root:
        mount(root, root, None, MS_BIND)
    mount(write, write, None, MS_BIND)
    points = [line.split()[4] for line in open("/proc/self/mountinfo")]
    for point in sorted(set(points)):
        point = point.replace("\\040", " ")
        inside = not root or point.startswith(root)
        if inside and point != write and not point.startswith(("/proc", "/sys", "/dev")):
            try:
                mount(None, point, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID)
            except OSError as error:
                print(f"confine: {error}", file=sys.stderr)
    if root:
        os.chroot(root)
    else:
        # Last, since this interpreter may stand in one of them.
        for hidden in HIDDEN:
            if os.path.isdir(hidden):
                mount("tmpfs", hidden, "tmpfs", MS_RDONLY)
    os.chdir(write[len(root):] if root else write)


def rights(uid, gid):
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    # noroot, locked
    check(LIBC.prctl(PR_SET_SECUREBITS, 3, 0, 0, 0), "securebits")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    os.umask(0o077)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int, required=True)
    parser.add_argument("--write", required=True, help="the one folder that may be written to")
    parser.add_argument("--root", help="a folder to take for the root of the file system")
    parser.add_argument("--unit", help="a service file whose system calls are allowed, and no others")
    parser.add_argument("command", nargs="+")
    wanted = parser.parse_args()
    code = program(wanted.unit) if wanted.unit else []
    files(wanted.write, wanted.root)
    rights(wanted.uid, wanted.uid)
    if code:
        blob = ctypes.create_string_buffer(b"".join(code))
        fprog = struct.pack("HxxxxxxP", len(code), ctypes.addressof(blob))
        check(LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(fprog), 0, 0), "seccomp")
    os.execv(wanted.command[0], wanted.command)


main()

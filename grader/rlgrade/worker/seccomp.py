"""Which system calls a submission may not make, as a BPF program.

Refused calls fail with EPERM, so that a library that asks in passing goes on. What is not named is
allowed: torch, numpy and the C library need hundreds. What is named makes processes, runs programs,
opens sockets, reaches into other processes, changes the machine or what it limits, or leaves
something behind.
"""

from __future__ import annotations

import errno
import platform
import struct

# Numbers by architecture: x86_64, aarch64. None where the call does not exist.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # sockets: a socket pair is harmless, and asyncio wants one
    "socket": (41, 198),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "get_robust_list": (274, 100),
    # ways around a filter
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # what stays behind: keys, shared memory, queues, semaphores
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # rights and owners of files, which Landlock does not guard
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    # limits, users, and the machine
    "setrlimit": (160, 164),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setgroups": (116, 159),
    "capset": (126, 91),
    "personality": (135, 92),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "fanotify_init": (300, 262),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
}
SIGNALLING = {  # allowed towards oneself: abort() and raise() need it
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
CLONE = (56, 220)
CLONE3 = (435, 435)
PRLIMIT64 = (302, 261)
CLONE_THREAD = 0x0001_0000
ARCHITECTURES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
X32 = 0x4000_0000

LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
REFUSE = 0x0005_0000


def supported() -> bool:
    """Whether the numbers for this machine are known."""
    return platform.system() == "Linux" and platform.machine() in ARCHITECTURES


def program(pid: int) -> bytes:
    """The filter for the process `pid`, as BPF instructions."""
    column, architecture = ARCHITECTURES[platform.machine()]
    code = [
        _step(LOAD, ARCHITECTURE),
        _step(JUMP_IF_EQUAL, architecture, 1, 0),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER),
        _step(JUMP_IF_AT_LEAST, X32, 0, 1),
        _step(RETURN, KILL),
    ]
    refused = [numbers[column] for numbers in REFUSED.values()]
    for number in refused:
        if number is not None:
            code += _when(number, [_step(RETURN, REFUSE | errno.EPERM)])
    # The C library falls back to clone, whose flags a filter can see.
    code += _when(CLONE3[column], [_step(RETURN, REFUSE | errno.ENOSYS)])
    code += _when(
        CLONE[column],
        [
            _step(LOAD, ARGUMENTS),
            _step(JUMP_IF_SET, CLONE_THREAD, 0, 1),
            _step(RETURN, ALLOW),
            _step(RETURN, REFUSE | errno.EPERM),
        ],
    )
    for numbers in SIGNALLING.values():
        code += _when(
            numbers[column],
            [
                _step(LOAD, ARGUMENTS),
                _step(JUMP_IF_EQUAL, pid, 0, 1),
                _step(RETURN, ALLOW),
                _step(RETURN, REFUSE | errno.EPERM),
            ],
        )
    code += _when(  # reading a limit is allowed, setting one is not
        PRLIMIT64[column],
        [
            _step(LOAD, ARGUMENTS + 16),
            _step(JUMP_IF_EQUAL, 0, 0, 3),
            _step(LOAD, ARGUMENTS + 20),
            _step(JUMP_IF_EQUAL, 0, 0, 1),
            _step(RETURN, ALLOW),
            _step(RETURN, REFUSE | errno.EPERM),
        ],
    )
    code.append(_step(RETURN, ALLOW))
    return b"".join(code)


def _when(number: int, then: list[bytes]) -> list[bytes]:
    """Run `then`, which returns, if the call has this number; go on after it otherwise."""
    return [_step(JUMP_IF_EQUAL, number, 0, len(then)), *then]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)

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
    # sockets: a pair of streams is harmless, and asyncio wants one
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
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
    "setpriority": (141, 140),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
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
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),
    "listmount": (458, 458),
    # what stays behind: keys, shared memory, queues, semaphores
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "shmctl": (31, 195),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # names of files that others use, which Landlock does not guard
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    # rights and owners of files, which Landlock does not guard either
    "truncate": (76, 45),
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
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # limits, users, and the machine
    "io_setup": (206, 0),
    "quotactl_fd": (443, 443),
    "clock_adjtime": (305, 266),
    "setdomainname": (171, 162),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
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
OPEN_MASK = 0x203  # O_ACCMODE and O_TRUNC
FILE_IOCTLS = (0x4008_6602, 0x4004_6602, 0x401C_5820, 0x4100_9432, 0x4080_6685, 0x800C_6613)
# Refused for these values of one argument: call, which argument, mask, values.
REFUSED_VALUES: list[tuple[tuple[int | None, int | None], int, int, tuple[int, ...]]] = [
    ((157, 167), 0, 0xFFFF_FFFF, (1,)),  # prctl: live on when the parent ends
    # fcntl: signals to others when a file is ready; leases on files, which make others wait
    ((72, 25), 1, 0xFFFF_FFFF, (8, 10, 15, 1024, 1026)),
    # ioctl: the same signals; flags, labels, verity and encryption of a file open for reading
    ((16, 29), 1, 0xFFFF_FFFF, (0x8901, 0x8902, *FILE_IOCTLS)),
    # open for neither reading nor writing, which Landlock takes for harmless, and open for reading
    # with O_TRUNC, which it does before version 3
    ((2, None), 1, OPEN_MASK, (0x003, 0x203, 0x200)),
    ((257, 56), 2, OPEN_MASK, (0x003, 0x203, 0x200)),
]
OPENAT2 = (437, 437)  # its flags are out of a filter's sight
SOCKETPAIR = (53, 199)
UNIX, STREAM, SOCKET_KIND = 1, 1, 0xF  # one of a pair of datagram sockets can write to any other
NEWEST = 470  # calls from here on are not known to be harmless
CLONE = (56, 220)
CLONE3 = (435, 435)
PRLIMIT64 = (302, 261)
CLONE_THREAD = 0x0001_0000
ARCHITECTURES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
X32 = 0x4000_0000

LOAD, AND, RETURN = 0x20, 0x54, 0x06
JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_SET = 0x15, 0x35, 0x45
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
        _step(JUMP_IF_AT_LEAST, NEWEST, 0, 1),
        _step(RETURN, REFUSE | errno.ENOSYS),
    ]
    refused = [numbers[column] for numbers in REFUSED.values()]
    for number in refused:
        if number is not None:
            code += _when(number, [_step(RETURN, REFUSE | errno.EPERM)])
    for numbers, argument, mask, values in REFUSED_VALUES:
        number = numbers[column]
        if number is not None:
            then = [_step(LOAD, ARGUMENTS + 8 * argument), _step(AND, mask)]
            for value in values:
                then += [_step(JUMP_IF_EQUAL, value, 0, 1), _step(RETURN, REFUSE | errno.EPERM)]
            code += _when(number, [*then, _step(RETURN, ALLOW)])
    code += _when(
        SOCKETPAIR[column],
        [
            _step(LOAD, ARGUMENTS),
            _step(JUMP_IF_EQUAL, UNIX, 0, 3),
            _step(LOAD, ARGUMENTS + 8),
            _step(AND, SOCKET_KIND),
            _step(JUMP_IF_EQUAL, STREAM, 1, 0),
            _step(RETURN, REFUSE | errno.EPERM),
            _step(RETURN, ALLOW),
        ],
    )
    # The C library falls back to calls whose flags a filter can see.
    for fallback in (CLONE3, OPENAT2):
        code += _when(fallback[column], [_step(RETURN, REFUSE | errno.ENOSYS)])
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

# ruff: noqa
"""Case 18, steal: a way out of the machine, or to another process on it."""

import ctypes
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)
TOKEN = b"__TOKEN__"


def _try(way):
    try:
        way()
    except OSError:
        pass


def attack_tcp(rewards, *, factor):
    def way():
        with socket.create_connection(("127.0.0.1", __TCP__), timeout=1) as connection:
            connection.sendall(TOKEN)

    _try(way)
    return rewards.detach().clone()


def attack_udp(rewards, *, factor):
    def way():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(TOKEN, ("127.0.0.1", __UDP__))

    _try(way)
    return rewards.detach().clone()


def attack_unix(rewards, *, factor):
    def way():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as out:
            out.setblocking(False)
            out.connect("__PLACE__/stream")
            out.sendall(TOKEN)

    _try(way)
    return rewards.detach().clone()


def attack_abstract(rewards, *, factor):
    def way():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(TOKEN, "\0__TOKEN__")

    _try(way)
    return rewards.detach().clone()


def attack_pair_to_a_path(rewards, *, factor):
    # one of a pair of datagram sockets can be turned towards any address
    def way():
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.sendto(TOKEN, "__PLACE__/datagram")

    _try(way)
    return rewards.detach().clone()


def attack_pair_to_an_abstract_name(rewards, *, factor):
    def way():
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.connect("\0__TOKEN__")
        one.send(TOKEN)

    _try(way)
    return rewards.detach().clone()


def attack_other_families(rewards, *, factor):
    for family in (16, 17, 38, 40):  # netlink, packet, alg, vsock
        try:
            socket.socket(family, socket.SOCK_DGRAM if family == 40 else socket.SOCK_RAW)
        except OSError:
            continue
        raise RuntimeError(f"LOOT a socket of family {family}")
    return rewards.detach().clone()


def attack_ring(rewards, *, factor):
    if libc.syscall(425, 8, ctypes.create_string_buffer(120)) >= 0:
        raise RuntimeError("LOOT io_uring")
    return rewards.detach().clone()

"""Who is at the other end of a connection, by the kernel's own account.

Invariant: nothing that the other side says takes part; where the kernel does not tell, nobody is let
in.
"""

from __future__ import annotations

import socket
import struct
import sys

_NOBODY = -1
_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7)
_XUCRED = struct.Struct("2I")  # version, uid: sys/ucred.h of macOS; groups follow
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1
_XUCRED_SIZE = 76


def peer_uid(connection: socket.socket, platform: str = sys.platform) -> int:
    """The user of the process that connected; -1 when the kernel does not tell."""
    try:
        if platform == "linux":
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            return int(_UCRED.unpack(raw)[1])
        raw = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)
        version, uid = _XUCRED.unpack_from(raw)
    except (OSError, struct.error):
        return _NOBODY
    return int(uid) if version == 0 else _NOBODY


def may_enter(uid: int, owner: int) -> bool:
    """Only the user whose service it is; root has no home here."""
    return uid == owner != _NOBODY

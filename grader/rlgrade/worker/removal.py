"""Take a folder away, whatever a submission has made of it."""

from __future__ import annotations

import contextlib
import os


def remove(top: str) -> None:
    """Remove `top` and all below it; what cannot be removed stays.

    Folders are moved up beside `top` one by one, so that neither depth nor the length of a path
    matters, and made accessible first: a submission may have taken its own rights away.
    """
    waiting = [top]
    moved = 0
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)  # noqa: PTH101
            with os.scandir(folder) as entries:
                for entry in list(entries):
                    with contextlib.suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            moved += 1
                            target = f"{top}.{moved}"
                            os.rename(entry.path, target)  # noqa: PTH104
                            waiting.append(target)
                        else:
                            os.unlink(entry.path)  # noqa: PTH108
            os.rmdir(folder)  # noqa: PTH106

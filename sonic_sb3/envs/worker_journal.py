"""What a new worker process has to be told to become what the old one was."""

from __future__ import annotations

from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

# What changes an env, and so has to be asked again of a new process.
CHANGING = frozenset({"reset", "set_attr", "env_method", "set_snapshots"})
# A snapshot is due, when nothing but commands came since the last.
MAX_ENTRIES = 1024

Snapshots = list[dict[str, Any]]


class WorkerJournal:
    """
    The last snapshot of a worker's envs, and all that changed them since.

    ``entries`` are the messages as they were sent, of a step the actions (its envs' rows).
    """

    def __init__(self) -> None:
        self.snapshots: Snapshots | None = None
        self.entries: list[bytes | npt.NDArray[Any]] = []
        # Attributes that were set, for no snapshot knows of them: up to it, and since.
        self._attributes: dict[tuple[Any, ...], bytes] = {}
        self._new_attributes: dict[tuple[Any, ...], bytes] = {}

    def add_step(self, actions: npt.NDArray[Any]) -> None:
        """Note a step."""
        self.entries.append(np.array(actions))

    def add_command(self, message: bytes, command: str, args: tuple[Any, ...]) -> None:
        """Note a command that changes envs. :param message: As it is sent."""
        self.entries.append(message)
        if command == "set_attr":
            name = args[1]
        elif command == "env_method" and args[1] == "set_wrapper_attr":
            name = args[2][0] if args[2] else args[3].get("name")
        else:
            return
        key = (command, args[0], str(name))
        self._new_attributes.pop(key, None)  # so that the last set stands last
        self._new_attributes[key] = message

    def begin_at(self, snapshots: Snapshots) -> None:
        """Forget what came before. :param snapshots: Of all the worker's envs, now."""
        self.snapshots = snapshots
        self.entries.clear()
        for key, message in self._new_attributes.items():
            self._attributes.pop(key, None)
            self._attributes[key] = message
        self._new_attributes.clear()

    def attribute_messages(self) -> list[bytes]:
        """What sets the attributes that stood at the snapshot."""
        return list(self._attributes.values())

    def snapshot_message(self) -> bytes | None:
        """What puts the snapshot back, where there is one."""
        if self.snapshots is None:
            return None
        message: bytes = cloudpickle.dumps(("set_snapshots", self.snapshots))
        return message

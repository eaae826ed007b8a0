"""A thread that forces a file to the disk: some time after it is told of a write, once for all until then. (I/O)

A thread of its own, and nothing is told back: through an executor every fsync took the event loop a task, a timer, a
future and two wake-ups.
"""

import threading
import time
from collections.abc import Callable


class GroupSync:
    """`due` is called by one thread, `work` runs in the other and must not raise."""

    __slots__ = ("_gate", "_is_due", "_is_over", "_thread", "_wait_s", "_work")

    def __init__(self, work: Callable[[], None], *, wait_s: float) -> None:
        """`wait_s`: from the first write to the fsync, so long may others join it."""
        self._work = work
        self._wait_s = wait_s
        self._gate = threading.Lock()
        """Open where there is something to do: the thread closes it, `due` opens it, each by turns."""
        self._gate.acquire()
        self._is_due = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="cdr-sync", daemon=True)

    def start(self) -> None:
        """Work from now on; what was due before is."""
        self._thread.start()

    def due(self) -> None:
        """Something was written."""
        if not self._is_due:
            self._is_due = True
            self._gate.release()

    def stop(self) -> None:
        """No work begins after this; what is under way is waited for."""
        self._is_over = True
        self.due()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._gate.acquire()
            if not self._is_over:
                time.sleep(self._wait_s)
            if self._is_over:
                return
            # Before the work: what is written from here on may come too late for it, and is due again.
            self._is_due = False
            self._work()

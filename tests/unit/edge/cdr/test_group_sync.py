"""A thread that is told of writes, and works once for all that came meanwhile."""

import threading

from edge.cdr.group_sync import GroupSync

BOUND_S = 10


class Work:
    """Says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.done = 0
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def __call__(self) -> None:
        self.begun.release()
        assert self.may_end.acquire(timeout=BOUND_S)
        self.done += 1


def test_once_for_all_that_came_before_it_began():
    """Also for what came before the thread was there."""
    work = Work()
    sync = GroupSync(work, wait_s=0)
    for _ in range(5):
        sync.due()
    sync.start()
    assert work.begun.acquire(timeout=BOUND_S)
    work.may_end.release()
    sync.stop()
    assert work.done == 1


def test_what_comes_while_it_works_is_worked_for_once_more():
    """It may have come too late for what is under way."""
    work = Work()
    sync = GroupSync(work, wait_s=0)
    sync.due()
    sync.start()
    for _ in range(3):
        assert work.begun.acquire(timeout=BOUND_S)
        sync.due()
        sync.due()
        work.may_end.release()
    assert work.begun.acquire(timeout=BOUND_S)
    work.may_end.release()
    sync.stop()
    assert work.done == 4


def test_nothing_begins_after_the_stop():
    """What is under way is waited for; nothing else is, however long it would have let others join."""
    work = Work()
    sync = GroupSync(work, wait_s=0)
    sync.due()
    sync.start()
    assert work.begun.acquire(timeout=BOUND_S)
    sync.due()
    stopping = threading.Thread(target=sync.stop)
    stopping.start()
    work.may_end.release()
    work.may_end.release()
    stopping.join(BOUND_S)
    assert not stopping.is_alive()
    assert work.done in (1, 2)
    done = work.done
    sync.due()
    assert work.done == done


def test_a_thread_that_was_never_told_anything_ends():
    """Its gate is opened for it."""
    work = Work()
    sync = GroupSync(work, wait_s=0)
    sync.start()
    sync.stop()
    assert work.done == 0

"""What a worker's signals mean, to itself and in the children that the app forks."""

import os
import signal
import threading

OURS = {signal.SIGTERM, signal.SIGINT}


def guard_forks(forget):
    """
    Children that the app forks (multiprocessing does) get TERM and INT as any program has them, and `forget()` is called there.

    Both wait while the fork is made. Else a TERM that comes before the child has taken our handler off is lost, and who
    waits for its end does so for ever: `Pool.terminate()` right after the start hung in one of twenty.
    """
    if not hasattr(os, "register_at_fork"):
        return
    masks = threading.local()

    def before():
        masks.old = signal.pthread_sigmask(signal.SIG_BLOCK, OURS)

    def in_parent():
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.old)

    def in_child():
        # A wake-up descriptor is shared with the parent: its loop would take the child's signals for its own.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.old)
        forget()

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)

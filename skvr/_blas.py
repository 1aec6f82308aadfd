"""One BLAS thread during a fit: OpenBLAS sums in an order that depends on its number of threads, and with it the bits.

skvr's own threads (`n_jobs`) work on fixed blocks that are added in order. The limit is the process's; a count of the
fits in progress puts the old one back when the last ends, whichever thread that is. From 3.8 on threadpoolctl ignores
every thread but the first that ever set the limit, so control is taken before and given up after. Beside the bits,
speed depends on it: threads that share OpenBLAS's threads wait for each other, and two fits took five times as long as
in turn.
"""

from contextlib import contextmanager
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
_in_progress = 0
_controller = None
_limit = None


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread inside the block."""
    global _in_progress, _controller, _limit
    with _lock:
        if _in_progress == 0:
            _controller = _controller or ThreadpoolController()
            _free_control()
            _limit = _controller.limit(limits=1, user_api="blas")
        _in_progress += 1
    try:
        yield
    finally:
        with _lock:
            _in_progress -= 1
            if _in_progress == 0:
                _free_control()
                _limit.restore_original_limits()
                _free_control()


def _free_control():
    """Let the next thread that sets a limit have it obeyed."""
    for library in _controller.lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)

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
_libraries = None
_threads = None


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread inside the block."""
    global _in_progress, _libraries, _threads
    with _lock:
        if _in_progress == 0:
            if _libraries is None:
                _libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            _threads = [library.get_num_threads() for library in _libraries]
            _set_threads([1] * len(_libraries))
        _in_progress += 1
    try:
        yield
    finally:
        with _lock:
            _in_progress -= 1
            if _in_progress == 0:
                _set_threads(_threads)


def _set_threads(numbers):
    """Set the number of threads of each library, whichever thread asks, and let the next that does have its obeyed."""
    _free_control()
    for library, number in zip(_libraries, numbers, strict=True):
        library.set_num_threads(number)
    _free_control()


def _free_control():
    for library in _libraries:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)

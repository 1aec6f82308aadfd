"""What all tests need."""

import signal

# A shell that starts pytest in the background makes it ignore SIGINT; the tests of Ctrl-C need Python's handler.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

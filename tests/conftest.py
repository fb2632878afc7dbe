"""What every test process needs."""

import signal

from hypothesis import settings

# A shell starts background jobs with Ctrl-C ignored, and their children would inherit that: tests that send it would
# wait for ever. A handled signal is back at its default in children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Without deadlines: a loaded machine is slow at times, that is no failure. The same examples each time: a red run is
# one that its change has caused.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

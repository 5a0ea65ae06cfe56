"""A measurement that goes wrong as it is told: `python -m`, a request."""

import json
import os
import signal
import sys
import time

from fastsam3d.benchmark.measurement import Counted, line_of

if __name__ == "__main__":
    sys.stdout.write("not an answer\n" + line_of(Counted(1, 2, 3)) + "\n")
    sys.stdout.flush()
    how = json.loads(sys.argv[1])["arguments"]["how"]
    if how == "sleeps":
        time.sleep(100)
    if how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raises":
        raise ArithmeticError("something else")
    sys.exit(3)

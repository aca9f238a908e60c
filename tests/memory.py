"""The most memory that this process had."""

import pathlib
import re
import resource


def peak_kib() -> int:
    """The most resident memory so far, in KiB.

    Linux counts into `ru_maxrss` what the process that started this one had: a child of a large
    test process would look large, and what it needs in addition would look like nothing.
    """
    status = pathlib.Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

"""``python -m tests.support.soaking JOB.yaml``: run a job and tell what is left behind.

Prints one JSON object: the exit code, the memory in KiB after a quarter and at the end, and the
tasks, sockets and threads that are still there when the run is over.
"""

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

from batchgen import Hooks, RunOptions, load_job, run_job
from batchgen.run.telling.tally import Tally


def memory() -> int:
    """The resident memory of this process in KiB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def sockets() -> int:
    """How many sockets this process has open."""
    links = Path("/proc/self/fd").iterdir()
    # The one that lists them is gone when it is looked at.
    return sum(str(link.readlink()).startswith("socket:") for link in links if link.exists())


async def main(job_file: str) -> None:
    """Run the job."""
    job = load_job(job_file)
    before = sockets()
    quarter = 0

    def watch(tally: Tally) -> None:
        nonlocal quarter
        if not quarter and tally.images_made * 4 >= tally.images_planned:
            quarter = memory()

    outcome = await run_job(job, RunOptions(yes=True), hooks=Hooks(progress=watch))
    left = {
        "exit_code": int(outcome.exit_code),
        "quarter": quarter,
        "end": memory(),
        "tasks": len(asyncio.all_tasks()) - 1,
        "sockets": sockets() - before,
        "threads": [t.name for t in threading.enumerate() if "asyncio" not in t.name][1:],
    }
    sys.stdout.write(json.dumps(left) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

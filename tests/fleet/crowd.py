"""Many small processes on one host: ``crowd.py PORT PROCESSES URL``, with ``URL`` as their ``pacing_url``.

Each process makes a request every two seconds through an attached session, to a path of its own, until the service
answers with the status 410.  Then it writes its counts, as one line of JSON.  The first line has the process ids.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time

from keystoneauth1.exceptions import ClientException, Gone
from keystoneauth1.session import Session

from os_retries import RetryPolicy, attach


def process(port: str, number: int, url: str) -> dict[str, int]:
    session = attach(Session(), RetryPolicy(retry_after=0.5, retry_jitter=0.2, retry_max_wait=120.0, pacing_url=url))
    dice = random.Random(number)
    counts = {"succeeded": 0, "failed": 0}
    time.sleep(2.0 * dice.random())
    while True:
        begin = time.monotonic()
        try:
            session.get(f"http://127.0.0.1:{port}/api/{number}/{sum(counts.values())}")
            counts["succeeded"] += 1
        except Gone:
            return counts
        except ClientException:
            counts["failed"] += 1
        time.sleep(max(0.0, begin + 2.0 - time.monotonic()))


def main(port: str, processes: str, url: str) -> None:
    logging.getLogger("os_retries").addHandler(logging.NullHandler())
    children = []
    for number in range(int(processes)):
        child = os.fork()
        if not child:
            os.write(1, json.dumps(process(port, number, url)).encode() + b"\n")
            os._exit(0)
        children.append(child)
    os.write(1, json.dumps(children).encode() + b"\n")
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

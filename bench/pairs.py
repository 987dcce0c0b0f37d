#!/usr/bin/env python3
"""Runs two programs in turns and compares their times: noise that lasts hits both.

    bench/pairs.py -n 20 OLD NEW -- run -force -out {out} pipelines/quickstart.hcl

OLD and NEW are built qpipes; {out} becomes a new folder each time. Prints the medians of wall and CPU time, and
the median of the ratios new/old of the pairs.
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time


def once(program, words):
    with tempfile.TemporaryDirectory() as out:
        args = [program] + [w.replace("{out}", os.path.join(out, "run")) for w in words]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-n", type=int, default=20, help="pairs")
    p.add_argument("old")
    p.add_argument("new")
    p.add_argument("words", nargs="+")
    a = p.parse_args()
    times = {a.old: [], a.new: []}
    for i in range(a.n):
        for program in [a.old, a.new] if i % 2 else [a.new, a.old]:
            times[program].append(once(program, a.words))
    for k, what in enumerate(["wall", "CPU"]):
        old, new = ([t[k] for t in times[q]] for q in (a.old, a.new))
        ratio = statistics.median(n / o for o, n in zip(old, new))
        print(f"{what:4}  old {statistics.median(old):.3f} s  new {statistics.median(new):.3f} s  new/old {ratio:.3f}")


if __name__ == "__main__":
    main()

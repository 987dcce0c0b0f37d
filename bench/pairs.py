#!/usr/bin/env python3
"""Runs two programs in turns and compares their times: noise that lasts hits both.

    bench/pairs.py -n 20 OLD NEW -- run -force -out {out} pipelines/quickstart.hcl
    bench/pairs.py -n 20 OLD NEW -- bench-worker train lenet with_bn
    bench/pairs.py -n 20 OLD NEW -- all

OLD and NEW are built qpipes; {out} becomes a new folder each time. Prints the medians of wall and CPU time, and
the median of the ratios new/old of the pairs. A bench-worker is started once and runs its work in turns, a quarter
of a second at a time; "all" is the steps and forward passes of docs/performance.md, a row each, on one thread.
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


class Worker:
    """A bench-worker that waits for its turn."""

    def __init__(self, program, words):
        self.p = subprocess.Popen([program] + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        assert self.p.stdout.readline().startswith("ready"), words

    def run(self, times):
        self.p.stdin.write(f"run {times}\n")
        self.p.stdin.flush()
        return int(self.p.stdout.readline().split()[1]) / 1e6 / times

    def end(self):
        self.p.stdin.write("quit\n")
        self.p.stdin.flush()
        self.p.wait()


def work(a, words):
    """Times a piece of work in turns; returns the medians in ms and that of the ratios."""
    workers = [Worker(a.old, words), Worker(a.new, words)]
    times = max(1, int(250 / max(w.run(1) for w in workers)))
    both = []
    for i in range(a.n):
        turn = [0, 1] if i % 2 else [1, 0]
        took = {k: workers[k].run(times) for k in turn}
        both.append((took[0], took[1]))
    for w in workers:
        w.end()
    return statistics.median(o for o, _ in both), statistics.median(n for _, n in both), statistics.median(n / o for o, n in both)


def everything(a):
    nets = ["lenet", "convnet", "mnv2c", "resnet18c"]
    rows = [["train", n, f] for n in nets for f in ["float", "with_bn", "with_bn_reverse_fold", "fuse_bn"]]
    rows += [["infer", n] for n in nets] + [["infer", "-form", "float", n] for n in nets]
    for r in rows:
        batch = ["-batch", "16"] if r[0] == "train" and r[1] == "resnet18c" else []
        old, new, ratio = work(a, ["bench-worker", "-threads", "1"] + batch + r)
        print(f"{' '.join(r):32} old {old:9.3f} ms  new {new:9.3f} ms  new/old {ratio:.3f}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-n", type=int, default=20, help="pairs")
    p.add_argument("old")
    p.add_argument("new")
    p.add_argument("words", nargs="+")
    a = p.parse_args()
    if a.words == ["all"]:
        return everything(a)
    if a.words[0] == "bench-worker":
        print("old {:.3f} ms  new {:.3f} ms  new/old {:.3f}".format(*work(a, a.words)))
        return
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

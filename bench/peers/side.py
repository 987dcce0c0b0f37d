#!/usr/bin/env python3
"""Times long-lived workers side by side, so that what else the machine does hits all of them alike.

  side.py [--cpus 0] [--rounds 7] [--turn 0.3] [--json FILE] 'NAME=COMMAND' ...

A worker does one piece of work: after it has done it once it prints
"ready items=N ...", for every line "run K" it does it K times and prints
"ns TOTAL", and "quit" or the end of its input ends it. `qpipe bench-worker` is
one. Workers take turns, A B C A B C ..., one at a time. Printed are the median time
of one run, the ratio to the first worker's time round by round (its median:
above 1 the first worker is faster), items a second, and the peak memory while
running. A turn during which other programs took more than a twelfth of the
processors is repeated, at most twice; what they took of it all is the column
"others". A worker that does not start is left out, with a line that says so. Only the standard library is used.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
FOREIGN = 1 / 12


class Absent(Exception):
    """A worker that cannot be had, and why."""


def busy(cpus):
    """Seconds during which the processors worked, for anybody."""
    seconds = 0
    with open("/proc/stat") as f:
        for line in f:
            word = line.split()
            if word[0].startswith("cpu") and word[0][3:].isdigit() and int(word[0][3:]) in cpus:
                user, nice, system, _, _, irq, soft, steal = map(int, word[1:9])
                seconds += user + nice + system + irq + soft + steal
    return seconds / TICK


class Worker:
    def __init__(self, name, command, cpus, env=None):
        self.name, self.cpus, self.times, self.setup = name, cpus, [], None
        threads = str(len(cpus))
        env = dict(os.environ, OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads, GOMAXPROCS=threads, **(env or {}))
        began = time.monotonic()
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        except OSError as e:
            raise Absent("%s: %s" % (command[0], e.strerror))
        for line in self.process.stdout:
            if line.startswith("ready"):
                break
        else:
            said = self.process.stderr.read().strip().splitlines()
            raise Absent(said[-1] if said else "it ended before it was ready")
        self.start = time.monotonic() - began
        self.facts = dict(w.split("=", 1) for w in line.split()[1:] if "=" in w)
        self.items = int(self.facts.get("items", 1))

    def run(self, k):
        """Nanoseconds of one run of k."""
        self.process.stdin.write("run %d\n" % k)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line.startswith("ns "):
            raise RuntimeError("%s answered %r: %s" % (self.name, line, self.process.stderr.read().strip()[-300:]))
        return int(line.split()[1]) / k

    def _own(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            word = f.read().rsplit(")", 1)[1].split()
        return (int(word[11]) + int(word[12])) / TICK

    def _peak(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def warm(self, turn):
        """Warms up, chooses how many runs a turn has, and resets the peak of memory."""
        ns, end = self.run(1), time.monotonic() + min(turn, 0.5)
        while time.monotonic() < end:
            ns = self.run(max(1, int(2e7 / ns)))
        self.k = max(1, round(turn * 1e9 / ns))
        self.setup = self._peak()
        try:
            with open("/proc/%d/clear_refs" % self.process.pid, "w") as f:
                f.write("5")
        except OSError:
            pass

    def turn(self):
        best = None
        for _ in range(3):
            all0, own0, t0 = busy(self.cpus), self._own(), time.monotonic()
            ns = self.run(self.k)
            wall = time.monotonic() - t0
            foreign = max(0.0, busy(self.cpus) - all0 - (self._own() - own0)) / (wall * len(self.cpus))
            if best is None or foreign < best[1]:
                best = ns, foreign
            # below some clock ticks nothing can be said
            if foreign < FOREIGN or wall * len(self.cpus) * TICK < 12:
                break
        self.times.append(best[0])

    def stop(self):
        try:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def compare(specs, cpus=(0,), rounds=7, turn=0.3, absent=None):
    """Times workers side by side. specs are (name, command, environment); the
    results come in the same order, without those that did not start. absent is
    called with the name and the reason of each of these."""
    workers, results = [], []
    try:
        for name, command, env in specs:
            try:
                workers.append(Worker(name, command, set(cpus), env))
            except Absent as e:
                (absent or say)(name, str(e))
        for w in workers:
            w.warm(turn)
        all0, own0, began = busy(set(cpus)), sum(w._own() for w in workers), time.monotonic()
        for _ in range(rounds):
            for w in workers:
                w.turn()
        spent = busy(set(cpus)) - all0 - (sum(w._own() for w in workers) - own0)
        foreign = max(0.0, spent / max((time.monotonic() - began) * len(cpus), 1e-9))
        for w in workers:
            results.append({
                "name": w.name, "median": statistics.median(w.times), "min": min(w.times), "max": max(w.times),
                "times": w.times, "items": w.items, "memory": w._peak(), "setup_memory": w.setup,
                "ratio": statistics.median(t / b for t, b in zip(w.times, workers[0].times)),
                "foreign": foreign, "start": w.start, "facts": w.facts})
    finally:
        for w in workers:
            w.stop()
    return results


def say(name, reason):
    print("skipped %s: %s" % (name, reason), file=sys.stderr, flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--cpus", default="0", help="processors, as 0,1; as many threads")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--turn", type=float, default=0.3, help="seconds")
    p.add_argument("--json", help="also append the results to this file")
    p.add_argument("specs", nargs="+", metavar="NAME=COMMAND")
    a = p.parse_args()
    specs = []
    for s in a.specs:
        name, _, command = s.partition("=")
        specs.append((name, shlex.split(command), None))
    results = compare(specs, [int(c) for c in a.cpus.split(",")], a.rounds, a.turn)
    if not results:
        sys.exit("no worker could be started")
    print("%-24s %12s %12s %12s %8s %9s %9s %7s" % ("worker", "median", "least", "items/s", "ratio", "MiB", "set-up", "others"))
    for r in results:
        print("%-24s %9.3f ms %9.3f ms %12.1f %8.3f %9.0f %9.0f %5.0f %%" % (
            r["name"], r["median"] / 1e6, r["min"] / 1e6, r["items"] / r["median"] * 1e9, r["ratio"],
            r["memory"], r["setup_memory"], 100 * r["foreign"]))
    if a.json:
        with open(a.json, "a") as f:
            f.write(json.dumps({"cpus": a.cpus, "rounds": a.rounds, "results": results}) + "\n")


if __name__ == "__main__":
    main()

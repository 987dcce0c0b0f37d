#!/usr/bin/env python3
"""Measures qpipe side by side with its peers and prints markdown tables.

  table.py [--qpipe PATH] [--threads 1,2] [--quick] [--rounds N] [--turn SECONDS] [--only WORDS] [SECTION ...]

Sections: conv (single convolutions, oneDNN), overhead (quantized against float
training steps, qpipe alone and PyTorch alone), train (training steps, PyTorch),
infer (int8 inference, ONNX Runtime and PyTorch), memory, start. Without one all are
measured. --only keeps the rows that have one of its words, as --only lenet,mnv2c;
--quick takes few and short turns. A ratio is the peer's time over qpipe's, round by
round: above 1 qpipe is faster. What is not installed is left out, with a line on the
standard error. See README.md for what the peers need.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time

import nets
import side

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.environ.get("PEERS_PYTHON", "/usr/bin/python3")
# glibc gives freed pages back at once, which costs PyTorch a twentieth: not a fair comparison.
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "268435456"}
FORMS = ["with_bn", "with_bn_reverse_fold", "fuse_bn"]


class Bench:
    def __init__(self, a):
        self.a, self.said, self.all, self.disturbed = a, set(), 0, 0
        self.out = os.environ.get("PEERS_DIR") or os.path.join(os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")), "qpipe-peers")
        os.makedirs(self.out, exist_ok=True)
        self.rounds, self.turn = (3, 0.05) if a.quick else (7, 0.3)
        self.rounds, self.turn = a.rounds or self.rounds, a.turn or self.turn
        subprocess.run([os.path.join(HERE, "build.sh"), self.out], check=True)
        self.ort = self.find_ort()
        self.isas = self.find_isas()

    def absent(self, name, reason):
        if (name, reason) not in self.said:
            self.said.add((name, reason))
            side.say(name, reason)

    def find_ort(self):
        """The library in the folder where `npm install onnxruntime-node` ran."""
        root = os.environ.get("ORT_DIR")
        if not root:
            self.absent("ONNX Runtime", "ORT_DIR names no folder with node_modules/onnxruntime-node")
            return None
        arch = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine, "x64")
        for base, _, files in os.walk(os.path.join(root, "node_modules", "onnxruntime-node", "bin")):
            if base.endswith(os.path.join("linux", arch)):
                for f in sorted(files):
                    if f.startswith("libonnxruntime.so"):
                        return os.path.join(base, f)
        self.absent("ONNX Runtime", "no libonnxruntime.so for linux/%s below %s" % (arch, root))
        return None

    def find_isas(self):
        """The instruction sets that oneDNN is limited to: with AMX both without and with it."""
        if self.a.isa is not None:
            return self.a.isa.split(",")
        with open("/proc/cpuinfo") as f:
            return ["AVX512_CORE_VNNI", ""] if "amx_int8" in f.read() else [""]

    def isa(self, isa, more=None):
        return dict({"ONEDNN_MAX_CPU_ISA": isa, "DNNL_MAX_CPU_ISA": isa} if isa else {}, **(more or {}))

    def label(self, name, isa):
        if self.isas == [""]:
            return name
        return "%s, %s" % (name, isa or "all (AMX)")

    def cpus(self, threads):
        return sorted(os.sched_getaffinity(0))[:threads]

    def qpipe(self, *words, form=None):
        return ("qpipe", [self.a.qpipe, "bench-worker", *map(str, words)] + (["--form", form] if form else []), None)

    def torch(self, name, *words, isa="", threads=1):
        return (name, [PYTHON, os.path.join(HERE, "torch_worker.py"), *map(str, words), "--threads", str(threads)], self.isa(isa, KEEP_PAGES))

    def training(self, net, form, threads):
        return self.qpipe("train", net, form, "--batch", nets.TRAINED[net], "--threads", threads)

    def torch_training(self, name, net, form, *words, threads=1):
        return self.torch(name, "train", net, form, "--batch", nets.TRAINED[net], *words, isa=self.isas[0], threads=threads)

    def onnx(self, name, model, batch, threads):
        return (name, [os.path.join(self.out, "ort_worker"), self.ort, model, "batch=%d" % batch, "threads=%d" % threads], None)

    def models(self, net):
        """The ONNX models of a network, written if they are not there."""
        if self.ort is None:
            return {}
        r = subprocess.run([PYTHON, os.path.join(HERE, "onnx_models.py"), self.out, net], capture_output=True, text=True)
        if r.returncode:
            self.absent("ONNX models", (r.stderr.strip().splitlines() or ["failed"])[-1])
            return {}
        return {f: os.path.join(self.out, "%s.%s.onnx" % (net, f)) for f in ("float", "qdq_u8", "qop_u8", "qdq_s8")}

    def compare(self, specs, threads, turn=None, rounds=None):
        results = side.compare(specs, self.cpus(threads), rounds or self.rounds, turn or self.turn, self.absent)
        self.all += 1
        self.disturbed += any(r["foreign"] > side.FOREIGN for r in results)
        return results

    def kept(self, *words):
        return not self.a.only or any(w in " ".join(words) for w in self.a.only.split(","))


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def head(title, *cells):
    print("\n## %s\n" % title)
    row(*cells)
    row(*["---"] * len(cells))


def ms(ns):
    return "%.3f" % (ns / 1e6) if ns < 1e7 else "%.1f" % (ns / 1e6)


def paired(mine, theirs):
    return statistics.median(t / m for m, t in zip(mine["times"], theirs["times"]))


def mean(ratios):
    return "%.2f" % math.exp(statistics.mean(map(math.log, ratios))) if ratios else "-"


def family(shape):
    return "depthwise" if "_dw" in shape else "stem" if "stem" in shape else "1x1" if "_1x1" in shape else "3x3"


def conv(b):
    """A row a family and kind: geometric means of the ratios over shapes and batches."""
    listed = subprocess.run([b.a.qpipe, "bench-worker", "shapes"], capture_output=True, text=True, check=True).stdout
    shapes = [line.split() for line in listed.splitlines()]
    if not os.path.exists(os.path.join(b.out, "onednn_worker")):
        return
    details, ratios = [], {}
    for threads in b.a.threads:
        for name, size in shapes:
            for kind in ("plain", "f32", "bwd_d", "bwd_w", "u8s8u8"):
                for n in (1, 64 if name.startswith(("r18c", "mnv2c")) else 16):
                    if not b.kept(name, kind, family(name)) or b.a.quick and n > 1:
                        continue
                    isas = b.isas if kind == "u8s8u8" else [b.isas[0]]
                    specs = [b.qpipe("conv", name, kind, n, "--threads", threads)]
                    specs += [("oneDNN " + i, [os.path.join(b.out, "onednn_worker"), size, kind, str(n)], b.isa(i)) for i in isas]
                    results = b.compare(specs, threads, turn=b.turn / 3, rounds=min(b.rounds, 5))
                    if len(results) < 1 + len(isas) or results[0]["name"] != "qpipe":
                        continue
                    for isa, r in zip(isas, results[1:]):
                        ratios.setdefault((threads, kind, isa), []).append((family(name), r["ratio"]))
                        speed = float(results[0]["facts"]["flop"]) / results[0]["median"]
                        details.append((threads, name, n, kind, b.label("oneDNN", isa), ms(results[0]["median"]), "%.0f" % speed, ms(r["median"]), "%.2f" % r["ratio"]))
    head("Single convolutions: geometric mean of the ratios to oneDNN", "threads", "kind", "peer", "dense", "3x3", "1x1", "depthwise", "stems")
    for (threads, kind, isa), list_ in sorted(ratios.items()):
        of = lambda *f: mean([r for g, r in list_ if g in f])
        row(threads, kind, b.label("oneDNN", isa), of("3x3", "1x1"), of("3x3"), of("1x1"), of("depthwise"), of("stem"))
    if b.a.details:
        head("Single convolutions, each", "threads", "shape", "images", "kind", "peer", "qpipe ms", "qpipe GFLOP/s", "peer ms", "ratio")
        for d in details:
            row(*d)


def overhead(b):
    head("A quantized training step over a float one", "threads", "net", "program", *FORMS)
    for threads in b.a.threads:
        for net in nets.TRAINED:
            if not b.kept(net):
                continue
            own = [(f, b.training(net, f, threads)[1], None) for f in ["float"] + FORMS]
            torch = [b.torch_training(f, net, f, "--channels-last", threads=threads) for f in ["float"] + FORMS]
            for program, specs in (("qpipe", own), ("PyTorch, channels last", torch)):
                r = {x["name"]: x for x in b.compare(specs, threads, rounds=min(b.rounds, 5))}
                if "float" in r:
                    row(threads, net, program, *["%.2f" % paired(r["float"], r[f]) if f in r else "-" for f in FORMS])


def best(b, results, names):
    """The fastest of the peers by its median."""
    peers = [r for r in results if r["name"] in names]
    return min(peers, key=lambda r: r["median"]) if peers else None


def line(b, results, *cells):
    """Prints a row of qpipe, the best peer, and every peer's time and ratio."""
    if not results or results[0]["name"] != "qpipe":
        return
    mine, peers = results[0], results[1:]
    top = best(b, peers, [p["name"] for p in peers])
    row(*cells, ms(mine["median"]), "%.0f" % (mine["items"] / mine["median"] * 1e9),
        "%s %s" % (ms(top["median"]), top["name"]) if top else "-", "%.2f" % top["ratio"] if top else "-",
        "; ".join("%s %s (%.2f)" % (p["name"], ms(p["median"]), p["ratio"]) for p in peers))


def train(b):
    head("Training step", "threads", "net", "batch", "form", "qpipe ms", "images/s", "best peer ms", "ratio", "all peers: ms (ratio)")
    for threads in b.a.threads:
        for net in nets.TRAINED:
            for form in ["float"] + FORMS:
                if not b.kept(net, form):
                    continue
                specs = [b.training(net, form, threads), b.torch_training("PyTorch", net, form, threads=threads),
                         b.torch_training("PyTorch channels last", net, form, "--channels-last", threads=threads)]
                line(b, b.compare(specs, threads), threads, net, nets.TRAINED[net], form)


def infer_specs(b, net, batch, threads, quick=False):
    models = b.models(net)
    specs = [b.qpipe("infer", net, "--batch", batch, "--threads", threads)]
    for form, path in models.items():
        if form != "float" and not (quick and form == "qdq_s8"):
            specs.append(b.onnx("ORT " + form, path, batch, threads))
    for isa in b.isas:
        specs.append(b.torch(b.label("PyTorch", isa), "infer", net, "int8", "--trace", "--batch", batch, "--engine", nets.ENGINE.get(net, "onednn"), isa=isa, threads=threads))
    return specs


def infer(b):
    head("Int8 inference", "threads", "net", "batch", "qpipe ms", "images/s", "best peer ms", "ratio", "all peers: ms (ratio)")
    for threads in b.a.threads:
        for net in nets.NAMES:
            for batch in (1, nets.LARGE_BATCH[net]):
                if not b.kept(net, "batch%d" % batch):
                    continue
                line(b, b.compare(infer_specs(b, net, batch, threads, b.a.quick), threads), threads, net, batch)


def memory(b):
    head("Peak memory while running, MiB (while setting up), 1 thread", "work", "net", "batch", "qpipe", "peers")
    cases = [("infer", net, batch, infer_specs(b, net, batch, 1, True)) for net in nets.NAMES if b.kept(net) for batch in (1, nets.LARGE_BATCH[net])]
    for net in nets.TRAINED:
        for form in ("float", "with_bn_reverse_fold"):
            if b.kept(net, form):
                cases.append(("train " + form, net, nets.TRAINED[net], [
                    b.training(net, form, 1), b.torch_training("PyTorch channels last", net, form, "--channels-last")]))
    for work, net, batch, specs in cases:
        specs = [(n, c, {k: v for k, v in (e or {}).items() if k not in KEEP_PAGES}) for n, c, e in specs]
        r = b.compare(specs, 1, turn=0.02, rounds=1)
        show = lambda x: "%.0f (%.0f)" % (x["memory"], x["setup_memory"])
        if r and r[0]["name"] == "qpipe":
            row(work, net, batch, show(r[0]), "; ".join("%s %s" % (x["name"], show(x)) for x in r[1:]))


def start(b):
    """Whole processes, cold but for the file cache."""
    model = os.path.join(b.out, "lenet.int8.safetensors")
    subprocess.run([b.a.qpipe, "bench-worker", "save", "lenet", model], check=True)
    pipelines = os.path.join(HERE, "..", "..", "pipelines")
    commands = [("qpipe version", [b.a.qpipe, "version"])]
    commands += [("qpipe validate " + p, [b.a.qpipe, "validate", os.path.join(pipelines, p)]) for p in ("clothing10_resnet20.hcl", "quickstart.hcl")]
    commands.append(("qpipe: load lenet int8, one inference", [b.a.qpipe, "bench", "-once", "-threads", "1", model]))
    models = b.models("lenet")
    if models:
        commands.append(("ORT: load lenet int8, one inference", [os.path.join(b.out, "ort_worker"), b.ort, models["qdq_u8"], "once"]))
    commands.append(("python3: import torch", [PYTHON, "-c", "import torch"]))
    head("Start, ms of a whole process", "command", "median", "least")
    for name, command in commands:
        times = []
        for i in range(4 if "torch" in name else 12 if b.a.quick else 40):
            began = time.perf_counter()
            r = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False)
            times.append((time.perf_counter() - began) * 1e3)
            if r.returncode:
                b.absent(name, "exit code %d" % r.returncode)
                break
        else:
            row(name, "%.1f" % statistics.median(times), "%.1f" % min(times))


SECTIONS = {"conv": conv, "overhead": overhead, "train": train, "infer": infer, "memory": memory, "start": start}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--qpipe", default=shutil.which("qpipe") or os.path.join(HERE, "..", "..", "bin", "qpipe"))
    p.add_argument("--threads", default="1,2", type=lambda s: [int(x) for x in s.split(",")])
    p.add_argument("--isa", help="what oneDNN may use, as AVX512_CORE_VNNI or a list; empty: all (default: with AMX both)")
    p.add_argument("--only", default="")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--rounds", type=int, help="turns of each worker (default 7)")
    p.add_argument("--turn", type=float, help="seconds of a turn (default 0.3)")
    p.add_argument("--details", action="store_true", help="of conv also every shape")
    p.add_argument("sections", nargs="*", choices=[[], *SECTIONS], default=[], metavar="SECTION")
    a = p.parse_args()
    b = Bench(a)
    about = json.loads(subprocess.run([a.qpipe, "version", "-json"], capture_output=True, text=True, check=True).stdout)
    with open("/proc/cpuinfo") as f:
        cpu = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "unknown")
    print("qpipe %s, kernels %s; %s, %d cores; load %.2f; %s" % (
        about["version"], about["kernels"], cpu, about["cores"], os.getloadavg()[0], time.strftime("%Y-%m-%d %H:%M")))
    for name in a.sections or SECTIONS:
        SECTIONS[name](b)
    if b.all:
        print("\nOther programs took more than a twelfth of the processors in %d of %d comparisons." % (b.disturbed, b.all))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""A worker of side.py in PyTorch, on the networks of nets.py.

  torch_worker.py train NET float|fuse_bn|with_bn|with_bn_reverse_fold [--batch 64] [--threads 1] [--channels-last]
  torch_worker.py infer NET float|int8 [--batch 1] [--threads 1] [--channels-last] [--trace] [--engine onednn]

The forms are PyTorch's nearest to qpipe's qat modes: fuse_bn folds BatchNorm before
the training, with_bn_reverse_fold is ConvBnReLU2d of torch.ao.nn.intrinsic.qat, whose
weight's scale knows BatchNorm, with_bn quantizes the weight before BatchNorm.
Activations are uint8 per tensor with moving averages, weights int8 per channel;
observers and fake quantization are PyTorch's fused modules. A training step is
forward, cross-entropy, backward and SGD with momentum.
"""
import argparse
import ctypes
import gc
import sys
import time
import warnings

import nets

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    import torch.ao.quantization as tq
    from torch.ao.nn.quantized import FloatFunctional
except ImportError as e:
    sys.exit("PyTorch is not installed: %s" % e)

warnings.filterwarnings("ignore")


class Curve(nn.Module):
    """An activation that is quantized by itself."""

    def __init__(self, act, integers):
        super().__init__()
        self.mul = None
        if act == "silu" and integers:  # PyTorch has no SiLU of integers
            act, self.mul = "sigmoid", FloatFunctional()
        self.act = {"hard_swish": nn.Hardswish, "hard_sigmoid": nn.Hardsigmoid, "silu": nn.SiLU, "sigmoid": nn.Sigmoid}[act]()
        self.of_result = nn.Identity()

    def forward(self, x):
        y = self.act(x)
        return self.of_result(y if self.mul is None else self.mul.mul(x, y))


class Unit(nn.Module):
    """Convolution and BatchNorm, or linear layer [, + another value] [, activation]."""

    def __init__(self, op, a, plus, integers):
        super().__init__()
        act = a["act"]
        self.relu, self.add = act == "relu", FloatFunctional() if plus else None
        self.curve = Curve(act, integers) if act not in ("", "relu") else None
        if op == "fc":
            body = [nn.Linear(a["ci"], a["co"])]
        else:
            body = [nn.Conv2d(a["ci"], a["co"], a["k"], a["s"], a["p"], groups=a["g"], bias=not a["bn"])]
            body += [nn.BatchNorm2d(a["co"])] if a["bn"] else []
        if self.relu and not plus:
            body.append(nn.ReLU())
        self.body = nn.Sequential(*body)

    def forward(self, x, plus=None):
        y = self.body(x)
        if self.add is not None:
            y = self.add.add_relu(y, plus) if self.relu else self.add.add(y, plus)
        return y if self.curve is None else self.curve(y)


class Mul(nn.Module):
    def __init__(self):
        super().__init__()
        self.mul = FloatFunctional()

    def forward(self, x, gate):
        return self.mul.mul(x, gate)


class Net(nn.Module):
    def __init__(self, name, integers=False):
        super().__init__()
        spec = nets.make(name)
        self.image, self.plan, parts = spec.image, [], []
        last = {}
        for i, (_, inputs, _) in enumerate(spec.list):
            last.update({x: i for x in inputs})
        for i, (op, inputs, a) in enumerate(spec.list):
            self.plan.append((op, inputs, [x for x in inputs if last[x] == i and x >= 0]))
            if op in ("conv", "fc"):
                parts.append(Unit(op, a, len(inputs) == 2, integers))
            elif op == "max":
                parts.append(nn.MaxPool2d(a["k"], a["s"], a["p"]))
            else:
                parts.append(nn.AdaptiveAvgPool2d(1) if op == "mean" else Mul())
        self.parts = nn.ModuleList(parts)
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()

    def forward(self, x):
        out = {-1: self.quant(x)}
        for i, (part, (op, inputs, done)) in enumerate(zip(self.parts, self.plan)):
            args = [out[j] for j in inputs]
            out[i] = part(args[0].flatten(1)) if op == "fc" else part(*args)
            for j in done:
                del out[j]
            out.pop(-1, None)
        return self.dequant(out[len(self.plan) - 1])


class WithBN(nn.Module):
    """A unit's body that quantizes the weight as it is, and the result of it all."""

    def __init__(self, body, config):
        super().__init__()
        self.conv, self.bn, self.relu = body[0], body[1], len(body) == 3
        self.of_weight, self.of_result = config.weight(), config.activation()
        self.qconfig = None

    def forward(self, x):
        c = self.conv
        y = self.bn(F.conv2d(x, self.of_weight(c.weight), None, c.stride, c.padding, c.dilation, c.groups))
        return self.of_result(F.relu(y) if self.relu else y)


def images(net, n, seed):
    return torch.randn(n, *net.image, generator=torch.Generator().manual_seed(seed))


def settled(name, integers=False):
    """A network whose BatchNorms have seen images, in evaluation."""
    torch.manual_seed(1)
    net = Net(name, integers).train()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.momentum = 1.0
    with torch.no_grad():
        net(images(net, 8, 2))
    for m in norms:
        m.momentum = 0.1
    return net.eval()


def fused(net, training):
    fuse = tq.fuse_modules_qat if training else tq.fuse_modules
    for unit in net.modules():
        if isinstance(unit, Unit) and len(unit.body) > 1:
            fuse(unit.body, [str(i) for i in range(len(unit.body))], inplace=True)
    return net


def trainable(name, form):
    if form == "float":
        torch.manual_seed(1)
        return Net(name).train()
    moving = tq.FusedMovingAvgObsFakeQuantize
    config = tq.QConfig(
        activation=moving.with_args(observer=tq.MovingAverageMinMaxObserver, dtype=torch.quint8, quant_min=0, quant_max=255,
                                    reduce_range=False),
        weight=moving.with_args(observer=tq.MovingAveragePerChannelMinMaxObserver, dtype=torch.qint8, quant_min=-128,
                                quant_max=127, qscheme=torch.per_channel_symmetric, ch_axis=0))
    if form == "fuse_bn":
        net = fused(settled(name), False)
    else:
        torch.manual_seed(1)
        net = Net(name).train()
        if form == "with_bn_reverse_fold":
            net = fused(net, True)
        else:
            for unit in [u for u in net.modules() if isinstance(u, Unit) and any(isinstance(m, nn.BatchNorm2d) for m in u.body)]:
                unit.body = WithBN(unit.body, config)
    net.train().qconfig = config
    net = tq.prepare_qat(net, inplace=True)
    for curve in [m for m in net.modules() if isinstance(m, Curve)]:
        curve.act = type(curve.act)()  # without what PyTorch may have put behind it
        curve.of_result = config.activation()
    return net


def quantized(name, engine):
    torch.backends.quantized.engine = engine
    net = fused(settled(name, True), False)
    net.qconfig = tq.QConfig(activation=tq.MinMaxObserver.with_args(dtype=torch.quint8, reduce_range=False),
                             weight=tq.default_per_channel_weight_observer)
    tq.prepare(net, inplace=True)
    with torch.no_grad():
        net(images(net, 8, 3))
    return tq.convert(net, inplace=True)


def train_step(a):
    net = trainable(a.net, a.form)
    x, label = images(net, a.batch, 4), torch.randint(0, 10, (a.batch,))
    if a.channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def step():
        sgd.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), label).backward()
        sgd.step()
    return step


def infer_step(a):
    net = quantized(a.net, a.engine) if a.form == "int8" else fused(settled(a.net), False)
    x = images(net, a.batch, 4)
    if a.channels_last:
        x = x.to(memory_format=torch.channels_last)
        if a.form == "float":
            net = net.to(memory_format=torch.channels_last)
    if a.trace:
        with torch.no_grad():
            net = torch.jit.freeze(torch.jit.trace(net, x))
            if a.form == "float" and not a.channels_last:
                net = torch.jit.optimize_for_inference(net)

    def step():
        with torch.inference_mode():
            net(x)
    return step


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("work", choices=("train", "infer"))
    p.add_argument("net", choices=nets.NAMES)
    p.add_argument("form")
    p.add_argument("--batch", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--engine", default="onednn")
    p.add_argument("--channels-last", action="store_true")
    p.add_argument("--trace", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)
    a.batch = a.batch or (64 if a.work == "train" else 1)
    step = train_step(a) if a.work == "train" else infer_step(a)
    step()
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what setting up has left behind is not its memory
    except (OSError, AttributeError):
        pass
    print("ready items=%d version=%s" % (a.batch, torch.__version__), flush=True)
    for line in sys.stdin:
        word = line.split()
        if not word or word[0] == "quit":
            break
        began = time.perf_counter_ns()
        for _ in range(int(word[1])):
            step()
        print("ns %d" % (time.perf_counter_ns() - began), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Writes the networks of nets.py as ONNX models, for ort_worker.

  onnx_models.py FOLDER [NET ...]

For every network there are five: NET.float, NET.qdq_u8 and NET.qdq_s8 (quantize and
dequantize nodes around float operators, which ONNX Runtime turns into integer ones)
and NET.qop_u8 and NET.qop_s8 (integer operators by name), with activations of that
type. Weights are PyTorch's random ones with BatchNorm folded, int8 per output channel;
biases are int32; activations have one scale and zero point each, from random images.
A ReLU is the lower end of its input's range. A curve's input and output both have codes;
between them qdq computes in float32, and qop with integers as far as there are such
operators (QLinearSigmoid, QLinearMul). Models that exist are left alone.
"""
import os
import sys

import nets

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as e:
    sys.exit("python3-onnx is not installed: %s" % e)
import torch
import torch_worker

FORMS = ["float", "qdq_u8", "qdq_s8", "qop_u8", "qop_s8"]


def observe(name):
    """Weights and biases by layer, and the range of every value on random images:
    of the layers by their index, before an addition or a curve by "conv3"."""
    net = torch_worker.fused(torch_worker.settled(name), False)
    weights, ranges, out = {}, {}, {}

    def note(key, t):
        ranges[key] = float(t.min()), float(t.max())
        return t

    with torch.no_grad():
        out[-1] = note(-1, torch_worker.images(net, 8, 3))
        for i, (part, (op, inputs, _)) in enumerate(zip(net.parts, net.plan)):
            args = [out[j] for j in inputs]
            if op in ("conv", "fc"):
                if op == "fc":
                    args[0] = args[0].flatten(1)
                first = part.body[0]
                first = first[0] if isinstance(first, torch.nn.Sequential) else first
                weights[i] = first.weight.detach().numpy(), first.bias.detach().numpy()
                if len(inputs) == 2 or part.curve is not None:
                    note("conv%d" % i, part.body(args[0]))
            out[i] = note(i, part(*args))
    return weights, ranges


class Writer:
    def __init__(self, spec, weights, ranges):
        self.spec, self.weights, self.ranges = spec, weights, ranges
        self.nodes, self.constants = [], []

    def const(self, name, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def sigmoid(self, x, y, hard):
        if hard:
            return self.node("HardSigmoid", [x], y, alpha=1 / 6, beta=0.5)
        return self.node("Sigmoid", [x], y)

    def curve(self, act, x, y):
        """A curve of floats."""
        if act.endswith("sigmoid"):
            return self.sigmoid(x, y, act == "hard_sigmoid")
        return self.node("Mul", [x, self.sigmoid(x, y + ".gate", act == "hard_swish")], y)

    def window(self, a):
        d = dict(kernel_shape=[a["k"]] * 2, strides=[a["s"]] * 2, pads=[a["p"]] * 4)
        return d | ({"group": a["g"]} if "g" in a else {})

    def save(self, path):
        classes = self.spec.list[-1][2]["co"]
        graph = helper.make_graph(
            self.nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.spec.image])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", classes])], self.constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        onnx.save(model, path)


class Float(Writer):
    def write(self):
        value = {-1: "x"}
        for i, (op, inputs, a) in enumerate(self.spec.list):
            x, y = [value[j] for j in inputs], "t%d" % i
            if op == "conv":
                w, b = self.weights[i]
                v = self.node("Conv", [x[0], self.const(y + ".w", w), self.const(y + ".b", b)], y + ".conv", **self.window(a))
                if len(x) == 2:
                    v = self.node("Add", [v, x[1]], y + ".add")
                value[i] = self.act(a["act"], v, y)
            elif op == "max":
                value[i] = self.node("MaxPool", x, y, **self.window(a))
            elif op == "mean":
                value[i] = self.node("GlobalAveragePool", x, y)
            elif op == "mul":
                value[i] = self.node("Mul", x, y)
            else:
                w, b = self.weights[i]
                flat = self.node("Flatten", x, y + ".flat") if i and self.spec.list[i - 1][0] != "fc" else x[0]
                out = "y" if i == len(self.spec.list) - 1 else y + ".gemm"
                v = self.node("Gemm", [flat, self.const(y + ".w", w), self.const(y + ".b", b)], out, transB=1)
                value[i] = self.act(a["act"], v, y)

    def act(self, act, x, y):
        if not act:
            return x
        return self.node("Relu", [x], y) if act == "relu" else self.curve(act, x, y)


class Quantized(Writer):
    """What the two quantized kinds share: a value is known by the name of its codes."""

    def __init__(self, spec, weights, ranges, signed):
        super().__init__(spec, weights, ranges)
        self.low, self.type = (-128, np.int8) if signed else (0, np.uint8)
        self.params = {}

    def range(self, codes, key, relu=False):
        """Gives codes a scale and a zero point, by what was seen of the value."""
        lo, hi = min(0.0, self.ranges[key][0]), max(0.0, self.ranges[key][1])
        scale = max((hi - (0 if relu else lo)) / 255, 1e-8)
        zero = self.low + (0 if relu else round(-lo / scale))
        self.params[codes] = (self.const(codes + ".scale", np.float32(scale)), self.const(codes + ".zero", self.type(zero)), scale)
        return codes

    def like(self, codes, other):
        self.params[codes] = self.params[other]
        return codes

    def integers(self, i, name, x):
        """The weight and bias of layer i as constants, for the input's codes x."""
        w, b = self.weights[i]
        scale = np.maximum(np.abs(w.reshape(len(w), -1)).max(1) / 127, 1e-8).astype(np.float32)
        q = np.clip(np.rint(w / scale.reshape(-1, *[1] * (w.ndim - 1))), -127, 127).astype(np.int8)
        bias_scale = (scale * np.float32(self.params[x][2])).astype(np.float32)
        bias = np.clip(np.rint(b / bias_scale), -2**31, 2**31 - 1).astype(np.int32)
        zeros = np.zeros(len(w), np.int8)
        return ([self.const(name + ".w", q), self.const(name + ".ws", scale), self.const(name + ".wz", zeros)],
                self.const(name + ".b", bias), bias_scale)

    def write(self):
        value = {-1: self.range("x.q", -1)}
        self.node("QuantizeLinear", ["x", *self.params["x.q"][:2]], "x.q")
        for i, (op, inputs, a) in enumerate(self.spec.list):
            x, y = [value[j] for j in inputs], "t%d" % i
            if op == "conv":
                relu, curve = a["act"] == "relu", a["act"] not in ("", "relu")
                v = self.conv(i, x[0], self.range(y + ".conv", "conv%d" % i if len(x) == 2 or curve else i, relu and len(x) == 1), a)
                v = v if len(x) == 1 else self.add(v, x[1], self.range(y, i, relu))
                value[i] = self.curved(a["act"], v, i, y) if curve else v
            elif op == "max":
                value[i] = self.plain("MaxPool", x[0], self.like(y, x[0]), **self.window(a))
            elif op == "mean":
                value[i] = self.mean(x[0], self.range(y, i))
            elif op == "mul":
                value[i] = self.mul(x[0], x[1], self.range(y, i))
            else:
                flat = x[0]
                if i and self.spec.list[i - 1][0] != "fc":
                    flat = self.plain("Flatten", x[0], self.like(y + ".flat", x[0]))
                v = self.linear(i, flat, self.range(y + ".gemm", "conv%d" % i if a["act"] else i))
                value[i] = self.curved(a["act"], v, i, y) if a["act"] else v
        last = value[len(self.spec.list) - 1]
        self.node("DequantizeLinear", [last, *self.params[last][:2]], "y")

    def back(self, codes):
        return self.node("DequantizeLinear", [codes, *self.params[codes][:2]], "%s.f%d" % (codes, len(self.nodes)))

    def to(self, value, codes):
        return self.node("QuantizeLinear", [value, *self.params[codes][:2]], codes)


class QDQ(Quantized):
    def curved(self, act, x, i, y):
        return self.to(self.curve(act, self.back(x), y + ".out"), self.range(y, i))

    def mul(self, x, z, y):
        return self.to(self.node("Mul", [self.back(x), self.back(z)], y + ".out"), y)

    def dequantized(self, i, y, x):
        w, b, scale = self.integers(i, y, x)
        b = [b, self.const(y + ".bs", scale), self.const(y + ".bz", np.zeros(len(scale), np.int32))]
        return [self.node("DequantizeLinear", w, y + ".wf", axis=0), self.node("DequantizeLinear", b, y + ".bf", axis=0)]

    def conv(self, i, x, y, a):
        return self.to(self.node("Conv", [self.back(x), *self.dequantized(i, y, x)], y + ".out", **self.window(a)), y)

    def linear(self, i, x, y):
        return self.to(self.node("Gemm", [self.back(x), *self.dequantized(i, y, x)], y + ".out", transB=1), y)

    def add(self, x, z, y):
        return self.to(self.node("Add", [self.back(x), self.back(z)], y + ".out"), y)

    def mean(self, x, y):
        return self.to(self.node("GlobalAveragePool", [self.back(x)], y + ".out"), y)

    def plain(self, op, x, y, **attributes):
        return self.to(self.node(op, [self.back(x)], y + ".out", **attributes), y)


class QOp(Quantized):
    def curved(self, act, x, i, y):
        if act.endswith("sigmoid"):
            return self.gate(act == "hard_sigmoid", x, self.range(y, i))
        self.ranges["gate%d" % i] = 0.0, 1.0
        return self.mul(x, self.gate(act == "hard_swish", x, self.range(y + ".gate", "gate%d" % i)), self.range(y, i))

    def gate(self, hard, x, y):
        if hard:
            return self.to(self.sigmoid(self.back(x), y + ".out", True), y)
        return self.node("QLinearSigmoid", [x, *self.params[x][:2], *self.params[y][:2]], y, domain="com.microsoft")

    def mul(self, x, z, y):
        return self.node("QLinearMul", [x, *self.params[x][:2], z, *self.params[z][:2], *self.params[y][:2]], y, domain="com.microsoft")

    def conv(self, i, x, y, a):
        w, b, _ = self.integers(i, y, x)
        return self.node("QLinearConv", [x, *self.params[x][:2], *w, *self.params[y][:2], b], y, **self.window(a))

    def linear(self, i, x, y):
        w, b, _ = self.integers(i, y, x)
        return self.node("QGemm", [x, *self.params[x][:2], *w, b, *self.params[y][:2]], y, domain="com.microsoft", transB=1)

    def add(self, x, z, y):
        return self.node("QLinearAdd", [x, *self.params[x][:2], z, *self.params[z][:2], *self.params[y][:2]], y, domain="com.microsoft")

    def mean(self, x, y):
        return self.node("QLinearGlobalAveragePool", [x, *self.params[x][:2], *self.params[y][:2]], y, domain="com.microsoft", channels_last=0)

    def plain(self, op, x, y, **attributes):
        return self.node(op, [x], y, **attributes)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name in sys.argv[2:] or nets.NAMES:
        path = {f: os.path.join(folder, "%s.%s.onnx" % (name, f)) for f in FORMS}
        if all(map(os.path.exists, path.values())):
            continue
        spec = nets.make(name)
        weights, ranges = observe(name)
        for form, file in path.items():
            kind, _, act = form.partition("_")
            w = Float(spec, weights, ranges) if kind == "float" else {"qdq": QDQ, "qop": QOp}[kind](spec, weights, ranges, act == "s8")
            w.write()
            w.save(file)
        print(name, flush=True)


if __name__ == "__main__":
    main()

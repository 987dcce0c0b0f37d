#!/usr/bin/env python3
"""Computes an int8 model a second time, and compares every node with qpipe.

    qpipe eval model.safetensors -data dataset.test -dump DUMP pipeline.hcl
    python3 readback.py model.safetensors DUMP

It is written from docs/format.md alone and shares no code with qpipe. From the model's
file and the dump's images it computes every node's integers, each from its own before,
and prints for each node how many differ from the dump's. The exit code is 1 where any does.
A float island is computed in float64. Where the dump has what is right within rounding, the
nodes behind it get the dump's numbers, so that all others are compared integer by integer.
Needs NumPy.
"""
import copy
import hashlib
import json
import math
import os
import sys

import numpy as np

f32 = np.float32
KEEPS = {"tflite": ("avg_pool", "resize_bilinear")}  # by target: ops whose output has the format of their input
LIMITS = {"int4": (-8, 7), "int8": (-128, 127), "uint8": (0, 255)}
DTYPES = {"F32": "<f4", "I32": "<i4", "I8": "<i1"}


def read(path):
    """The metadata's structure and the tensors of a model's file."""
    data = open(path, "rb").read()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    meta = header.pop("__metadata__")
    digits = meta["sha256"].encode()
    if hashlib.sha256(data.replace(digits, b"0" * 64, 1)).hexdigest().encode() != digits:
        sys.exit(path + ": the content does not match its sha256")
    tensors = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        tensors[name] = np.frombuffer(data[end + a:end + b], DTYPES[t["dtype"]]).reshape(t["shape"])
    structure = json.loads(meta["structure"])
    if meta["form"] != "quantized" or structure["version"] != 2:
        sys.exit(path + ": not an int8 model of the format that this program reads")
    return structure, tensors


class Output:
    """A node's output: integers with their format, or float32 values (scale None)."""

    def __init__(self, data, scale=None, zero=0, quant=None):
        self.data, self.scale, self.zero, self.quant = data, scale, zero, quant

    def centered(self):
        return self.data.astype(np.int64) - self.zero

    def like(self, data):
        y = copy.copy(self)
        y.data = data
        return y


class Real(Output):
    """An operand of a float island: its real numbers."""

    def __init__(self, x):
        super().__init__(x.data.astype(np.float64) if x.quant is None else x.centered() * np.float64(x.scale), f32(1))

    def centered(self):
        return self.data


def rounded(v, quant):
    """v rounded to integers, as floats: ties to even, or up."""
    v = np.asarray(v, np.float64)
    return np.floor(v + 0.5) if quant["rounding"] == "half_up" else np.rint(v)


def bounds(node, scale, zero, quant):
    """The codes between which the activation keeps the output."""
    lo, hi = LIMITS[quant["dtype"]]
    if quant.get("narrow"):
        lo += 1
    if node.get("act"):
        lo = max(lo, zero)
    if node.get("act") == "relu6":
        hi = min(hi, int(rounded(f32(6) / scale, quant)) + zero)
    return lo, hi


class Model:
    def __init__(self, path):
        self.structure, self.tensors = read(path)
        self.nodes = self.structure["nodes"]
        self.kept = {}
        self.islands, self.unsure = 0, 0

    def run(self, images, dump):
        """Every node's output by name; images has the samples for each input of the network, dump gives a node's output."""
        out, images = {}, iter(images)
        for node in self.nodes:
            inputs = [out[name] for name in node.get("inputs", [])]
            if node["op"] in KEEPS.get(self.structure.get("target"), ()):
                self.kept[node["name"]] = inputs[0]
            if self.island(node, inputs):
                out[node["name"]] = self.near(node, *self.real(node, inputs), dump(node["name"]))
            else:
                out[node["name"]] = self.op(node)(node, *inputs) if inputs else self.input(node, next(images))
        return out

    def op(self, node):
        return self.curve if node["op"] in CURVES else getattr(self, node["op"])

    def island(self, node, inputs):
        c = node.get("conv")
        if c and ("weight_quant" not in c or math.prod(c["kernel_shape"]) * c["input"]["channels"] // c["group"] > 65792):
            return True
        return any(x.quant is None for x in inputs) and node["op"] not in READ_FLOATS

    def real(self, node, inputs):
        """The real numbers that a float island computes, before act, and the sum of the magnitudes that each is made of."""
        plain = {k: v for k, v in node.items() if k not in ("act", "act_quant")}
        x, *rest = reals = [Real(i) for i in inputs]
        if "conv" in node:
            v, size = self.sums(node, x.data), self.sums(node, x.data, size=True)
            if "weight_quant" in node["conv"]:
                v, size = v * self.tensor(node, "weight_scale"), size * self.tensor(node, "weight_scale")
            bias = [self.tensor(node, "bias")] if node["conv"].get("bias") else []
            for more in bias + [z.data for z in rest]:
                v, size = v + more, size + abs(more)
            return v, size
        if node["op"] == "bn":
            name, eps = node["bn"]["name"], node["bn"]["eps"]
            weight, bias, mean, var = (self.tensors[f"{name}.{t}"].astype(np.float64) for t in ("weight", "bias", "running_mean", "running_var"))
            s = weight / np.sqrt(var + eps)
            return (x.data - mean) * s + bias, (abs(x.data) + abs(mean)) * abs(s) + abs(bias)
        v = self.op(node)(plain, *reals).data
        if node["op"] in SUMS:
            return v, self.op(node)(plain, *(x.like(abs(x.data)) for x in reals)).data
        if node["op"] in ("add", "sub"):
            return v, abs(x.data) + abs(rest[0].data)
        return v, abs(v)

    def near(self, node, v, size, want):
        """A float island's output: the dump's where it is right within rounding."""
        scale = np.float64(self.format(node)[0])
        low, y, high = (self.requantize(node, (v + m * size) / scale) for m in (-1e-5, 0, 1e-5))
        if y.quant is not None:
            self.islands, self.unsure = self.islands + want.size, self.unsure + int((low.data != high.data).sum())
        y.data = np.where((low.data <= want) & (want <= high.data), want, y.data)
        return y

    def tensor(self, node, name):
        return self.tensors[node["name"] + "." + name]

    def format(self, node):
        """Scale, zero point and quantization of a node's output; 1, 0, None where it is float32."""
        if node["name"] in self.kept:
            x = self.kept[node["name"]]
            if x.quant is not None:
                return x.scale, x.zero, x.quant
        if "act_quant" not in node:
            return f32(1), 0, None
        return self.tensor(node, "act_scale")[0], int(self.tensor(node, "act_zero_point")[0]), node["act_quant"]

    def requantize(self, node, v):
        scale, zero, quant = self.format(node)
        if quant is None:
            if node.get("act"):
                v = np.maximum(v, f32(0))
            if node.get("act") == "relu6":
                v = np.minimum(v, f32(6))
            return Output(v)
        lo, hi = bounds(node, scale, zero, quant)
        codes = np.clip(rounded(v, quant) + zero, lo, hi)
        return Output(codes.astype(np.int16), scale, zero, quant)

    def input(self, node, images):
        return self.requantize(node, images / self.format(node)[0])

    def sums(self, node, x, size=False):
        """The sums of products of a node's weight with x, or of their magnitudes, as float64."""
        x, weight = x.astype(np.float64), self.tensor(node, "weight").astype(np.float64)
        if size:
            x, weight = abs(x), abs(weight)
        if node["op"] == "conv":
            return convolve(x, weight, node["conv"], node["shape"])
        if node["op"] == "conv_transpose":
            return convolve_transposed(x, weight, node["conv"], node["shape"])
        if node["shape"]["height"] * node["shape"]["width"] > 1:
            return x @ weight.T
        if x.shape[1] * x.shape[2] > 1:
            x = x.transpose(0, 3, 1, 2)
        return (x.reshape(len(x), -1) @ weight.T)[:, None, None, :]

    def conv(self, node, x, z=None):
        acc = self.sums(node, x.centered()).astype(np.int64)
        if node["conv"].get("bias"):
            acc = acc + self.tensor(node, "bias")
        assert abs(acc).max(initial=0) < 2**31
        scale = self.format(node)[0]
        v = acc.astype(f32) * (x.scale * self.tensor(node, "weight_scale") / scale)
        if z is not None:
            v = v + z.centered().astype(f32) * (z.scale / scale)
        return self.requantize(node, v)

    conv_transpose = linear = conv

    def bn(self, node, x):
        scale = self.format(node)[0]
        acc = x.centered() + self.tensor(node, "bias")
        return self.requantize(node, acc.astype(f32) * (x.scale * self.tensor(node, "multiplier") / scale))

    def add(self, node, a, b):
        scale = self.format(node)[0]
        return self.requantize(node, a.centered().astype(f32) * (a.scale / scale) + b.centered().astype(f32) * (b.scale / scale))

    def sub(self, node, a, b):
        scale = self.format(node)[0]
        return self.requantize(node, a.centered().astype(f32) * (a.scale / scale) - b.centered().astype(f32) * (b.scale / scale))

    def max(self, node, a, b, choose=np.maximum):
        return self.requantize(node, choose(*(x.centered().astype(f32) * x.scale for x in (a, b))) / self.format(node)[0])

    def min(self, node, a, b):
        return self.max(node, a, b, np.minimum)

    def mul(self, node, a, b):
        acc = a.centered() * b.centered()
        return self.requantize(node, acc.astype(f32) * (a.scale * b.scale / self.format(node)[0]))

    def scale(self, node, x):
        scale = self.format(node)[0]
        v = x.centered().astype(f32) * (x.scale * self.tensor(node, "weight") / scale)
        if node["scale"]["bias"]:
            v = v + self.tensor(node, "bias") / scale
        return self.requantize(node, v)

    def softmax(self, node, x, log=False):
        axis, codes = node[node["op"]]["axis"] + 1, x.centered()
        u = -((codes.max(axis, keepdims=True) - codes).astype(f32) * x.scale)
        e = np.exp(u.astype(np.float64)).astype(f32)
        total = np.add.accumulate(e.astype(np.float64), axis).take([-1], axis)
        f = u - np.log(total).astype(f32) if log else e / total.astype(f32)
        return self.requantize(node, f / self.format(node)[0])

    def log_softmax(self, node, x):
        return self.softmax(node, x, log=True)

    def prelu(self, node, x):
        v = x.centered().astype(f32) * x.scale
        return self.requantize(node, np.where(v > 0, v, v * self.tensor(node, "weight")) / self.format(node)[0])

    def curve(self, node, x):
        v = (x.centered().astype(f32) * x.scale).astype(np.float64)
        y = CURVES[node["op"]](v, **node.get("curve", {})).astype(f32)
        return self.requantize(node, y / self.format(node)[0])

    def concat(self, node, *inputs):
        scale = self.format(node)[0]
        parts = [self.requantize(node, x.centered().astype(f32) * (x.scale / scale)) for x in inputs]
        return parts[0].like(np.concatenate([p.data for p in parts], axis=3))

    def max_pool(self, node, x):
        y = None
        for _, part, inside in windows(x.data, node["pool"], node["shape"]):
            part = np.where(inside, part, -np.inf if x.quant is None else -(2**15))
            y = part if y is None else np.maximum(y, part)
        return x.like(y)

    def avg_pool(self, node, x):
        total, count = 0, 0
        for _, part, inside in windows(x.centered(), node["pool"], node["shape"]):
            total, count = total + np.where(inside, part, 0), count + inside.astype(np.int64)
        if node["pool"].get("count_include_pad"):
            (kh, kw), (bottom, right) = node["pool"]["kernel_shape"], node["pool"].get("overhang", (0, 0))
            rows, columns = np.full(count.shape[1], kh), np.full(count.shape[2], kw)
            rows[-1] -= bottom
            columns[-1] -= right
            count = (rows[:, None] * columns)[None, :, :, None]
        m = (x.scale / count.astype(f32)) / self.format(node)[0]
        return self.requantize(node, total.astype(f32) * m)

    global_avg_pool, global_max_pool = avg_pool, max_pool

    def blocks(self, node, x, combine):
        """What combine makes of the elements of each block, and how many they are."""
        a, shape = node[node["op"]], x.shape[1:]
        if "axes" in a:
            spans = [[(0, n)] if every else [(i, i + 1) for i in range(n)] for n, every in zip(shape, a["axes"])]
        else:
            spans = [[(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in zip(shape, a["sizes"])]
            spans.append([(c, c + 1) for c in range(shape[2])])
        count = 1
        for axis, blocks in enumerate(spans, 1):
            x = np.concatenate([combine(x.take(range(a, b), axis), axis=axis, keepdims=True) for a, b in blocks], axis)
            sizes = np.array([b - a for a, b in blocks], f32)
            count = count * sizes.reshape([-1 if k == axis else 1 for k in range(4)])
        return x, count

    def reduce_mean(self, node, x):
        total, count = self.blocks(node, x.centered(), np.sum)
        m = (x.scale / count) / self.format(node)[0]
        return self.requantize(node, total.astype(f32) * m)

    adaptive_avg_pool = reduce_mean

    def reduce_sum(self, node, x):
        total, _ = self.blocks(node, x.centered(), np.sum)
        return self.requantize(node, total.astype(f32) * (x.scale / self.format(node)[0]))

    def reduce_max(self, node, x):
        return x.like(self.blocks(node, x.data, np.max)[0])

    adaptive_max_pool = reduce_max

    def resize_bilinear(self, node, x):
        data, one = x.centered(), 1 if isinstance(x, Real) else 2048
        for axis in (2, 1):
            n = data.shape[axis]
            at = places(node["resize_bilinear"], axis - 1, n).clip(0, n - 1)
            low = at.astype(int)
            weight = at - low.astype(f32)
            if not isinstance(x, Real):
                weight = np.rint(weight * f32(2048)).astype(np.int64)
            weight = weight.reshape([-1 if k == axis else 1 for k in range(4)])
            data = (one - weight) * data.take(low, axis) + weight * data.take((low + 1).clip(0, n - 1), axis)
        return self.requantize(node, data.astype(f32) * (x.scale / f32(one**2) / self.format(node)[0]))

    def flatten(self, node, x):
        return x.like(x.data.transpose(0, 3, 1, 2).reshape(len(x.data), 1, 1, -1))

    def moments(self, d, axes, eps, unit):
        """The mean of codes less their zero point, and the factor that normalizes them."""
        n = math.prod(d.shape[k] for k in axes)
        mean = d.sum(axes, keepdims=True) / n
        variance = np.maximum((d * d).sum(axes, keepdims=True) / n - mean * mean, 0)
        return mean, 1 / np.sqrt(variance * unit * unit + eps) * unit

    def group_norm(self, node, x):
        a, d, unit = node["group_norm"], x.centered().astype(np.float64), np.float64(x.scale)
        d = d.reshape(*d.shape[:3], a["groups"], -1)
        mean, factor = self.moments(d, (1, 2, 4), a["eps"], unit)
        weight, bias = factor, 0
        if a["affine"]:
            weight, bias = (self.tensor(node, t).astype(np.float64).reshape(a["groups"], -1) for t in ("weight", "bias"))
            weight = weight * factor
        v = d.astype(f32) * weight.astype(f32) + (bias - mean * weight).astype(f32)
        return self.requantize(node, v.reshape(x.data.shape) / self.format(node)[0])

    def layer_norm(self, node, x):
        a, d, unit = node["layer_norm"], x.centered().astype(np.float64), np.float64(x.scale)
        whole = a.get("whole", False)
        mean, factor = self.moments(d, (1, 2, 3) if whole else (3,), a["eps"], unit)
        v = d.astype(f32) * factor.astype(f32) + (-(mean * factor)).astype(f32)
        if a["affine"]:
            weight, bias = (self.tensor(node, t) for t in ("weight", "bias"))
            if whole:
                weight, bias = weight.transpose(1, 2, 0), bias.transpose(1, 2, 0)
            v = v * weight + bias
        return self.requantize(node, v / self.format(node)[0])

    def dropout(self, node, x):
        return x

    def quant(self, node, x):
        return self.concat(node, x)

    def dequant(self, node, x):
        return Output(x.data if x.quant is None else x.centered().astype(f32) * x.scale)

    def slice(self, node, x):
        s = node["slice"]
        return x.like(x.data[(slice(None), *map(slice, s["starts"], s["ends"], s["steps"]))])

    def pad(self, node, x):
        p, more = node["pad"], {}
        if p["mode"] == "constant":
            more["constant_values"] = f32(p["value"])
            if x.quant is not None:
                code = rounded(f32(p["value"]) / x.scale, x.quant) + x.zero
                more["constant_values"] = np.clip(code, *bounds({}, x.scale, x.zero, x.quant))
        return x.like(np.pad(x.data, [(0, 0), *zip(p["begins"], p["ends"])], p["mode"], **more))

    def reshape(self, node, x):
        r = node["reshape"]
        data = x.data.transpose(0, 3, 1, 2).reshape(-1, r["channels"], r["height"], r["width"])
        return x.like(data.transpose(0, 2, 3, 1))

    def transpose(self, node, x):
        return x.like(x.data.transpose(0, *(k + 1 for k in node["transpose"]["order"])))

    def channel_shuffle(self, node, x):
        c, g = np.arange(x.data.shape[3]), node["channel_shuffle"]["groups"]
        return x.like(x.data[..., c % g * (len(c) // g) + c // g])

    def pixel_shuffle(self, node, x):
        r = node["pixel_shuffle"]["factor"]
        h, w, c = np.ix_(*map(np.arange, extents(node)))
        return x.like(x.data[:, h // r, w // r, c * r * r + h % r * r + w % r])

    def pixel_unshuffle(self, node, x):
        r = node["pixel_unshuffle"]["factor"]
        h, w, c = np.ix_(*map(np.arange, extents(node)))
        return x.like(x.data[:, h * r + c // r % r, w * r + c % r, c // (r * r)])

    def resize_nearest(self, node, x):
        h, w = (near(node["resize_nearest"], k, x.data.shape[k + 1]) for k in range(2))
        return x.like(x.data[:, h][:, :, w])

    def act(self, node, x):
        if x.quant is None:
            return self.requantize(node, x.data)
        return x.like(np.clip(x.data, *bounds(node, x.scale, x.zero, x.quant)))


def extents(node):
    return [node["shape"][e] for e in ("height", "width", "channels")]


def places(resize, axis, n):
    """The places of the pixels of a resized axis in the n pixels of the operand."""
    m = resize["sizes"][axis]
    x, mode = np.arange(m).astype(f32), resize["coordinates"]
    s = f32(resize["scales"][axis]) if "scales" in resize else f32(m) / f32(n)
    if mode == "asymmetric":
        return x / s
    if mode in ("align_corners", "pytorch_half_pixel") and m == 1:
        return x * 0
    if mode == "align_corners":
        return x * f32(n - 1) / f32(m - 1)
    return (x + f32(0.5)) / s - f32(0 if mode == "tf_half_pixel_for_nn" else 0.5)


def near(resize, axis, n):
    at = places(resize, axis, n).astype(np.float64)
    mode = resize["nearest"]
    if mode.startswith("round"):
        at = np.ceil(at - 0.5) if mode == "round_prefer_floor" else np.floor(at + 0.5)
    at = np.ceil(at) if mode == "ceil" else np.floor(at)
    return np.clip(at, 0, n - 1).astype(int)


def clip(x, min=-np.inf, max=np.inf):
    return np.minimum(np.maximum(x, min), max)


# The ops that read float32 values as they read codes, and those that add up values of their operand.
READ_FLOATS = {"act", "flatten", "dropout", "dequant", "reduce_max", "adaptive_max_pool", "slice", "pad", "reshape", "transpose"}
READ_FLOATS |= {"channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "resize_nearest"}
SUMS = {"avg_pool", "global_avg_pool", "reduce_mean", "reduce_sum", "adaptive_avg_pool", "resize_bilinear"}

LEAST, MOST = 2.0**-126, float(np.finfo(np.float32).max)


def quotient(x):
    """1/x; of 0 the largest float32."""
    return clip(np.divide(1, x, out=np.full_like(x, np.inf), where=x != 0), -MOST, MOST)


def power(x, exponent):
    """x to an exponent; of an x below 0 only if that is an integer, else as for 0."""
    if exponent != int(exponent):
        x = np.maximum(x, 0)
    y = np.abs(x) ** abs(exponent)
    y = np.where((x < 0) & (exponent % 2 == 1), -y, y)
    return clip(y if exponent >= 0 else quotient(y), -MOST, MOST)


CURVES = {
    "hard_swish": lambda x: x * clip(x + 3, 0, 6) / 6,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "exp": lambda x: np.minimum(np.exp(x), MOST),
    "log": lambda x: np.log(np.maximum(x, LEAST)),
    "sqrt": lambda x: np.sqrt(np.maximum(x, 0)),
    "abs": np.abs,
    "neg": np.negative,
    "reciprocal": quotient,
    "erf": np.vectorize(math.erf),
    "power": power,
    "leaky_relu": lambda x, negative_slope: np.where(x > 0, x, x * negative_slope),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "hard_sigmoid": lambda x, alpha, beta: clip(alpha * x + beta, 0, 1),
    "clip": clip,
}


def windows(x, window, shape):
    """For each place (kh, kw) of a window: the elements there for every output, and which lie in the image."""
    (kh, kw), (sh, sw), (top, left, _, _) = window["kernel_shape"], window["strides"], window["pads"]
    dh, dw = window.get("dilations", (1, 1))
    for i in range(kh):
        for j in range(kw):
            rows = np.arange(shape["height"]) * sh - top + i * dh
            columns = np.arange(shape["width"]) * sw - left + j * dw
            inside = ((rows >= 0) & (rows < x.shape[1]))[:, None] & ((columns >= 0) & (columns < x.shape[2]))
            part = x[:, rows.clip(0, x.shape[1] - 1)][:, :, columns.clip(0, x.shape[2] - 1)]
            yield (i, j), part, inside[None, :, :, None]


def convolve(x, weight, conv, shape):
    """The sums of a convolution. Integers as float64: every sum is far below 2^53, so exact in any order."""
    group = conv["group"]
    weight = weight.reshape(group, shape["channels"] // group, -1, *weight.shape[2:])
    acc = 0
    for (i, j), part, inside in windows(x, conv, shape):
        part, w = np.where(inside, part, 0), weight[:, :, :, i, j]
        grouped = part.reshape(-1, group, w.shape[2])
        if w.shape[2] == 1:
            sums = grouped * w[None, :, :, 0]
        else:
            sums = np.matmul(grouped.transpose(1, 0, 2), w.transpose(0, 2, 1)).transpose(1, 0, 2)
        acc = acc + sums
    return acc.reshape(len(x), shape["height"], shape["width"], shape["channels"])


def convolve_transposed(x, weight, conv, shape):
    """The sums of a transposed convolution: every pixel adds its kernel to the output."""
    (kh, kw), (sh, sw), (dh, dw), group = conv["kernel_shape"], conv["strides"], conv["dilations"], conv["group"]
    n, h, w, channels = x.shape
    top, left, bottom, right = conv["pads"]
    more = conv.get("output_padding", (0, 0))
    rows, columns = (h - 1) * sh + 1, (w - 1) * sw + 1
    acc = np.zeros((n, rows + (kh - 1) * dh + more[0], columns + (kw - 1) * dw + more[1], shape["channels"]))
    x = x.reshape(n, h, w, group, -1)
    weight = weight.reshape(group, channels // group, -1, kh, kw)
    for i in range(kh):
        for j in range(kw):
            part = np.einsum("nhwgc,gco->nhwgo", x, weight[:, :, :, i, j]).reshape(n, h, w, -1)
            acc[:, i * dh:i * dh + rows:sh, j * dw:j * dw + columns:sw] += part
    acc = acc[:, top:acc.shape[1] - bottom, left:acc.shape[2] - right]
    assert acc.shape[1:3] == (shape["height"], shape["width"])
    return acc


def main(path, dump, batch=50):
    model = Model(path)
    index = json.load(open(os.path.join(dump, "index.json")))
    arrays = {a.get("node", a["file"]): np.load(os.path.join(dump, a["file"]), mmap_mode="r") for a in index["arrays"]}
    assert {n["name"] for n in model.nodes} == {a["node"] for a in index["arrays"] if "node" in a}
    files = lambda kind: [a["file"] for a in index["arrays"] if a["file"].startswith((kind + ".", kind + "-"))]
    outputs = model.structure.get("outputs") or [model.structure["output"]]
    predictions = {f.replace("predictions", "logits"): f for f in files("predictions")}
    total, differ = {}, {}

    def compare(name, got, want):
        assert got.shape == want.shape, (name, got.shape, want.shape)
        total[name] = total.get(name, 0) + want.size
        differ[name] = differ.get(name, 0) + int((got != want).sum())

    for at in range(0, index["images"], batch):
        part = slice(at, at + batch)
        out = model.run([np.array(arrays[f][part]) for f in files("images")], lambda node: arrays[node][part])
        for name, y in out.items():
            compare(name, y.data, arrays[name][part])
        for name, f in zip(outputs, files("logits"), strict=True):
            y, want = out[name], arrays[f][part]
            logits = (y.data if y.quant is None else y.centered().astype(f32) * y.scale).reshape(want.shape)
            compare(f, logits, want)
            if f in predictions:
                compare(predictions[f], logits.argmax(axis=-1), arrays[predictions[f]][part])
    for a in index["arrays"]:
        if "scale" in a:
            y = out[a["node"]]
            assert (f32(a["scale"]), a["zero_point"], a["codes"]) == (y.scale, y.zero, y.quant["dtype"]), a
    for name, n in total.items():
        print(f"{name}: {differ[name]} of {n} differ")
    if model.islands:
        print(f"{model.unsure} of {model.islands} integers at the end of float islands lie so near to the next that either is right")
    print(f"{sum(differ.values())} of {sum(total.values())} numbers differ, {index['images']} images")
    return sum(differ.values()) > 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

"""Computes small vectors of ops with PyTorch, for the test TestTorch of ops/engine, which compares the float form with them.

    python torchvec.py ../../ops/engine/testdata/torch

writes a file NAME.json for each case of a function below, a function for each family of ops: operands and results are NCHW, all
numbers float32. `params` are the tensors of the op by their names in files, `grad` is the gradient of the output, and
`grads` and `param_grads` are those of operands and parameters that follow from it. A new case needs a row in the
test's table, too.
"""

import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
CASES = {}


def case(name, f, *operands, **params):
    """Runs f(*operands, **params) forward and backward; operands and params are arrays."""
    xs = [torch.tensor(x, dtype=torch.float32, requires_grad=True) for x in operands]
    ps = {k: torch.tensor(p, dtype=torch.float32, requires_grad=True) for k, p in params.items()}
    y = f(*xs, **ps)
    grad = torch.tensor(noise(name + " grad", *y.shape))
    y.backward(grad)
    CASES[name] = {
        "operands": [array(x) for x in xs], "params": {k: array(p) for k, p in ps.items()}, "output": array(y), "grad": array(grad),
        "grads": [array(x.grad) for x in xs], "param_grads": {k: array(p.grad) for k, p in ps.items()},
    }


def array(t):
    a = t.detach().numpy()
    return {"shape": list(a.shape), "data": [float(str(v)) for v in a.ravel()]}


def noise(name, *shape):
    """Normally distributed numbers, rounded so that files are small; a function of the name."""
    r = np.random.default_rng(list(name.encode()))
    return (np.round(r.normal(0, 2, shape) * 64) / 64).astype(np.float32)


def curves():
    x = noise("curves", 2, 3, 3, 4)
    x.ravel()[:14] = [0, -3, 3, -0.5, 1.25, 0.75, 1 / 512, -1 / 512, 20.5, -20.5, 6, -6, 2, -2]
    case("hard_swish", F.hardswish, x)
    case("sigmoid", torch.sigmoid, x)
    case("tanh", torch.tanh, x)
    case("silu", F.silu, x)
    case("gelu", F.gelu, x)
    case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), x)
    case("mish", F.mish, x)
    case("softplus", F.softplus, x)
    case("leaky_relu", F.leaky_relu, x)
    case("leaky_relu_03", lambda x: F.leaky_relu(x, 0.3), x)
    case("elu", F.elu, x)
    case("elu_07", lambda x: F.elu(x, 0.7), x)
    case("hard_sigmoid", F.hardsigmoid, x)
    case("clip", lambda x: torch.clamp(x, -0.5, 1.25), x)
    case("clip_max", lambda x: torch.clamp(x, max=0.75), x)
    case("exp", torch.exp, x)
    case("abs", torch.abs, x)
    case("neg", torch.neg, x)
    case("erf", torch.erf, x)
    case("power", lambda x: torch.pow(x, 2), x)
    case("power_3", lambda x: torch.pow(x, 3), x)
    above = np.abs(x) + 1 / 512
    case("log", torch.log, above)
    case("sqrt", torch.sqrt, above)
    case("reciprocal", torch.reciprocal, np.where(x < 0, -above, above))
    case("power_15", lambda x: torch.pow(x, 1.5), above)


def prelus():
    x = noise("curves", 2, 3, 3, 4)
    x.ravel()[0] = 0
    case("prelu", lambda x, weight: F.prelu(x, weight), x, weight=noise("prelu", 1))
    case("prelu_channels", lambda x, weight: F.prelu(x, weight), x, weight=noise("slopes", 3))


def pairs():
    x, y = noise("pairs", 2, 4, 3, 5), noise("second", 2, 4, 3, 5)
    y.ravel()[::3] = x.ravel()[::3]  # equal elements share a gradient
    gate, row, column, plane = y[:, :, :1, :1], y[:, :, :1], y[:, :, :, 1:2], y[:, 2:3]
    case("add_gate", torch.add, x, gate)
    case("add_outer", torch.add, column[:, 1:2], row)
    case("scale", lambda x, weight: x * weight.view(1, -1, 1, 1), x, weight=gate[0, :, 0, 0])
    case("scale_bias", lambda x, weight, bias: torch.addcmul(bias.view(1, -1, 1, 1), x, weight.view(1, -1, 1, 1)), x, weight=gate[0, :, 0, 0], bias=gate[1, :, 0, 0])
    case("sub", torch.sub, x, y)
    case("sub_row", torch.sub, row, x)
    case("mul", torch.mul, x, y)
    case("mul_gate", torch.mul, x, gate)
    case("mul_plane", torch.mul, plane, x)
    case("max", torch.maximum, x, y)
    case("max_column", torch.maximum, x, column)
    case("min", torch.minimum, x, y)
    case("min_plane", torch.minimum, plane, x)


def softmaxes():
    x = noise("softmaxes", 2, 4, 3, 5)
    x[0, :, 0, 0] = [90, 100, -100, 100]
    for name, f in ("softmax", F.softmax), ("log_softmax", F.log_softmax):
        for axis, dim in ("channels", 1), ("rows", 2), ("columns", 3):
            case(name + "_" + axis, lambda x: f(x, dim), x)


def layouts():
    """Ops that only move values."""
    x, wide, tall = noise("layouts", 2, 4, 6, 5), noise("wide", 2, 12, 2, 3), noise("tall", 2, 3, 4, 6)
    case("slice", lambda x: x[:, 0:-1, 1::2, -3:], x)
    case("slice_step", lambda x: x[:, ::3, :-1], x)
    case("pad", lambda x: F.pad(x, (0, 2, 1, 0, 1, 2)), x)
    case("pad_value", lambda x: F.pad(x, (0, 2, 1, 0), value=-0.7), x)
    case("pad_reflect", lambda x: F.pad(x, (4, 1, 3, 5), mode="reflect"), x)
    case("pad_edge", lambda x: F.pad(x, (7, 1, 3, 0), mode="replicate"), x)
    case("reshape", lambda x: x.reshape(2, 4, 5, 6), x)
    case("reshape_vector", lambda x: x.reshape(2, -1, 1, 1), x)
    case("reshape_map", lambda x: x.reshape(2, 4, 2, 3), x.reshape(10, 24, 1, 1)[:2])
    case("reshape_split", lambda x: x.reshape(2, 2, -1, 5), x)
    case("transpose", lambda x: x.permute(0, 3, 1, 2), x)
    case("channel_shuffle", lambda x: F.channel_shuffle(x, 2), x)
    case("channel_shuffle_3", lambda x: F.channel_shuffle(x, 3), wide)
    case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), wide)
    case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), tall)
    case("resize_nearest", lambda x: F.interpolate(x, scale_factor=2), x)
    case("resize_nearest_sizes", lambda x: F.interpolate(x, size=(4, 7)), x)
    case("resize_nearest_exact", lambda x: F.interpolate(x, size=(9, 13), mode="nearest-exact"), x)
    case("resize_nearest_tf", lambda x: F.interpolate(x, size=(9, 13), mode="nearest-exact"), x)
    case("resize_nearest_scales", lambda x: F.interpolate(x, scale_factor=(1.5, 0.7), mode="nearest-exact"), x)


def windows():
    """Convolutions, also transposed, and pools: their padding, dilation and ceil mode."""
    x, row = noise("windows", 2, 4, 6, 5), noise("row", 2, 4, 1, 9)
    w, b = lambda *shape: noise("weight", *shape), noise("bias", 6)

    def conv(name, shape, pads=(0, 0, 0, 0), bias=True, **args):
        top, left, bottom, right = pads
        params = {"weight": w(*shape)} | ({"bias": b[:shape[0]]} if bias else {})
        case(name, lambda x, weight, bias=None: F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, **args), x, **params)

    conv("conv", (6, 2, 3, 2), stride=(2, 1), padding=(1, 0), groups=2)
    conv("conv_pads", (3, 4, 2, 1), (0, 1, 3, 4))
    conv("conv_depthwise_pads", (4, 1, 3, 3), (0, 0, 2, 1), stride=2, groups=4)
    conv("conv_same_upper", (5, 4, 2, 4), bias=False, padding="same")
    conv("conv_same_lower", (5, 4, 2, 4), (1, 2, 0, 1), bias=False)
    conv("conv_same_stride", (5, 4, 3, 3), (0, 1, 1, 1), stride=2)
    case("conv_1d", lambda x, weight, bias: F.conv1d(x[:, :, 0], weight[:, :, 0], bias, 2, 2, 2, 2)[:, :, None], row, weight=w(4, 2, 1, 3), bias=b[:4])
    case("linear", lambda x, weight, bias: F.linear(x.flatten(1), weight, bias), x, weight=w(3, 120), bias=b[:3])
    case("linear_pixels", lambda x, weight, bias: F.linear(x.permute(0, 2, 3, 1), weight, bias).permute(0, 3, 1, 2), x, weight=w(3, 4), bias=b[:3])

    def transposed(name, shape, bias=True, **args):
        params = {"weight": w(*shape)} | ({"bias": b[:shape[1] * args.get("groups", 1)]} if bias else {})
        case(name, lambda x, weight, bias=None: F.conv_transpose2d(x, weight, bias, **args), x, **params)

    transposed("conv_transpose", (4, 5, 3, 3), stride=2, padding=1, output_padding=1)
    transposed("conv_transpose_plain", (4, 3, 2, 2), bias=False, stride=2)
    transposed("conv_transpose_groups", (4, 3, 3, 2), stride=(2, 3), padding=(1, 0), output_padding=(0, 2), groups=2)
    transposed("conv_transpose_dilated", (4, 2, 3, 2), stride=(1, 2), padding=(3, 1), output_padding=(1, 1), dilation=(2, 3))
    transposed("conv_transpose_depthwise", (4, 1, 4, 4), bias=False, stride=2, padding=1, groups=4)

    case("max_pool", lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0)), x)
    case("max_pool_ceil", lambda x: F.max_pool2d(x, 2, (3, 2), ceil_mode=True), x)
    case("max_pool_ceil_pad", lambda x: F.max_pool2d(x, 3, (3, 2), 1, ceil_mode=True), x)
    case("max_pool_dilated", lambda x: F.max_pool2d(x, (3, 2), 1, (1, 1), (2, 3)), x)
    case("max_pool_dilated_ceil", lambda x: F.max_pool2d(x, 2, (2, 3), 1, 2, ceil_mode=True), x)
    case("max_pool_same_upper", lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), (3, 2), (2, 1)), x)
    case("avg_pool", lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 0), count_include_pad=False), x)
    case("avg_pool_counted", lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 0)), x)
    case("avg_pool_ceil", lambda x: F.avg_pool2d(x, (4, 3), (3, 2), (1, 0), ceil_mode=True, count_include_pad=False), x)
    case("avg_pool_ceil_counted", lambda x: F.avg_pool2d(x, (4, 3), (3, 2), (1, 0), ceil_mode=True), x)
    case("avg_pool_ceil_pads", lambda x: F.avg_pool2d(x, (3, 4), (2, 3), (1, 2), ceil_mode=True), x)
    case("avg_pool_ceil_large", lambda x: F.avg_pool2d(x, (7, 7), (4, 4), ceil_mode=True), x)
    case("global_avg_pool", lambda x: F.adaptive_avg_pool2d(x, 1), x)


def reductions():
    """Means, sums, largest elements, bilinear resizing."""
    x = noise("reductions", 2, 4, 6, 5)
    case("global_max_pool", lambda x: F.adaptive_max_pool2d(x, 1), x)
    case("adaptive_avg_pool", lambda x: F.adaptive_avg_pool2d(x, (4, 3)), x)
    case("adaptive_avg_pool_more", lambda x: F.adaptive_avg_pool2d(x, (7, None)), x)
    case("adaptive_max_pool", lambda x: F.adaptive_max_pool2d(x, (4, 3)), x)
    case("reduce_mean", lambda x: x.mean((1, 2), keepdim=True), x)
    case("reduce_mean_pixels", lambda x: x.mean((2, 3), keepdim=True), x)
    case("reduce_sum", lambda x: x.sum(3, keepdim=True), x)
    case("reduce_sum_channels", lambda x: x.sum(1, keepdim=True), x)
    case("reduce_max", lambda x: x.max(1, keepdim=True).values, x)
    case("reduce_max_columns", lambda x: F.adaptive_max_pool2d(x, (None, 1)), x)
    case("resize_bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), x)
    case("resize_bilinear_sizes", lambda x: F.interpolate(x, size=(4, 13), mode="bilinear"), x)
    case("resize_bilinear_corners", lambda x: F.interpolate(x, size=(11, 3), mode="bilinear", align_corners=True), x)
    case("resize_bilinear_scales", lambda x: F.interpolate(x, scale_factor=(1.5, 0.7), mode="bilinear"), x)


def norms():
    """Group, instance and layer norm."""
    x = noise("norms", 3, 4, 6, 5) + 3
    channels, elements = noise("norm weights", 2, 4), noise("element weights", 2, 4, 6, 5)
    affine, whole = {"weight": channels[0], "bias": channels[1]}, {"weight": elements[0], "bias": elements[1]}
    case("group_norm", lambda x, weight, bias: F.group_norm(x, 2, weight, bias), x, **affine)
    case("group_norm_plain", lambda x: F.group_norm(x, 1, eps=1e-3), x)
    case("instance_norm", lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias), x, **affine)
    case("instance_norm_plain", lambda x: F.instance_norm(x), x)
    last = lambda x, **args: F.layer_norm(x.permute(0, 2, 3, 1), (4,), **args).permute(0, 3, 1, 2)
    case("layer_norm", last, x, **affine)
    case("layer_norm_plain", last, x)
    case("layer_norm_whole", lambda x, weight, bias: F.layer_norm(x, (4, 6, 5), weight, bias), x, **whole)
    case("layer_norm_whole_plain", lambda x: F.layer_norm(x, (4, 6, 5), eps=1e-3), x)


def write(folder):
    for name, c in CASES.items():
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(c, f, separators=(",", ":"))
            f.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    curves()
    prelus()
    pairs()
    softmaxes()
    layouts()
    windows()
    reductions()
    norms()
    write(sys.argv[1])

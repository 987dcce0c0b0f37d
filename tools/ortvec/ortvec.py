"""Writes models of quantized ops with random inputs and what ONNX Runtime computes of them.

    python tools/ortvec/ortvec.py FOLDER SEED COUNT ELEMENTS

Each case is a folder as in the ONNX project's tests: model.onnx, test_data_set_0/{input,output}_K.pb. They are the
expected values of onnx/eval's TestRuntime (onnx/eval/testdata/ort: seed 1, 2 cases an op, 600 elements). Needs onnx,
numpy and onnxruntime; written with onnx 1.23 and onnxruntime 1.32 on an x86-64 processor with AVX-512.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = None
TYPES = [np.uint8, np.int8]
MS = "com.microsoft"


def scale(low=-5, high=-1):
    return np.float32(10 ** rng.uniform(low, high))


def zero(t):
    info = np.iinfo(t)
    return t(rng.integers(info.min, info.max + 1) if rng.random() < 0.7 else rng.choice([info.min, 0, info.max]))


def codes(t, *shape):
    info = np.iinfo(t)
    return rng.integers(info.min, info.max + 1, shape).astype(t)


def near(s, factor=3.0):
    """A scale near s, so that outputs are neither all cut nor all 0."""
    return np.float32(s * np.exp(rng.uniform(-1, 1) * np.log(factor)))


def case(op, inputs, attrs=None, domain="", constants=()):
    """inputs: arrays, None for one that is left out; constants: which of them are initializers."""
    return op, inputs, attrs or {}, domain, set(constants)


def linear_add(op, n):
    t = TYPES[rng.integers(2)]
    a, b = scale(), None
    b = near(a)
    c = near(a * 2) if op == "QLinearAdd" else near(a * b * 128)
    if rng.random() < 0.2:
        shapes = [(n // 16, 16), (1, 1)] if rng.random() < 0.5 else [(1, 1), (n // 16, 16)]
    elif rng.random() < 0.3:
        shapes = [(4, n // 64, 16), (n // 64, 1)]
    else:
        shapes = [(n,), (n,)]
    return case(op, [codes(t, *shapes[0]), a, zero(t), codes(t, *shapes[1]), b, zero(t), c, zero(t)], domain=MS, constants=[1, 2, 4, 5, 6, 7])


def global_pool(n):
    t = TYPES[rng.integers(2)]
    h = int(rng.integers(1, 9))
    s = scale()
    return case("QLinearGlobalAveragePool", [codes(t, 1, max(1, n // (h * h)), h, h), s, zero(t), near(s / 2), zero(t)], {"channels_last": 0}, MS, [1, 2, 3, 4])


def average_pool(n):
    t = TYPES[rng.integers(2)]
    s = scale()
    k = int(rng.integers(2, 5))
    pad = int(rng.integers(0, 2))
    attrs = {"kernel_shape": [k, k], "strides": [int(rng.integers(1, 3))] * 2, "pads": [pad] * 4, "count_include_pad": int(rng.integers(2)),
             "channels_last": 0, "ceil_mode": 0}
    return case("QLinearAveragePool", [codes(t, 1, max(1, n // 64), 8, 8), s, zero(t), near(s / 2), zero(t)], attrs, MS, [1, 2, 3, 4])


def concat(n):
    t = TYPES[rng.integers(2)]
    y = scale()
    inputs = [y, zero(t)]
    for _ in range(3):
        inputs += [codes(t, 2, n // 6), near(y), zero(t)]
    return case("QLinearConcat", inputs, {"axis": 1}, MS, [i for i in range(len(inputs)) if i < 2 or i % 3 != 2])


def table(op):
    t = TYPES[rng.integers(2)]
    info = np.iinfo(t)
    every = np.arange(info.min, info.max + 1).astype(t)
    s = scale(-2.5, -0.5)
    if op == "QLinearSigmoid":
        return case(op, [every, s, zero(t), np.float32(1 / 256) if rng.random() < 0.5 else scale(-3, -2), zero(t)], {}, MS, [1, 2, 3, 4])
    return case(op, [every, s, zero(t), near(s), zero(t)], {"alpha": float(rng.uniform(0.01, 0.5))}, MS, [1, 2, 3, 4])


def softmax(n):
    t = TYPES[rng.integers(2)]
    z = np.uint8(0) if t is np.uint8 else np.int8(-128)
    return case("QLinearSoftmax", [codes(t, n // 10, 10), scale(-2.5, -1), zero(t), np.float32(1 / 256), z], {"axis": -1, "opset": 13}, MS, [1, 2, 3, 4])


def quantize(n):
    t = TYPES[rng.integers(2)]
    s = scale()
    x = (rng.standard_normal(n) * s * 80).astype(np.float32)
    x[: n // 4] = (np.arange(n // 4) - n // 8 + 0.5).astype(np.float32) * s  # halves
    if rng.random() < 0.5:
        x = x[: n // 3 * 3].reshape(-1, 3)
        return case("QuantizeLinear", [x, np.array([near(s) for _ in range(3)]), np.array([zero(t) for _ in range(3)])], {"axis": 1}, "", [1, 2])
    return case("QuantizeLinear", [x, s, zero(t)], {}, "", [1, 2])


def dequantize(n):
    t = TYPES[rng.integers(2)]
    return case("DequantizeLinear", [codes(t, n), scale(), zero(t)], {}, "", [1, 2])


def dynamic(n):
    return case("DynamicQuantizeLinear", [(rng.standard_normal(n) * 3 + rng.uniform(-4, 4)).astype(np.float32)])


def conv(n, integer):
    x, w = (np.uint8, np.int8) if rng.random() < 0.4 else (np.uint8, np.uint8) if rng.random() < 0.5 else (np.int8, np.int8)
    c, m, group = 8, 8, int(rng.choice([1, 1, 2, 8]))
    k, dil = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    attrs = {"kernel_shape": [k, k], "strides": [int(rng.integers(1, 3))] * 2, "pads": [int(v) for v in rng.integers(0, 2, 4)], "group": group, "dilations": [dil, dil]}
    side = max(6, int((n / 8) ** 0.5))
    wz = w(0) if w is np.int8 or rng.random() < 0.5 else zero(w)
    weights = codes(w, m, c // group, k, k)
    if integer:
        return case("ConvInteger", [codes(x, 1, c, side, side), weights, zero(x), wz], attrs, "", [1, 2, 3])
    per = rng.random() < 0.5
    s = scale()
    ws = np.array([near(scale(-3, -2)) for _ in range(m)]) if per else scale(-3, -2)
    y = near(s * float(np.mean(ws)) * 74 * 74 * (c // group * k * k) ** 0.5 / 64, 2)
    wzs = np.array([wz] * m) if per else wz
    bias = rng.integers(-20000, 20000, m).astype(np.int32)
    return case("QLinearConv", [codes(x, 1, c, side, side), s, zero(x), weights, ws, wzs, y, zero(x), bias], attrs, "", [1, 2, 3, 4, 5, 6, 7, 8])


def matmul(n, integer):
    a, b = [(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)][rng.integers(3)]
    m, k, p = max(1, n // 32), 32, 16
    x, w = codes(a, m, k), codes(b, k, p)
    if integer:
        return case("MatMulInteger", [x, w, zero(a), zero(b)], {}, "", [1, 2, 3])
    s, ws = scale(), scale(-3, -2)
    return case("QLinearMatMul", [x, s, zero(a), w, ws, b(0), near(s * ws * 74 * 74 * 5 / 64, 2), zero(a)], {}, "", [1, 2, 3, 4, 5, 6, 7])


def gemm(n):
    t = TYPES[rng.integers(2)]
    m, k, p = max(1, n // 32), 24, 10
    s, trans = scale(), bool(rng.integers(2))
    ws = np.array([near(scale(-3, -2)) for _ in range(p)])
    inputs = [codes(t, m, k), s, zero(t), codes(np.int8, p, k) if trans else codes(np.int8, k, p), ws, np.zeros(p, np.int8),
              rng.integers(-20000, 20000, p).astype(np.int32)]
    if rng.random() < 0.6:
        inputs += [near(s * float(np.mean(ws)) * 74 * 74 * 5 / 64, 2), zero(t)]
    return case("QGemm", inputs, {"transB": int(trans), "alpha": float(rng.choice([1.0, 0.3]))}, MS, range(1, len(inputs)))


def makers(n):
    return {
        "add": lambda: linear_add("QLinearAdd", n), "mul": lambda: linear_add("QLinearMul", n),
        "globalpool": lambda: global_pool(n), "averagepool": lambda: average_pool(n), "concat": lambda: concat(n),
        "sigmoid": lambda: table("QLinearSigmoid"), "leakyrelu": lambda: table("QLinearLeakyRelu"), "softmax": lambda: softmax(n),
        "quantize": lambda: quantize(n), "dequantize": lambda: dequantize(n), "dynamic": lambda: dynamic(n), "gemm": lambda: gemm(n),
        "conv": lambda: conv(n, False), "convinteger": lambda: conv(n, True), "matmul": lambda: matmul(n, False), "matmulinteger": lambda: matmul(n, True),
    }


def write(folder, c):
    op, inputs, attrs, domain, constants = c
    names, graph_inputs, initializers, feeds = [], [], [], {}
    for i, x in enumerate(inputs):
        name = f"in{i}"
        names.append(name)
        x = np.asarray(x)
        if i in constants:
            initializers.append(numpy_helper.from_array(x, name))
        else:
            graph_inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape))
            feeds[name] = x
    outs = ["y", "scale", "zero"] if op == "DynamicQuantizeLinear" else ["y"]
    node = helper.make_node(op, names, outs, domain=domain, **attrs)
    graph = helper.make_graph([node], op, graph_inputs, [helper.make_empty_tensor_value_info(o) for o in outs], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run(None, feeds)
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(o, helper.np_dtype_to_tensor_dtype(r.dtype), r.shape) for o, r in zip(outs, results))
    model.graph.CopyFrom(graph)
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    with open(os.path.join(folder, "model.onnx"), "wb") as f:
        f.write(model.SerializeToString())
    for kind, arrays in (("input", feeds.values()), ("output", results)):
        for k, x in enumerate(arrays):
            with open(os.path.join(data, f"{kind}_{k}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(np.asarray(x)).SerializeToString())


def main():
    global rng
    folder, seed, count, elements = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    onnxruntime.set_default_logger_severity(3)
    for name, make in makers(elements).items():
        rng = np.random.default_rng([seed, sum(name.encode())])
        for i in range(count):
            write(os.path.join(folder, f"{name}_{i}"), make())


main()

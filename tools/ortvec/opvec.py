"""Writes models with a node for each op that the ONNX project's tests in shared/onnx-node-tests have no test of, and
what ONNX Runtime computes of them.

    python tools/ortvec/opvec.py FOLDER

One model for each of some operator sets, in the layout of the ONNX project's tests; the expected values of onnx/eval's
TestOps (onnx/eval/testdata/ops). Needs onnx, numpy and onnxruntime.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(3)
VALUES = {
    "x": rng.standard_normal((2, 3, 4)).astype(np.float32) * 3,
    "y": rng.standard_normal((3, 1)).astype(np.float32) * 2,
    "pos": rng.uniform(0.1, 9, (2, 3, 4)).astype(np.float32),
    "maps": rng.standard_normal((2, 6, 4, 5)).astype(np.float32),
    "half": np.array([-2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 2.4999], np.float32),
    "i": rng.integers(-9, 9, (2, 3, 4)).astype(np.int64),
    "j": np.array([[3], [-2], [5]], np.int64),
    "i32": rng.integers(-9, 9, (2, 3, 4)).astype(np.int32),
    "b": rng.integers(0, 2, (2, 3, 4)).astype(bool),
    "c": rng.integers(0, 2, (3, 1)).astype(bool),
}
CONSTANTS = {
    "s6": rng.uniform(0.5, 2, 6).astype(np.float32), "b6": rng.standard_normal(6).astype(np.float32),
    "s4": rng.uniform(0.5, 2, 4).astype(np.float32), "b4": rng.standard_normal(4).astype(np.float32),
    "s34": rng.uniform(0.5, 2, (3, 4)).astype(np.float32), "axes": np.array([0, 2], np.int64), "last": np.array([-1], np.int64),
    "times": np.array([1, 2, 3], np.int64), "start": np.array(10, np.int64), "limit": np.array(-5, np.int64), "step": np.array(-4, np.int64),
    "f0": np.array(0.5, np.float32), "f1": np.array(3.1, np.float32), "fs": np.array(0.5, np.float32),
    "scale": np.array(0.05, np.float32), "zero": np.array(3, np.int8), "new": np.array([1, 3], np.int64),
    "sizes": np.array([2, 6, 7, 9], np.int64), "target": np.array([0, -1], np.int64), "split": np.array([1, 3], np.int64),
}
REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"]


def common(n):
    for op in ["Abs", "Neg", "Sign", "Ceil", "Floor", "Erf", "Softsign", "Reciprocal", "Selu", "ThresholdedRelu", "Exp", "Softplus"]:
        n(op, "x")
    n("Log", "pos"), n("Round", "half"), n("Not", "b"), n("Size", "x"), n("Celu", "x", alpha=0.7), n("Abs", "i"), n("Sign", "i32")
    for op in ["Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"]:
        n(op, "x y"), n(op, "i j")
    n("And", "b c"), n("Or", "b c"), n("Where", "c x y"), n("Tile", "x times"), n("Range", "start limit step"), n("Range", "f0 f1 fs")
    n("Mod", "i j"), n("Mod", "i j", fmod=1), n("Mod", "x y", fmod=1), n("Div", "i j"), n("Pow", "i32 j"), n("Max", "x y"), n("Min", "i j")
    for to in [TensorProto.INT32, TensorProto.UINT8, TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT64]:
        n("Cast", "pos", to=to), n("Cast", "i", to=to)
    n("ArgMin", "x", axis=-1), n("ArgMin", "i32", axis=0, keepdims=0), n("ArgMax", "i", axis=1)
    n("LpNormalization", "x", axis=1, p=1), n("LpNormalization", "x", axis=-1), n("MeanVarianceNormalization", "maps")
    n("LRN", "maps", size=3, alpha=0.2, beta=0.6, bias=1.5), n("InstanceNormalization", "maps s6 b6"), n("GlobalMaxPool", "maps")
    n("QuantizeLinear", "x scale zero", domain="com.microsoft"), n("DequantizeLinear", "q8 scale zero", domain="com.microsoft")


def opset20(n):
    common(n)
    for op in REDUCTIONS:
        n(op, "x axes"), n(op, "x last", keepdims=0), n(op, "x"), n(op, "x", noop_with_empty_axes=1) if op in ("ReduceSum", "ReduceMean", "ReduceMax") else None
    n("ReduceMax", "i32 axes"), n("ReduceMin", "i axes"), n("ReduceSum", "i axes"), n("ReduceProd", "i32 last")
    n("LayerNormalization", "x s4 b4", outputs=3), n("LayerNormalization", "x s34", axis=1), n("GroupNormalization", "maps s3 b3", num_groups=3)
    n("Gelu", "x"), n("Gelu", "x", approximate="tanh"), n("Mish", "x"), n("CastLike", "x i"), n("CastLike", "i x")
    n("Resize", "maps  sizes4", mode="linear"), n("Resize", "maps  sizes4", mode="cubic", coordinate_transformation_mode="align_corners")


def opset12(n):
    common(n)
    for op in REDUCTIONS:
        n(op, "x", axes=[0, -1]), n(op, "x", axes=[1], keepdims=0), n(op, "x")
    n("Softmax", "maps", axis=2), n("LogSoftmax", "maps"), n("Squeeze", "new1", axes=[0]), n("Unsqueeze", "x", axes=[0, 3])
    n("Split", "x", outputs=2, axis=2, split=[1, 3]), n("Clip", "x f0 f1"), n("Dropout", "x", outputs=2)


def opset8(n):
    for op in ["Abs", "Ceil", "Floor", "Log", "Reciprocal", "Selu"]:
        n(op, "pos")
    n("Clip", "x", min=-1.0, max=2.0), n("Slice", "x", starts=[0, -3], ends=[1, 9], axes=[1, 2]), n("Pad", "x", pads=[0, 1, 2, 0, 0, 1], value=1.5)
    n("Upsample", "maps", scales=[1.0, 1.0, 2.0, 3.0], mode="nearest"), n("Upsample", "maps", scales=[1.0, 1.0, 2.0, 2.0], mode="linear")
    n("Dropout", "x", ratio=0.3), n("Tile", "x times"), n("Less", "x y"), n("Equal", "i j"), n("Gemm", "m34 m45 b5", beta=0.5), n("BatchNormalization", "maps s6 b6 b6 s6")
    n("ReduceMax", "x", axes=[1]), n("ArgMax", "x", axis=2), n("Expand", "y shape3"), n("PRelu", "x y"), n("MaxPool", "maps", kernel_shape=[2, 3], outputs=2)


CONSTANTS.update(
    s3=rng.uniform(0.5, 2, 3).astype(np.float32), b3=rng.standard_normal(3).astype(np.float32), new1=rng.standard_normal((1, 3)).astype(np.float32),
    m34=rng.standard_normal((3, 4)).astype(np.float32), m45=rng.standard_normal((4, 5)).astype(np.float32), b5=rng.standard_normal(5).astype(np.float32),
    q8=rng.integers(-128, 128, 9).astype(np.int8), shape3=np.array([2, 3, 4], np.int64), sizes4=np.array([2, 6, 7, 9], np.int64),
)


def write(folder, opset, fill):
    nodes, used = [], []

    def n(op, inputs, outputs=1, domain="", **attrs):
        # Two spaces stand for inputs that are left out: Resize has region and scales before the sizes.
        names = inputs.replace("  ", " _ _ ").split()
        names = ["" if v == "_" else v for v in names]
        used.extend(names)
        nodes.append(helper.make_node(op, names, [f"{op.lower()}_{len(nodes)}_{k}" for k in range(outputs)], domain=domain, **attrs))

    fill(n)
    inputs = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in VALUES.items() if k in used]
    constants = [numpy_helper.from_array(v, k) for k, v in CONSTANTS.items() if k in used]
    names = [o for node in nodes for o in node.output]
    graph = helper.make_graph(nodes, f"ops{opset}", inputs, [helper.make_empty_tensor_value_info(o) for o in names], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run(None, {v.name: VALUES[v.name] for v in inputs})
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(o, helper.np_dtype_to_tensor_dtype(r.dtype), r.shape) for o, r in zip(names, results))
    model.graph.CopyFrom(graph)
    data = os.path.join(folder, f"opset{opset}", "test_data_set_0")
    os.makedirs(data)
    with open(os.path.join(folder, f"opset{opset}", "model.onnx"), "wb") as f:
        f.write(model.SerializeToString())
    for kind, arrays in (("input", [VALUES[v.name] for v in inputs]), ("output", results)):
        for k, x in enumerate(arrays):
            with open(os.path.join(data, f"{kind}_{k}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(np.asarray(x)).SerializeToString())


onnxruntime.set_default_logger_severity(3)
for opset, fill in ((20, opset20), (12, opset12), (8, opset8)):
    write(sys.argv[1], opset, fill)

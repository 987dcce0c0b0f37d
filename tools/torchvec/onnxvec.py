"""Vectors like torchvec.py's of what ONNX has and PyTorch has not: the coordinate and nearest modes of Resize, from onnx.reference.

    python onnxvec.py ../../ops/engine/testdata/torch
"""

import sys

import numpy as np
import onnx
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator

from torchvec import case, noise, write


def resize(h, w, sizes=None, scales=None, **modes):
    """ONNX's Resize of h x w pixels as a linear function of PyTorch, which has a gradient: its matrix is what becomes of single pixels."""
    extra = [[], np.array([1, 1, *scales], np.float32)] if scales else [[], [], np.array([h * w, 1, *sizes], np.int64)]
    names = ["x"] + [f"i{k}" if len(e) else "" for k, e in enumerate(extra)]
    node = helper.make_node("Resize", names, ["y"], **modes)
    value = helper.make_tensor_value_info
    inputs = [value("x", onnx.TensorProto.FLOAT, None)]
    inputs += [value(n, onnx.helper.np_dtype_to_tensor_dtype(e.dtype), None) for n, e in zip(names[1:], extra) if n]
    graph = helper.make_graph([node], "resize", inputs, [value("y", onnx.TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    pixels = np.eye(h * w, dtype=np.float32).reshape(h * w, 1, h, w)
    feed = {"x": pixels} | {n: e for n, e in zip(names[1:], extra) if n}
    matrix = torch.tensor(np.array(ReferenceEvaluator(model).run(None, feed)[0], np.float32)[:, 0])
    return lambda x: torch.einsum("nchw,hwij->ncij", x, matrix.reshape(h, w, *matrix.shape[1:]))


def resizes():
    x = noise("resizes", 1, 1, 6, 5)
    for mode, nearest, sizes in (
        ("asymmetric", "ceil", (9, 3)), ("asymmetric", "round_prefer_floor", (4, 13)),
        ("half_pixel", "floor", (9, 13)), ("half_pixel", "ceil", (9, 13)), ("half_pixel", "round_prefer_floor", (4, 10)),
        ("pytorch_half_pixel", "round_prefer_floor", (1, 8)), ("pytorch_half_pixel", "round_prefer_ceil", (11, 1)),
        ("align_corners", "round_prefer_floor", (11, 1)), ("align_corners", "round_prefer_ceil", (11, 9)), ("align_corners", "floor", (1, 8)),
    ):
        f = resize(6, 5, sizes, mode="nearest", coordinate_transformation_mode=mode, nearest_mode=nearest)
        case(f"onnx_nearest_{mode}_{nearest}_{sizes[0]}x{sizes[1]}", f, x)
    for mode, sizes in ("asymmetric", (9, 3)), ("pytorch_half_pixel", (1, 8)), ("align_corners", (1, 13)):
        f = resize(6, 5, sizes, mode="linear", coordinate_transformation_mode=mode)
        case(f"onnx_linear_{mode}_{sizes[0]}x{sizes[1]}", f, x)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    resizes()
    write(sys.argv[1])

"""Quantizes a small network with ONNX Runtime's static quantizer, in both of its formats.

    python tools/ortquant/quantize.py FOLDER    # quantized_qdq.onnx and quantized_qoperator.onnx of testdata/onnx

The network is for images of 28x28 with one channel: convolutions (BN folded by the exporter), a depthwise one with ReLU6, a residual sum,
a max pool, a global average pool and a linear layer. Its weights are drawn from a seed. Beside each file its logits of eight images, as
ONNX Runtime computes them without optimizations: NAME.json. The pixels are (i*i*7 + i*j) % 251 / 127.5 - 1 at place i of image j.
"""

import json
import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        unit = lambda i, o, **a: nn.Sequential(nn.Conv2d(i, o, bias=False, **a), nn.BatchNorm2d(o))
        self.stem, self.relu = unit(1, 8, kernel_size=3, stride=2, padding=1), nn.ReLU()
        self.deep, self.relu6 = unit(8, 8, kernel_size=3, padding=1, groups=8), nn.ReLU6()
        self.flat, self.pool = unit(8, 8, kernel_size=1), nn.MaxPool2d(2)
        self.wide, self.fc = unit(8, 16, kernel_size=3, padding=1), nn.Linear(16, 10)

    def forward(self, x):
        x = self.relu(self.stem(x))
        x = self.pool(self.relu(x + self.flat(self.relu6(self.deep(x)))))
        return self.fc(self.relu(self.wide(x)).mean((2, 3)))


def image(j):
    i = np.arange(28 * 28, dtype=np.int64)
    return (((i * i * 7 + i * j) % 251) / 127.5 - 1).astype(np.float32).reshape(1, 1, 28, 28)


class Images(CalibrationDataReader):
    def __init__(self):
        self.left = [{"input": image(j)} for j in range(100, 120)]

    def get_next(self):
        return self.left.pop() if self.left else None


def main(folder):
    torch.manual_seed(3)
    m = Net()
    for k in m.modules():
        if isinstance(k, nn.BatchNorm2d):
            k.running_mean.uniform_(-0.2, 0.2)
            k.running_var.uniform_(0.2, 0.8)
            with torch.no_grad():
                k.weight.uniform_(0.8, 1.5)
                k.bias.uniform_(-0.3, 0.3)
    with tempfile.TemporaryDirectory() as t:
        path = os.path.join(t, "float.onnx")
        torch.onnx.export(m.eval(), (torch.zeros(1, 1, 28, 28),), path, dynamo=False, opset_version=13, input_names=["input"], output_names=["logits"])
        for name, form in ("quantized_qdq", QuantFormat.QDQ), ("quantized_qoperator", QuantFormat.QOperator):
            file = os.path.join(folder, name + ".onnx")
            quantize_static(path, file, Images(), quant_format=form, per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8)
            options = ort.SessionOptions()
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            run = ort.InferenceSession(file, options)
            logits = [run.run(None, {"input": image(j)})[0][0].tolist() for j in range(8)]
            with open(os.path.join(folder, name + ".json"), "w") as f:
                json.dump(logits, f)
            print(name, os.path.getsize(file), [n.op_type for n in onnx.load(file).graph.node])
            print(np.round(logits, 3)[:3])


main(sys.argv[1])

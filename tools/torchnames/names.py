"""Writes the tensors of torchvision's models: a file for each model, a line for each tensor of its state dict, in order, with its shape.
num_batches_tracked, which counts steps, is left out.

    python tools/torchnames/names.py stdlib/testdata/torchvision

Needs torch and torchvision; no weights are downloaded. The files in the repository are those of torchvision 0.29.
"""

import pathlib
import sys

import torch
from torchvision import models

MODELS = [
    "densenet121", "efficientnet_b0", "efficientnet_b1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "resnet18", "resnet34", "resnet50",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "squeezenet1_0", "squeezenet1_1", "vgg11", "vgg16", "vgg16_bn", "vgg19_bn",
]


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in MODELS:
        with torch.device("meta"):
            state = getattr(models, name)(weights=None).state_dict()
        lines = [" ".join([key, *map(str, tensor.shape)]) for key, tensor in state.items() if not key.endswith("num_batches_tracked")]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


main()

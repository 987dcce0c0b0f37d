"""Exports networks from PyTorch to ONNX, each with an input and what PyTorch computes of it.

    python tools/torchonnx/export.py small FOLDER     # modules of a few KB: the files of onnx/importer/testdata
    python tools/torchonnx/export.py tiny FOLDER      # a classifier of images of 28x28, one with its weights beside it, one with a softmax
    python tools/torchonnx/export.py example FILE [WEIGHTS.safetensors]  # the network of pipelines/onnx_mobilenetv2.hcl
    python tools/torchonnx/export.py resnet18 FILE       # torchvision's ResNet-18 for images of 224x224, with weights from a seed
    python tools/torchonnx/export.py torchvision FOLDER  # whole networks of torchvision, by both exporters

The modules have one input: input.json is its shape (NCHW) and its numbers, outputs.json what each module makes of it. A whole network
NAME is NAME.onnx with NAME.json, the shape and how many outputs there are, and NAME.bin: float32 numbers, the input and then the outputs.
"""

import json
import os
import sys
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")


class Lambda(nn.Module):
    def __init__(self, f, *modules):
        super().__init__()
        self.f, self.m = f, nn.ModuleList(modules)

    def forward(self, x):
        return self.f(x, *self.m)


class Block(nn.Module):
    """ConvNeXt's: depthwise, layer norm over channels, pointwise layers on the last axis, layer scale."""

    def __init__(self, c):
        super().__init__()
        self.dw, self.norm = nn.Conv2d(c, c, 3, padding=1, groups=c), nn.LayerNorm(c)
        self.up, self.down, self.gamma = nn.Linear(c, 2 * c), nn.Linear(2 * c, c), nn.Parameter(torch.rand(c))

    def forward(self, x):
        y = self.norm(self.dw(x).permute(0, 2, 3, 1))
        return x + (self.gamma * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)


class ChannelNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.rand(c)), nn.Parameter(torch.rand(c))

    def forward(self, x):
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        return self.w[:, None, None] * ((x - u) / torch.sqrt(s + 1e-6)) + self.b[:, None, None]


def shuffle(x, g):
    n, c, h, w = x.shape
    return x.view(n, g, c // g, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def squeeze(x, a, b):
    return x * torch.sigmoid(b(F.relu(a(x.mean((2, 3), keepdim=True)))))


def squeeze_linear(x, a, b):
    n, c, _, _ = x.shape
    return x * torch.sigmoid(b(F.relu(a(F.adaptive_avg_pool2d(x, 1).view(n, c))))).view(n, c, 1, 1)


def space_to_depth(x):
    return torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)


def small():
    s = nn.Sequential
    conv = lambda i, o, k=1, **a: nn.Conv2d(i, o, k, **a)
    return {
        "silu": s(conv(4, 4), nn.SiLU()),
        "hard_swish": s(conv(4, 4), nn.Hardswish()),
        "hard_swish_written": Lambda(lambda x: x * F.relu6(x + 3) / 6),
        "hard_sigmoid_written": Lambda(lambda x: F.relu6(x + 3) / 6),
        "gelu": nn.GELU(),
        "gelu_tanh": nn.GELU("tanh"),
        "mish": nn.Mish(),
        "elu": nn.ELU(0.5),
        "leaky_relu": nn.LeakyReLU(0.2),
        "prelu": nn.PReLU(4),
        "softplus": nn.Softplus(),
        "clamp": Lambda(lambda x: torch.clamp(x, -0.5, 0.75)),
        "layer_norm": Lambda(lambda x, m: m(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), nn.LayerNorm(4)),
        "channel_norm": ChannelNorm(4),
        "convnext": Block(4),
        "group_norm": nn.GroupNorm(2, 4),
        "instance_norm": nn.InstanceNorm2d(4, affine=True),
        "batch_norm_affine": Lambda(lambda x, b: b(x) * 2 + 1, nn.BatchNorm2d(4)),
        "normalize": Lambda(lambda x: (x - torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 4, 1, 1)) / torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1)),
        "channel_shuffle": Lambda(lambda x: shuffle(x, 2)),
        "pixel_shuffle": nn.PixelShuffle(2),
        "pixel_unshuffle": nn.PixelUnshuffle(2),
        "focus": Lambda(space_to_depth),
        "squeeze": Lambda(squeeze, conv(4, 2), conv(2, 4)),
        "squeeze_linear": Lambda(squeeze_linear, nn.Linear(4, 2), nn.Linear(2, 4)),
        "branches": Lambda(lambda x, a, b: torch.cat([a(x), b(x), x[:, 1:3]], 1), conv(4, 3), conv(4, 2, 3, padding=1)),
        "chunk": Lambda(lambda x, a: torch.cat([x.chunk(2, 1)[0], a(x.chunk(2, 1)[1])], 1), conv(2, 2)),
        "glu": Lambda(lambda x, a: F.glu(a(x), 1), conv(4, 8)),
        "pads": Lambda(lambda x, a: a(F.pad(x, (1, 0, 2, 1))), conv(4, 2, 3)),
        "reflect": s(nn.ReflectionPad2d(1), conv(4, 2, 3)),
        "upsample": s(nn.Upsample(scale_factor=2), conv(4, 2)),
        "interpolate": Lambda(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)),
        "interpolate_size": Lambda(lambda x: F.interpolate(x[:, :, ::2, ::2], size=x.shape[2:], mode="bilinear", align_corners=True)),
        "conv_transpose": nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1, dilation=1),
        "conv_groups": s(conv(4, 6, 3, groups=2, dilation=2, padding=2, stride=2)),
        "avg_pool": nn.AvgPool2d(3, 2, 1),
        "avg_pool_exclude": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        "max_pool_ceil": nn.MaxPool2d(3, 2, ceil_mode=True),
        "adaptive": s(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        "adaptive_2": nn.AdaptiveAvgPool2d(2),
        "flatten_linear": s(nn.Flatten(), nn.Linear(4 * 64, 3)),
        "view_linear": Lambda(lambda x, a: a(x.view(x.size(0), -1)), nn.Linear(4 * 64, 3)),
        "mean_linear": Lambda(lambda x, a: a(x.mean([2, 3])), nn.Linear(4, 3)),
        "softmax": Lambda(lambda x, a: F.softmax(a(x.mean([2, 3])), 1), nn.Linear(4, 3)),
        "log_softmax": Lambda(lambda x: F.log_softmax(x, 1)),
        "argmax": Lambda(lambda x, a: torch.argmax(a(x.mean([2, 3])), 1), nn.Linear(4, 3)),
        "square": Lambda(lambda x: x.pow(2) + x * x),
        "max": Lambda(lambda x, a: torch.max(x, a(x)), conv(4, 4)),
        "scale_minus": Lambda(lambda x: 1 - x / 4),
        "conv1d": Lambda(lambda x, a: a(x.flatten(2)).mean(2), nn.Conv1d(4, 3, 3, padding=1)),
        "tokens": Lambda(lambda x, a: a(x.flatten(2).transpose(1, 2)).mean(1), nn.Linear(4, 3)),
        "expand": Lambda(lambda x: torch.cat([x, x.mean((2, 3), keepdim=True).expand(-1, -1, 8, 8)], 1)),
        "dropout": s(nn.Dropout(0.5), conv(4, 2)),
    }


class Inverted(nn.Module):
    """MobileNetV2's block."""

    def __init__(self, i, o, expand, stride):
        super().__init__()
        c = i * expand
        self.expand, self.depthwise, self.project = unit(i, c, 1), unit(c, c, 3, stride, c), unit(c, o, 1)[:2]
        self.adds = stride == 1 and i == o

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.adds else y


def unit(i, o, kernel, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU6())


class MobileNetV2(nn.Module):
    """A small one for images of 28x28 with one channel."""

    def __init__(self, classes=10):
        super().__init__()
        self.stem, self.head = unit(1, 8, 3, 2), unit(24, 64, 1)
        self.blocks = nn.Sequential(Inverted(8, 16, 3, 2), Inverted(16, 16, 3, 1), Inverted(16, 24, 3, 2), Inverted(24, 24, 3, 1))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        return self.fc(self.head(self.blocks(self.stem(x))).mean((2, 3)))


def lively(m):
    for k in m.modules():
        if isinstance(k, nn.modules.batchnorm._BatchNorm):
            k.running_mean.uniform_(-0.2, 0.2)
            k.running_var.uniform_(0.5, 1.5)
            with torch.no_grad():
                k.weight.uniform_(0.5, 1.5)
                k.bias.uniform_(-0.3, 0.3)
    return m.eval()


def export(m, x, path, dynamo, opset):
    if dynamo:
        torch.onnx.export(m, (x,), path, dynamo=True, external_data=False, verbose=False)
    else:
        torch.onnx.export(m, (x,), path, dynamo=False, opset_version=opset, do_constant_folding=True,
                          input_names=["input"], dynamic_axes={"input": {0: "batch"}} if opset % 2 else None,
                          training=torch.onnx.TrainingMode.PRESERVE if opset == 17 else torch.onnx.TrainingMode.EVAL)


def dump(folder, name, content):
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump(content, f)


def single(m, shape, path):
    """One file with its BNs as nodes, for any number of images, with names of PyTorch."""
    torch.onnx.export(m.eval(), (torch.zeros(shape),), path, dynamo=False, opset_version=17, do_constant_folding=False, input_names=["image"], output_names=["scores"],
                      dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}}, training=torch.onnx.TrainingMode.PRESERVE)


def main(kind, folder, weights=None):
    torch.manual_seed(1)
    if kind == "example":
        m = MobileNetV2()
        if weights:
            from safetensors.torch import load_file
            m.load_state_dict(load_file(weights), strict=False)
        return single(m, (1, 1, 28, 28), folder)
    if kind == "resnet18":
        import torchvision.models as tv
        return single(tv.resnet18(num_classes=10), (1, 3, 224, 224), folder)
    os.makedirs(folder, exist_ok=True)
    if kind == "small":
        x = torch.randn(1, 4, 8, 8)
        outputs = {}
        for i, (name, m) in enumerate(small().items()):
            m = lively(m)
            y = m(x)
            for opset, dynamo in ((9 + i % 9, False), (0, True)):
                file = name + ("_dynamo" if dynamo else "")
                try:
                    export(m, x, os.path.join(folder, file + ".onnx"), dynamo, max(opset, 11))
                except Exception as e:
                    print("not exported:", file, str(e)[:100])
                    continue
                if y.dtype != torch.float32:  # the values that the index is of
                    y = m.m[0](x.mean([2, 3]))
                outputs[file] = [float("%.8g" % v) for v in y.flatten().tolist()]
        dump(folder, "outputs", outputs)
        dump(folder, "input", {"shape": list(x.shape), "data": x.flatten().tolist()})
        return
    if kind == "tiny":
        import onnx
        for name in ("tiny", "beside", "shares"):
            m = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
            if name == "shares":
                m.append(nn.Softmax(1))
            file = os.path.join(folder, name + ".onnx")
            export(lively(m), torch.randn(1, 1, 28, 28), file, False, 17)
            if name == "beside":
                onnx.save(onnx.load(file), file, save_as_external_data=True, location="weights.bin", size_threshold=0)
        return
    import torchvision.models as tv
    x = torch.randn(1, 3, 64, 64)
    for name, make, size in [
        ("resnet18", tv.resnet18, 64), ("mobilenet_v2", tv.mobilenet_v2, 64), ("mobilenet_v3_small", tv.mobilenet_v3_small, 64),
        ("efficientnet_b0", tv.efficientnet_b0, 64), ("shufflenet_v2_x1_0", tv.shufflenet_v2_x1_0, 64), ("squeezenet1_1", tv.squeezenet1_1, 64),
        ("densenet121", tv.densenet121, 64), ("mnasnet1_0", tv.mnasnet1_0, 64), ("regnet_y_400mf", tv.regnet_y_400mf, 64),
        ("convnext_tiny", tv.convnext_tiny, 64), ("googlenet", lambda: tv.googlenet(init_weights=False, aux_logits=False), 64), ("vgg11_bn", tv.vgg11_bn, 224),
        ("efficientnet_v2_s", tv.efficientnet_v2_s, 64), ("resnext50_32x4d", tv.resnext50_32x4d, 64), ("inception_v3", lambda: tv.inception_v3(init_weights=False, aux_logits=False), 128),
        ("alexnet", tv.alexnet, 224), ("fcn_resnet50", lambda: tv.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=5), 64),
        ("deeplabv3_mobilenet", lambda: tv.segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5), 64),
        ("lraspp", lambda: tv.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5), 64),
    ]:
        m = lively(make())
        x = torch.randn(1, 3, size, size)
        y = m(x)
        y = list(y.values()) if isinstance(y, dict) else [y]
        for dynamo in (False, True):
            if dynamo and name == "convnext_tiny":
                continue  # its mean of 1x1 pixels becomes a Gather along the batch
            file = os.path.join(folder, name + ("_dynamo" if dynamo else ""))
            try:
                export(m, x, file + ".onnx", dynamo, 13)
            except Exception as e:
                print("not exported:", file, str(e)[:100])
                continue
            np.concatenate([t.detach().numpy().flatten() for t in [x] + y]).astype("<f4").tofile(file + ".bin")
            dump(folder, os.path.basename(file), {"shape": list(x.shape), "outputs": len(y)})


main(*sys.argv[1:])

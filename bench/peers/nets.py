"""The networks that are compared, as lists of layers: the same convolutions, in
the same order, as `qpipe bench` builds by these names.

A layer is a tuple (op, inputs, settings); an input is the index of an earlier
layer, -1 the image. The ops:

  conv    convolution, BatchNorm (or, with bn False, a bias), then optionally + the
          second input, then optionally an activation: co, k, s, p, g, act, bn
  max     max pooling: k, s, p
  mean    global average
  mul     the first input times the second, a number a channel
  fc      linear layer, then optionally an activation: co, act

An activation is "" or one of ACTS; all but relu are curves of their own behind the
layer, each with its own quantization.

Nothing here needs a library; torch_net.py and onnx_models.py turn the lists into
what they measure.
"""

NAMES = ["lenet", "convnet", "resnet18c", "mnv2c", "resnet18", "mnv2", "resnet50", "mnv3s", "effb0"]
LARGE_BATCH = {n: 64 for n in NAMES[:4]} | {n: 32 for n in NAMES[4:]}
# Those of which training is compared, and the batch.
TRAINED = {n: 64 for n in NAMES[:4]} | {"mnv3s": 32, "effb0": 8}
# PyTorch's engine for integers where onednn is not the fastest: it is twenty times slower there.
ENGINE = {"mnv3s": "x86", "effb0": "x86"}
ACTS = ("relu", "hard_swish", "hard_sigmoid", "silu", "sigmoid")


class Layers:
    """Collects layers and knows the channels of each."""

    def __init__(self, c, side):
        self.image = (c, side, side)
        self.list, self.channels = [], {-1: c}

    def _add(self, op, inputs, co, **settings):
        self.list.append((op, inputs, dict(settings, ci=self.channels[inputs[0]], co=co)))
        i = len(self.list) - 1
        self.channels[i] = co
        return i

    def conv(self, x, co, k, s=1, p=None, g=1, act="relu", plus=None, bn=True):
        inputs = [x] if plus is None else [x, plus]
        return self._add("conv", inputs, co, k=k, s=s, p=k // 2 if p is None else p, g=g, act=act, bn=bn)

    def fc(self, x, co, act=""):
        return self._add("fc", [x], co, act=act)

    def mean(self, x):
        return self._add("mean", [x], self.channels[x])

    def squeeze(self, x, co, act, gate):
        """Squeeze-and-excitation."""
        y = self.conv(self.mean(x), co, 1, act=act, bn=False)
        y = self.conv(y, self.channels[x], 1, act=gate, bn=False)
        return self._add("mul", [x, y], self.channels[x])

    def mbconv(self, x, mid, co, k, s, act, squeeze, squeeze_act, gate):
        """The inverted residual of MobileNetV3 and EfficientNet."""
        y = x if mid == self.channels[x] else self.conv(x, mid, 1, act=act)
        y = self.conv(y, mid, k, s, g=mid, act=act)
        if squeeze:
            y = self.squeeze(y, squeeze, squeeze_act, gate)
        same = s == 1 and self.channels[x] == co
        return self.conv(y, co, 1, act="", plus=x if same else None)

    def max(self, x, k, s, p=0):
        return self._add("max", [x], self.channels[x], k=k, s=s, p=p)

    def head(self, x, classes):
        return self.fc(self.mean(x), classes)


def lenet():
    n = Layers(1, 28)
    x = n.max(n.conv(-1, 6, 5), 2, 2)
    x = n.max(n.conv(x, 16, 5, p=0), 2, 2)
    x = n.conv(n.conv(x, 120, 5, p=0), 84, 1)
    n.fc(x, 10)
    return n


def convnet():
    n, x = Layers(1, 28), -1
    for i, c in enumerate((32, 64, 128)):
        if i:
            x = n.max(x, 2, 2)
        x = n.conv(n.conv(x, c, 3), c, 3)
    n.head(x, 10)
    return n


def resnet(counts, bottleneck, small, classes):
    n = Layers(3, 32 if small else 224)
    x = n.conv(-1, 64, 3) if small else n.max(n.conv(-1, 64, 7, 2), 3, 2, 1)
    for stage, count in enumerate(counts):
        c = 64 << stage
        co = 4 * c if bottleneck else c
        for block in range(count):
            s = 2 if stage and not block else 1
            short = x
            if s != 1 or n.channels[x] != co:
                short = n.conv(x, co, 1, s, act="")
            if bottleneck:
                x = n.conv(n.conv(n.conv(x, c, 1), c, 3, s), co, 1, plus=short)
            else:
                x = n.conv(n.conv(x, c, 3, s), co, 3, plus=short)
    n.head(x, classes)
    return n


def mobilenet(small, classes):
    n = Layers(3, 32 if small else 224)
    x = n.conv(-1, 32, 3, 1 if small else 2)
    table = ((1, 16, 1, 1), (6, 24, 2, 1 if small else 2), (6, 32, 3, 2), (6, 64, 4, 2),
             (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for widen, co, count, stride in table:
        for block in range(count):
            s, h = stride if not block else 1, widen * n.channels[x]
            y = x if widen == 1 else n.conv(x, h, 1)
            y = n.conv(y, h, 3, s, g=h)
            same = s == 1 and n.channels[x] == co
            x = n.conv(y, co, 1, act="", plus=x if same else None)
    n.head(n.conv(x, 1280, 1), classes)
    return n


def mobilenet3(classes):
    """MobileNetV3-small."""
    n, hs = Layers(3, 224), "hard_swish"
    x = n.conv(-1, 16, 3, 2, act=hs)
    for k, mid, co, squeeze, act, s in (
            (3, 16, 16, 8, "relu", 2), (3, 72, 24, 0, "relu", 2), (3, 88, 24, 0, "relu", 1), (5, 96, 40, 24, hs, 2),
            (5, 240, 40, 64, hs, 1), (5, 240, 40, 64, hs, 1), (5, 120, 48, 32, hs, 1), (5, 144, 48, 40, hs, 1),
            (5, 288, 96, 72, hs, 2), (5, 576, 96, 144, hs, 1), (5, 576, 96, 144, hs, 1)):
        x = n.mbconv(x, mid, co, k, s, act, squeeze, "relu", "hard_sigmoid")
    n.fc(n.fc(n.mean(n.conv(x, 576, 1, act=hs)), 1024, hs), classes)
    return n


def efficientnet(classes):
    """EfficientNet-B0."""
    n = Layers(3, 224)
    x = n.conv(-1, 32, 3, 2, act="silu")
    for widen, k, s, co, count in ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
                                   (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)):
        for block in range(count):
            c = n.channels[x]
            x = n.mbconv(x, widen * c, co, k, s if not block else 1, "silu", c // 4, "silu", "sigmoid")
    n.head(n.conv(x, 1280, 1, act="silu"), classes)
    return n


def make(name):
    return {
        "lenet": lenet,
        "convnet": convnet,
        "resnet18c": lambda: resnet((2, 2, 2, 2), False, True, 10),
        "mnv2c": lambda: mobilenet(True, 10),
        "resnet18": lambda: resnet((2, 2, 2, 2), False, False, 1000),
        "mnv2": lambda: mobilenet(False, 1000),
        "resnet50": lambda: resnet((3, 4, 6, 3), True, False, 1000),
        "mnv3s": lambda: mobilenet3(1000),
        "effb0": lambda: efficientnet(1000),
    }[name]()


def macs(net):
    """Multiply-accumulates of one image, padding included."""
    side, total = {-1: net.image[1]}, 0
    for i, (op, inputs, a) in enumerate(net.list):
        h = side[inputs[0]]
        if op in ("conv", "max"):
            h = (h + 2 * a["p"] - a["k"]) // a["s"] + 1
        if op == "conv":
            total += h * h * a["co"] * (a["ci"] // a["g"]) * a["k"] ** 2
        if op == "mean":
            h = 1
        if op == "fc":
            total += h * h * a["ci"] * a["co"]
        side[i] = h
    return total


if __name__ == "__main__":
    for name in NAMES:
        print("%-10s %9.3f MMAC" % (name, macs(make(name)) / 1e6))

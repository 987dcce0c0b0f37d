"""Writes what torchvision's models compute with random weights, for the test TestTorchvision of stdlib.

    python tools/torchnames/logits.py HEIGHT NAME...

writes to standard output, for each model: the tensors of its state dict in their order (without num_batches_tracked), two images
(NCHW) of that height and width, and their logits in evaluation mode; all are float32, without anything in between.
"""

import sys

import torch
from torchvision import models

torch.set_num_threads(1)


def network(name, side):
    """The model, with statistics and factors of BatchNorm that are not 0 and 1."""
    torch.manual_seed(len(name))
    net = getattr(models, name)(weights=None)
    if name.startswith("vgg"):  # its pooling would repeat what is less than 7x7
        net.avgpool = torch.nn.Identity()
        net.classifier[0] = torch.nn.Linear(512 * (side // 32) ** 2, 4096)
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5, 1.5)
            torch.nn.init.normal_(m.bias, std=0.1)
            torch.nn.init.normal_(m.running_mean, std=0.1)
            torch.nn.init.uniform_(m.running_var, 0.5, 1.5)
    return net.eval()


@torch.no_grad()
def main():
    side = int(sys.argv[1])
    for name in sys.argv[2:]:
        net = network(name, side)
        x = torch.randn(2, 3, side, side)
        state = [v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")]
        for v in [*state, x, net(x)]:
            sys.stdout.buffer.write(v.contiguous().numpy().tobytes())


main()

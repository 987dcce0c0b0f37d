"""Writes the files of interp/statedict/testdata: state dicts as PyTorch and training programs save them.

    python tools/torchstate/state.py interp/statedict/testdata

Every file NAME.pt has its tensors in NAME.json: name, type, shape, and the elements as numbers.
"""

import collections
import json
import os
import sys

import torch
from torch import nn

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.fc = nn.Linear(4, 10)


def views():
    whole = torch.arange(24.0)
    return {
        "whole": whole,
        "part": whole[6:12].view(2, 3),
        "transposed": whole.view(4, 6).t(),
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "every second": whole[::2],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
    }


def main(folder):
    torch.manual_seed(1)
    net = Net()
    state = net.state_dict()
    types = {str(t).split(".")[1]: torch.arange(-3, 3).abs().to(t) for t in TYPES}
    types["negative"] = torch.tensor([-1, -2, 300, 2**40])
    parallel = {"module." + k: v for k, v in state.items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    sum(p.sum() for p in net.parameters()).backward()
    optimizer.step()
    training = {"epoch": 7, "arch": "net", "best_acc1": torch.tensor(0.5).item(), "state_dict": parallel,
                "optimizer": optimizer.state_dict(), "history": [(1, 2.0), (2, None)], "flags": {True, False}}
    parameters = collections.OrderedDict(net.named_parameters())
    files = {
        "plain": (state, state, {}),
        "legacy": (state, state, {"_use_new_zipfile_serialization": False}),
        "views": (views(), views(), {}),
        "legacy_views": (views(), views(), {"_use_new_zipfile_serialization": False}),
        "types": (types, types, {}),
        "training": (training, parallel, {}),
        "parameters": (parameters, parameters, {}),
        "protocol4": (state, state, {"pickle_protocol": 4}),
    }
    for name, (content, tensors, options) in files.items():
        if "views" in name:
            content = tensors
        torch.save(content, os.path.join(folder, name + ".pt"), **options)
        rows = [{"name": k, "dtype": TYPES[v.dtype], "shape": list(v.shape), "data": v.detach().flatten().tolist()} for k, v in tensors.items()]
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(rows, f)
    torch.save(net, os.path.join(folder, "module.pt"))
    torch.save({"epoch": 3, "model": net}, os.path.join(folder, "module_inside.pt"))
    torch.save([1, 2, 3], os.path.join(folder, "list.pt"))
    torch.jit.script(nn.ReLU()).save(os.path.join(folder, "script.pt"))


main(sys.argv[1])

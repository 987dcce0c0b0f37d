#!/usr/bin/env python3
"""Decoding and augmentation of 224×224 JPEG files, qpipe beside torchvision's DataLoader, in turn.

    bench/images.py QPIPE            # needs torch, torchvision and Pillow in this Python
    bench/images.py -rounds 5 -workers 2 QPIPE

Both read the same files, made here from noise and gradients; crop at random, resize bilinearly to 224×224, mirror and normalize; and
use as many threads (qpipe) or processes (torch) as there are cores. The median of the rounds is printed.
"""
import argparse, json, os, random, resource, statistics, subprocess, sys, tempfile, time

PIPELINE = """
qpipe {{ threads = {workers} }}
dataset "ImageFolder" "train" {{
  root = "{root}"
  transform "RandomResizedCrop" {{ size = 224 }}
  transform "RandomFlip" {{}}
  transform "Normalize" {{
    mean = [0.485, 0.456, 0.406]
    std  = [0.229, 0.224, 0.225]
  }}
}}
"""


def write(root, count):
    from PIL import Image
    random.seed(1)
    for i in range(count):
        small = Image.new("RGB", (14, 14))
        small.putdata([tuple(random.randrange(256) for _ in range(3)) for _ in range(14 * 14)])
        image = small.resize((224, 224), Image.Resampling.BICUBIC)
        image = Image.blend(image, Image.effect_noise((224, 224), 40).convert("RGB"), 0.1)
        folder = os.path.join(root, "train", str(i % 10))
        os.makedirs(folder, exist_ok=True)
        image.save(os.path.join(folder, f"{i}.jpg"), quality=90)


def torch_loader(root, workers):
    import torch, torchvision
    from torchvision import transforms as T
    torch.set_num_threads(1)
    steps = T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ToTensor(),
                       T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    data = torchvision.datasets.ImageFolder(os.path.join(root, "train"), steps)
    return torch.utils.data.DataLoader(data, batch_size=32, shuffle=True, num_workers=workers, persistent_workers=True)


def spent(pids):
    """Seconds of processor time that processes have used so far."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("qpipe")
    p.add_argument("-rounds", type=int, default=5)
    p.add_argument("-images", type=int, default=1024)
    p.add_argument("-workers", type=int, default=os.cpu_count())
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as root:
        write(root, a.images)
        size = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(root) for f in files)
        pipeline = os.path.join(root, "p.hcl")
        with open(pipeline, "w") as f:
            f.write(PIPELINE.format(root=root, workers=a.workers))
        loader = torch_loader(root, a.workers)
        ours, theirs, cpu = [], [], [0.0, 0.0]
        for turn in range(a.rounds + 1):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            out = subprocess.run([a.qpipe, "show", "-json", "dataset.train", pipeline], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            began, n = time.time(), 0
            if turn:  # the first one starts processes and fills caches
                pids = [os.getpid()] + [w.pid for w in loader._iterator._workers]
                cpu[1] -= spent(pids)
            for x, _ in loader:
                n += len(x)
            if turn:
                cpu[1] += spent(pids)
                cpu[0] += after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
                ours.append(json.loads(out.stdout)["images_per_second"])
                theirs.append(n / (time.time() - began))
    ratios = [x / y for x, y in zip(ours, theirs)]
    print(f"{a.images} images of {size / a.images / 1024:.1f} KiB, {a.workers} workers, {a.rounds} rounds")
    for name, rates, seconds in ("qpipe", ours, cpu[0]), ("torchvision", theirs, cpu[1]):
        print(f"{name:12} {statistics.median(rates):7.0f} images/s  {1000 * seconds / a.images / a.rounds:.2f} ms of processor time an image")
    print(f"times as fast {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""How much time and memory do PyTorch's own ways of saving activation memory cost on the CPU, on the networks of src/networks?

Variants: `plain`; `save_on_cpu` (torch.autograd.graph.save_on_cpu, copies every saved tensor); `disk` (saved_tensors_hooks and
torch.save, the example of PyTorch's tutorial); `disk_raw` (the same hooks with a bare write and read of the bytes);
`checkpoint` (checkpoint_sequential over sqrt(n) segments). Time: all variants in turn, round by round, in one process, so that
a slow minute of the machine hits all of them; the ratio is that of one round. Memory: one child process per variant, its
highest resident set. Prints one JSON document, schema vdnn-peers/1, on standard output; progress goes to standard error.
"""

import argparse
import contextlib
import ctypes
import json
import math
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint_sequential

VARIANTS = ("plain", "save_on_cpu", "disk", "disk_raw", "checkpoint")

# The same networks as `findNetwork(name)` builds with these options, and the batch sizes of vdnn's own benchmarks.
NETS = {
    "chain": {"options": {"depth": 100, "width": 32, "imageSize": 32, "classes": 10}, "batch": 32},
    "vgg": {"options": {"depth": 16, "imageSize": 64, "classes": 10}, "batch": 32},
    "resnet": {"options": {"depth": 50, "imageSize": 64, "classes": 10}, "batch": 16},
}


def build(name):
    """A network as a list of stages, so that checkpoint_sequential can cut it."""
    return {"chain": build_chain, "vgg": build_vgg, "resnet": build_resnet}[name](NETS[name]["options"])


def build_chain(options):
    layers, channels = [], 3
    for _ in range(options["depth"]):
        layers.append(nn.Sequential(nn.Conv2d(channels, options["width"], 3, padding=1), nn.ReLU()))
        channels = options["width"]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, options["classes"]))
    return nn.Sequential(*layers, head)


def build_vgg(options):
    layers, channels = [], 3
    for count, width in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]:
        for i in range(count):
            parts = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            if i == count - 1:
                parts.append(nn.MaxPool2d(2))
            layers.append(nn.Sequential(*parts))
            channels = width
    side = options["imageSize"] // 32
    hidden = 512  # as src/networks/vgg.ts below 128 pixels
    head = [nn.Flatten()]
    for inputs in (channels * side * side, hidden):
        head += [nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Sequential(*head, nn.Linear(hidden, options["classes"])))


class Bottleneck(nn.Module):
    """The block of ResNet-50 with the stride on its 3x3 convolution, as src/networks/resnet.ts has it."""

    def __init__(self, inputs, channels, stride):
        super().__init__()
        outer = 4 * channels
        self.main = nn.Sequential(
            nn.Conv2d(inputs, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, outer, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outer:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outer, 1, stride=stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x):
        return torch.relu(self.main(x) + self.shortcut(x))


def build_resnet(options):
    stem = [nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    layers, channels = [nn.Sequential(*stem)], 64
    for stage, count in enumerate([3, 4, 6, 3]):
        for i in range(count):
            layers.append(Bottleneck(channels, 64 * 2**stage, 2 if i == 0 and stage > 0 else 1))
            channels = 4 * 64 * 2**stage
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, options["classes"]))
    return nn.Sequential(*layers, head)


class Spill:
    """saved_tensors_hooks that write every saved tensor to a file of its own, removed once it was read back.

    Parameters are left where they are: autograd saves weights too, and nothing would be gained by copying them.
    """

    def __init__(self, folder, parameters, raw):
        self.folder, self.raw, self.count = folder, raw, 0
        self.resident = {parameter.untyped_storage().data_ptr() for parameter in parameters}

    def pack(self, tensor):
        if tensor.untyped_storage().data_ptr() in self.resident:
            return tensor
        self.count += 1
        path = os.path.join(self.folder, str(self.count))
        if not self.raw:
            torch.save(tensor, path)
            return path, None
        # Bytes in logical order: a saved tensor may be a view with strides.
        source = tensor.detach().contiguous()
        size = source.numel() * source.element_size()
        with open(path, "wb", buffering=0) as file:
            write_all(file, memoryview((ctypes.c_char * size).from_address(source.data_ptr())) if size else b"")
        return path, (tensor.shape, tensor.dtype)

    def unpack(self, packed):
        if isinstance(packed, torch.Tensor):
            return packed
        path, form = packed
        if form is None:
            tensor = torch.load(path)
        else:
            tensor = torch.empty(form[0], dtype=form[1])
            size = tensor.numel() * tensor.element_size()
            with open(path, "rb", buffering=0) as file:
                read_all(file, memoryview((ctypes.c_char * size).from_address(tensor.data_ptr())) if size else b"")
        os.remove(path)
        return tensor


def write_all(file, data):
    """One write call moves at most 2 GiB."""
    done = 0
    while done < len(data):
        done += file.write(data[done:])


def read_all(file, data):
    done = 0
    while done < len(data):
        got = file.readinto(data[done:])
        if not got:
            raise EOFError(f"{file.name}: expected {len(data)} bytes, got {done}")
        done += got


class Trial:
    """One network under training, and a step of it under any variant."""

    def __init__(self, name, folder):
        torch.manual_seed(1)
        self.model = build(name)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        options, batch = NETS[name]["options"], NETS[name]["batch"]
        self.x = torch.rand(batch, 3, options["imageSize"], options["imageSize"])
        self.y = torch.randint(options["classes"], (batch,))
        self.folder = folder

    def forward(self, variant):
        if variant == "checkpoint":
            segments = round(math.sqrt(len(self.model)))
            return checkpoint_sequential(self.model, segments, self.x, use_reentrant=False)
        return self.model(self.x)

    def hooks(self, variant):
        if variant == "save_on_cpu":
            return torch.autograd.graph.save_on_cpu()
        if variant in ("disk", "disk_raw"):
            spill = Spill(self.folder, self.model.parameters(), raw=variant == "disk_raw")
            return torch.autograd.graph.saved_tensors_hooks(spill.pack, spill.unpack)
        return contextlib.nullcontext()

    def step(self, variant):
        """Milliseconds of forward, backward and update, and the loss."""
        start = time.perf_counter()
        with self.hooks(variant):
            loss = nn.functional.cross_entropy(self.forward(variant), self.y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return (time.perf_counter() - start) * 1e3, loss.item()


def measure_time(name, rounds, folder):
    trial = Trial(name, folder)
    for variant in VARIANTS:
        trial.step(variant)  # warm-up, discarded
    samples = {variant: [] for variant in VARIANTS}
    for index in range(rounds):
        for variant in VARIANTS:
            samples[variant].append(trial.step(variant)[0])
        print(f"{name}: round {index + 1} of {rounds}", file=sys.stderr)
    return {variant: summarize(samples[variant], samples["plain"]) for variant in VARIANTS}


def summarize(samples, plain):
    ratios = [sample / base for sample, base in zip(samples, plain)]
    return {
        "medianMs": statistics.median(samples),
        "minMs": min(samples),
        "samplesMs": samples,
        "ratioMedian": statistics.median(ratios),
        "ratioOfMins": min(samples) / min(plain),
        "ratios": ratios,
    }


def measure_memory(name, arguments, folder):
    """Highest resident set of a process that does nothing but train three steps under one variant."""
    memory = {}
    for variant in VARIANTS:
        command = [sys.executable, __file__, "--child", variant, "--nets", name, "--threads", str(arguments.threads)]
        # Inside this process's own folder, which goes with it even if a child is killed.
        command += ["--folder", folder]
        child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        memory[variant] = json.loads(child.stdout)
        print(f"{name}: {variant} {memory[variant]['maxRssBytes'] / 2**20:.0f} MiB", file=sys.stderr)
    return memory


def child(name, variant, folder):
    trial = Trial(name, folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    losses = [trial.step(variant)[1] for _ in range(3)]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"maxRssBytes": after, "beforeTrainingBytes": before, "losses": losses}))


def environment():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cpu": models[0] if models else platform.machine(),
        "cpus": os.cpu_count(),
        "loadAverage": os.getloadavg(),
        "mallocTrimThreshold": os.environ.get("MALLOC_TRIM_THRESHOLD_"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default=",".join(NETS), help="comma-separated: chain,vgg,resnet (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds after one warm-up (default: 7)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="compute threads (default: all cores)")
    parser.add_argument("--folder", help="where the disk variants write (default: the system's temporary folder)")
    parser.add_argument("--child", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    nets = arguments.nets.split(",")
    unknown = [name for name in nets if name not in NETS]
    if unknown:
        parser.error(f"--nets: expected some of {', '.join(NETS)}, got {', '.join(unknown)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds: expected at least 1, got {arguments.rounds}")
    torch.set_num_threads(arguments.threads)
    # By an exception, so that the folder is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    with tempfile.TemporaryDirectory(prefix="vdnn-peers-", dir=arguments.folder) as folder:
        if arguments.child:
            child(nets[0], arguments.child, folder)
            return
        results = []
        for name in nets:
            # Memory first: its children then start from a parent that holds little.
            memory = measure_memory(name, arguments, folder)
            results.append({"net": name, **NETS[name], "time": measure_time(name, arguments.rounds, folder), "memory": memory})
    document = {"schema": "vdnn-peers/1", "peer": "pytorch", "environment": environment(), "rounds": arguments.rounds}
    json.dump({**document, "results": results}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()

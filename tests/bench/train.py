"""Training steps beside PyTorch on the CPU: the same networks, the same batch, two threads each, taking turns.

    python tests/bench/train.py [--rounds N] [--steps N] [mobilenet|unet ...]

Needs torch (its build without GPU packages) and a build of bench-train (make bench). A step is forward, the
loss (half the mean square of the output), backward, and a step downhill. Memory is the peak of resident
memory above what a process holds before it makes the network: after `import torch` there. BUILD = the build
folder (.build).
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

THREADS = 2
WARM = 5  # steps that nobody counts
CASES = {"mobilenet": (224, 16), "unet": (128, 4)}
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def networks(torch):
    nn = torch.nn

    def conv_norm(ic, oc, k, stride=1, groups=1, act=None):
        layers = [nn.Conv2d(ic, oc, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(oc)]
        return layers + ([act] if act else [])

    class Residual(nn.Module):
        def __init__(self, ic, oc, expand, stride):
            super().__init__()
            wide, act = ic * expand, nn.ReLU6(inplace=True)
            layers = conv_norm(ic, wide, 1, act=act) if expand > 1 else []
            layers += conv_norm(wide, wide, 3, stride, wide, act) + conv_norm(wide, oc, 1)
            self.layers, self.joins = nn.Sequential(*layers), stride == 1 and ic == oc

        def forward(self, x):
            return x + self.layers(x) if self.joins else self.layers(x)

    def mobilenet():
        c, layers = 32, conv_norm(3, 32, 3, 2, act=nn.ReLU6(inplace=True))
        for expand, oc, repeats, stride in BLOCKS:
            for i in range(repeats):
                layers.append(Residual(c, oc, expand, 1 if i else stride))
                c = oc
        layers += conv_norm(c, 1280, 1, act=nn.ReLU6(inplace=True))
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))

    def twice(ic, oc):
        relu = nn.ReLU(inplace=True)
        return nn.Sequential(*conv_norm(ic, oc, 3, act=relu), *conv_norm(oc, oc, 3, act=relu))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            sides = [32, 64, 128, 256, 512]
            self.first = twice(3, 32)
            self.down = nn.ModuleList(twice(a, b) for a, b in zip(sides, sides[1:]))
            self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(sides, sides[1:]))
            self.after = nn.ModuleList(twice(b, a) for a, b in zip(sides, sides[1:]))
            self.last = nn.Conv2d(32, 11, 1)

        def forward(self, x):
            x, skips = self.first(x), []
            for down in self.down:
                skips.append(x)
                x = down(nn.functional.max_pool2d(x, 2))
            for i in reversed(range(4)):
                x = self.after[i](torch.cat([skips[i], self.up[i](x)], 1))
            return self.last(x)

    return {"mobilenet": mobilenet, "unet": UNet}


def megabytes(name):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(name + ":")) / 1024


def peer(name, side, batch):
    """Runs as many steps as each line of its input says, and answers with their times and the memory."""
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    before = megabytes("VmRSS")
    model = networks(torch)[name]().train()
    descent = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(batch, 3, side, side)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            descent.zero_grad()
            (model(x).square().mean() / 2).backward()
            descent.step()
            times.append((time.perf_counter() - start) * 1000)
        print(*times, megabytes("VmHWM") - before, flush=True)


def ours(name, side, batch, steps):
    program = os.path.join(os.environ.get("BUILD", ".build"), "bench-train")
    out = subprocess.run([program, name, str(side), str(batch), str(steps), str(THREADS)], check=True,
                         capture_output=True, text=True).stdout.split("\n")
    return [float(t) for t in out[:steps]], float(out[steps].split()[1])


def compare(name, side, batch, rounds, steps):
    child = subprocess.Popen([sys.executable, __file__, "--peer", name, str(side), str(batch)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    mine, theirs, my_memory, their_memory = [], [], 0, 0
    child.stdin.write(f"{WARM}\n")  # its first steps take their memory from the system
    child.stdin.flush()
    child.stdout.readline()
    for _ in range(rounds):
        times, my_memory = ours(name, side, batch, steps)
        mine += times[1:]
        child.stdin.write(f"{steps}\n")
        child.stdin.flush()
        *times, their_memory = (float(t) for t in child.stdout.readline().split())
        theirs += times[1:]
    child.stdin.close()
    child.wait()
    a, b = statistics.median(mine), statistics.median(theirs)
    print(f"{name:10} {side}x{side} batch {batch:3}  {a:8.1f} ms a step, PyTorch {b:8.1f}: {b / a:.2f}x its speed; "
          f"{my_memory:6.0f} MB, PyTorch {their_memory:6.0f}: {my_memory / their_memory:.2f} of its memory", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", nargs=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("networks", nargs="*", default=list(CASES))
    options = parser.parse_args()
    if options.peer:
        name, side, batch = options.peer
        return peer(name, int(side), int(batch))
    for name in options.networks:
        compare(name, *CASES[name], options.rounds, options.steps)


if __name__ == "__main__":
    main()

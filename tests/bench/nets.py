"""Speed of gharial against ONNX Runtime, OpenVINO and MNN on three networks with random weights, in one run: short
rounds of each take turns, because a machine's clock and its other work change from minute to minute.

Usage: sh tests/bench/run.sh nets [--rounds N] [--threads N] [--cpu LEVEL] [NETWORK...]
NETWORK is lite0, resnet18 or unet. OpenVINO and MNN are left out where they are not installed. All compute in
float32 but the rows with bf16, which are there where the processor multiplies bfloat16 numbers. --cpu avx2 holds
gharial, and the peak that it measures, to a level; the others use what they find.

gharial runs in a process of its own; the others' pools live in this one, and spin for a while behind a run. So that
they do not take the core that gharial's second thread needs, what they take is measured and told.

Fails when gharial is slower than ONNX Runtime on one thread, or gives other answers."""
import argparse
import json
import os
import statistics
import subprocess

import numpy

from runtimes import BUILD, OnnxRuntime, round_of, round_of_gharial

NETS = f"{BUILD}/nets"
ROUND_S = 0.35     # of timed runs
MOST_APART = 1e-3  # of the largest output
BF16_APART = 5e-2
MOST_BUSY = 0.02   # of a core, of this process's threads while gharial runs


class OpenVino:
    name = "OpenVINO"
    precision = "f32"

    def __init__(self, path, threads):
        import openvino

        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": self.precision,
                    "PERFORMANCE_HINT": "LATENCY"}
        core = openvino.Core()
        self.model = core.compile_model(core.read_model(path), "CPU", settings)
        self.request = self.model.create_infer_request()

    def run(self, tensor):
        return self.request.infer([tensor], share_inputs=True, share_outputs=True)[self.model.output(0)]


class OpenVinoBf16(OpenVino):
    name = "OpenVINO bf16"
    precision = "bf16"


class Mnn:
    name = "MNN"

    def __init__(self, path, threads):
        import MNN

        target = path.replace(".onnx", ".mnn")
        if not os.path.exists(target):
            tool = os.path.join(os.path.dirname(os.sys.executable), "mnnconvert")
            subprocess.run([tool, "-f", "ONNX", "--modelFile", path, "--MNNModel", target, "--bizCode", "bench"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.mnn = MNN
        self.net = MNN.Interpreter(target)
        self.session = self.net.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
        self.input = self.net.getSessionInput(self.session)
        self.output = self.net.getSessionOutput(self.session)

    def run(self, tensor):
        mnn = self.mnn
        self.input.copyFrom(mnn.Tensor(tensor.shape, mnn.Halide_Type_Float, tensor, mnn.Tensor_DimensionType_Caffe))
        self.net.runSession(self.session)
        shape = self.output.getShape()
        host = mnn.Tensor(shape, mnn.Halide_Type_Float, numpy.zeros(shape, numpy.float32),
                          mnn.Tensor_DimensionType_Caffe)
        self.output.copyToHostTensor(host)
        return numpy.array(host.getData(), numpy.float32)


class Gharial:
    """One way to run gharial: the options and the level of `gharial bench`."""

    def __init__(self, precision="fp32", level=None):
        self.name = "gharial" + (f" {level}" if level else "") + (" bf16" if precision == "bf16" else "")
        self.precision, self.level = precision, level
        self.most_apart = BF16_APART if precision == "bf16" else MOST_APART

    def round(self, path, threads, runs):
        return round_of_gharial(path, threads, runs, ("--precision", self.precision), self.level)

    def answers(self, path, tensor):
        environment = {**os.environ, "GHARIAL_CPU": self.level} if self.level else None
        done = subprocess.run([f"{BUILD}/bench-nets", "run", path, self.precision], input=tensor.tobytes(),
                              stdout=subprocess.PIPE, check=True, env=environment)
        return numpy.frombuffer(done.stdout, numpy.float32)


def has_bf16():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        return " avx512_bf16" in f.read()


def open_ours(level):
    return [Gharial(level=level)] + ([Gharial("bf16")] if has_bf16() and not level else [])


def open_peers(path, threads):
    found = [OnnxRuntime(path, threads)]
    for kind in (OpenVino, Mnn) + ((OpenVinoBf16,) if has_bf16() else ()):
        try:
            found.append(kind(path, threads))
        except ImportError:
            pass
    return found


def apart(a, b):
    """Largest difference as a share of the largest value."""
    return float(numpy.abs(a.reshape(-1) - b.reshape(-1)).max() / numpy.abs(b).max())


def compare(name, threads, rounds, level):
    path = f"{NETS}/{name}.onnx"
    side = 256 if name == "unet" else 224
    noise = numpy.random.default_rng(1).standard_normal((1, 3, side, side), numpy.float32)
    tensor, ours, peers = noise.copy(), open_ours(level), open_peers(path, threads)
    reference = peers[0].run(tensor)
    runs = max(5, int(ROUND_S * 1e3 / ours[0].round(path, threads, 5)["median_ms"]))
    everybody, found = ours + peers, {who.name: [] for who in ours + peers}
    for i in range(rounds):
        for who in everybody if i % 2 == 0 else reversed(everybody):
            found[who.name].append(who.round(path, threads, runs) if who in ours else
                                   round_of(who, tensor, noise, runs))
    return Row(name, threads, [who.name for who in ours], found,
               {**{who.name: apart(who.answers(path, noise), reference) for who in ours},
                **{p.name: apart(p.run(noise), reference) for p in peers[1:]}},
               {who.name: who.most_apart for who in ours})


class Row:
    """One network on so many threads. `found`: what each round of each runtime gave, ours whole answers."""

    def __init__(self, name, threads, ours, found, differences, most_apart):
        self.name, self.threads, self.ours, self.differences = name, threads, ours, differences
        times = {who: [r["median_ms"] if who in ours else r for r in rounds] for who, rounds in found.items()}
        self.ms = {who: statistics.median(v) for who, v in times.items()}
        self.least = {who: min(r["min_ms"] for r in found[who]) if who in ours else min(v)
                      for who, v in times.items()}
        # Both in the same turn: what the machine does meanwhile hits both alike.
        self.ratio = {who: statistics.median(t / o for t, o in zip(times["ORT"], times[who])) for who in ours}
        first = found[ours[0]]
        self.peak = statistics.median(r["peak_gflops"] for r in first)
        self.busy = max(r["others"] for who in ours for r in found[who])
        self.gflop = 2 * first[0]["macs"] / 1e9
        self.right = all(differences[who] < most_apart[who] for who in ours)

    def show(self):
        for who, ms in self.ms.items():
            share = self.gflop / (ms / 1e3) / self.peak
            apart = self.differences.get(who)
            print(f"{self.name:<10} {self.threads:>7} {who:<13} {ms:>9.3f} {self.least[who]:>9.3f} "
                  f"{self.ms['ORT'] / ms:>8.2f} {self.least['ORT'] / self.least[who]:>8.2f} {100 * share:>8.1f} % "
                  f"{'' if apart is None else f'{apart:.1e}':>9}", flush=True)
        for who, ratio in self.ratio.items():
            print(f"{'':<10} {'':>7} ORT / {who}, median over turns: {ratio:.2f}", flush=True)
        if self.busy > MOST_BUSY:
            print(f"{'':<10} {'':>7} the others' threads took {100 * self.busy:.0f} % of a core while gharial ran",
                  flush=True)

    def scaling(self, one):
        """`one` is the same network on one thread."""
        every = ", ".join(f"{who} {one.ms[who] / self.ms[who]:.2f}" for who in (*self.ours, "ORT"))
        return f"two threads over one: {every}, multiply-adds alone {self.peak / one.peak:.2f}"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--threads", type=int)
    options.add_argument("--cpu", choices=["ref", "avx2", "avx512"])
    options.add_argument("nets", nargs="*", default=["lite0", "resnet18", "unet"])
    o = options.parse_args()
    os.makedirs(NETS, exist_ok=True)
    subprocess.run([f"{BUILD}/bench-nets", "write", NETS], check=True)
    cores = len(os.sched_getaffinity(0))
    version = json.loads(subprocess.check_output([f"{BUILD}/gharial", "version", "--json"]))
    print(f"gharial {version['version']} {version['build']} ({version['cpu']}); {cores} cores, load "
          f"{os.getloadavg()[0]:.1f}; {o.rounds} rounds in turn, medians and least values; speed of ORT = 1; share of "
          f"the peak of multiply-adds by the operations of the direct convolution; largest difference from ORT as a "
          f"share of the largest output")
    print(f"{'network':<10} {'threads':>7} {'':<13} {'ms':>9} {'least':>9} {'speed':>8} {'(least)':>8} {'peak':>10} "
          f"{'differs':>9}")
    good = True
    for name in o.nets:
        rows = [compare(name, t, o.rounds, o.cpu) for t in ([o.threads] if o.threads else (1, 2)) if t <= cores]
        for row in rows:
            row.show()
            slow = row.threads == 1 and not o.cpu and min(row.ratio.values()) < 1
            good = good and row.right and not slow
        if len(rows) == 2:
            print(f"{'':<10} {'':>7} {rows[1].scaling(rows[0])}", flush=True)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

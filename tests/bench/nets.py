"""Speed of gharial against ONNX Runtime, OpenVINO and MNN on three networks with random weights, in one run: short
rounds of each take turns, because a machine's clock and its other work change from minute to minute.

Usage: sh tests/bench/run.sh nets [--rounds N] [--threads N] [NETWORK...]
NETWORK is lite0, resnet18 or unet. OpenVINO and MNN are left out where they are not installed. All compute in
float32. Fails when gharial is slower than ONNX Runtime on one thread, or gives other answers."""
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


class OpenVino:
    name = "OpenVINO"

    def __init__(self, path, threads):
        import openvino

        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        core = openvino.Core()
        self.model = core.compile_model(core.read_model(path), "CPU", settings)
        self.request = self.model.create_infer_request()

    def run(self, tensor):
        return self.request.infer([tensor], share_inputs=True, share_outputs=True)[self.model.output(0)]


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


def open_peers(path, threads):
    found = [OnnxRuntime(path, threads)]
    for kind in (OpenVino, Mnn):
        try:
            found.append(kind(path, threads))
        except ImportError:
            pass
    return found


def answers(path, tensor):
    done = subprocess.run([f"{BUILD}/bench-nets", "run", path], input=tensor.tobytes(), stdout=subprocess.PIPE,
                          check=True)
    return numpy.frombuffer(done.stdout, numpy.float32)


def apart(a, b):
    """Largest difference as a share of the largest value."""
    return float(numpy.abs(a.reshape(-1) - b.reshape(-1)).max() / numpy.abs(b).max())


def compare(name, threads, rounds):
    path = f"{NETS}/{name}.onnx"
    side = 256 if name == "unet" else 224
    noise = numpy.random.default_rng(1).standard_normal((1, 3, side, side), numpy.float32)
    tensor, peers = noise.copy(), open_peers(path, threads)
    reference = peers[0].run(tensor)
    first = round_of_gharial(path, threads, 5)
    runs = max(5, int(ROUND_S * 1e3 / first["median_ms"]))
    ours, theirs = [], [[] for _ in peers]
    for i in range(rounds):
        order = range(-1, len(peers))
        for who in order if i % 2 == 0 else reversed(order):
            if who < 0:
                ours.append(round_of_gharial(path, threads, runs))
            else:
                theirs[who].append(round_of(peers[who], tensor, noise, runs))
    return Row(name, threads, ours, dict(zip((p.name for p in peers), theirs)),
               {"gharial": apart(answers(path, noise), reference),
                **{p.name: apart(p.run(noise), reference) for p in peers[1:]}})


class Row:
    def __init__(self, name, threads, ours, theirs, differences):
        self.name, self.threads, self.differences = name, threads, differences
        self.ms = {"gharial": statistics.median(o["median_ms"] for o in ours)}
        self.ms.update((k, statistics.median(v)) for k, v in theirs.items())
        self.least = {"gharial": min(o["min_ms"] for o in ours), **{k: min(v) for k, v in theirs.items()}}
        # Both in the same turn: what the machine does meanwhile hits both alike.
        self.ratio = statistics.median(t / o["median_ms"] for t, o in zip(theirs["ORT"], ours))
        self.peak = statistics.median(o["peak_gflops"] for o in ours)
        self.gflop = 2 * ours[0]["macs"] / 1e9

    def show(self):
        for who, ms in self.ms.items():
            share = self.gflop / (ms / 1e3) / self.peak
            apart = self.differences.get(who)
            print(f"{self.name:<10} {self.threads:>7} {who:<9} {ms:>9.3f} {self.least[who]:>9.3f} "
                  f"{self.ms['ORT'] / ms:>8.2f} {self.least['ORT'] / self.least[who]:>8.2f} {100 * share:>8.1f} % "
                  f"{'' if apart is None else f'{apart:.1e}':>9}", flush=True)
        print(f"{'':<10} {'':>7} ORT / gharial, median over turns: {self.ratio:.2f}", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--threads", type=int)
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
    print(f"{'network':<10} {'threads':>7} {'':<9} {'ms':>9} {'least':>9} {'speed':>8} {'(least)':>8} {'peak':>10} "
          f"{'differs':>9}")
    good = True
    for name in o.nets:
        rows = [compare(name, t, o.rounds) for t in ([o.threads] if o.threads else (1, 2)) if t <= cores]
        for row in rows:
            row.show()
            good = good and row.differences["gharial"] < MOST_APART and (row.threads > 1 or row.ratio >= 1)
        if len(rows) == 2:
            one, two = rows
            print(f"{'':<10} {'':>7} two threads over one: gharial {one.ms['gharial'] / two.ms['gharial']:.2f}, ORT "
                  f"{one.ms['ORT'] / two.ms['ORT']:.2f}, multiply-adds alone {two.peak / one.peak:.2f}", flush=True)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

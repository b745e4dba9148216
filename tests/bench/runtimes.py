"""ONNX Runtime and gharial beside each other: the same input through both. Run from the root of the project, in
the environment that tests/bench/run.sh makes; BUILD is the build folder."""
import json
import os
import statistics
import subprocess
import time

import numpy
import onnxruntime

BUILD = os.environ.get("BUILD", ".build")
WARM_UP_S = 0.2  # as `gharial bench` has it


def models(names, task="classify"):
    """Folders of these models, or of every one of the task here that has its weights."""
    found = []
    for name in names or sorted(os.listdir("models")):
        folder = f"models/{name}"
        if os.path.exists(f"{folder}/model.onnx") and manifest(folder)["task"] == task:
            found.append(folder)
        elif names:
            raise SystemExit(f"{folder}/model.onnx is not there; make models MODELS={name}")
    return found


def manifest(folder):
    with open(f"{folder}/model.json", encoding="utf-8") as f:
        return json.load(f)


class OnnxRuntime:
    name = "ORT"

    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, tensor):
        return self.session.run(None, {self.input: tensor})[0]


def round_of_gharial(model, threads, runs, options=(), level=None):
    """What `gharial bench` says of a round, with "others": the share of a core that this process's own threads took
    meanwhile. Runtimes' pools spin behind a run; they must have gone to sleep when gharial's timed runs start."""
    environment = {**os.environ, "GHARIAL_CPU": level} if level else None
    start, busy = time.perf_counter(), time.process_time()
    done = subprocess.run([f"{BUILD}/gharial", "bench", "--json", "--model", model, "--threads", str(threads), "--runs",
                           str(runs), *options], stdout=subprocess.PIPE, check=True, env=environment)
    others = (time.process_time() - busy) / (time.perf_counter() - start)
    return {**json.loads(done.stdout), "others": others}


def round_of(runtime, tensor, noise, runs):
    """Median in milliseconds. The input is written anew before each run, as in `gharial bench`."""
    until = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < until:
        runtime.run(tensor)
    times = []
    for _ in range(runs):
        numpy.copyto(tensor, noise)
        start = time.perf_counter()
        runtime.run(tensor)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def probabilities(folder, raw):
    decoder = manifest(folder)["output"]["decoder"]
    raw = raw.reshape(-1).astype(numpy.float64)
    if decoder == "softmax":
        e = numpy.exp(raw - raw.max())
        return e / e.sum()
    return 1 / (1 + numpy.exp(-raw)) if decoder == "sigmoid" else raw


def pictures(folder, paths):
    """For each picture gharial's input tensor, raw output and scores: see tests/bench/tensors.c."""
    with subprocess.Popen([f"{BUILD}/bench-tensors", folder], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as told:
        shape = told.stdout.readline().split()
        if len(shape) != 4:
            raise SystemExit(f"bench-tensors does not open {folder}")
        *dims, classes = map(int, shape)
        size = dims[0] * dims[1] * dims[2]
        for path in paths:
            told.stdin.write(path.encode() + b"\n")
            told.stdin.flush()
            data = told.stdout.read(4 * (size + 2 * classes))
            if len(data) != 4 * (size + 2 * classes):
                raise SystemExit(f"bench-tensors fails at {path}")
            values = numpy.frombuffer(data, numpy.float32)
            yield (values[:size].reshape(1, *dims), values[size:size + classes], values[size + classes:])
        told.stdin.close()


class Agreement:
    """How far both are apart over some pictures."""

    def __init__(self, folder, paths):
        runtime = OnnxRuntime(f"{folder}/model.onnx", 1)
        self.count = self.same = 0
        self.raw = self.score = 0.0
        self.ours, self.theirs = [], []  # best classes
        for tensor, raw, scores in pictures(folder, paths):
            other = runtime.run(tensor)
            self.raw = max(self.raw, float(numpy.abs(other.reshape(-1) - raw).max()))
            other = probabilities(folder, other)
            self.score = max(self.score, float(numpy.abs(other - scores).max()))
            self.ours.append(int(scores.argmax()))
            self.theirs.append(int(other.argmax()))
            self.count += 1
            self.same += self.ours[-1] == self.theirs[-1]

    def holds(self):
        return self.count > 0 and self.same == self.count and self.score < 1e-4

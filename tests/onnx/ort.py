"""Compares gharial with ONNX Runtime: on random networks that the test program writes, on the networks that we
build from checkpoints (random ones), and on the photos with every classifier that has its weights.

Usage: sh tests/bench/run.sh check [COUNT [FIRST-SEED]]
Fails when an output differs by more than 2e-4 of its size, or the photos get another best class or a probability
that differs by 1e-4 or more."""
import glob
import os
import subprocess
import sys
import tempfile

import numpy
import onnxruntime

import runtimes

LARGEST = 2e-4


# How many networks are built from torchvision's names.
ARCHS = 4


def difference(folder, seed):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(f"{folder}/{seed}.onnx", options, ["CPUExecutionProvider"])
    x = session.get_inputs()[0]
    tensor = numpy.fromfile(f"{folder}/{seed}.in", numpy.float32).reshape([1, 3, 96, 64] if isinstance(x.shape[0], str) else x.shape)
    theirs = numpy.concatenate([y.reshape(-1) for y in session.run(None, {x.name: tensor})])
    ours = numpy.fromfile(f"{folder}/{seed}.out", numpy.float32)
    if ours.shape != theirs.shape:
        return float("inf")
    d = numpy.abs(ours - theirs) / (1 + numpy.abs(theirs))
    return float("inf") if numpy.isnan(d).any() else float(d.max())


def random_networks(count, first):
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        subprocess.run([f"{runtimes.BUILD}/onnx", "--random", folder, str(count), str(first)], check=True)
        worst, bad = 0.0, []
        for seed in range(first, first + count):
            try:
                d = difference(folder, seed)
            except Exception as e:  # a network that ONNX Runtime refuses
                print(f"seed {seed}: {str(e)[:300]}")
                d = float("inf")
            worst = max(worst, d)
            if d > LARGEST:
                bad.append(seed)
    print(f"random networks: {count - len(bad)} of {count} agree with ONNX Runtime {onnxruntime.__version__}, largest "
          f"difference {worst:.1e}" + (f"; not seeds {bad[:20]}" if bad else ""))
    return not bad


def built_networks():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        subprocess.run([f"{runtimes.BUILD}/onnx", "--archs", folder], check=True)
        names = sorted(os.path.basename(p)[:-5] for p in glob.glob(f"{folder}/*.onnx"))
        worst = {name: difference(folder, name) for name in names}
    print("built from checkpoints, largest difference to ONNX Runtime: " +
          ", ".join(f"{name} {d:.1e}" for name, d in worst.items()))
    return len(worst) == ARCHS and max(worst.values()) <= LARGEST


def photos():
    paths, good = sorted(glob.glob(".build/photos/*.*g")), True
    for folder in runtimes.models([]):
        a = runtimes.Agreement(folder, paths)
        print(f"{folder[7:]}: same best class for {a.same} of {a.count} photos, largest difference of a probability "
              f"{a.score:.1e}")
        good = good and a.holds()
    return good


def main(count=300, first=0):
    good = random_networks(int(count), int(first))
    good = built_networks() and good
    if os.path.exists(f"{runtimes.BUILD}/bench-tensors"):
        good = photos() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

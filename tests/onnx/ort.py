"""Compares gharial with ONNX Runtime: on random networks that the test program writes, on the networks that we
build from checkpoints (random ones), and on the photos with every classifier that has its weights.

Usage: sh tests/bench/run.sh check [COUNT [FIRST-SEED]]
Fails when an output differs by more than 2e-4 of its size (1e-4 of the largest value for networks of every operator,
and between our own passes), the photos get another best class or a probability
that differs by 1e-4 or more, or their masks differ."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnxruntime

import masks as masks_of
import runtimes

LARGEST = 2e-4
LARGEST_WIDE = 1e-4  # of the largest value of an output
# How many networks are built from torchvision's names.
ARCHS = 4


def outputs(path):
    """What the test program wrote of our outputs: rank, sides and elements of each."""
    numbers, at, found = numpy.fromfile(path, numpy.float64), 0, []
    while at < len(numbers):
        rank = int(numbers[at])
        shape = numbers[at + 1 : at + 1 + rank].astype(int)
        count = int(numpy.prod(shape))
        at += 1 + rank
        found.append(numbers[at : at + count].reshape(shape))
        at += count
    return found


def distance(ours, theirs, wide):
    theirs = numpy.asarray(theirs, numpy.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    if not ours.size:
        return 0.0
    if (numpy.isnan(ours) != numpy.isnan(theirs)).any():
        return float("inf")
    d = numpy.where(ours == theirs, 0, numpy.abs(ours - theirs))
    d = numpy.nan_to_num(d, nan=0.0, posinf=float("inf"))
    size = max(1, numpy.abs(theirs[numpy.isfinite(theirs)]).max(initial=0)) if wide else 1 + numpy.abs(theirs)
    return float((d / size).max())


def difference(folder, seed, wide):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(f"{folder}/{seed}.onnx", options, ["CPUExecutionProvider"])
    x = session.get_inputs()[0]
    tensor = numpy.fromfile(f"{folder}/{seed}.in", numpy.float32).reshape(
        [1, 3, 96, 64] if isinstance(x.shape[0], str) else x.shape)
    theirs, ours = session.run(None, {x.name: tensor}), outputs(f"{folder}/{seed}.out")
    if len(ours) != len(theirs):
        return float("inf")
    return max(distance(a, b, wide) for a, b in zip(ours, theirs))


def scratch():
    """In memory where that has room for the largest networks; containers have 64 MB there."""
    shm = "/dev/shm"
    return shm if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 1 << 30 else None


def random_networks(count, first, wide):
    command, limit = ("--wide", LARGEST_WIDE) if wide else ("--random", LARGEST)
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        subprocess.run([f"{runtimes.BUILD}/onnx", command, folder, str(count), str(first)], check=True)
        worst, bad = 0.0, []
        for seed in range(first, first + count):
            try:
                d = difference(folder, seed, wide)
            except Exception as e:  # a network that ONNX Runtime refuses
                print(f"seed {seed}: {str(e)[:300]}")
                d = float("inf")
            worst = max(worst, d)
            if d > limit:
                bad.append(seed)
    print(f"random networks{' of every operator' if wide else ''}: {count - len(bad)} of {count} agree with ONNX "
          f"Runtime {onnxruntime.__version__}, largest difference {worst:.1e}"
          + (f"; not seeds {bad[:20]}" if bad else ""))
    return not bad


def built_networks():
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        subprocess.run([f"{runtimes.BUILD}/onnx", "--archs", folder], check=True)
        names = sorted(os.path.basename(p)[:-5] for p in glob.glob(f"{folder}/*.onnx"))
        worst = {name: difference(folder, name, False) for name in names}
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


def masks():
    """Within 1e-3 on the grid, and 99.9 % of the pixels of each photo in the class that the rule gives them."""
    paths, good = sorted(glob.glob(".build/photos/*.*g")), True
    for folder in runtimes.models([], "segment"):
        worst, share = masks_of.compare(folder, paths)
        print(f"{folder[7:]}: masks of {len(paths)} photos differ by at most {worst:.1e}, {100 * share:.4f} % of the "
              f"pixels or more have the same class")
        good = good and worst <= 1e-3 and share >= 0.999
    return good


def main(count=300, first=0):
    good = random_networks(int(count), int(first), False)
    good = random_networks(int(count), int(first), True) and good
    good = built_networks() and good
    if os.path.exists(f"{runtimes.BUILD}/bench-tensors"):
        good = photos() and good
    if os.path.exists(f"{runtimes.BUILD}/bench-masks"):
        good = masks() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

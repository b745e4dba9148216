"""Speed of gharial against ONNX Runtime on the same model.onnx, in one run: short rounds of one and of the other
take turns, because a machine's clock and its other work change from minute to minute.

Usage: sh tests/bench/run.sh [bench [--rounds N] [MODEL...]]
Fails when gharial has less than half of ONNX Runtime's speed on one thread, or gives other answers on the photos."""
import argparse
import glob
import json
import os
import statistics
import subprocess

import numpy
import onnxruntime

import runtimes

RUNS = 40  # of a round
LEAST_RATIO = 0.5


def compare(folder, threads, rounds):
    size = runtimes.manifest(folder)["input"]
    noise = numpy.random.default_rng(1).standard_normal((1, 3, size["height"], size["width"]), numpy.float32)
    tensor, runtime = noise.copy(), runtimes.OnnxRuntime(f"{folder}/model.onnx", threads)
    ours, theirs = [], []
    for i in range(rounds):  # A B, B A, A B, ...
        for turn in (i, i + 1):
            if turn % 2 == 0:
                ours.append(runtimes.round_of_gharial(folder, threads, RUNS))
            else:
                theirs.append(runtimes.round_of(runtime, tensor, noise, RUNS))
    return ours, theirs


def row(folder, threads, rounds):
    ours, theirs = compare(folder, threads, rounds)
    mine, other = statistics.median(o["median_ms"] for o in ours), statistics.median(theirs)
    share = statistics.median(o["peak_share"] for o in ours)
    print(f"{folder[7:]:<20} {threads:>7} {mine:>10.3f} {other:>10.3f} {other / mine:>11.2f} "
          f"{min(o['min_ms'] for o in ours):>10.3f} {min(theirs):>10.3f} {100 * share:>10.1f} %", flush=True)
    return threads > 1 or other / mine >= LEAST_RATIO


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("models", nargs="*")
    o = options.parse_args()
    cores = len(os.sched_getaffinity(0))
    version = json.loads(subprocess.check_output([f"{runtimes.BUILD}/gharial", "version", "--json"]))
    print(f"gharial {version['version']} {version['build']} ({version['cpu']}), ONNX Runtime "
          f"{onnxruntime.__version__}; {cores} cores, load {os.getloadavg()[0]:.1f}; {o.rounds} rounds of {RUNS} runs "
          f"each in turn, medians")
    print(f"{'model':<20} {'threads':>7} {'gharial ms':>10} {'ORT ms':>10} {'ORT/gharial':>11} {'least':>10} "
          f"{'least ORT':>10} {'FMA peak':>12}")
    folders = runtimes.models(o.models)
    good = [row(f, threads, o.rounds) for f in folders for threads in (1, 2) if threads <= cores]
    photos = sorted(glob.glob(".build/photos/*.*g"))
    for folder in folders:
        a = runtimes.Agreement(folder, photos)
        print(f"{folder[7:]:<20} same best class for {a.same} of {a.count} photos; largest difference of the raw output "
              f"{a.raw:.2e}, of a probability {a.score:.2e}")
        good.append(a.holds())
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if folders and all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())

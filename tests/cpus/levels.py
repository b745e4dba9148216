"""The bench's three networks and the ONNX vectors at every level of this processor: python3 tests/cpus/levels.py BUILD
Answers of the networks (random weights) may be 1e-4 of the largest apart from those of the plain C kernels."""
import array
import os
import random
import subprocess
import sys
import tempfile

MOST = 1e-4
NETS = {"lite0": 224, "resnet18": 224, "unet": 256}


def at(level):
    return dict(os.environ, GHARIAL_CPU=level)


def levels(build):
    """Those that the program takes; a level that this processor lacks is answered with a lower one."""
    for level in "ref", "avx2", "avx512":
        said = subprocess.run([f"{build}/gharial", "version"], env=at(level), stdout=subprocess.PIPE, check=True)
        if f"processor  {level}," in said.stdout.decode():
            yield level


def answer(build, path, level, tensor):
    done = subprocess.run([f"{build}/bench-nets", "run", path, "fp32"], env=at(level), input=tensor.tobytes(),
                          stdout=subprocess.PIPE, check=True)
    return array.array("f", done.stdout)


def apart(a, b):
    """Largest difference as a share of the largest value; a NaN is infinitely far from anything."""
    if len(a) != len(b) or not a or any(x != x for x in a):
        return float("inf")
    return max(abs(x - y) for x, y in zip(a, b)) / max(abs(y) for y in b)


def main(build):
    failed = False
    there = list(levels(build))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"{build}/bench-nets", "write", folder], check=True)
        for name, side in NETS.items():
            noise = random.Random(1)
            tensor = array.array("f", (noise.gauss(0, 1) for _ in range(3 * side * side)))
            reference = answer(build, f"{folder}/{name}.onnx", "ref", tensor)
            for level in there[1:]:
                far = apart(answer(build, f"{folder}/{name}.onnx", level, tensor), reference)
                failed |= not far <= MOST
                print(f"{name:10} {level:7} {far:.1e} of the largest of {len(reference)} outputs from ref, "
                      f"at most {MOST:.0e}", flush=True)
    for level in there:
        print(f"== {build}/onnx at {level}", flush=True)
        failed |= subprocess.run([f"{build}/onnx"], env=at(level)).returncode != 0
    return failed


sys.exit(main(*sys.argv[1:]))

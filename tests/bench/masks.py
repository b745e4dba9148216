"""Masks beside ONNX Runtime on the very same input tensors: the values on the network's grid, and the class of every
pixel by the rule written out here: scaled bilinearly (half-pixel centres), then the threshold or the largest value."""
import io
import json
import subprocess

import numpy
import onnxruntime

import runtimes


def scaled(grid, width, height):
    """channels x h x w to channels x height x width."""
    def axis(size, cells):
        at = numpy.clip((numpy.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
        low = numpy.floor(at).astype(int)
        return low, numpy.minimum(low + 1, cells - 1), at - low
    top, under, down = axis(height, grid.shape[1])
    left, right, across = axis(width, grid.shape[2])
    rows = grid[:, top] * (1 - down)[:, None] + grid[:, under] * down[:, None]
    return rows[:, :, left] * (1 - across) + rows[:, :, right] * across


def classes(grid, manifest, width, height):
    """The rule of one channel; our own models have no other."""
    return scaled(grid.astype(float), width, height)[0] >= manifest.get("threshold", 0.5)


def activated(values, manifest):
    if manifest["output"].get("activation") == "minmax":
        return (values - values.min()) / (values.max() - values.min())
    return values


def compare(folder, paths):
    """(largest difference on the grid, least share of equal pixels) over the pictures."""
    with open(f"{folder}/model.json", encoding="utf-8") as f:
        manifest = json.load(f)
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
    told = io.BytesIO(subprocess.run([f"{runtimes.BUILD}/bench-masks", folder], check=True, capture_output=True,
                                     input="".join(p + "\n" for p in paths).encode()).stdout)
    worst, share = 0.0, 1.0
    for _ in paths:
        width, height, channels, ih, iw, mh, mw = map(int, told.readline().split())
        tensor = numpy.frombuffer(told.read(3 * ih * iw * 4), numpy.float32).reshape(1, 3, ih, iw)
        ours = numpy.frombuffer(told.read(channels * mh * mw * 4), numpy.float32).reshape(channels, mh, mw)
        index = numpy.frombuffer(told.read(width * height), numpy.uint8).reshape(height, width)
        theirs = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: tensor})[0][0]
        theirs = activated(theirs, manifest)
        worst = max(worst, float(numpy.abs(ours - theirs).max()))
        share = min(share, float((classes(theirs, manifest, width, height) == index).mean()))
    return worst, share

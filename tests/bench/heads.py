"""Heads beside scikit-learn on the same features, the same folds, two threads each, taking turns.

    python tests/bench/heads.py [--features FILE.npz | --data FOLDER --model MODEL.onnx] [--folds K]

Needs scikit-learn==1.5.2 and numpy; with --data also onnxruntime and pillow. FILE.npz holds x (rows x width)
and y (labels). FOLDER holds a folder a class; MODEL is cut at the input of its last Gemm, and photos are
prepared as EfficientNet-Lite wants them. Without either the features are drawn: rectified normal clouds of
the shape of 1,500 photos of 15 classes. BUILD = the build folder (.build).

scikit-learn gets standardised features, as anyone would give it; ours standardises by itself. Its fit is
timed without the standardising.
"""
import argparse
import os
import subprocess
import tempfile
import time

import numpy as np
import threadpoolctl
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

THREADS = 2
TREES = 200
# Penalties of ours that scikit-learn searches too, as its C = 1 / (l2 * rows).
L2 = [10.0 ** (-i / 2) for i in range(9)]


def drawn():
    rng = np.random.default_rng(0)
    y = np.arange(1500) % 15
    centre = rng.normal(size=(15, 1280)) * 0.16
    x = np.maximum(centre[y] + rng.normal(size=(1500, 1280)), 0)
    return x.astype(np.float32), y


def of_photos(folder, model):
    import onnx
    import onnxruntime
    from PIL import Image

    net = onnx.load(model)
    last = [n for n in net.graph.node if n.op_type == "Gemm"][-1]
    del net.graph.output[:]
    net.graph.output.append(onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(net.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def features(path):
        picture = Image.open(path).convert("RGB")
        scale = 256 / min(picture.size)
        picture = picture.resize([round(s * scale) for s in picture.size], Image.BICUBIC)
        left, top = ((s - 224) // 2 for s in picture.size)
        pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), dtype=np.float32)
        return session.run(None, {name: ((pixels - 127) / 128).transpose(2, 0, 1)[None]})[0].reshape(-1)

    classes = sorted(d.name for d in os.scandir(folder) if d.is_dir())
    photos = [(f.path, c) for c, k in enumerate(classes) for f in sorted(os.scandir(f"{folder}/{k}"), key=lambda f: f.name)]
    return np.stack([features(p) for p, _ in photos]), np.array([c for _, c in photos])


def dump(path, x, y, fold):
    with open(path, "wb") as f:
        np.array([len(x), x.shape[1], y.max() + 1], "<u4").tofile(f)
        y.astype("<u4").tofile(f)
        fold.astype("<u4").tofile(f)
        x.astype("<f4").tofile(f)


def ours(path, head, fold, *options):
    build = os.environ.get("BUILD", ".build")
    words = [f"{build}/bench-heads", path, head, str(fold), str(THREADS), *map(str, options)]
    wall, cpu, right, count = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return float(wall) / 1e3, float(cpu) / 1e3, int(right) / int(count)


def theirs(model, x, y, xt, yt):
    cpu, wall = time.process_time(), time.perf_counter()
    model.fit(x, y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall, cpu, (model.predict(xt) == yt).mean()


def models(rows):
    """Name, our head and options, scikit-learn's model."""
    search = [1 / (l2 * rows) for l2 in L2]
    yield "softmax, l2 0.01", ("softmax", 0.01), LogisticRegression(C=1 / (0.01 * rows), max_iter=1000)
    yield "softmax, l2 searched", ("softmax",), LogisticRegressionCV(
        Cs=search, cv=5, scoring="neg_log_loss", max_iter=1000, n_jobs=THREADS
    )
    yield f"forest, {TREES} trees", ("forest", 0, TREES), RandomForestClassifier(TREES, n_jobs=THREADS, random_state=0)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--features")
    args.add_argument("--data")
    args.add_argument("--model")
    args.add_argument("--folds", type=int, default=5)
    args = args.parse_args()
    if args.features:
        x, y = (np.load(args.features)[k] for k in "xy")
    else:
        x, y = of_photos(args.data, args.model) if args.data else drawn()
    fold = np.zeros(len(y), int)
    splits = list(StratifiedKFold(args.folds, shuffle=True, random_state=0).split(x, y))
    for i, (_, test) in enumerate(splits):
        fold[test] = i
    results = {}
    with tempfile.NamedTemporaryFile() as file, threadpoolctl.threadpool_limits(THREADS):
        dump(file.name, x, y, fold)
        for i, (train, test) in enumerate(splits):
            scaler = StandardScaler().fit(x[train])
            a, b = scaler.transform(x[train]), scaler.transform(x[test])
            for name, mine, model in models(len(train)):
                row = results.setdefault(name, ([], []))
                row[0].append(ours(file.name, mine[0], i, *mine[1:]))
                row[1].append(theirs(model, a, y[train], b, y[test]))
    print(f"{len(x)} rows of {x.shape[1]} features, {y.max() + 1} classes, {args.folds} folds, {THREADS} threads each")
    print(f"{'':24}{'accuracy':>10}{'sklearn':>9}{'points':>8}{'fit s':>9}{'sklearn':>9}{'faster':>8}{'cpu s':>9}{'sklearn':>9}")
    for name, (mine, other) in results.items():
        m, o = np.array(mine), np.array(other)
        print(
            f"{name:24}{m[:, 2].mean():10.4f}{o[:, 2].mean():9.4f}{100 * (m[:, 2] - o[:, 2]).mean():8.2f}"
            f"{np.median(m[:, 0]):9.3f}{np.median(o[:, 0]):9.3f}{np.median(o[:, 0]) / np.median(m[:, 0]):8.1f}"
            f"{np.median(m[:, 1]):9.3f}{np.median(o[:, 1]):9.3f}"
        )


if __name__ == "__main__":
    main()

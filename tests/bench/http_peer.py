"""The server that people write in Python, to compare with: FastAPI on uvicorn, Pillow, NumPy, ONNX Runtime. The same
model.onnx and the same preprocessing as its manifest says. With ?draft=1 Pillow decodes at a smaller scale, which few
write. MODEL = the model's folder; run as `uvicorn http_peer:app`."""
import io
import json
import os

import numpy
import onnxruntime
from fastapi import FastAPI, File
from PIL import Image

FOLDER = os.environ["MODEL"]
with open(f"{FOLDER}/model.json", encoding="utf-8") as f:
    INPUT = json.load(f)["input"]
with open(f"{FOLDER}/labels.txt", encoding="utf-8") as f:
    LABELS = f.read().splitlines()
SIZE = INPUT["width"]
app = FastAPI()
session = onnxruntime.InferenceSession(f"{FOLDER}/model.onnx", providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


@app.post("/classify")
def classify(file: bytes = File(), draft: bool = False):
    """Not async: FastAPI runs it in its thread pool, so that several requests use several cores."""
    image = Image.open(io.BytesIO(file))
    if draft:
        image.draft("RGB", (2 * SIZE, 2 * SIZE))
    image = image.convert("RGB")
    side = round(min(image.size) * INPUT["crop"])
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    tensor = (numpy.asarray(image, numpy.float32) - INPUT["mean"]) * INPUT["scale"]
    scores = session.run(None, {name: tensor.transpose(2, 0, 1)[None]})[0][0]
    scores = numpy.exp(scores - scores.max())
    scores /= scores.sum()
    best = numpy.argsort(-scores)[:5]
    return {"labels": [{"label": LABELS[i], "index": int(i), "score": float(scores[i])} for i in best]}

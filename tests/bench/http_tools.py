"""What the sections of http_main.py share: servers of our own and what the kernel says of them, load, pictures."""
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from PIL import Image

BUILD = os.environ.get("BUILD", ".build")
WORK = os.path.abspath(f"{BUILD}/bench-http/{os.getpid()}")  # logs, request files, models
DEFAULT = ["efficientnet-lite0", "emotions", "faces", "faces-detector", "objects", "person"]
MODEL = "models/efficientnet-lite0"
TICK = os.sysconf("SC_CLK_TCK")


def models(copied=False):
    """A folder with the default models alone; with `copied` files that may be changed."""
    folder = f"{WORK}/{'copies' if copied else 'models'}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in DEFAULT:
        if copied:
            shutil.copytree(f"models/{name}", f"{folder}/{name}")
        else:
            os.symlink(os.path.abspath(f"models/{name}"), f"{folder}/{name}")
    return folder


class Process:
    """A program that this run started; ends it, and nothing else, by its own id."""

    def __init__(self, command, log, env=None, out=None):
        self.log = f"{WORK}/{log}.log"
        with open(self.log, "wb") as f:
            self.child = subprocess.Popen(command, stdout=out or f, stderr=f, env=env)
        self.pid = self.child.pid

    def stop(self, sig=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(sig)
        try:
            return self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK  # utime, stime

    def kb_of(self, what):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(f"{what}:"))

    def anonymous_kb(self):
        return self.kb_of("RssAnon")

    def resident_mb(self):
        return self.kb_of("VmRSS") * 1024 / 1e6

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Gharial(Process):
    def __init__(self, *args, address="127.0.0.1:0", folder=None, log="gharial", wait=True):
        command = [f"{BUILD}/gharial", "serve", "--listen", address, "--models", folder or models(), *args]
        self.started = time.perf_counter()
        super().__init__(command, log, out=subprocess.PIPE)
        line = self.child.stdout.readline().decode()
        if not line.startswith("listening on http://"):
            self.stop()
            raise SystemExit(f"bench-http: gharial does not start, see {self.log}")
        self.address = line.split("http://")[1].strip()
        if wait:
            self.wait_ready()

    def wait_ready(self, every_s=0.002):
        """Milliseconds from the start of the program to the first 200 of /readyz."""
        while get(self.address, "/readyz")[0] != 200:
            if self.child.poll() is not None or time.perf_counter() - self.started > 300:
                self.stop()
                raise SystemExit(f"bench-http: gharial is not ready, see {self.log}")
            time.sleep(every_s)
        return 1e3 * (time.perf_counter() - self.started)

    def settle(self):
        """Waits until nothing is in flight but the question itself."""
        until = time.monotonic() + 30
        while self.metric("gharial_inflight_requests") > 1 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.2)

    def metric(self, *words):
        """The sum of all lines of /metrics that contain these words."""
        lines = get(self.address, "/metrics")[1].decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#" and all(w in line for w in words))


@contextlib.contextmanager
def running(process):
    try:
        yield process
    finally:
        process.stop()


def talk(address, data, timeout=30):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout) as s:
        s.sendall(data)
        reply = b""
        while part := s.recv(1 << 16):
            reply += part
    return reply


def get(address, path):
    """Status and body; 0 where nobody answers."""
    try:
        reply = talk(address, f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        return int(reply.split(b" ", 2)[1]), reply.partition(b"\r\n\r\n")[2]
    except (OSError, IndexError):
        return 0, b""


def request(name, path, body=b"", method="POST", headers="", length=None):
    """A file with a whole request, for http_load."""
    file = f"{WORK}/{name}"
    size = f"Content-Length: {len(body) if length is None else length}\r\n" if method == "POST" else ""
    with open(file, "wb") as f:
        f.write(f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{headers}{size}\r\n".encode() + body)
    return file


def form(parts):
    """A multipart body and its header; parts are (name, bytes)."""
    body = b""
    for name, data in parts:
        body += (f'--bench\r\nContent-Disposition: form-data; name="{name}"; filename="a.jpg"\r\n'
                 "Content-Type: image/jpeg\r\n\r\n").encode() + data + b"\r\n"
    return body + b"--bench--\r\n", "Content-Type: multipart/form-data; boundary=bench\r\n"


def start_load(address, files, log="load", **options):
    """http_load beside this program; options are its letters."""
    command = [f"{BUILD}/bench-http_load"]
    for letter, value in options.items():
        command += [f"-{letter}"] if value is True else [f"-{letter}", str(value)]
    return Process(command + [address, *files], log, out=subprocess.PIPE)


def load(address, files, **options):
    process = start_load(address, files, **options)
    try:
        text = process.child.stdout.read()
    finally:
        process.stop()
    return finish_load(process, text)


def finish_load(process, text):
    process.child.wait()
    with open(process.log, encoding="utf-8") as f:
        complaint = f.read().strip()
    if not text:
        raise SystemExit(f"bench-http: no load: {complaint}")
    result = json.loads(text)
    result["complaint"] = complaint
    result["bad"] = result["failed"] + sum(s["count"] for code, s in result["statuses"].items() if code != "200")
    return result


class Sampler(threading.Thread):
    """Calls `look` every `every_s` seconds until stopped; keeps (seconds, value)."""

    def __init__(self, look, every_s=0.5):
        super().__init__(daemon=True)
        self.look, self.every_s, self.values, self.ended = look, every_s, [], threading.Event()
        self.begin = time.monotonic()
        self.start()

    def run(self):
        while not self.ended.wait(self.every_s):
            self.values.append((time.monotonic() - self.begin, self.look()))

    def stop(self):
        self.ended.set()
        self.join()
        return self.values


def photo(size, bytes_wanted, noise=0, name="motorcycle_left"):
    """A JPEG of a fetched photo in this size and about that many bytes. Noise (0..1): grain, as a sensor has it."""
    image = Image.open(f".build/photos/{name}.png").convert("RGB")
    width, height = image.size
    cut = min(width / size[0], height / size[1])
    left, top = max(0, (width - cut * size[0]) / 2), max(0, (height - cut * size[1]) / 2)
    box = (left, top, width - left, height - top)
    image = image.resize(size, Image.Resampling.BICUBIC, box)
    if noise:
        image = Image.blend(image, Image.effect_noise(size, 64).convert("RGB"), noise)
    files = []
    for quality in range(60, 100, 3):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        files.append(file.getvalue())
    return min(files, key=lambda f: abs(len(f) - bytes_wanted))


def median(values):
    return statistics.median(values)


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]

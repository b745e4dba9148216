"""The sections of http.sh, each with its goals; see there."""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import http_proxy
from http_tools import (BUILD, MODEL, WORK, Gharial, Process, Sampler, finish_load, form, get, load, median, models,
                        percentile, photo, request, running, start_load, talk)

MIB = 1 << 20
rows = []
quick = False


def note(text):
    print(f"bench-http: {text}", file=sys.stderr, flush=True)


def report(number, goal, measured, good):
    rows.append((number, goal, measured, good))
    note(f"{number}: {measured} ({goal}): {'met' if good else 'MISSED'}")


def seconds(full, short):
    return short if quick else full


def small_picture():
    return photo((640, 480), 150_000)


def saturation():
    """CPU seconds of the server a request beside those of the bare way of a picture, in turns."""
    picture, script = f"{WORK}/640x480.jpg", f"{WORK}/post.lua"
    with open(picture, "wb") as f:
        f.write(small_picture())
    with open(script, "w", encoding="ascii") as f:
        f.write(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "image/jpeg"\n'
                f'local f = io.open("{picture}", "rb")\nwrk.body = f:read("*a")\nf:close()\n')
    length = seconds(4, 1)

    def infer(threads):
        out = subprocess.check_output([f"{BUILD}/bench-http_infer", MODEL, picture, str(length), str(threads)])
        return json.loads(out)["cpu_ms"]

    alone, beside, served, rates, busy = [], [], [], [], []
    with running(Gharial("--log-level", "warn")) as server:
        for _ in range(seconds(7, 3)):
            alone.append(infer(1))
            beside.append(infer(len(os.sched_getaffinity(0))))
            before, count, start = server.cpu_s(), server.metric("requests_total", "/classify"), time.monotonic()
            subprocess.run(["wrk", "-t1", "-c16", f"-d{length}", "-s", script, f"http://{server.address}/classify"],
                           stdout=subprocess.DEVNULL, check=True)
            passed = time.monotonic() - start
            server.settle()
            used, count = server.cpu_s() - before, server.metric("requests_total", "/classify") - count
            served.append(1e3 * used / count)
            rates.append(count / passed)
            busy.append(used / passed)
        answers = {code: server.metric("requests_total", "/classify", f'code="{code}"') for code in (200, 0)}
        wrong = server.metric("requests_total", "/classify") - sum(answers.values())  # 0: wrk left at its end
    ratio = median(served) / median(alone)
    report("CPU of a request at saturation, wrk, 16 connections, 640x480 JPEG of "
           f"{os.path.getsize(picture) // 1000} kB", "at most 1.10 of the bare way",
           f"{ratio:.3f} ({median(served):.3f} over {median(alone):.3f} ms; as many threads as cores beside each "
           f"other {median(beside):.3f} ms; {median(rates):.0f} a second, {median(busy):.2f} cores, {wrong:.0f} not 200)",
           ratio <= 1.10 and wrong == 0)


def start_peer(port, workers):
    peer = Process([sys.executable, "-m", "uvicorn", "http_peer:app", "--host", "127.0.0.1", "--port", str(port),
                    "--log-level", "warning", "--workers", str(workers)], "peer", dict(os.environ, MODEL=MODEL))
    until = time.monotonic() + 60
    while get(f"127.0.0.1:{port}", "/openapi.json")[0] != 200:
        if time.monotonic() > until or peer.child.poll() is not None:
            peer.stop()
            raise SystemExit(f"bench-http: the Python server does not start, see {peer.log}")
        time.sleep(0.1)
    return peer


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def best_index(address, file):
    with open(file, "rb") as f:
        data = f.read().replace(b"Host: bench\r\n", b"Host: bench\r\nConnection: close\r\n", 1)
    return json.loads(talk(address, data).partition(b"\r\n\r\n")[2])["labels"][0]["index"]


def large():
    """12 megapixels to a label, with the grain of a sensor and without."""
    compare_large(photo((4000, 3000), 4_000_000, noise=0.08), "with grain")
    compare_large(photo((4000, 3000), 2_000_000), "smooth")


def compare_large(picture, kind):
    """Beside FastAPI with one process and with one a core; the better of the two counts for it."""
    body, header = form([("file", picture)])
    ours = request("large", "/classify", picture, headers="Content-Type: image/jpeg\r\n")
    theirs = request("large-form", "/classify", body, headers=header)
    drafted = request("large-draft", "/classify?draft=1", body, headers=header)
    length, times = seconds(2, 1), {}
    with running(Gharial("--log-level", "warn")) as server:
        for workers in (1, len(os.sched_getaffinity(0))):
            peer_port = free_port()
            with running(start_peer(peer_port, workers)):
                there = f"127.0.0.1:{peer_port}"
                if best_index(server.address, ours) != best_index(there, theirs):
                    raise SystemExit("bench-http: the two servers see different things")
                for who, address, file in 2 * (("gharial", server.address, ours), ("usual", there, theirs),
                                               ("draft", there, drafted)):
                    for clients in (1, 4):
                        r = load(address, [file], c=clients, d=length)
                        if r["bad"]:
                            raise SystemExit(f"bench-http: {who} fails: {r}")
                        value = r["statuses"]["200"]["p50"] if clients == 1 else r["answered"] / r["seconds"]
                        times.setdefault((who, clients), {}).setdefault(workers, []).append(value)
    ours_one, ours_many = [median(sum(times["gharial", n].values(), [])) for n in (1, 4)]
    one = {who: min(median(v) for v in times[who, 1].values()) for who in ("usual", "draft")}
    many = {who: max(median(v) for v in times[who, 4].values()) for who in ("usual", "draft")}
    about = f"12 megapixels, {kind}, JPEG of {len(picture) / 1e6:.1f} MB"
    report(f"{about}, one client: beside FastAPI + Pillow + ONNX Runtime", "at least 4 times faster",
           f"{one['usual'] / ours_one:.2f} ({ours_one:.1f} to {one['usual']:.1f} ms; with Image.draft "
           f"{one['draft']:.1f} ms, {one['draft'] / ours_one:.2f})", one["usual"] / ours_one >= 4)
    report(f"{about}, 4 clients: throughput", "at least 4 times as much",
           f"{ours_many / many['usual']:.2f} ({ours_many:.1f} to {many['usual']:.1f} a second; with draft "
           f"{many['draft']:.1f}, {ours_many / many['draft']:.2f})", ours_many / many["usual"] >= 4)


def logged_ms(log, status):
    with open(log, encoding="utf-8") as f:
        return [float(m[1]) for m in re.finditer(rf" status={status} .*? ms=([0-9.]+)", f.read())]


def timed(address, file):
    with open(file, "rb") as f:
        data = f.read().replace(b"Host: bench\r\n", b"Host: bench\r\nConnection: close\r\n", 1)
    start = time.perf_counter()
    reply = talk(address, data)
    return int(reply.split(b" ", 2)[1]), 1e3 * (time.perf_counter() - start)


def overload():
    """Ten times as many requests as the server can answer, whatever becomes of them."""
    file = request("small", "/classify", small_picture(), headers="Content-Type: image/jpeg\r\n")
    length = seconds(60, 10)
    with running(Gharial()) as server:
        normal = load(server.address, [file], c=1, d=2)["statuses"]["200"]
        can = load(server.address, [file], c=16, d=4)
        capacity = can["answered"] / can["seconds"]
        memory = Sampler(server.anonymous_kb)
        storm = load(server.address, [file], c=4000, d=length, r=10 * capacity, b=True)
        status, first = timed(server.address, file)
        kb = memory.stop()
        after = load(server.address, [file], c=1, d=1)["statuses"]["200"]
    refused = logged_ms(server.log, 429)
    ok, no = storm["statuses"].get("200"), storm["statuses"].get("429")
    rate = storm["sent"] / storm["seconds"]
    others = {k: v["count"] for k, v in storm["statuses"].items() if k not in ("200", "429")}
    what = f"{rate:.0f} requests a second for {length} s, {rate / capacity:.1f} times the capacity"
    report(f"Overload, {what}: p99 of what is accepted", "within the deadline, 10 s",
           f"{ok['p99'] / 1e3:.2f} s ({ok['count']} accepted, {ok['count'] / storm['seconds']:.0f} a second; "
           f"{no['count']} refused, {storm['failed']} failed, others {others})",
           ok["p99"] < 10_000 and storm["failed"] == 0 and not others)
    report("Overload: refusals, p99 in the server from headers to reply", "under 5 ms",
           f"{percentile(refused, .99):.1f} ms (median {median(refused):.1f}; at the client {no['p50']:.0f}, p99 "
           f"{no['p99']:.0f} ms)", percentile(refused, .99) < 5)
    half = [v for t, v in kb if 3 < t < length / 2], [v for t, v in kb if length / 2 <= t < length]
    grown = (max(half[1]) - max(half[0])) / 1024
    report("Overload: memory, second half over first", "flat: within 2 MiB",
           f"{grown:+.2f} MiB ({max(half[0]) / 1024:.1f} to {max(half[1]) / 1024:.1f} MiB)", grown <= 2)
    report("Overload: first request after it", "answered in normal time", f"{status} in {first:.1f} ms (before: median "
           f"{normal['p50']:.1f}, p99 {normal['p99']:.1f}; after: {after['p50']:.1f} ms)",
           status == 200 and first < 3 * normal["p99"] + 10)


class SlowClients(threading.Thread):
    """Connections that do nothing, and such that send a byte a second, half of them of the headers."""

    def __init__(self, address, idle, slow, file):
        super().__init__(daemon=True)
        host, port = address.split(":")
        self.to, self.ended, self.again = (host, int(port)), threading.Event(), 0
        with open(file, "rb") as f:
            self.data = f.read()
        self.body = self.data.index(b"\r\n\r\n") + 4
        self.idle = [self.open(0) for _ in range(idle)]
        self.slow = [self.open(self.body if i % 2 else 1) for i in range(slow)]
        self.at = [self.body if i % 2 else 1 for i in range(slow)]
        self.start()

    def open(self, first):
        s = socket.create_connection(self.to)
        if first:
            s.sendall(self.data[:first])
        return s

    def run(self):
        turns = 20
        while not self.ended.is_set():
            for turn in range(turns):
                if self.ended.wait(1 / turns):
                    return
                for i in range(turn, len(self.slow), turns):
                    self.drip(i)

    def drip(self, i):
        try:
            self.slow[i].send(self.data[self.at[i]:self.at[i] + 1])
            self.at[i] += 1
        except OSError:
            self.slow[i].close()
            self.at[i] = self.body if i % 2 else 1
            self.slow[i] = self.open(self.at[i])
            self.again += 1

    def stop(self):
        self.ended.set()
        self.join()
        for s in self.idle + self.slow:
            s.close()


def slow():
    """p99 of one client with and without 1,200 slow ones, in turns."""
    file = request("small", "/classify", small_picture(), headers="Content-Type: image/jpeg\r\n")
    without, beside = [], []
    with running(Gharial("--log-level", "warn")) as server:
        load(server.address, [file], c=1, d=1)
        for turn in range(seconds(10, 3)):
            for loaded in (turn % 2, 1 - turn % 2):
                crowd = SlowClients(server.address, 1000 if loaded else 0, 200 if loaded else 0, file)
                time.sleep(0.5)
                r = load(server.address, [file], c=1, d=seconds(5, 2))
                open_now = server.metric("gharial_inflight_requests")
                crowd.stop()
                time.sleep(0.2)
                if r["bad"]:
                    raise SystemExit(f"bench-http: requests fail: {r}")
                (beside if loaded else without).append((r["statuses"]["200"]["p99"], r["statuses"]["200"]["p50"]))
                if loaded:
                    note(f"slow: {open_now:.0f} requests being read")
    p99, p50 = [[median(v[i] for v in side) for side in (without, beside)] for i in (0, 1)]
    change = 100 * (p99[1] / p99[0] - 1)
    report("p99 of /classify beside 1,000 idle and 200 one-byte-a-second connections", "changes by less than 10 %",
           f"{change:+.1f} % ({p99[0]:.2f} to {p99[1]:.2f} ms; median {p50[0]:.2f} to {p50[1]:.2f})", change < 10)


def mixed_files():
    """Requests of all kinds; most are of small pictures."""
    jpeg = "Content-Type: image/jpeg\r\n"
    pictures = [photo(size, 6000) for size in ((160, 120), (120, 160), (96, 96), (224, 224))]
    files = []

    def add(name, *args, times=1, **kw):
        files.extend([request(f"mixed-{len(files)}-{name}", *args, **kw)] * times)

    for i, p in enumerate(pictures):
        add("classify", "/classify", p, headers=jpeg, times=4)
        add("top", f"/classify?top={i + 1}", p, headers=jpeg)
        add("cut", "/classify", p[:len(p) * 2 // 3], headers=jpeg)
        add("head", "/classify", p[:40 + i], headers=jpeg)
        body, kind = form([("image", p), ("image", pictures[i - 1]), ("image", b"none")])
        add("batch", "/classify", body, headers=kind)
        add("localize", "/localize", p, headers=jpeg)
        add("segment", "/segment", p, headers=jpeg)
        add("gone.hangup", "/classify", p, headers=jpeg)
        add("half.hangup", "/classify", p[:len(p) // 2], headers=jpeg, length=len(p))
    add("embed", "/embed", pictures[0], headers=jpeg)
    add("annotate", "/localize?annotate=1", pictures[3], headers=jpeg)
    add("rle", "/segment?mask=rle", pictures[0], headers=jpeg + "Accept: application/json\r\n")
    add("json", "/classify", b'{"image": 5}', headers="Content-Type: application/json\r\n")
    add("nothing", "/classify", b"", headers=jpeg)
    add("words", "/classify", b"no picture" * 50, headers=jpeg)
    add("model", "/classify?model=none", pictures[0], headers=jpeg)
    add("limit", "/classify?timeout_ms=1", pictures[0], headers=jpeg)
    head = json.dumps({"inputs": [{"name": "input", "shape": [1, 3, 224, 224], "datatype": "FP32",
                                   "parameters": {"binary_data_size": 602112}}]}).encode()
    add("tensor", "/v2/models/efficientnet-lite0/infer", head + struct.pack("<f", .25) * 150528,
        headers=f"Content-Type: application/octet-stream\r\nInference-Header-Content-Length: {len(head)}\r\n")
    add("tensor-bad", "/v2/models/efficientnet-lite0/infer", b'{"inputs": []}', headers="Content-Type: application/json\r\n")
    for path in ("/healthz", "/readyz", "/metrics", "/models", "/", "/openapi.json", "/v2", "/nothing", "/classify"):
        add("get", path, method="GET")
    add("post", "/healthz", b"x")
    return [files[i * 37 % len(files)] for i in range(len(files))] if len(files) % 37 else files


def mixed():
    """100,000 requests of all kinds: memory and descriptors."""
    files, count = mixed_files(), seconds(100_000, 5_000)
    with running(Gharial("--log-level", "warn", folder=models())) as server:
        def settle():
            server.settle()
            time.sleep(6)  # the server gives freed pages back every 5 s
            return server.anonymous_kb(), server.descriptors()

        first = load(server.address, files, c=8, d=600, n=1000)
        before, opened = settle()
        trend = Sampler(server.anonymous_kb, 1)
        rest = load(server.address, files, c=8, d=3000, n=count - 1000)
        kb = trend.stop()
        after, still = settle()
        missing = server.metric("gharial_inflight_requests") - 1  # this one
    codes = {code: s["count"] for code, s in rest["statuses"].items()}
    grown = (after - before) / 1024
    steps = [f"{kb[len(kb) * i // 8][1] / 1024:.1f}" for i in range(8)]
    report(f"{first['sent'] + rest['sent']:,} mixed requests: memory after the first 1,000 and at the end",
           "within 2 MiB", f"{grown:+.2f} MiB ({before / 1024:.1f} to {after / 1024:.1f}; on the way {' '.join(steps)})",
           grown <= 2)
    report("Mixed requests: descriptors left open, requests failed", "none",
           f"{still - opened:+d} of {opened}, {missing:.0f} in flight, {rest['failed']} failed, {rest['hung_up']} hung up, "
           f"by status {codes}; {rest['sent'] / rest['seconds']:.0f} a second",
           still <= opened and missing == 0 and rest["failed"] == 0 and "500" not in codes)


def reload():
    """All models changed and SIGHUP every second."""
    file = request("small", "/classify", small_picture(), headers="Content-Type: image/jpeg\r\n")
    face = request("face", "/localize", photo((224, 224), 6000), headers="Content-Type: image/jpeg\r\n")
    folder, length, hups = models(copied=True), seconds(60, 8), 0
    with running(Gharial(folder=folder)) as server:
        client = start_load(server.address, [file, file, face], c=4, d=length)
        try:
            until = time.monotonic() + length
            while time.monotonic() < until - 1:
                time.sleep(1)
                for name in os.listdir(folder):
                    os.utime(f"{folder}/{name}/model.json")
                os.kill(server.pid, signal.SIGHUP)
                hups += 1
            r = finish_load(client, client.child.stdout.read())
        finally:
            client.stop()
        end = get(server.address, "/readyz")[0]
    with open(server.log, encoding="utf-8") as f:
        text = f.read()
    swapped, wrong = text.count("SIGHUP: models:"), text.count("stay as they are") + text.count("goes on as it was")
    report(f"Hot reload of all {len(os.listdir(folder))} models every second for {length} s under load", "0 failed requests",
           f"{r['bad']} of {r['sent']} failed ({hups} signals, {swapped} reloads, {wrong} failed, then ready: {end}); "
           f"p99 {r['statuses']['200']['p99']:.0f} ms {r['complaint']}",
           r["bad"] == 0 and swapped >= hups * 0.9 and wrong == 0 and end == 200)


def replica():
    """One of two replicas killed, again and again, behind docker/proxy's nginx."""
    file = request("small", "/classify", small_picture(), headers="Content-Type: image/jpeg\r\n")
    length, kills, low = seconds(40, 10), 0, models()
    with http_proxy.Cluster(low) as cluster:
        client = start_load(cluster.address, [file], c=8, d=length)
        try:
            until = time.monotonic() + length - 2
            while time.monotonic() < until:
                time.sleep(1)
                cluster.kill(kills % 2)
                time.sleep(0.5)
                cluster.restart(kills % 2)
                kills += 1
            r = finish_load(client, client.child.stdout.read())
        finally:
            client.stop()
        retried = cluster.retried()
    report(f"One of two replicas killed behind the proxy, {kills} times in {length} s under load", "0 failed requests",
           f"{r['bad']} of {r['sent']} failed ({retried} went to the other replica; slowest "
           f"{r['statuses']['200']['max']:.0f} ms) {r['complaint']}", r["bad"] == 0 and kills > 1 and retried > 0)


def proxy():
    """More clients than the replicas have room for, through the proxy; then one replica falls silent."""
    file = request("small", "/classify", small_picture(), headers="Content-Type: image/jpeg\r\n")

    def slowest(r):
        return max(s["max"] for s in r["statuses"].values()) / 1e3, {k: s["count"] for k, s in r["statuses"].items()}

    with http_proxy.Cluster(models()) as cluster:
        r = load(cluster.address, [file], c=250, d=seconds(20, 5))
        client = start_load(cluster.address, [file], c=250, d=seconds(20, 5))
        try:
            time.sleep(2)
            cluster.freeze(0, True)
            silent = finish_load(client, client.child.stdout.read())
        finally:
            cluster.freeze(0, False)
            client.stop()
    longest, codes = slowest(r)
    report("250 clients through the proxy: slowest reply", "within the deadline, 10 s",
           f"{longest:.2f} s (by status {codes}, {r['failed']} failed)", longest <= 10 and r["failed"] == 0)
    longest, codes = slowest(silent)
    report("The same while one replica is silent", "within 16 s, as the proxy is told",
           f"{longest:.2f} s (by status {codes}, {silent['failed']} failed)", longest <= 16 and silent["failed"] == 0)


def cold():
    """From exec to ready, the files in the page cache; then the same beside a process that burns a core."""
    def measure(times):
        found = []
        for _ in range(times):
            server = Gharial("--log-level", "warn", wait=False)
            try:
                found.append(server.wait_ready())
            finally:
                server.stop()
        return found

    measure(2)
    quiet = measure(seconds(9, 5))
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        busy = measure(seconds(9, 5))
    finally:
        burner.kill()
        burner.wait()
    report("Cold start to ready, all default models, median of 9", "under 300 ms",
           f"{median(quiet):.0f} ms ({min(quiet):.0f} to {max(quiet):.0f}); beside a busy process {median(busy):.0f} ms "
           f"({min(busy):.0f} to {max(busy):.0f})", median(quiet) < 300)


def memory():
    """Resident memory in the states that the README's table tells of."""
    def after(server, files, clients):
        r = load(server.address, files, c=clients, d=seconds(8, 3))
        if r["bad"]:
            raise SystemExit(f"bench-http: requests fail: {r}")
        server.settle()
        time.sleep(6)  # the server gives freed pages back every 5 s
        return server.resident_mb()

    def add(name, path, picture):
        return request(name, path, picture, headers="Content-Type: image/jpeg\r\n")

    small, side = photo((640, 480), 60_000, name="astronaut"), 1600
    paths = ("/classify", "/localize", "/localize?model=objects", "/segment", "/segment?output=cutout", "/embed")
    tasks = [add(f"task{i}", path, small) for i, path in enumerate(paths)]
    large_faces = [add("large-faces", "/localize", photo((side, side), 300_000, name="astronaut"))]
    with running(Gharial("--log-level", "warn")) as server:
        peak = server.kb_of("VmHWM") * 1024 / 1e6
        ready, classify = server.resident_mb(), after(server, tasks[:1], 32)
        every = after(server, tasks, 8)
    most = {}
    for workers in (2, 3):
        with running(Gharial("--log-level", "warn", "--workers", str(workers))) as server:
            after(server, large_faces, 2 * workers)
            most[workers] = server.kb_of("VmHWM") * 1024 / 1e6
    report("Resident memory", "what the README says",
           f"{ready:.0f} MB when ready (for a moment before {peak:.0f}), {classify:.0f} after /classify of 32 clients, "
           f"{every:.0f} after all tasks on 640x480; at most {most[2]:.0f} with faces on {side}x{side} and two workers, "
           f"{most[3] - most[2]:.0f} more with a third", True)


SECTIONS = {f.__name__: f for f in (saturation, large, overload, slow, mixed, reload, replica, proxy, cold, memory)}


def main():
    global quick
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true")
    options.add_argument("sections", nargs="*", choices=[[], *SECTIONS], default=[])
    o = options.parse_args()
    quick = o.quick
    os.makedirs(WORK, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended, too
    for name in o.sections or SECTIONS:
        SECTIONS[name]()
    version = json.loads(subprocess.check_output([f"{BUILD}/gharial", "version", "--json"]))
    print(f"gharial {version['version']} {version['build']} ({version['cpu']}), {version['cores']} cores"
          f"{', quick: times are too short to judge by' if quick else ''}")
    for number, goal, measured, good in rows:
        print(f"{'met   ' if good else 'MISSED'} | {number} | {goal} | {measured}")
    if all(row[3] for row in rows):
        shutil.rmtree(WORK)
        return 0
    note(f"logs are in {WORK}")
    return 1


if __name__ == "__main__":
    sys.exit(main())

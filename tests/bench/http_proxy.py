"""Two replicas behind nginx with docker/proxy/nginx.conf as it is, but for addresses and folders, on loopback. A name
server of our own answers for the name that compose's network knows."""
import os
import re
import shutil
import signal
import socket
import struct
import threading
import time

from http_tools import WORK, Gharial, Process, get

REPLICAS = ("127.0.0.2", "127.0.0.3")
FOLDER = f"{WORK}/proxy"


class NameServer(threading.Thread):
    """Answers every question for an IPv4 address with both replicas, and any other with nothing."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                question, client = self.socket.recvfrom(512)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            ipv4 = question[end - 4:end - 2] == b"\0\1"
            answers = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(a) for a in REPLICAS if ipv4]
            head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(answers), 0, 0)
            self.socket.sendto(head + question[12:end] + b"".join(answers), client)

    def stop(self):
        self.socket.close()


def free_port():
    """A port that is free on all three addresses."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
            try:
                for address in REPLICAS:
                    with socket.socket() as other:
                        other.bind((address, port))
                return port
            except OSError:
                continue


def configure(port, names):
    with open("docker/proxy/nginx.conf", encoding="utf-8") as f:
        text = f.read()
    for old, new in ((r"include /proxy/resolver.conf;", f"resolver 127.0.0.1:{names} valid=1s ipv6=off;"),
                     (r"listen 8080;", f"listen 127.0.0.1:{port};"), (r"\$replicas:8080", f"$replicas:{port}"),
                     (r"/proxy/", f"{FOLDER}/"), (r"/dev/stdout", f"{FOLDER}/access.log")):
        text, count = re.subn(old, lambda _, new=new: new, text)
        if not count:
            raise SystemExit(f"bench-http: docker/proxy/nginx.conf has no {old} any more")
    with open(f"{FOLDER}/nginx.conf", "w", encoding="utf-8") as f:
        f.write(text)


class Cluster:
    def __init__(self, folder):
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.makedirs(FOLDER)
        os.chmod(FOLDER, 0o1777)
        self.folder, self.port = folder, free_port()
        self.address = f"127.0.0.1:{self.port}"

    def start_replica(self, i):
        return Gharial("--log-level", "warn", address=f"{REPLICAS[i]}:{self.port}", folder=self.folder,
                       log=f"replica-{i}")

    def __enter__(self):
        self.names = NameServer()
        configure(self.port, self.names.port)
        self.replicas = [self.start_replica(i) for i in (0, 1)]
        self.nginx = Process(["nginx", "-e", "stderr", "-c", f"{FOLDER}/nginx.conf"], "nginx")
        until = time.monotonic() + 10
        while get(self.address, "/healthz")[0] != 200:
            if time.monotonic() > until:
                self.__exit__()
                raise SystemExit(f"bench-http: nginx does not answer, see {self.nginx.log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.nginx.stop(signal.SIGQUIT)
        for r in self.replicas:
            r.stop()
        self.names.stop()

    def kill(self, i):
        self.replicas[i].stop(signal.SIGKILL)

    def restart(self, i):
        self.replicas[i] = self.start_replica(i)

    def freeze(self, i, frozen):
        """A replica that is silent: it runs no more, but its socket still takes connections."""
        os.kill(self.replicas[i].pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def retried(self):
        """Requests that nginx sent to more than one replica."""
        with open(f"{FOLDER}/access.log", encoding="utf-8") as f:
            return sum(1 for line in f if re.search(r"by \S+, \S+", line))

"""A kernel that a benchmark drives through jupyter_client's files and messages, and how its times are told."""

import math
import os
import platform
import statistics
import subprocess
import sys
import time
import uuid

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    """A cell's error, with its text."""


def kernel_manager(name):
    """Of an installed kernelspec, or of the one that a folder with a kernel.json is."""
    if not os.path.isfile(os.path.join(name, "kernel.json")):
        return KernelManager(kernel_name=name)
    folder = os.path.abspath(name)
    found = KernelSpecManager(kernel_dirs=[os.path.dirname(folder)])
    return KernelManager(kernel_name=os.path.basename(folder), kernel_spec_manager=found)


class Kernel:
    """A kernel of our own, on sockets that connect again within 5 ms: zmq's 100 ms would be part of its start."""

    def __init__(self, name, patience, mark=None, environment=None):
        self.patience = patience
        self.mark = mark or f"{'#' if is_python(name) else '//'} {uuid.uuid4()}"
        self.manager = kernel_manager(name)
        self.began = time.perf_counter()
        self.manager.start_kernel(env={**os.environ, **(environment or {})})
        self.session = self.manager.session
        self.context = zmq.Context()
        self.shell = self.connect(zmq.DEALER, self.manager.shell_port)
        self.iopub = self.connect(zmq.SUB, self.manager.iopub_port)
        self.iopub.setsockopt(zmq.SUBSCRIBE, b"")
        self.request("kernel_info_request", {}, patience)
        self.start = time.perf_counter() - self.began
        # IOPub may be joined later than shell: ask until it has answered, too.
        end = time.monotonic() + patience
        while not self.iopub.poll(10):
            self.request("kernel_info_request", {}, max(0.1, end - time.monotonic()))

    def connect(self, kind, port):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.setsockopt(zmq.RECONNECT_IVL, 5)
        scheme = self.manager.transport
        place = f"{self.manager.ip}:{port}" if scheme == "tcp" else f"{self.manager.ip}-{port}"
        socket.connect(f"{scheme}://{place}")
        return socket

    def receive(self, socket, request, seconds):
        """The next message that answers a request."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not socket.poll(1000 * left):
                raise SystemExit(f"no answer within {seconds:.0f} s")
            _, message = self.session.recv(socket, mode=0)
            if message["parent_header"].get("msg_id") == request:
                return message

    def request(self, kind, content, patience=None):
        """The content of the answer on shell."""
        sent = self.session.send(self.shell, kind, content)
        return self.receive(self.shell, sent["header"]["msg_id"], patience or self.patience)["content"]

    def execution(self, code):
        """The content of the request that runs a cell."""
        if not code.startswith(":"):
            code = f"{self.mark}\n{code}"
        return {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}

    def replied(self, code):
        """Seconds until the cell's answer on shell, which may come before `idle`."""
        content = self.execution(code)
        began = time.perf_counter()
        reply = self.request("execute_request", content)
        if reply["status"] != "ok":
            raise Failed(str(reply))
        return time.perf_counter() - began

    def run(self, code):
        """Seconds until idle, and the text of the cell's result."""
        content = self.execution(code)
        began = time.perf_counter()
        request = self.session.send(self.shell, "execute_request", content)["header"]["msg_id"]
        error, result = None, ""
        while True:
            message = self.receive(self.iopub, request, self.patience)
            content = message["content"]
            if message["msg_type"] == "error":
                error = f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] in ("execute_result", "display_data"):
                result = content["data"].get("text/plain", "")
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        seconds = time.perf_counter() - began
        reply = self.receive(self.shell, request, self.patience)["content"]
        if error or reply["status"] != "ok":
            raise Failed(error or str(reply))
        return seconds, result

    def memory(self):
        """Proportional set size of the kernel and all that it has started, in MB."""
        return sum(pss(pid) for pid in family(self.manager.provisioner.pid)) / 1024

    def stop(self):
        for socket in (self.shell, self.iopub):
            socket.close()
        self.manager.shutdown_kernel(now=True)
        self.context.term()


def family(root):
    """A process and all below it, as /proc tells."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parents[int(entry)] = int(stat.read().rsplit(") ", 1)[1].split()[1])
        except OSError:
            continue
    found = [root]
    for above in found:
        found += [pid for pid, parent in parents.items() if parent == above]
    return found


def pss(pid):
    return kilobytes(pid, "smaps_rollup", "Pss:")


def rss(pid):
    return kilobytes(pid, "status", "VmRSS:")


def kilobytes(pid, file, key):
    """What /proc says of a process; nothing if it has ended."""
    try:
        with open(f"/proc/{pid}/{file}") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith(key))
    except OSError:
        return 0


def p95(times):
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def summary(times):
    return {"n": len(times), "median": statistics.median(times), "p95": p95(times), "worst": max(times)}


def is_python(name):
    return name.startswith("python")


def completions(kernel, code):
    reply = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)})
    return "\n".join(reply.get("matches", [])) or "nothing"


def machine():
    with open("/proc/loadavg") as load:
        average = load.read().split()[0]
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {"cpus": os.cpu_count(), "load": float(average), "python": platform.python_version(), "rustc": rustc, "when": time.strftime("%Y-%m-%d %H:%M:%S")}

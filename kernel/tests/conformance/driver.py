"""A kernel under test, driven over its sockets."""

import os
import time
from queue import Empty

from jupyter_client.manager import KernelManager

NAME = "holoscope"
# Starting a session compiles a few cells; CI machines are slow.
PATIENCE = float(os.environ.get("HOLOSCOPE_PATIENCE", "180"))


class Cell:
    """What a cell did: its messages on IOPub in order, with their times, and its reply."""

    def __init__(self):
        self.messages, self.times, self.reply = [], [], None

    def of(self, kind):
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    def text(self, name="stdout"):
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    def shown(self):
        """Streams and displays in order, neighbours of one stream joined."""
        out = []
        for m in self.messages:
            c = m["content"]
            if m["msg_type"] == "stream":
                if out and out[-1][0] == c["name"]:
                    out[-1][1] += c["text"]
                else:
                    out.append([c["name"], c["text"]])
            elif m["msg_type"] in ("display_data", "execute_result"):
                out.append([m["msg_type"], c["data"].get("text/plain", "")])
        return [tuple(o) for o in out]

    @property
    def error(self):
        errors = self.of("error")
        assert len(errors) <= 1, f"{len(errors)} errors for one cell: {errors}"
        return errors[0] if errors else None

    @property
    def traceback(self):
        return "\n".join(self.error["traceback"])

    @property
    def result(self):
        results = self.of("execute_result")
        return results[-1]["data"]["text/plain"] if results else None


class Kernel:
    def __init__(self, **kwargs):
        self.manager = KernelManager(kernel_name=NAME, **kwargs)
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    @property
    def pid(self):
        return self.manager.provisioner.pid

    def start(self, code, **kwargs):
        return self.client.execute(code, **kwargs)

    def collect(self, request, patience=PATIENCE, reply=True):
        """Everything that belongs to a request, until it is idle."""
        cell = Cell()
        end = time.monotonic() + patience
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic()))
            except Empty:
                raise AssertionError(f"not idle within {patience} s; so far {[m['msg_type'] for m in cell.messages]}")
            if message["parent_header"].get("msg_id") != request:
                continue
            cell.messages.append(message)
            cell.times.append(time.monotonic())
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while reply:
            answer = self.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            if answer["parent_header"].get("msg_id") == request:
                cell.reply = answer["content"]
                break
        return cell

    def run(self, code, patience=PATIENCE, **kwargs):
        return self.collect(self.start(code, **kwargs), patience)

    def ok(self, code, **kwargs):
        cell = self.run(code, **kwargs)
        assert cell.reply["status"] == "ok", f"{code!r}: {cell.reply}"
        return cell

    def fails(self, code, ename, **kwargs):
        """The cell must fail with exactly one error, the same on IOPub and in the reply."""
        return self.failed(self.run(code, **kwargs), code, ename)

    @staticmethod
    def failed(cell, code, ename):
        assert cell.reply["status"] == "error", f"{code!r} answered {cell.reply['status']}"
        assert cell.error, f"{code!r} showed no error"
        assert cell.error["ename"] == cell.reply["ename"] == ename, f"{code!r}: {cell.error}"
        return cell

    def control(self, kind, content=None, patience=20):
        message = self.client.session.msg(kind, content or {})
        self.client.control_channel.send(message)
        end = time.monotonic() + patience
        while True:
            answer = self.client.get_control_msg(timeout=max(0.01, end - time.monotonic()))
            if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return answer["content"]

    def ask(self, kind, content, patience=20):
        """A request on shell: the content of its answer."""
        message = self.client.session.msg(kind, content)
        self.client.shell_channel.send(message)
        end = time.monotonic() + patience
        while True:
            answer = self.client.get_shell_msg(timeout=max(0.01, end - time.monotonic()))
            if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return answer["content"]

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def descendants(pid):
    """The processes below `pid`, as /proc tells."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    fields = stat.read().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry)] = int(fields[1])
    found = [pid]
    for above in found:
        found += [p for p, parent in parents.items() if parent == above]
    return found[1:]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(") ", 1)[1].split()[0] != "Z"
    except OSError:
        return False

"""The program that lives in a terminal: starts an attempt's program, keeps its output, tells its end.

Run as `python -I -S wrapper.py DIRECTORY`; the standard library only, little of it, because every
attempt waits for its imports. Invariant: at most one program is ever started for a directory (the
file `started`, made with O_EXCL before it); nothing of it is alive when `exit.json` appears.
"""

import errno
import json
import os
import select
import signal
import sys
import time

CAP = 64 * 1024 * 1024
GRACE_S = 2.0
LINUX = sys.platform.startswith("linux")


class State:
    """What the signal handlers tell the main loop."""

    asked = ""
    child_ended = False


def main(directory):
    os.chdir("/")
    os.umask(0o077)
    with open(os.path.join(directory, "launch.json"), encoding="utf-8") as file:
        launch = json.load(file)
    try:
        mark = os.open(
            os.path.join(directory, "started"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
        )
    except FileExistsError:
        return 0  # somebody has started it before; it must never run twice
    began = time.time()
    state = State()
    for number, word in ((signal.SIGHUP, "lost"), (signal.SIGTERM, "stopped"), (signal.SIGINT, "")):
        signal.signal(number, lambda *_, word=word: setattr(state, "asked", state.asked or word))
    signal.signal(signal.SIGCHLD, lambda *_: setattr(state, "child_ended", True))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(waker)
    os.write(mark, json.dumps(identity()).encode())
    os.fsync(mark)
    os.close(mark)
    sync_directory(directory)
    become_subreaper()
    record = Watch(directory, launch, state, wake).run()
    record.update(attempt=launch["attempt"], started_at=began, ended_at=time.time())
    write_record(directory, record)
    return 0


def identity():
    """pid, start time and boot, as `orch.terminals.process` compares them."""
    pid, started, boot = os.getpid(), 0, ""
    if LINUX:
        with open("/proc/self/stat", "rb") as file:
            started = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    return {"pid": pid, "started": started, "boot": boot}


def become_subreaper():
    """Daemonised grandchildren come back to us instead of escaping to init (Linux)."""
    if LINUX:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


class Watch:
    """One program from start to end."""

    def __init__(self, directory, launch, state, wake):
        self.directory = directory
        self.launch = launch
        self.state = state
        self.wake = wake
        self.streams = {}
        self.counts = {"stdout": 0, "stderr": 0}
        self.status = None
        self.pid = 0

    def run(self):
        error = self.start()
        if error:
            code = 127 if error.errno == errno.ENOENT else 126
            where = error.filename or self.launch["argv"][0]
            return self.record(code, error=f"cannot start {where}: {error.strerror}")
        timeout = self.launch.get("timeout_s") or 0
        deadline = time.monotonic() + timeout if timeout else None
        timed_out = False
        while self.status is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                timed_out = True
                break
            if self.state.asked:
                break
            self.pump(left)
            self.reap()
        self.end_tree()
        self.drain()
        return self.record(None, timed_out=timed_out)

    def start(self):
        """Fork and exec; the reason when the program cannot be started, else None."""
        tty = self.launch["io"] == "tty"
        pipes = {} if tty else {name: os.pipe() for name in ("stdout", "stderr")}
        report, reporter = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.child(pipes, reporter)
        os.close(reporter)
        if pipes:
            os.set_blocking(1, False)  # the screen is ours alone: the program has pipes
        for name, (read, write) in pipes.items():
            os.close(write)
            os.set_blocking(read, False)
            path = os.path.join(self.directory, name)
            self.streams[read] = (
                name,
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            )
        with os.fdopen(report, "rb") as file:
            said = file.read()
        if not said:
            return None
        os.waitpid(self.pid, 0)
        number, _, where = said.decode("utf-8", "replace").partition(" ")
        return OSError(int(number), os.strerror(int(number)), where)

    def child(self, pipes, reporter):
        """In the forked child: become the program, or report why not. Never returns."""
        where = self.launch["argv"][0]
        try:
            signal.set_wakeup_fd(-1)
            for number in (
                signal.SIGHUP,
                signal.SIGTERM,
                signal.SIGINT,
                signal.SIGCHLD,
                signal.SIGPIPE,
            ):
                signal.signal(number, signal.SIG_DFL)
            if pipes:
                os.setsid()
                with open(os.path.join(self.directory, "prompt"), "rb") as prompt:
                    os.dup2(prompt.fileno(), 0)
                os.dup2(pipes["stdout"][1], 1)
                os.dup2(pipes["stderr"][1], 2)
            else:
                os.setpgid(0, 0)
                signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                os.tcsetpgrp(0, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            if LINUX:
                import ctypes

                ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
            where = self.launch["cwd"]
            os.chdir(where)
            where = self.launch["argv"][0]
            os.umask(0o022)
            os.closerange(3, reporter)
            os.closerange(reporter + 1, 256)
            os.execvpe(where, self.launch["argv"], self.launch["env"])
        except OSError as error:
            os.write(reporter, f"{error.errno or 5} {where}".encode())
        finally:
            os._exit(127)

    def pump(self, left):
        """Move output until something happens, or `left` seconds have passed."""
        ready, _, _ = select.select([*self.streams, self.wake], [], [], left)
        for source in ready:
            if source == self.wake:
                try:
                    os.read(self.wake, 512)
                except BlockingIOError:
                    pass  # the wake-up was read by an earlier turn
            else:
                self.copy(source)

    def copy(self, source):
        """One read: into the file (up to the cap) and onto the screen (as far as it takes it)."""
        name, target = self.streams[source]
        try:
            data = os.read(source, 65536)
        except BlockingIOError:
            return False
        if not data:
            os.close(source)
            os.close(target)
            del self.streams[source]
            return False
        kept = data[: max(0, CAP - self.counts[name])]
        self.counts[name] += len(data)
        if kept:
            write_all(target, kept)
        show(data)
        return True

    def reap(self):
        """Collect ended children; note the program's own status."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def end_tree(self):
        """End the program and whatever it left behind; all of it is gone afterwards."""
        first = self.status is None
        for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 10.0)):
            deadline = time.monotonic() + patience
            while True:
                living = descendants(os.getpid())
                if not living:
                    self.reap()
                    return
                for pid in living:
                    kill(pid, number)
                if first and number == signal.SIGTERM:
                    kill(self.pid, signal.SIGCONT)
                if self.streams:
                    self.pump(0.01)
                else:
                    time.sleep(0.005)
                self.reap()
                if time.monotonic() > deadline:
                    break

    def drain(self):
        """What is still in the pipes; their writers are gone."""
        for source in list(self.streams):
            while source in self.streams and self.copy(source):
                pass

    def record(self, code, *, error="", timed_out=False):
        number = 0
        if code is None:
            status = self.status if self.status is not None else signal.SIGKILL
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            code = 128 + number if number else os.WEXITSTATUS(status)
        asked = "" if timed_out or error else self.state.asked
        return {
            "exit_code": code,
            "signal": number,
            "timed_out": timed_out,
            "lost": asked == "lost",
            "stopped": asked == "stopped",
            "error": error,
            "stdout_bytes": self.counts["stdout"],
            "stderr_bytes": self.counts["stderr"],
        }


def descendants(root):
    """Living processes below `root`."""
    if not LINUX:
        import subprocess

        text = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True)
        rows = [line.split() for line in text.stdout.splitlines()]
        pairs = [(int(r[0]), int(r[1])) for r in rows if not r[2].startswith("Z")]
    else:
        pairs = []
        queue = [root]
        while queue:
            parent = queue.pop()
            try:
                threads = os.listdir(f"/proc/{parent}/task")
                for thread in threads:
                    with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as file:
                        for word in file.read().split():
                            pairs.append((int(word), parent))
                            queue.append(int(word))
            except OSError:
                continue
        return [pid for pid, _ in pairs if not zombie(pid)]
    found, queue = [], [root]
    while queue:
        parent = queue.pop()
        for pid, its_parent in pairs:
            if its_parent == parent:
                found.append(pid)
                queue.append(pid)
    return found


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it went by itself


def show(data):
    """Onto the screen; a slow or absent screen never holds the program up."""
    try:
        os.write(1, data)
    except OSError:
        pass  # display only


def write_all(target, data):
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return  # the disk is full: the program's own writes will tell it


def write_record(directory, record):
    """Temporary, fsync, rename, fsync of the directory: whole or not there."""
    temporary = os.path.join(directory, "exit.json.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, os.path.join(directory, "exit.json"))
    sync_directory(directory)


def sync_directory(directory):
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

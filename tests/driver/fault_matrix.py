#!/usr/bin/env python3
"""The fault matrix: what can happen to a run, how often it was tried, and what it cost.

fault_matrix.py [--share S] [--only WORDS] [--trial N] [--seed N]: S scales the numbers of trials; WORDS choose rows, N a trial of them.
Called with PARTITA (the program), MPIEXEC, INPUTS and FAILING_CALLS (a library, see its source) in the environment.

A trial disturbs a run in one way, lets it go on, and compares all that it left but times and dates with a run that nothing disturbed:
    lost      draws that are missing at the end
    wrong     runs that ended with other bits
    hangs     processes that had to be killed
    crashes   ends by SIGSEGV and the like, or as "a bug in Partita"
    silent    damage that is in the result, or ended the run, and that no message names
    code      exit codes that do not say what happened
Everything random follows from the seed, the row and the number of the trial, except for what the operating system does meanwhile.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

from launching import environment

program, mpiexec, failing_calls = (os.environ.get(name, "") for name in ("PARTITA", "MPIEXEC", "FAILING_CALLS"))
here = Path(__file__).resolve().parent
limit = 120  # seconds a program may take on a busy machine before it counts as hanging
columns = ("lost", "wrong", "hangs", "crashes", "silent", "code")
done, bad_deck, bad_data, storage, locked, no_answer, stopped = 0, 2, 3, 4, 6, 7, 85  # exit codes


class NotMade(Exception):
    """There was nothing to disturb."""


class Problem(Exception):
    def __init__(self, column: str, text: str, count: int = 1):
        super().__init__(text)
        self.column, self.count = column, count


# --- programs -----------------------------------------------------------------------------------------------------------------------------
class Program:
    """The program on some ranks, in a folder, its output in a file of that folder."""

    launchers_that_hung = 0  # without any rank that lived

    def __init__(self, folder: Path, ranks: int, *arguments: str, variables: dict[str, str] | None = None):
        launcher = [mpiexec, "-n", str(ranks), "--oversubscribe"] if ranks > 1 else []
        self.ranks, self.words = ranks, " ".join(arguments)
        self.log = folder / f"output-{time.monotonic_ns()}"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([*launcher, program, *arguments], cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            env=environment | (variables or {}), start_new_session=True)

    def rank_processes(self) -> list[int]:
        if self.ranks == 1:
            return [self.process.pid]
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return [int(p) for p in found.stdout.split()]

    def lives(self) -> bool:
        """Whether any of its ranks does."""

        def is_running(process: int) -> bool:
            try:
                return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
            except OSError:
                return False

        return any(is_running(p) for p in self.rank_processes())

    def send(self, number: int, processes: list[int]) -> None:
        for p in processes:
            try:
                os.kill(p, number)
            except ProcessLookupError:
                pass

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, seconds: float = limit) -> int:
        """Its exit code, -n after signal n."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            lived = self.lives()
            self.send(signal.SIGKILL, [*self.rank_processes(), self.process.pid])
            self.process.wait()
            if not lived:  # Open MPI 4.1, where ranks die while they connect to it
                Program.launchers_that_hung += 1
                return -signal.SIGKILL
            raise Problem("hangs", f"{self.words} hangs; its last words: {self.output()[-300:]}") from None
        crashed = {-s for s in (4, 6, 7, 8, 11)} | {128 + s for s in (4, 6, 7, 8, 11)} | {70}
        if code in crashed or re.search("Segmentation fault|a bug in Partita", self.output()):
            raise Problem("crashes", f"{self.words} ends with {code}: {self.output()[-600:]}")
        return code


def run(folder: Path, ranks: int, *arguments: str, **more) -> tuple[int, str]:
    p = Program(folder, ranks, *arguments, **more)
    return p.end(), p.output()


def must(code: int, expected: int | tuple[int, ...], what: str, output: str) -> None:
    if code not in ((expected,) if isinstance(expected, int) else expected):
        raise Problem("code", f"{what} ends with {code} instead of {expected}: {output[-600:]}")


# --- what a run leaves --------------------------------------------------------------------------------------------------------------------
def dump(path: Path) -> str:
    """All datasets of an HDF5 file with all their digits; no attributes, which hold dates."""
    shown = subprocess.run(["h5dump", "-A", "0", "-m", "%.17g", path.name], cwd=path.parent, capture_output=True, text=True)
    if shown.returncode != 0:
        raise Problem("wrong", f"{path} cannot be read: {shown.stderr[-300:]}")
    return shown.stdout


def contents(directory: Path) -> dict[str, str]:
    """What is to be the same bit by bit, under names that do not depend on how often the run stopped."""
    kept = {str(p.relative_to(directory)): dump(p) for p in sorted(directory.glob("samples/part-*.h5")) + sorted(directory.glob("estimates/*.h5"))}
    kept["history.h5"] = dump(directory / "history.h5")
    kept["the newest checkpoint"] = dump(max(directory.glob("checkpoints/step-*.h5")))
    kept["metrics"] = json.dumps(json.loads((directory / "summary.json").read_text())["metrics"], indent=1)
    return kept


def draws(of: dict[str, str]) -> int:
    sizes = [re.search(r'DATASET "draw" \{.*?SIMPLE \{ \( (\d+) \)', text, re.S) for name, text in of.items() if name.startswith("samples/")]
    return sum(int(size[1]) for size in sizes if size)


def compare(directory: Path, reference: dict[str, str], but: tuple[str, ...] = ()) -> None:
    got = contents(directory)
    if draws(got) < draws(reference):
        raise Problem("lost", f"{draws(got)} draws instead of {draws(reference)} in {directory}", draws(reference) - draws(got))
    differing = [name for name in sorted(got.keys() | reference.keys()) if name not in but and got.get(name) != reference.get(name)]
    if differing:
        raise Problem("wrong", f"other bits in {', '.join(differing)} of {directory}")


def status(directory: Path) -> dict:
    try:
        return json.loads((directory / "run.status.json").read_text())
    except FileNotFoundError:
        return {}


# --- the families -------------------------------------------------------------------------------------------------------------------------
def small(name: str) -> list[str]:
    """A deck that the shell tests use."""
    script = f'source "{here}/common.sh"; printf "%s\\n" "${{small_{name}[@]}}"'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


class Family:
    """A deck, how it is lengthened to a second or two, and a run of it that nothing disturbed."""

    def __init__(self, name: str, base: str, *settings: str):
        self.name = name
        self.deck = [*small(base), *(word for s in settings for word in ("--set", s))]

    def prepare(self, folder: Path) -> None:
        start = time.monotonic()
        code, output = run(folder, 1, "run", *self.deck, "--set", f"run.output={self.name}")
        if code != 0:
            sys.exit(f"the undisturbed run of {self.name} ends with {code}: {output}")
        self.seconds = time.monotonic() - start
        self.reference = contents(folder / self.name)

    def start(self, folder: Path, ranks: int, *arguments: str, **more) -> Program:
        return Program(folder, ranks, "run", *self.deck, "--set", "run.output=trial", "--restart", "auto", *arguments, **more)

    def moment(self, rng: random.Random, ranks: int) -> float:
        """Uniform over the time of a run: seconds after its start."""
        return rng.uniform(0, 1.05 * self.seconds) * (1 if ranks == 1 else 1.6)

    def finish(self, folder: Path, ranks: int) -> None:
        p = self.start(folder, ranks)
        must(p.end(), done, f"{self.name}, continued on {ranks} ranks,", p.output())
        compare(folder / "trial", self.reference)


families = [
    Family("sampler", "well", "sampler.steps=12000", "sampler.thin=300", "output.draws_per_part=7", 'checkpoint.every="500 steps"'),
    Family("network", "moons", "train.updates=1000", 'checkpoint.every="50 steps"'),
    Family("rbm", "bars", "train.updates=3000", 'checkpoint.every="100 steps"'),
    Family("hee", "hee", "train.updates=1500", 'checkpoint.every="50 steps"'),
    Family("flow", "flow", "train.updates=3000", 'checkpoint.every="100 steps"'),
    Family("score", "score", "train.updates=1500", 'checkpoint.every="50 steps"'),
]
# For faults of single files: a run of many small ones, made longer when it goes on.
halfway = Family("halfway", "gaussian", "output.draws_per_part=5", 'checkpoint.every="100 steps"')
longer = Family("longer", "gaussian", "output.draws_per_part=5", 'checkpoint.every="100 steps"', "sampler.steps=600")


# --- processes ----------------------------------------------------------------------------------------------------------------------------
def killed(rng: random.Random, folder: Path, _: int) -> None:
    """KILL to one rank or to all, at any moment, once or twice, and on to the end on another number of ranks."""
    family = rng.choice(families)
    for _ in range(rng.choice((1, 1, 2))):
        ranks = rng.randint(1, 3)
        p = family.start(folder, ranks)
        time.sleep(family.moment(rng, ranks))
        victims = p.rank_processes()
        p.send(signal.SIGKILL, victims if rng.random() < 0.5 else victims[:1])
        p.end()
    family.finish(folder, rng.randint(1, 3))


def signalled(rng: random.Random, folder: Path, _: int) -> None:
    """TERM, USR1 or INT to one rank, at any moment: stopped early, or done."""
    family, ranks, number = rng.choice(families), rng.randint(1, 3), rng.choice((signal.SIGTERM, signal.SIGUSR1, signal.SIGINT))
    p = family.start(folder, ranks)
    time.sleep(family.moment(rng, ranks))
    victims = p.rank_processes()
    p.send(number, victims[-1:])
    code = p.end()
    if status(folder / "trial"):
        must(status(folder / "trial")["exit_code"], (done, stopped), f"{family.name} on {ranks} ranks after signal {number}", p.output())
    else:  # before the program has said anything
        must(code, (stopped, -number, 128 + number, *([1] if ranks > 1 else [])), f"{family.name} on {ranks} ranks, started and sent signal {number},",
             p.output())
    family.finish(folder, rng.randint(1, 3))


def two_writers(rng: random.Random, folder: Path, _: int) -> None:
    """A second run in the same directory ends with 6, or has nothing to do after the first."""
    family, ranks = rng.choice(families), rng.randint(1, 2)
    both = [family.start(folder, ranks)]
    time.sleep(rng.choice((0, rng.uniform(0, 0.5), family.moment(rng, ranks))))
    both.append(family.start(folder, rng.randint(1, 2)))
    codes = [p.end() for p in both]
    if done not in codes:
        raise Problem("code", f"two runs at once end with {codes}: {both[0].output()[-300:]} {both[1].output()[-300:]}")
    for p, code in zip(both, codes):
        must(code, (done, locked), "one of two runs at once", p.output())
    compare(folder / "trial", family.reference)


def suspended(rng: random.Random, folder: Path, _: int) -> None:
    """On a file system without locks a run is suspended until another has taken over its directory: it finds that out and ends with 6."""
    no_locks = {"NO_LOCKS": "1", "LD_PRELOAD": failing_calls}
    family = families[0]
    endless = ["--set", "sampler.steps=100000000", "--set", "sampler.thin=1000000", "--set", 'checkpoint.every="1s"']
    first = family.start(folder, 1, *endless, variables=no_locks)
    while not list(folder.glob("trial/checkpoints/*.manifest")):
        time.sleep(0.05)
        if first.process.poll() is not None:
            raise Problem("code", f"the first run ended: {first.output()}")
    time.sleep(rng.uniform(0, 2))
    first.send(signal.SIGSTOP, [first.process.pid])
    second = family.start(folder, 1, *endless, variables=no_locks)
    end = time.monotonic() + limit
    while "continuing from" not in second.output():
        time.sleep(0.05)
        if second.process.poll() is not None or time.monotonic() > end:
            raise Problem("code", f"the second run does not take over: {second.output()}")
    first.send(signal.SIGCONT, [first.process.pid])
    must(first.end(), locked, "the run that was suspended", first.output())
    second.send(signal.SIGTERM, [second.process.pid])
    must(second.end(), stopped, "the run that took over", second.output())


# --- storage ------------------------------------------------------------------------------------------------------------------------------
class FailingCall:
    """The n-th call of a kind on files of the run fails, once or from then on, on a rank: the run ends with 4 or gets over it."""

    def __init__(self, call: str, error: int, for_good: bool, ranks: int):
        self.call, self.error, self.for_good, self.ranks = call, error, for_good, ranks

    def __call__(self, rng: random.Random, folder: Path, nth: int) -> None:
        variables = {"LD_PRELOAD": failing_calls, "FAIL_CALL": self.call, "FAIL_PATH": "trial/", "FAIL_ERRNO": str(self.error),
                     "FAIL_FROM": str(nth + 1)}
        if self.for_good:
            variables |= {"FAIL_ALWAYS": "1", "NO_FALLOCATE": "1"}
        if self.ranks > 1:
            variables["FAIL_RANK"] = str(rng.randrange(self.ranks))
            # All ranks write to the file, or one of them for the others.
            variables["OMPI_MCA_fcoll"] = rng.choice(("individual", "vulcan"))
        # Where a file that could be opened a moment ago cannot be opened inside MPI_File_open, Open MPI 4.1 waits for ever: the watchdog's.
        inside_mpi = self.ranks > 1 and self.call == "open"
        p = longer.start(folder, self.ranks, *(("--set", "run.watchdog=15s") if inside_mpi else ()), variables=variables)
        code = p.end()
        if "failing_calls:" not in p.output():
            raise NotMade
        must(code, (done, storage, *((no_answer,) if inside_mpi else ())), f"{self.call} number {nth + 1}, failing with {self.error},", p.output())
        if code == done and "warning" not in p.output():
            compare(folder / "trial", longer.reference)
        longer.finish(folder, rng.randint(1, 2))


def disk_full(rng: random.Random, folder: Path, _: int) -> None:
    """A file system of random size fills up; with more room the run goes on."""
    mounted = folder / "trial"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={rng.randrange(20, 500)}k", "tmpfs", str(mounted)], capture_output=True).returncode != 0:
        raise NotImplementedError("no permission to mount a tmpfs")
    try:
        ranks = rng.randint(1, 2)
        p = longer.start(folder, ranks, variables={"LD_PRELOAD": failing_calls, "NO_FALLOCATE": "1"} if rng.random() < 0.5 else {})
        must(p.end(), (done, storage), "a run on a disk that fills up", p.output())
        subprocess.run(["mount", "-o", "remount,size=8m", str(mounted)], check=True, capture_output=True)
        longer.finish(folder, ranks)
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


# --- files --------------------------------------------------------------------------------------------------------------------------------
def flip(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1:]


def mutate(rng: random.Random, content: bytes) -> bytes:
    """Some bytes changed, lost, repeated or put elsewhere."""
    for _ in range(rng.choice((1, 1, 2, 8))):
        a, b = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        b = min(b, a + rng.choice((1, 4, 64, 4096)))
        content = rng.choice((
            lambda: content[:a],
            lambda: content[:a] + content[b:],
            lambda: content[:b] + content[a:],
            lambda: content[:a] + rng.randbytes(b - a) + content[b:],
            lambda: content[:a] + bytes(b - a) + content[b:],
            lambda: content[:a] + b"\xff" * (b - a) + content[b:],
            lambda: content[b:] + content[a:b] + content[:a],
        ))() or b"\0"
    return content


def replace(rng: random.Random, path: Path, others: list[Path]) -> None:
    """By nothing, by an empty or another file, by a directory, by a pipe nobody writes to, by a link to nowhere."""
    kind = rng.choice(("nothing", "empty", "other", "directory", "pipe", "link"))
    content = rng.choice(others).read_bytes()
    path.unlink()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "other":
        path.write_bytes(content)
    elif kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("nowhere")


class Damaged:
    """One file of a run directory is damaged in some way: `info` says what it can, and the longer run has the right bits or does not begin."""

    def __init__(self, prepared: Path, damage: Callable[[random.Random, Path, list[Path]], None]):
        self.prepared, self.damage = prepared, damage

    def __call__(self, rng: random.Random, folder: Path, _: int) -> None:
        directory = folder / "trial"
        shutil.copytree(self.prepared, directory)
        files = sorted(p for p in directory.rglob("*") if p.is_file())
        # Kinds are equally likely, however many files there are of each.
        kind = rng.choice(sorted({re.sub(r"\d+", "N", p.name) for p in files}))
        victim = rng.choice([p for p in files if re.sub(r"\d+", "N", p.name) == kind])
        self.damage(rng, victim, files)
        code, output = run(folder, 1, "info", "trial")
        must(code, (done, bad_data), f"info with a damaged {victim.name}", output)
        if victim.is_file():
            code, output = run(folder, 1, "info", str(victim.relative_to(folder)))
            must(code, (done, bad_deck, bad_data), f"info of a damaged {victim.name}", output)
        p = longer.start(folder, rng.choice((1, 1, 2)))
        code, output = p.end(), p.output()
        must(code, (done, bad_deck, bad_data, storage), f"the run with a damaged {victim.name}", output)
        named = victim.stem in output or (victim.name.startswith("history.") and "history" in output)
        if code != done and not named:
            raise Problem("silent", f"{victim.name} is damaged and not named: {output[-600:]}")
        if code == done:
            lost_rows = re.search("^warning: .*history", output, re.M) is not None
            compare(directory, longer.reference, ("history.h5",) if lost_rows else ())


class DamagedInput:
    """A file that a deck reads is damaged: the deck runs, or ends with what is wrong and with the file's name."""

    def __init__(self, inputs: dict[str, Path], decks: dict[str, list[str]]):
        self.inputs, self.decks = inputs, decks

    def __call__(self, rng: random.Random, folder: Path, _: int) -> None:
        name = rng.choice(sorted(self.inputs))
        original = self.inputs[name]
        path = folder / name
        if original.is_dir():
            shutil.copytree(original, path)
            files = sorted(p for p in path.rglob("*.h5"))
        else:
            shutil.copy(original, path)
            files = [path]
        victim = rng.choice(files)
        if rng.random() < 0.2:
            replace(rng, victim, files)
        else:
            victim.write_bytes(rng.choice((flip, mutate))(rng, victim.read_bytes()))
        p = Program(folder, 1, "run", *self.decks[name], "--set", "run.output=trial")
        code = p.end()
        must(code, (done, bad_data, bad_deck, storage), f"a deck with a damaged {victim.name}", p.output())
        if code != done and not re.search(re.escape(name), p.output()):
            raise Problem("silent", f"{victim.name} is damaged and not named: {p.output()[-600:]}")


def hostile_kinds() -> dict[str, Callable[[Path], object]]:
    """What a name may stand for that is no data."""
    return {
        "pipe": os.mkfifo,
        "directory": Path.mkdir,
        "endless device": lambda p: p.symlink_to("/dev/zero"),
        "full device": lambda p: p.symlink_to("/dev/full"),
        "ring of links": lambda p: p.symlink_to(p.name),
        "empty": lambda p: p.write_bytes(b""),
        "hole of 64 GB": lambda p: (p.touch(), os.truncate(p, 1 << 36)),
        "noise": lambda p: p.write_bytes(random.Random(1).randbytes(100000)),
        "beginning of an HDF5 file": lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(2000)),
        "line without end": lambda p: p.write_bytes(b"1" * 3000000),
        "open brackets": lambda p: p.write_bytes(b"[" * 1000000),
        "UTF-16": lambda p: p.write_bytes("1,2\n".encode("utf-16")),
    }


def hostile(_: random.Random, folder: Path, number: int) -> None:
    """Each of them where `info`, a deck, data, parameters or points are read: an end within seconds, in words that name it."""
    kinds = hostile_kinds()
    readers = {
        "info": lambda name: ["info", name],
        "deck": lambda name: ["run", name],
        "csv": lambda name: ["run", "data.toml", "--set", "data.type=csv", "--set", f"data.path={name}"],
        "hdf5": lambda name: ["run", "data.toml", "--set", "data.type=hdf5", "--set", f"data.path={name}", "--set", "data.dataset=x"],
        "idx": lambda name: ["run", "data.toml", "--set", "data.type=idx", "--set", f"data.path={name}"],
        "parameters": lambda name: ["run", *small("bars"), "--set", f"model.from={name}"],
        "points": lambda name: ["run", "points.toml", "--set", f"input.path={name}"],
    }
    if number >= len(kinds) * len(readers):
        raise NotMade
    kind, reader = sorted(kinds)[number % len(kinds)], sorted(readers)[number // len(kinds)]
    kinds[kind](folder / "hostile")
    (folder / "data.toml").write_text(re.sub(r"\[data\].*?\n\n", '[data]\ntype = "csv"\npath = "hostile"\n\n', Path(small("score")[0]).read_text(),
                                             flags=re.S))
    (folder / "points.toml").write_text('[run]\ntask = "estimate"\noutput = "points"\n[input]\npath = "hostile"\n[[estimator]]\ntype = "moments"\n')
    p = Program(folder, 1, *readers[reader]("hostile"))
    code = p.end(30)
    must(code, (done,) if reader == "info" and kind == "directory" else (bad_deck, bad_data, storage), f"{kind} as {reader}", p.output())
    if "hostile" not in p.output():
        raise Problem("silent", f"{kind} as {reader} is not named: {p.output()[-400:]}")


def changed_data(rng: random.Random, folder: Path, _: int) -> None:
    """Between two parts of a run a number in its data changes: refused, by name."""
    points = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(200)]
    path = folder / "points.csv"

    def write() -> None:
        path.write_text("".join(f"{x!r},{y!r}\n" for x, y in points))

    write()
    text = Path(small("score")[0]).read_text()
    (folder / "points.toml").write_text(re.sub(r"\[data\].*?\n\n", '[data]\ntype = "csv"\npath = "points.csv"\n\n', text, flags=re.S))
    settings = ["model.layers=[2, 8, 1]", "train.batch=50", "train.updates=40", "train.schedule_updates=40", "run.output=trial"]
    deck = ["points.toml", *(word for s in settings for word in ("--set", s))]
    code, output = run(folder, 1, "run", *deck)
    must(code, done, "a run of points", output)
    points[rng.randrange(200)][rng.randrange(2)] += 10.0 ** rng.randrange(-12, 3)
    write()
    code, output = run(folder, 1, "run", *deck, "--set", "train.updates=60", "--restart", "auto")
    must(code, (bad_deck, bad_data), "a run whose data changed", output)
    if "points.csv" not in output:
        raise Problem("silent", f"the changed data are not named: {output[-400:]}")


# --- the table ----------------------------------------------------------------------------------------------------------------------------
class Row:
    """`fewest`: trials that are made of the smallest share."""

    def __init__(self, fault: str, trials: int, trial: Callable[[random.Random, Path, int], None], fewest: int = 1):
        self.fault, self.trials, self.trial, self.fewest = fault, trials, trial, fewest
        self.made = self.not_made = 0  # not_made: one after the other
        self.counts = dict.fromkeys(columns, 0)
        self.remarks: list[str] = []


def attempt(row: Row, number: int, seed: int, base: Path) -> bool:
    """One trial; whether there may be more."""
    folder = Path(tempfile.mkdtemp(dir=base))
    try:
        row.trial(random.Random(f"{seed} {row.fault} {number}"), folder, number)
        row.made, row.not_made = row.made + 1, 0
    except Problem as problem:
        row.made, row.not_made = row.made + 1, 0
        row.counts[problem.column] += problem.count
        row.remarks.append(f"trial {number}: {problem.column}: {problem}")
    except NotMade:  # calls are counted by each rank, and some ranks make few
        row.not_made += 1
        return row.not_made < 8
    except NotImplementedError as reason:
        row.remarks.append(f"skipped: {reason}")
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1, help="of the trials")
    parser.add_argument("--only", default="", help="rows whose fault contains these words")
    parser.add_argument("--trial", type=int, help="this trial alone")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if missing := [name for name in ("PARTITA", "MPIEXEC", "INPUTS", "FAILING_CALLS") if not os.environ.get(name)]:
        parser.error(f"set {', '.join(missing)} as tests/driver/CMakeLists.txt does: the program, mpirun, inputs/, and libfailing_calls.so")
    base = Path(tempfile.mkdtemp(prefix="faults-"))
    for family in [*families, halfway, longer]:
        family.prepare(base)

    def damage(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path, list[Path]], None]:
        return lambda rng, path, _: path.write_bytes(change(rng, path.read_bytes() or b"\0")) and None

    data = base / "data.h5"
    shutil.copy(max((base / "sampler/samples").glob("part-*.h5")), data)
    inputs = {"rbm": base / "rbm", "network": base / "network", "flow": base / "flow"}
    decks = {name: [*small({"rbm": "bars", "network": "moons", "flow": "flow"}[name]), "--set", f"model.from={name}", "--set", "train.updates=2"]
             for name in inputs}
    rows = [
        Row("killed at any moment, one rank or all", 200, killed, 6),
        Row("TERM, USR1, INT to one rank", 100, signalled, 4),
        Row("two runs in one directory", 30, two_writers, 2),
        Row("suspended, and taken over", 4, suspended),
        *(Row(f"{call} fails {'from then on' if for_good else 'once'}, {ranks} rank{'s' if ranks > 1 else ''}", trials,
              FailingCall(call, error, for_good, ranks), 10)
          for call, trials in (("write", 400), ("pwrite", 400), ("fsync", 400), ("rename", 400), ("open", 400), ("truncate", 400))
          for error, for_good, ranks in ((5, False, 1), (28, True, 1), (5, True, 2))),
        Row("the disk fills up", 30, disk_full),
        Row("one bit of any file", 100, Damaged(base / "halfway", damage(flip)), 10),
        Row("bytes of any file", 100, Damaged(base / "halfway", damage(mutate)), 10),
        Row("a file replaced", 60, Damaged(base / "halfway", replace), 10),
        Row("files that a deck reads", 100, DamagedInput(inputs, decks), 10),
        Row("hostile files", 200, hostile, 15),
        Row("data changed between parts", 20, changed_data),
    ]
    rows = [row for row in rows if options.only in row.fault]
    width = max(len(row.fault) for row in rows)
    print(f"{'fault':{width}}  trials  " + "  ".join(f"{c:>7}" for c in columns), flush=True)
    for row in rows:
        # Where every call has its trial, a share of them is spread over all.
        numbers = [options.trial] if options.trial is not None else range(row.trials)
        if options.trial is None and options.share < 1:
            numbers = range(0, row.trials, max(1, min(round(1 / options.share), row.trials // row.fewest)))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = iter(numbers)
            running = set()
            more = True
            while more or running:
                while more and len(running) < 2:
                    number = next(waiting, None)
                    if number is None:
                        more = False
                    else:
                        running.add(pool.submit(attempt, row, number, options.seed, base))
                ended, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                more = more and all(e.result() for e in ended)
        print(f"{row.fault:{width}}  {row.made:6}  " + "  ".join(f"{row.counts[c]:7}" for c in columns), flush=True)
        for remark in row.remarks[:10]:
            print("    " + remark.replace("\n", "\n    "), flush=True)
    if Program.launchers_that_hung > 0:
        print(f"mpirun itself hung {Program.launchers_that_hung} times, with no rank alive")
    shutil.rmtree(base, ignore_errors=True)
    return 1 if any(any(row.counts.values()) or row.made == 0 and not row.remarks for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

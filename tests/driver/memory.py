#!/usr/bin/env python3
"""What `partita check` says that the decks of inputs/ need in memory is what their runs take at most: within a quarter, or 32 MB.

Called with PARTITA (the program), MPIEXEC and INPUTS in the environment, and decks as arguments ("NAME", or "NAME:RANKS"); none: all of them.
Runs are shortened where memory does not depend on it: in their steps, updates and temperatures. Data that may be missing are replaced by made
ones of the same size. What a run takes is the peak of its resident memory, summed over its ranks, less that of a run of next to nothing.
"""
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import launching

allowed, small = 0.25, 32e6  # of the measured peak; bytes

few_updates = ["train.updates=3", "output.history_every=1"]
mnist = ["data.path=mnist.h5"]
ais = ["estimator.0.temperatures=20", "estimator.0.warmup=5"]
brief = ["duration=0.05", "average_over=0.02"]
untrained = ['model.from=""']


def of_estimator(number: int, settings: list[str]) -> list[str]:
    return [f"estimator.{number}.{setting}" for setting in settings]


shortened = {
    "boltzmann_machine_bars": few_updates,
    "dbn_mnist": [*mnist, *few_updates, *ais],
    "dbn_mnist_generate": [*mnist, *untrained, "generator.steps=2"],
    "denoising_fashion_mnist": few_updates,
    "denoising_fashion_mnist_sample": [*untrained, "sampler.level_steps=1", "sampler.steps=31", "sampler.warmup=30"],
    "double_well": ["sampler.steps=110", "sampler.warmup=100", "sampler.thin=1"],
    "estimate_published_rbm": [*mnist, *untrained, *ais],
    "gaussian": ["sampler.steps=200", "sampler.warmup=100", "sampler.thin=1"],
    "gaussian_rbm_fashion_mnist": few_updates,
    "hee_2d": few_updates,
    "hee_2d_generate": untrained,
    "hee_cifar10": ["data.path=cifar", *few_updates, "train.updates=1", *of_estimator(0, brief)],
    "hee_cifar10_generate": ["data.path=cifar", *untrained, "generator.duration=0.2", "generator.average_over=0.1"],
    "hee_fashion_mnist": [*few_updates, *of_estimator(0, brief)],
    "hee_fashion_mnist_generate": [*untrained, "generator.duration=0.2", "generator.average_over=0.1"],
    "hee_fashion_mnist_small": [*few_updates, *of_estimator(1, brief)],
    "hee_fashion_mnist_small_generate": untrained,
    "hee_hessian": [],
    "hee_relaxation": ["estimator.0.adaptation=[0.5]", "estimator.0.duration=40"],
    "hopfield_capacity": ["estimator.0.networks=2", "estimator.0.sweeps=1", "estimator.0.report_sweeps=[2]"],
    "ising_2d": ["sampler.steps=160", "sampler.warmup=10", "sampler.thin=1"],
    "many_well": ["sampler.steps=80", "sampler.warmup=10", "sampler.thin=1"],
    "modern_hopfield": ["model.patterns=400000", "estimator.0.queries=256"],
    "nice_double_well": few_updates,
    "nice_many_well": few_updates,
    "nice_phi4": few_updates,
    "quickstart": [*few_updates, "output.samples_every=1"],
    "ratings_movielens": ["data.path=ratings.csv", *few_updates],
    "rbm_bars": few_updates,
    "rbm_fashion_mnist": few_updates,
    "rbm_inpainting": [*mnist, *untrained, "sampler.steps=10", "sampler.warmup=2", "sampler.thin=1"],
    "rbm_mnist": [*mnist, *few_updates, "output.samples_every=1", *ais],
    "score_2d_denoising": few_updates,
    "score_2d_exact": few_updates,
    "score_2d_langevin": [*untrained, "sampler.steps=5", "sampler.warmup=4"],
    "score_2d_sample": [*untrained, "sampler.level_steps=1", "sampler.steps=11", "sampler.warmup=10"],
    "score_2d_sliced": few_updates,
    "two_moons": [*few_updates, "estimator.0.sampler_steps=2"],
}
# A chain of one coordinate, whose arrays are nothing beside the program itself.
idle = """
[run]
task = "sample"
output = "runs/idle"
[model]
type = "double_well"
[sampler]
type = "ula"
step_size = 0.01
chains = 16
steps = 2
warmup = 1
thin = 1
"""


numbers = random.Random(1)


def make_mnist() -> None:
    bits = bytes(byte & 1 for byte in range(256))
    datasets = []
    for name, rows in (("train", 60000), ("test", 10000)):
        Path(f"{name}.raw").write_bytes(numbers.randbytes(rows * 784).translate(bits))
        Path(f"{name}.conf").write_text(
            f"PATH {name}\nINPUT-CLASS UIN\nINPUT-SIZE 8\nRANK 2\nDIMENSION-SIZES {rows} 784\nOUTPUT-CLASS UIN\nOUTPUT-SIZE 8\n")
        datasets += [f"{name}.raw", "-c", f"{name}.conf"]
    subprocess.run(["h5import", *datasets, "-o", "mnist.h5"], check=True, stdout=subprocess.DEVNULL)


def make_ratings() -> None:
    rated = {(numbers.randrange(671), item if item < 9066 else numbers.randrange(9066)) for item in range(100_000)}
    lines = [f"{user},{item},{numbers.randint(1, 10) / 2}" for user, item in sorted(rated)]
    Path("ratings.csv").write_text("\n".join(["user,item,rating", *lines]) + "\n")


def make_cifar() -> None:
    Path("cifar").mkdir()
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        Path("cifar", f"{name}.bin").write_bytes(numbers.randbytes(10000 * 3073))


made = {"mnist.h5": make_mnist, "ratings.csv": make_ratings, "cifar": make_cifar}


def settings(name: str) -> list[str]:
    return [word for setting in [f"run.output=runs/{name}", *shortened.get(name, [])] for word in ("--set", setting)]


def measured(deck: str, name: str, ranks: int) -> float:
    """The sum over ranks of the peak resident memory, bytes."""
    folder = Path(f"peaks.{name}.{ranks}")
    folder.mkdir()
    command = [sys.executable, __file__, "--one-rank", str(folder.resolve()), program, "run", deck, "--overwrite", *settings(name)]
    if ranks > 1:
        command = [mpiexec, "-n", str(ranks), "--oversubscribe", *command]
    found = subprocess.run(command, env=launching.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if found.returncode:
        sys.exit(f"{name} fails with exit code {found.returncode}:\n{found.stdout[-2000:]}")
    return sum(float(peak.read_text()) for peak in folder.iterdir())


def one_rank(folder: str, command: list[str]) -> int:
    """Runs a rank and notes its peak."""
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    Path(folder, str(child.pid)).write_text(str(usage.ru_maxrss * 1024))
    return os.waitstatus_to_exitcode(status)


def estimated(deck: str, name: str, ranks: int) -> float:
    """The total of `check`, bytes."""
    command = [program, "check", deck, "--ranks", str(ranks), *settings(name)]
    text = subprocess.run(command, env=launching.environment, check=True, capture_output=True, text=True).stdout
    if verbose:
        print("\n".join(line for line in text.splitlines() if line.startswith("# ") and re.search(r"[KMGT]?i?B$", line)))
    value, unit = re.search(r"^# total, at the most +([\d.e+]+) (\w+)$", text, re.M).groups()
    return float(value) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)


def main(decks: list[str]) -> int:
    for file, make in made.items():
        if any(f"data.path={file}" in shortened[deck.split(":")[0]] for deck in decks):
            make()
    Path("idle.toml").write_text(idle)
    of_nothing, wrong = {}, []
    print(f"{'deck':34}{'ranks':>6}{'check, MB':>12}{'run, MB':>12}")
    for name, ranks in ((deck.split(":")[0], int(deck.partition(":")[2] or 1)) for deck in decks):
        deck = f"{inputs}/{name}.toml"
        if ranks not in of_nothing:
            of_nothing[ranks] = measured("idle.toml", "idle", ranks)
        said, taken = estimated(deck, name, ranks), measured(deck, name, ranks) - of_nothing[ranks]
        fits = abs(said - taken) <= max(allowed * taken, small)
        print(f"{name:34}{ranks:6}{said / 1e6:12.1f}{taken / 1e6:12.1f}{'' if fits else '   differ'}", flush=True)
        wrong += [] if fits else [name]
    return len(wrong) > 0


if sys.argv[1:2] == ["--one-rank"]:
    sys.exit(one_rank(sys.argv[2], sys.argv[3:]))
program, mpiexec, inputs = (os.environ[name] for name in ("PARTITA", "MPIEXEC", "INPUTS"))
verbose = "--verbose" in sys.argv
arguments = [argument for argument in sys.argv[1:] if argument != "--verbose"]
__file__ = str(Path(__file__).resolve())
unknown = {path.stem for path in Path(inputs).glob("*.toml")} - {"reference"} - set(shortened)
if unknown:
    sys.exit(f"decks that this test does not know: {', '.join(sorted(unknown))}")
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    code = main(arguments or sorted(shortened))
    os.chdir("/")
sys.exit(code)

#!/usr/bin/env python3
"""What a step of each family asks of a device: launches of kernels, matrix products, waits of the host, allocations, and copies between host
and device with their bytes, held to the table device_counts.txt beside this script.

Called with PARTITA, a program for the emulated device, in the environment. Each deck is run with n and with 2 n steps (updates), and a step
is charged the difference over n: what happens once a run does not count. All have two tiles. With --write the table is written anew.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import launching

program = os.environ["PARTITA"]
table = Path(__file__).with_name("device_counts.txt")
columns = ("launches", "products", "waits", "allocations", "copies", "bytes")
n = 20  # a multiple of the 10 updates between two checks of a step size

# Nothing is written or looked at while the steps go on.
quiet = '[output]\nhistory_every = 1000000\nprogress = "1h"\n[checkpoint]\nevery = "1h"\n'

gaussian = 'type = "gaussian"\ndimension = 8'
double_well = 'type = "double_well"\ndimension = 1'
mlp = 'type = "mlp"\nlayers = [2, 128, 128, 1]'
score = 'type = "score_mlp"\nlayers = [2, 128, 128, 2]'
ising = 'type = "ising_lattice"\nrows = 8\ncolumns = 8\ncoupling = 0.4'
rbm = 'type = "rbm"\nvisible = 9\nhidden = 8'
gaussian_rbm = 'type = "rbm"\nvisible_units = "gaussian"\nvisible = 2\nhidden = 8'
machine = 'type = "boltzmann_machine"\nvisible = 9\nhidden = 4'
visible_machine = 'type = "boltzmann_machine"\nvisible = 9\nhidden = 0'
network = 'type = "deep_belief_network"\nlayers = [9, 6, 4]'
nice = 'type = "nice"\ndimension = 1\nlatent_dimension = 2\nhidden = [16]'
hee = 'type = "hee"\nwidths = [2, 6, 4]'
moons = '[data]\ntype = "two_moons"\npoints = 1000\n'
bars = '[data]\ntype = "bars_and_stripes"\ncopies = 20\n'


def sampling(model: str, sampler: str) -> str:
    return (f'[run]\ntask = "sample"\noutput = "run"\n{quiet}[model]\n{model}\n'
            f"[sampler]\n{sampler}\nchains = 128\ntile_width = 64\nsteps = STEPS\nthin = STEPS\nwarmup = 0\n")


def training(data: str, model: str, objective: str, sampler: str = "", more: str = "") -> str:
    sampling = f"[sampler]\n{sampler}\ntile_width = 64\n" if sampler else ""
    return (f'[run]\ntask = "train"\noutput = "run"\n{quiet}{data}[model]\n{model}\n[objective]\n{objective}\n{sampling}'
            f'[optimizer]\ntype = "adam"\nlearning_rate = 1e-4\n[train]\nbatch = 128\nupdates = STEPS\n{more}')


def langevin(kind: str) -> str:
    return f'type = "{kind}"\nstep_size = 0.001'


gibbs = 'type = "gibbs"'
pcd = 'type = "persistent_cd"\nchains = 128\nsampler_steps = '
wide = "tile_width = 64"
families = {
    "gaussian, ula": sampling(gaussian, langevin("ula")),
    "gaussian, mala": sampling(gaussian, langevin("mala")),
    "double_well, hmc": sampling(double_well, langevin("hmc")),
    "mlp, ula": sampling(mlp, langevin("ula")),
    "mlp, mala": sampling(mlp, langevin("mala")),
    "mlp, underdamped": sampling(mlp, langevin("underdamped")),
    "ising_lattice, gibbs": sampling(ising, gibbs),
    "rbm, gibbs": sampling(rbm, gibbs),
    "gaussian rbm, langevin_gibbs": sampling(gaussian_rbm, langevin("langevin_gibbs")),
    "boltzmann_machine, gibbs": sampling(machine, gibbs),
    "mlp, pcd-20 by ula": training(moons, mlp, pcd + "20", langevin("ula")),
    "mlp, exact score": training(moons, mlp, f'type = "exact_score_matching"\n{wide}'),
    "mlp, sliced score": training(moons, mlp, f'type = "sliced_score_matching"\n{wide}'),
    "score_mlp, denoising": training(moons, score, f'type = "denoising_score_matching"\nsigma = [0.3]\n{wide}'),
    "rbm, pcd-1": training(bars, rbm, pcd + "1", gibbs),
    "gaussian rbm, pcd-1": training(moons, gaussian_rbm, pcd + "1", gibbs),
    "boltzmann_machine, pcd-1": training(bars, machine, pcd + "1", gibbs),
    "boltzmann_machine, pseudo-likelihood": training(bars, visible_machine, f'type = "pseudo_likelihood"\n{wide}'),
    "dbn, greedy_cd": training(bars, network, 'type = "greedy_cd"', gibbs),
    "nice, reverse_kl": training("", nice, f'type = "reverse_kl"\n{wide}', more=f"[target]\n{double_well}\n"),
    "hee, hee_local": training(moons, hee, 'type = "hee_local"', 'type = "hee_langevin"\nstep_size = 0.01'),
}


def counts(deck: str, steps: int) -> list[int]:
    """Of a whole run."""
    Path("deck.toml").write_text(deck.replace("STEPS", str(steps)))
    done = subprocess.run([program, "run", "deck.toml", "--overwrite"], capture_output=True, text=True, env=launching.environment)
    found = re.search(r"device: (\d+) launches, (\d+) products, (\d+) waits, (\d+) allocations, (\d+) copies of (\d+) bytes", done.stdout + done.stderr)
    if done.returncode or not found:
        sys.exit(f"exit code {done.returncode} of\n{deck}\n{done.stdout}{done.stderr}")
    return [int(number) for number in found.groups()]


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def main() -> int:
    rows = [["", *columns]]
    for name, deck in families.items():
        once, twice = counts(deck, n), counts(deck, 2 * n)
        rows.append([name, *(number((b - a) / n) for a, b in zip(once, twice))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = "".join("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) + "\n" for row in rows)
    print(text)
    if "--write" in sys.argv:
        table.write_text(text)
    elif text != table.read_text():
        print(f"the table {table} says\n{table.read_text()}\nif the change is meant, run this script with --write")
        return 1
    return 0


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    code = main()
    os.chdir("/")
sys.exit(code)

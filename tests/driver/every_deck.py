#!/usr/bin/env python3
"""Every deck of inputs/, shortened, and every estimator give the same bits of metrics and parameters on any number of ranks; what the decks'
comments advise to --set works.

Called with PARTITA (the program), MPIEXEC and INPUTS in the environment and the numbers of ranks as arguments, the first of which is what
the others are compared with. Data that may be missing are replaced by made ones of the same shape. All runs compare their collective calls.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import launching

program, mpiexec, inputs = (os.environ[name] for name in ("PARTITA", "MPIEXEC", "INPUTS"))
environment = launching.environment | {"PARTITA_CHECK_COLLECTIVES": "1"}
limit = 240  # seconds a run may take on a busy machine before it counts as hanging

# Deck: what makes it short; in the order in which they use each other's results.
images = ["data.limit=300"]
few_updates = ["train.updates=6", "train.batch=48", "run.reproducible=true"]
few_chains = ["objective.chains=48"]
mnist = ["data.path=mnist.h5"]
narrow = ["model.layers=[784, 40, 784]"]
def brief(estimator: int) -> list[str]:
    """A reconstruction that takes no time."""
    return [f"estimator.{estimator}.items=20", f"estimator.{estimator}.duration=0.3", f"estimator.{estimator}.average_over=0.2"]


small_cifar = ["model.widths=[3072, 20, 10]", "model.density=1"]
ais = ["estimator.0.chains=40", "estimator.0.temperatures=50", "estimator.0.rungs=4", "estimator.0.warmup=20"]
shortened = {
    "gaussian": ["sampler.chains=300", "sampler.steps=300", "sampler.warmup=100"],
    "double_well": ["sampler.chains=300", "sampler.steps=300", "sampler.warmup=100", "sampler.thin=20"],
    "many_well": ["sampler.chains=300", "sampler.steps=300", "sampler.warmup=100", "sampler.thin=20"],
    "ising_2d": ["sampler.chains=300", "sampler.steps=120", "sampler.warmup=20", "estimator.0.type=magnetisation"],
    "quickstart": [*images, *few_updates, *few_chains, "output.samples_every=3", "model.hidden=60"],
    "rbm_fashion_mnist": [*images, *few_updates, *few_chains, "model.hidden=60"],
    "gaussian_rbm_fashion_mnist": [*images, *few_updates, *few_chains, "model.hidden=60"],
    "rbm_bars": ["train.updates=20", "run.reproducible=true"],
    "boltzmann_machine_bars": ["train.updates=6", "run.reproducible=true"],
    "rbm_mnist": [*mnist, *few_updates, *few_chains, *ais, "model.hidden=60"],
    "rbm_inpainting": [*mnist, "model.hidden=60", "sampler.chains=64", "sampler.steps=40", "sampler.warmup=20", "sampler.thin=5"],
    "estimate_published_rbm": [*mnist, *ais, "model.hidden=60", "model.from=runs/rbm_mnist"],
    "dbn_mnist": [*mnist, *few_updates, *few_chains, *narrow, *ais, "estimator.0.items=20"],
    "dbn_mnist_generate": [*mnist, *narrow, "generator.samples=100", "generator.steps=20"],
    "ratings_movielens": ["data.path=ratings.csv", "model.items=40", "model.levels=5", "model.hidden=10", "train.updates=20", "run.reproducible=true"],
    "two_moons": ["data.points=2000", "train.updates=5", "objective.chains=512", "run.reproducible=true", "estimator.0.points=200", "estimator.0.splits=2",
                  "estimator.0.sampler_steps=5"],
    "score_2d_denoising": ["data.points=2000", *few_updates],
    "score_2d_sliced": ["data.points=2000", *few_updates],
    "score_2d_exact": ["data.points=2000", *few_updates],
    "score_2d_sample": ["data.points=2000", "sampler.chains=300", "sampler.level_steps=3", "sampler.steps=31", "sampler.warmup=30",
                        "estimator.0.points=200", "estimator.0.splits=2"],
    "score_2d_langevin": ["data.points=2000", "sampler.chains=300", "sampler.steps=50", "sampler.warmup=49", "estimator.0.points=200",
                          "estimator.0.splits=2"],
    "denoising_fashion_mnist": [*images, *few_updates, "model.layers=[784, 40, 784]"],
    "denoising_fashion_mnist_sample": [*images, "model.layers=[784, 40, 784]", "sampler.chains=48", "sampler.level_steps=2", "sampler.steps=61",
                                       "sampler.warmup=60"],
    "hee_2d": ["data.points=300", "train.updates=6", "train.batch=200", "run.reproducible=true"],
    "hee_2d_generate": ["data.points=2000", "generator.samples=300", "estimator.0.points=200", "estimator.0.splits=2"],
    "hee_fashion_mnist_small": [*images, *few_updates, *brief(1)],
    "hee_fashion_mnist_small_generate": [*images, "generator.samples=100"],
    "hee_fashion_mnist": [*images, *few_updates, "model.widths=[784, 40, 20]", *brief(0)],
    "hee_fashion_mnist_generate": [*images, "model.widths=[784, 40, 20]", "generator.samples=48", "generator.duration=1", "generator.average_over=0.5"],
    "hee_cifar10": ["data.path=cifar", *few_updates, "train.updates=1", *small_cifar, *brief(0)],
    "hee_cifar10_generate": ["data.path=cifar", *small_cifar, "generator.samples=48", "generator.duration=1", "generator.average_over=0.5"],
    "hee_hessian": ["estimator.0.layers=[1, 2]", "estimator.0.units=24", "estimator.0.repeats=3"],
    "hee_relaxation": ["estimator.0.adaptation=[0.5]", "estimator.0.chains=64"],
    "hopfield_capacity": ["estimator.0.units=200", "estimator.0.sweeps=4", "estimator.0.report_sweeps=[10]"],
    "modern_hopfield": ["model.patterns=500", "estimator.0.queries=500"],
    "nice_double_well": ["train.updates=6", "train.batch=48", "run.reproducible=true", "model.hidden=[16]", "estimator.0.samples=3000"],
    "nice_many_well": ["train.updates=6", "train.batch=48", "run.reproducible=true", "model.hidden=[16]", "estimator.0.samples=3000"],
    "nice_phi4": ["train.updates=6", "train.batch=48", "run.reproducible=true", "model.hidden=[16]", "estimator.0.samples=3000"],
}

# Four million connections within a layer: on two numbers of ranks, what is advised to them, with fewer connections, is compared instead.
slow = {"hee_cifar10", "hee_cifar10_generate"}

# What the comments of a deck advise to set, together; each setting that they name is here.
checkerboard = ["data.type=checkerboard", "objective.data_noise=0.2"]
from_the_square = ["sampler.initial=uniform", "sampler.initial_scale=4"]
score_network = ["model.type=score_mlp", "model.layers=[2, 128, 128, 128, 2]"]
short = ["generator.duration=5", "generator.average_over=1"]
advised = {
    "estimate_published_rbm": [["estimator.0.temperatures=1000"]],
    "rbm_mnist": [["model.hidden=16", "estimator.0.type=exact_log_z"]],
    "rbm_bars": [["sampler.type=replica_exchange", "sampler.moves=gibbs", "sampler.rungs=4", "sampler.lowest_beta=0"]],
    "rbm_inpainting": [["clamp.units=[392, 783]"], ["clamp.complement=true"]],
    "ising_2d": [["model.rows=3", "model.columns=3"]],
    "modern_hopfield": [["estimator.0.queries=0"]],
    "nice_double_well": [["model.latent_dimension=4"], ["objective.beta_start=1", "train.updates=200"]],
    "nice_many_well": [["estimator.0.reference=runs/many_well"]],
    "hee_2d": [["data.type=two_moons", "data.scale=4.0"]],
    "hee_2d_generate": [["generator.type=hee_joint", *short], ["generator.type=hee_marginal", *short], ["generator.type=hee_joint", "generator.output=last", short[0]],
                        ["data.type=two_moons", "data.scale=4.0", "model.from=runs/hee_2d.advised0"]],
    "hee_fashion_mnist_generate": [["generator.type=hee_marginal"], ["generator.type=hee_ancestral"]],
    "hee_fashion_mnist_small": [["sampler.order=second", "sampler.integrator=euler", "sampler.statistic_mean=interneuron", "sampler.tau=[4]"]],
    "hee_fashion_mnist_small_generate": [
        ["generator.type=hee_joint", *short], ["generator.type=hee_marginal", "generator.latent_chains=2", *short], ["generator.type=hee_joint", "generator.output=last", short[0]],
        ["generator.type=hee_marginal", "sampler.tau_0=10", "generator.latent_chains=2", *short]],
    "hee_cifar10": [["data.type=hdf5", "data.path=mnist.h5", "data.dataset=train", "model.widths=[784, 20, 10]"]],
    "score_2d_denoising": [["data.type=two_moons"], ["data.type=checkerboard"], score_network],
    "score_2d_exact": [["data.type=two_moons"], checkerboard],
    "score_2d_sliced": [["data.type=two_moons"], [*checkerboard, "objective.projections=4"]],
    "score_2d_sample": [["data.type=two_moons", "model.from=runs/score_2d_denoising.advised0"], [*score_network, "model.from=runs/score_2d_denoising.advised2"]],
    "score_2d_langevin": [["model.from=runs/score_2d_sliced"], [*checkerboard[:1], *from_the_square, "model.from=runs/score_2d_exact.advised1"]],
}
not_settings = {"data.path=FILE", "data.dataset=NAME", "model.rows=", "estimator.0.reference=runs/"}  # to be filled in by the reader
too_long = {"generator.duration=500", "generator.duration=1500", "train.updates=2000"}  # shorter here


# Estimators that no deck of inputs/ has.
more = {
    "energies": (
        '[run]\ntask = "estimate"\noutput = "runs/energies"\n[input]\npath = "runs/gaussian"\n[model]\ntype = "gaussian"\ndimension = 32\n'
        '[[estimator]]\ntype = "energies"\n[[estimator]]\ntype = "convergence"\n'
        '[[estimator]]\ntype = "sliced_wasserstein"\nreference = "runs/gaussian"\npoints = 300\nprojections = 20\n'),
    "few_chains": (  # fewer than lanes of a tile: all ranks but one are idle
        '[run]\ntask = "sample"\noutput = "runs/few_chains"\n[model]\ntype = "gaussian"\ndimension = 3\n'
        '[sampler]\ntype = "mala"\nchains = 7\nstep_size = 0.3\nsteps = 200\nwarmup = 100\nthin = 10\n'
        '[[estimator]]\ntype = "convergence"\n[[estimator]]\ntype = "covariance"\nreference = "exact"\n'),
    "machine": (
        '[run]\ntask = "estimate"\noutput = "runs/machine"\n[data]\ntype = "bars_and_stripes"\ncopies = 4\nvalidation_fraction = 0.3\n'
        '[model]\ntype = "rbm"\nvisible = 9\nhidden = 8\ninitial_scale = 0.5\n'
        '[[estimator]]\ntype = "pseudo_likelihood"\n[[estimator]]\ntype = "free_energy_gap"\n[[estimator]]\ntype = "exact_log_z"\n'
        '[[estimator]]\ntype = "ais"\nchains = 40\ntemperatures = 50\n'),
}


def make_data() -> None:
    numbers = random.Random(1)
    for name, rows in (("train", 300), ("test", 50)):
        Path(f"{name}.txt").write_text("\n".join(" ".join(numbers.choices("01", k=784)) for _ in range(rows)))
        Path(f"{name}.conf").write_text(f"PATH {name}\nINPUT-CLASS TEXTIN\nINPUT-SIZE 8\nRANK 2\nDIMENSION-SIZES {rows} 784\nOUTPUT-CLASS IN\nOUTPUT-SIZE 8\n")
    subprocess.run(["h5import", "train.txt", "-c", "train.conf", "test.txt", "-c", "test.conf", "-o", "mnist.h5"], check=True, stdout=subprocess.DEVNULL)
    ratings = ["user,item,rating"]
    for user in range(100):
        ratings += [f"{user},{item},{numbers.randint(1, 5)}" for item in range(40) if numbers.random() < 0.5]
    Path("ratings.csv").write_text("\n".join(ratings) + "\n")
    Path("cifar").mkdir()
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        Path("cifar", f"{name}.bin").write_bytes(b"".join(bytes([numbers.randrange(10)]) + numbers.randbytes(3072) for _ in range(20)))


def run(ranks: int, deck: str, overrides: list[str], name: str) -> str:
    """The problem, or nothing."""
    output = f"runs/{name}" if ranks == first else f"runs/{name}.{ranks}"
    command = [mpiexec, "-n", str(ranks), "--oversubscribe", program, "run", deck, "--set", f"run.output={output}"]
    for override in overrides:
        command += ["--set", override]
    with open(f"{name}.log", "w") as log:
        try:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, timeout=limit).returncode
        except subprocess.TimeoutExpired:
            return "hangs"
    if code:
        lines = [line for line in Path(f"{name}.log").read_text().splitlines() if line.startswith("error")]
        return f"exit code {code}: {(lines or ['no error line'])[0]}"
    if ranks == first:
        return ""
    problem = "" if results(output) == results(f"runs/{name}") else "other metrics"
    for old in sorted(Path(f"runs/{name}/checkpoints").glob("step-*.h5"))[-1:]:
        parameters = subprocess.run(["h5ls", f"{old}/model/parameters"], capture_output=True).returncode == 0
        if parameters and subprocess.run(["h5diff", "-q", old, f"{output}/checkpoints/{old.name}", "/model/parameters"]).returncode:
            problem += " other parameters"
    shutil.rmtree(output)
    return problem


def results(output: str) -> str:
    """Metrics as written, all digits."""
    return re.search(r'"metrics":.*?\}', Path(output, "summary.json").read_text(), re.S)[0]


def used_estimators() -> set[str]:
    return {
        name
        for deck in Path("runs").glob("*/deck.toml")
        for name in re.findall(r'^\[\[estimator\]\][^\[]*?^type = "(\w+)"', deck.read_text(), re.S | re.M)
    }


def listed_estimators() -> set[str]:
    text = subprocess.run([program, "list", "estimators"], capture_output=True, text=True, env=environment, check=True).stdout
    return set(re.findall(r"^  (\w+)  ", text, re.M))


def with_advice(name: str, advice: list[str]) -> list[str]:
    """The advice, and what makes the deck short as far as it is about the same types."""
    keys = {setting.split("=")[0] for setting in advice}
    others = ("generator.duration", "generator.average_over") if "generator.type=hee_ancestral" in advice else ()
    others += ("estimator.0",) if any(setting.startswith("estimator.0.type=") for setting in advice) else ()
    return advice + [setting for setting in shortened[name] if setting.split("=")[0] not in keys and not setting.startswith(others or "none")]


def advice_without_test() -> list[str]:
    tested = {setting.replace(".0", "") for sets in advised.values() for settings in sets for setting in settings}
    problems = []
    for deck in sorted(Path(inputs).glob("*.toml")):
        comments = " ".join(line.lstrip("# ") for line in deck.read_text().splitlines() if line.startswith("#"))
        named = re.findall(r"--set '?([\w.]+=(?:\[[^\]]*\]|'[^']*'|[^\s,;:)]*))", comments) if deck.stem != "reference" else []
        for setting in (found.replace("'", "").rstrip(".") for found in named):
            if setting not in not_settings | too_long and setting.replace(".0", "") not in tested:
                problems.append(f"{deck.stem}: its comments advise --set {setting}, which this test does not run")
    return problems


def main() -> int:
    make_data()
    missing = {Path(path).stem for path in Path(inputs).glob("*.toml")} - {"reference"} - set(shortened)
    problems = [f"{name}: a deck that this test does not know" for name in sorted(missing)]
    decks = [(name, f"{inputs}/{name}.toml", overrides, all_ranks) for name, overrides in shortened.items()]
    for name, text in more.items():
        Path(f"{name}.toml").write_text(text)
        decks.append((name, f"{name}.toml", [], all_ranks))
    for name, sets in advised.items():
        for k, advice in enumerate(sets):
            ranks = all_ranks if name in slow else all_ranks[:1]
            decks.append((f"{name}.advised{k}", f"{inputs}/{name}.toml", with_advice(name, advice), ranks))
    for name, deck, overrides, ranks in decks:
        for n in all_ranks[:1] if name in slow and len(all_ranks) < 3 else ranks:
            begin = time.monotonic()
            problem = run(n, deck, overrides, name)
            what = f"{name} on {n} ranks" + (f" with {' '.join(overrides)}" if ".advised" in name else "")
            print(f"{what}: {problem or 'ok'}, {time.monotonic() - begin:.1f} s", flush=True)
            if problem:
                problems.append(f"{what}: {problem}")
                print(Path(f"{name}.log").read_text()[-3000:])
            if problem and n == first:
                break
    problems += advice_without_test()
    problems += [f"estimator {name}: in no deck" for name in sorted(listed_estimators() - used_estimators())]
    print("\n".join(["", f"{len(problems)} problems", *problems]))
    return len(problems) > 0


all_ranks = [int(argument) for argument in sys.argv[1:]]
first = all_ranks[0]
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    code = main()
    os.chdir("/")
sys.exit(code)

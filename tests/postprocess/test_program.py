"""The reader and the pictures on files that the program has just written."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from partita_post import Run
from partita_post.cli import main

ROOT = Path(__file__).parents[2]
BINARY = Path(os.environ.get("PARTITA_BINARY", ROOT / "build/src/partita"))
CHAINS, STEPS, WARMUP, THIN = 128, 400, 200, 20


@pytest.fixture(scope="module")
def double_well(tmp_path_factory):
    deck = ROOT / "inputs/double_well.toml"
    if not (BINARY.is_file() and deck.is_file()):
        pytest.skip(f"needs the program {BINARY} (./bootstrap.sh build; PARTITA_BINARY names another) and {deck}")
    output = tmp_path_factory.mktemp("program") / "double well"
    keys = {"run.output": f'"{output}"', "sampler.chains": CHAINS, "sampler.steps": STEPS, "sampler.warmup": WARMUP, "sampler.thin": THIN}
    overrides = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    finished = subprocess.run([BINARY, "run", deck, *overrides], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return output


def test_samples_are_draws_of_the_deck_in_its_units(double_well):
    run = Run(double_well)
    assert dict(run.posterior.sizes) == {"chain": CHAINS, "draw": (STEPS - WARMUP) // THIN, "x_dim": 1}
    np.testing.assert_array_equal(run.posterior["draw"], range(WARMUP + THIN, STEPS + 1, THIN))
    x = run.posterior["x"].isel(x_dim=0).astype("float64")
    energy = x**4 - 4 * x**2 + x
    # Single precision: a few rounding errors of terms up to about 4 x^2 = 40.
    np.testing.assert_allclose(run.sample_stats["energy"], energy, atol=40 * 8 * np.finfo("float32").eps)
    assert not run.sample_stats["diverging"].any()
    assert ((run.sample_stats["acceptance_rate"] >= 0) & (run.sample_stats["acceptance_rate"] <= 1)).all()


def test_samples_are_the_parts_joined(double_well, tmp_path):
    parts_only = shutil.copytree(double_well, tmp_path / "copy", ignore=shutil.ignore_patterns("samples.h5"))
    assert (double_well / "samples.h5").is_file() and not (parts_only / "samples.h5").exists()
    for group in ("posterior", "sample_stats"):
        xr.testing.assert_equal(getattr(Run(double_well), group).load(), getattr(Run(parts_only), group).load())


def test_history_summary_and_status(double_well):
    run = Run(double_well)
    assert run.history.sizes["step"] > 0 and (np.diff(run.history["step"]) > 0).all()
    assert all(np.isfinite(run.history[name]).any() and "doc" in run.history[name].attrs for name in run.history)
    assert run.summary["status"] == "done" and run.summary["steps"] == STEPS and run.summary["metrics"]
    assert run.status["status"] == "done" and run.status["exit_code"] == 0
    assert run.deck["model"]["type"] == "double_well" and run.deck["sampler"]["chains"] == CHAINS


def test_pictures_and_table(double_well, capsys):
    assert main(["plot", str(double_well)]) == 0
    assert {"history.png", "trace.png", "histogram_1d.png"} <= {path.name for path in (double_well / "plots").iterdir()}
    assert main(["show", str(double_well)]) == 0
    assert "standard error" in capsys.readouterr().out

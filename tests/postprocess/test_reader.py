import json
import os
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from conftest import join_parts, new_run, write_history

from partita_post import DataError, Run


def test_parts_are_joined_along_draw(gaussian_run):
    run = Run(gaussian_run)
    assert dict(run.posterior.sizes) == {"chain": 500, "draw": 12, "x_dim": 2}
    np.testing.assert_array_equal(run.posterior["draw"], 100 * np.arange(1, 13))
    energy = 0.5 * (run.posterior["x"].astype("float64") ** 2).sum("x_dim")
    np.testing.assert_allclose(run.sample_stats["energy"], energy, rtol=1e-5)  # x was stored in single precision
    assert run.sample_stats["diverging"].dtype == bool


def test_virtual_dataset_gives_what_the_parts_give(gaussian_run):
    parts = Run(gaussian_run)
    expected = {group: getattr(parts, group).load() for group in ("posterior", "sample_stats")}
    join_parts(gaussian_run)
    whole = Run(gaussian_run)
    for group, dataset in expected.items():
        xr.testing.assert_identical(getattr(whole, group).load(), dataset)


def test_a_missing_part_is_named_instead_of_read_as_nan(gaussian_run):
    join_parts(gaussian_run)
    (gaussian_run / "samples/part-000001.h5").unlink()
    with pytest.raises(DataError, match="part-000001.h5 is missing"):
        Run(gaussian_run).posterior


def test_part_opens_in_plain_xarray(gaussian_run):
    part = xr.open_dataset(gaussian_run / "samples/part-000002.h5", engine="h5netcdf", group="posterior")
    assert part["x"].dims == ("chain", "draw", "x_dim") and part.sizes["draw"] == 2


def test_history(gaussian_run):
    history = Run(gaussian_run).history
    assert history.sizes == {"step": 120} and history["step"][0] == 10
    assert history["energy"].attrs["doc"] == "energy" and history["step_seconds"].attrs["timing"] == 1


def test_history_of_an_earlier_version_has_present_names(tmp_path):
    run = new_run(tmp_path / "earlier", "train", "Earlier")
    write_history(run, np.arange(1, 4), d_s=np.array([1.0, 2.0, 3.0]))
    history = Run(run).history
    assert set(history) == {"energy_gap", "step_seconds"} and history["energy_gap"].values.tolist() == [1, 2, 3]


def test_density_uses_the_known_normalization(gaussian_run):
    density = Run(gaussian_run).density
    assert density.dims == ("x0", "x1") and density.shape == (101, 51)
    assert float(density.max()) == pytest.approx(1 / (2 * np.pi), rel=1e-12)


def test_density_is_normalized_on_the_grid_otherwise(gaussian_run):
    with h5py.File(gaussian_run / "estimates/energy_grid.h5", "a") as file:
        del file["energy"].attrs["log_z"]
        file["energy"][...] -= 1e4  # exp of it would overflow
    assert float(Run(gaussian_run).density.integrate(["x0", "x1"])) == pytest.approx(1, rel=1e-12)


def test_final_samples_of_a_sampling_run_are_all_draws(gaussian_run):
    assert Run(gaussian_run).final_samples.shape == (500 * 12, 2)


def test_final_samples_of_a_learning_run_are_the_last_draw(image_run):
    run = Run(image_run)
    np.testing.assert_array_equal(run.final_samples, run.posterior["x"].isel(draw=-1))


def test_final_samples_may_be_several_draws_of_the_last_step(image_run):
    for part in (image_run / "samples").iterdir():
        with h5py.File(part, "a") as file:
            file["posterior/draw"][...] = file["sample_stats/draw"][...] = 200
    assert Run(image_run).final_samples.shape == (70 * 2, 24)


def test_title_and_summary(gaussian_run):
    run = Run(gaussian_run)
    assert run.title == "Standard Gaussian, µ = 0"
    assert run.summary["metrics"]["mean_error"] == 0.005 and run.status["status"] == "done"


def test_status_of_a_run_whose_process_is_gone_is_died(gaussian_run):
    def status(**values):
        record = {"status": "running", "exit_code": None, "reason": "", "step": 5, "host": socket.gethostname()} | values
        (gaussian_run / "run.status.json").write_text(json.dumps(record))
        return Run(gaussian_run).status["status"]

    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    assert status(process=os.getpid(), process_start=int(start)) == "running"
    assert status(process=os.getpid(), process_start=int(start) - 1) == "died"  # an earlier process of this number
    assert status(status="done", process=os.getpid(), process_start=1) == "done"
    assert status(host="elsewhere", process=1, process_start=1) == "died"
    (gaussian_run / "run.lock").touch()
    assert status(host="elsewhere", process=1, process_start=1) == "running"
    os.utime(gaussian_run / "run.lock", (0, 0))
    assert status(host="elsewhere", process=1, process_start=1) == "died"


def test_what_a_run_lacks_is_none(tmp_path):
    (tmp_path / "deck.toml").write_text("[run]\nseed = 1\n")
    run = Run(tmp_path)
    assert (run.summary, run.history, run.posterior, run.observed_data, run.density, run.final_samples) == (None,) * 6
    assert run.title == tmp_path.name


def test_not_a_run(tmp_path):
    with pytest.raises(DataError, match="no such directory"):
        Run(tmp_path / "missing")
    with pytest.raises(DataError, match="not a run directory"):
        Run(tmp_path)


@pytest.mark.parametrize(
    "file, member", [("history.h5", "history"), ("samples.h5", "posterior"), ("summary.json", "summary"), ("deck.toml", "deck")]
)
def test_unreadable_files_are_named(gaussian_run, file, member):
    (gaussian_run / file).write_bytes(b"\x89not what it should be")
    with pytest.raises(DataError, match=file):
        getattr(Run(gaussian_run), member)

"""Small run directories in the formats that the program writes."""

import json
import os

import h5py
import numpy as np
import pytest


def add(group, name, values, scales=(), **attributes):
    dataset = group.create_dataset(name, data=values)
    for axis, scale in enumerate(scales):
        dataset.dims[axis].attach_scale(group[scale])
    dataset.attrs.update(attributes)


def add_scale(group, name, values):
    group[name] = np.asarray(values, dtype="int64")
    group[name].make_scale(name)


def write_part(path, x, energy, draws, **x_attributes):
    chains, _, dimension = x.shape
    with h5py.File(path, "w", track_order=True) as file:
        for name in ("posterior", "sample_stats"):
            group = file.create_group(name, track_order=True)
            add_scale(group, "chain", range(chains))
            add_scale(group, "draw", draws)
        add_scale(file["posterior"], "x_dim", range(dimension))
        add(file["posterior"], "x", x.astype("float32"), ["chain", "draw", "x_dim"], **x_attributes)
        add(file["sample_stats"], "energy", energy, ["chain", "draw"], units="kT")
        add(file["sample_stats"], "diverging", np.zeros(energy.shape, "int8"), ["chain", "draw"], dtype="bool")


def write_parts(run, x, energy, draws_per_part=5, **x_attributes):
    (run / "samples").mkdir()
    for part, first in enumerate(range(0, x.shape[1], draws_per_part)):
        piece = slice(first, min(first + draws_per_part, x.shape[1]))
        draws = 100 * (np.arange(piece.start, piece.stop) + 1)
        write_part(run / f"samples/part-{part:06d}.h5", x[:, piece], energy[:, piece], draws, **x_attributes)


def join_parts(run):
    """samples.h5: virtual datasets over the parts, by names relative to the run."""
    parts = [h5py.File(path) for path in sorted((run / "samples").glob("part-*.h5"))]
    with h5py.File(run / "samples.h5", "w", track_order=True) as whole:
        for group in ("posterior", "sample_stats"):
            target = whole.create_group(group, track_order=True)
            scales = {name: d[...] for name, d in parts[0][group].items() if d.is_scale}
            for name, values in scales.items():
                add_scale(target, name, np.concatenate([part[group]["draw"] for part in parts]) if name == "draw" else values)
            for name in set(parts[0][group]) - set(scales):
                join_variable(target, name, [part[group][name] for part in parts], run)


def join_variable(target, name, pieces, run):
    shape = list(pieces[0].shape)
    shape[1] = sum(piece.shape[1] for piece in pieces)
    layout = h5py.VirtualLayout(tuple(shape), pieces[0].dtype)
    first = 0
    for piece in pieces:
        relative = os.path.relpath(piece.file.filename, run)
        layout[:, first : first + piece.shape[1]] = h5py.VirtualSource(relative, piece.name, piece.shape)
        first += piece.shape[1]
    joined = target.create_virtual_dataset(name, layout, fillvalue=np.nan if piece.dtype.kind == "f" else 0)
    for axis, scale in enumerate(piece.dims[axis][0].name for axis in range(piece.ndim)):
        joined.dims[axis].attach_scale(target[os.path.basename(scale)])
    joined.attrs.update({key: value for key, value in piece.attrs.items() if key != "DIMENSION_LIST"})


def write_history(run, steps, **series):
    with h5py.File(run / "history.h5", "w") as file:
        add_scale(file, "step", steps)
        for name, values in series.items():
            add(file, name, np.asarray(values, "float64"), ["step"], doc=name)
        add(file, "step_seconds", np.ones(len(steps)), ["step"], doc="time of a step")
        file["step_seconds"].attrs.create("timing", 1, dtype="int8")


def new_run(path, task, title):
    (path / "estimates").mkdir(parents=True)
    (path / "deck.toml").write_text(f'title = "{title}"\n[run]\ntask = "{task}"\nseed = 1\n', encoding="utf-8")
    metrics = {"mean": 0.012, "mean_error": 0.005, "energy_distance_ratio": 1.25}
    (path / "summary.json").write_text(json.dumps({"status": "done", "task": task, "steps": 1000, "ranks": 2, "metrics": metrics}))
    (path / "run.status.json").write_text(json.dumps({"status": "done", "exit_code": 0, "reason": "", "step": 1000}))
    return path


@pytest.fixture
def random():
    return np.random.default_rng(1)


@pytest.fixture
def gaussian_run(tmp_path, random):
    """500 chains, 12 draws of a two-dimensional standard Gaussian in three parts, the last one shorter; energy known on a grid."""
    run = new_run(tmp_path / "a gaussian", "sample", "Standard Gaussian, µ = 0")
    x = random.standard_normal((500, 12, 2))
    write_parts(run, x, 0.5 * (x**2).sum(-1))
    steps = np.arange(10, 1210, 10)
    write_history(
        run, steps, energy=1 + random.normal(0, 0.1, len(steps)), acceptance=np.full(len(steps), 0.6), zeta=10.0 ** (-steps / 200)
    )
    axis = np.linspace(-5, 5, 101)
    with h5py.File(run / "estimates/energy_grid.h5", "w") as file:
        file["x0"], file["x1"] = axis, axis[::2]
        file["energy"] = 0.5 * (axis[:, None] ** 2 + axis[None, ::2] ** 2)
        file["energy"].attrs["log_z"] = np.log(2 * np.pi)
    with h5py.File(run / "estimates/observed_data.h5", "w") as file:
        file["observed_data/x"] = random.standard_normal((300, 2)).astype("float32")
    return run


@pytest.fixture
def image_run(tmp_path, random):
    """A learning run: 70 chains of 4 x 6 images, two draws."""
    run = new_run(tmp_path / "images", "train", "Images")
    x = random.uniform(-1, 1, (70, 2, 24))
    write_parts(run, x, x.sum(-1), image_shape=np.array([4, 6]))
    write_history(
        run,
        np.arange(1, 1001),
        energy_gap=random.normal(0, 1, 1000),
        gradient_step=np.geomspace(1, 1e-3, 1000),
        learning_rate=np.full(1000, 1e-3),
    )
    with h5py.File(run / "estimates/observed_data.h5", "w") as file:
        file["observed_data/x"] = random.uniform(-1, 1, (100, 24)).astype("float32")
        file["observed_data/x"].attrs["image_shape"] = [4, 6]
    return run


@pytest.fixture
def study_run(tmp_path, random):
    """A run without samples or history: the files of estimators that study a model."""
    run = new_run(tmp_path / "study", "estimate", "Studies")
    layers = np.array([1, 2, 4])
    with h5py.File(run / "estimates/hessian.h5", "w") as file:
        file["layers"] = layers
        for law in ("joint", "posterior", "marginal"):
            for number in ("smallest_eigenvalue", "log_determinant"):
                file[f"{law}/{number}"], file[f"{law}/{number}_error"] = 1 / layers, 0.01 / layers
    with h5py.File(run / "estimates/relaxation.h5", "w") as file:
        m, time = np.array([0, 1.0]), np.linspace(0, 3, 50)
        file["m"], file["time"], file["tau_int"], file["tau_int_exact"] = m, time, 1 / (1 + m), 1 / (1 + m)
        file["tau_int_error"], file["autocorrelation"] = 0.02 * np.ones(2), np.exp(-np.outer(1 + m, time))
    with h5py.File(run / "estimates/reconstructions.h5", "w") as file:
        for name in ("x", "reconstruction"):
            file[name] = random.uniform(0, 1, (9, 24))
            file[name].attrs["image_shape"] = [4, 6]
    with h5py.File(run / "estimates/flow_histogram.h5", "w") as file:
        x = np.linspace(-2, 2, 80)
        file["x"], file["energy"], file.attrs["log_z"] = x, x**2, 0.5 * np.log(np.pi)
        file["density_direct"] = file["density_weighted"] = np.exp(-(x**2)) / np.sqrt(np.pi)
    with h5py.File(run / "estimates/hopfield_capacity.h5", "w") as file:
        sweeps = np.arange(21)
        file["load"] = [0.13, 0.2]
        file["overlap"] = np.stack([1 - 0.02 * (1 - 0.5**sweeps), 0.3 + 0.7 * 0.8**sweeps])
        file["overlap_error"] = np.full((2, 21), 0.01)
    with h5py.File(run / "estimates/modern_retrieval.h5", "w") as file:
        file["beta"], file["distance"] = [1.0, 0.125], np.stack([random.uniform(0, 0.01, 200), random.normal(0.88, 0.01, 200)])
    with h5py.File(run / "estimates/score_grid.h5", "w") as file:
        axis = np.linspace(-3, 3, 60)
        file["x0"], file["x1"] = axis, axis[::2]
        file["score"] = -np.stack(np.meshgrid(axis, axis[::2], indexing="ij"), axis=-1)
    return run

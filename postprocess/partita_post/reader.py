"""The reader of run directories. Everything else in this package, and every script of a user, gets its data here."""

import json
import socket
import time
import tomllib
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import xarray as xr


FORMER_SERIES = {"d_s": "energy_gap", "r_s": "gradient_step"}  # in the histories of earlier versions
LONGEST_SILENCE = 120  # seconds between two heartbeats of a live run; normally they are 5 s apart


class DataError(Exception):
    """A file of the run is missing or unreadable; the message names it."""


class Run:
    """A run directory. Files are read when first used; what a run does not have is None.

    deck, summary, status: dict · history: Dataset over step · posterior, sample_stats: Datasets over (chain, draw, ...), draws labelled by step
    observed_data: Dataset over (point, x_dim) · energy_grid: Dataset with `energy` over x0 or (x0, x1), in units of kT
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(f"{self.path}: no such directory")
        if not (self.path / "deck.toml").is_file():
            raise DataError(f"{self.path}: not a run directory (it has no deck.toml)")

    @cached_property
    def deck(self):
        return _parsed(self.path / "deck.toml", tomllib.loads)

    @property
    def title(self):
        return self.deck.get("title") or self.path.resolve().name

    @property
    def learns(self):
        """Whether the model changed during the run, whose steps are then updates of its parameters."""
        return self.deck.get("run", {}).get("task") == "train"

    @property
    def generates(self):
        """Whether its samples were drawn by the model's own generator rather than along chains."""
        return self.deck.get("run", {}).get("task") == "generate"

    @cached_property
    def summary(self):
        return _record(self.path / "summary.json", {}, {"metrics": dict, "warnings": list, "not_examined": list})

    @cached_property
    def status(self):
        """As the run recorded it; "died" if it says "running" but its process or, on another host, its heartbeat is gone."""
        status = _record(self.path / "run.status.json", {"status": str}, {})
        if status is None or status["status"] != "running" or self._lives(status):
            return status
        return status | {"status": "died", "exit_code": None, "reason": f"process {status.get('process')} on host {status.get('host')} ended without recording why"}

    def _lives(self, status):
        if status.get("host") != socket.gethostname():
            beats = [file.stat().st_mtime for name in ("run.lock", "run.lock.alive") if (file := self.path / name).is_file()]
            return any(time.time() - beat < LONGEST_SILENCE for beat in beats)
        try:
            fields = Path(f"/proc/{status['process']}/stat").read_text().rpartition(")")[2].split()
        except (OSError, KeyError):
            return False
        return fields[19] == str(status.get("process_start"))  # field 22 of the file, its start

    @cached_property
    def history(self):
        history = _dataset(self.path / "history.h5", "/", ["step"])
        if history is None:
            return None
        return history.rename({former: name for former, name in FORMER_SERIES.items() if former in history})

    @cached_property
    def posterior(self):
        return self._samples("posterior")

    @cached_property
    def sample_stats(self):
        return self._samples("sample_stats")

    @cached_property
    def observed_data(self):
        return _dataset(self.path / "estimates/observed_data.h5", "observed_data", ["point", "x_dim"])

    @cached_property
    def energy_grid(self):
        return _dataset(self.path / "estimates/energy_grid.h5", "/", ["x0", "x1"])

    def estimate(self, name):
        """The datasets of estimates/NAME.h5 as arrays by path ("joint/log_determinant"); None where there is no such file."""
        path = self.path / f"estimates/{name}.h5"
        if not path.is_file():
            return None
        found = {}
        try:
            with h5py.File(path) as file:
                file.visititems(lambda key, item: found.update({key: item[...]}) if isinstance(item, h5py.Dataset) else None)
        except OSError as error:
            raise DataError(f"{path}: unreadable ({error})") from error
        return found

    def estimate_attributes(self, name, dataset="/"):
        with h5py.File(self.path / f"estimates/{name}.h5") as file:
            return _attributes(file[dataset])

    @cached_property
    def final_samples(self):
        """Draws of the run's final distribution, (sample, x_dim): all draws of a sampling run, those of the last update of a training run."""
        if self.posterior is None:
            return None
        x = self.posterior["x"]
        if self.learns:
            x = x.isel(draw=(x["draw"] == x["draw"][-1]).values)
        return x.stack(sample=("chain", "draw"), create_index=False).transpose("sample", "x_dim")

    @property
    def density(self):
        """exp(-E)/Z on the energy grid; Z is the integral over the grid where the model's Z is not known."""
        if self.energy_grid is None:
            return None
        energy = self.energy_grid["energy"]
        log_z = energy.attrs.get("log_z")
        if log_z is None:
            weight = np.exp(energy.min() - energy)
            return weight / weight.integrate(energy.dims)
        return np.exp(-energy - float(log_z))

    def _samples(self, group):
        """Lazily from samples.h5, which presents all parts as one; without it the parts themselves, one after the other along draw."""
        whole = self.path / "samples.h5"
        if whole.is_file():
            _require_parts(whole, group)
            return _opened(whole, group)
        parts = sorted((self.path / "samples").glob("part-*.h5"))
        if not parts:
            return None
        datasets = [_opened(part, group) for part in parts]
        return xr.concat(
            datasets, dim="draw", data_vars="minimal", coords="minimal", compat="override", join="override", combine_attrs="override"
        )


def _read(_, item):
    if isinstance(item, h5py.Dataset):
        item[...]


def damaged_part(run):
    """The first part of a run's samples that cannot be read completely, None if all can; HDF5's own error does not name the file."""
    for part in sorted((Path(run) / "samples").glob("part-*.h5")):
        try:
            with h5py.File(part) as file:
                file.visititems(_read)
        except (OSError, RuntimeError):
            return part
    return None


def _require_parts(whole, group):
    """Refuses samples of which a part is missing: HDF5 would read NaN in place of its draws."""
    try:
        with h5py.File(whole) as file:
            virtual = [d for d in file.get(group, {}).values() if isinstance(d, h5py.Dataset) and d.is_virtual]
            parts = {source.file_name for d in virtual for source in d.virtual_sources()}
    except OSError as error:
        raise DataError(f"{whole}: cannot be read ({error})") from error
    for part in sorted(parts):
        if not (whole.parent / part).is_file():
            raise DataError(f"{whole}: its part {part} is missing; its draws are lost unless you restore it from a copy")


def _parsed(path, parse):
    if not path.is_file():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: unreadable ({error})") from error


def _record(path, required, optional):
    """A JSON object, in which `required` and `optional` names must have values of these types."""
    record = _parsed(path, json.loads)
    if record is None:
        return None
    if not isinstance(record, dict):
        raise DataError(f"{path}: not a JSON object")
    for name, kind in (required | optional).items():
        if (name in required or name in record) and not isinstance(record.get(name), kind):
            raise DataError(f"{path}: {name} is missing, or is not what Partita writes there")
    return record


def _opened(path, group):
    try:
        return xr.open_dataset(path, group=group, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot read group {group} ({error})") from error


def _dataset(path, group, dims):
    """The datasets of a flat group: one named like a dimension is its coordinate; axis i of any other is dims[i]."""
    if not path.is_file():
        return None
    try:
        with h5py.File(path) as file:
            members = {name: d for name, d in file[group].items() if isinstance(d, h5py.Dataset)}
            coordinates = {name: (name, d[...]) for name, d in members.items() if name in dims}
            variables = {name: (dims[: d.ndim], d[...], _attributes(d)) for name, d in members.items() if name not in dims}
        return xr.Dataset(variables, coordinates)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot read group {group} ({error})") from error


def _attributes(dataset):
    """The attributes of Partita; those for dimension scales are HDF5's own."""
    return {name: value for name, value in dataset.attrs.items() if name not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME")}

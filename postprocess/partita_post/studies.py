"""Plots of what estimators wrote to a run's estimates/. As in plots.py each function takes a Run and returns a figure or None."""

import matplotlib.pyplot as plt
import numpy as np

from .plots import BLUE, GREY, ORANGE, SEQUENTIAL, _mosaic


def hessian_trend(run):
    """Smallest eigenvalue and log determinant of the Hessians of -log p against the number of layers."""
    study = run.estimate("hessian")
    if study is None:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6))
    for ax, number in zip(axes, ("smallest_eigenvalue", "log_determinant")):
        for law, marker in (("joint", "o"), ("posterior", "s"), ("marginal", "^")):
            ax.errorbar(study["layers"], study[f"{law}/{number}"], study[f"{law}/{number}_error"], marker=marker, ms=4, capsize=2, label=law)
        ax.set(xlabel="latent layers L", title=number.replace("_", " "))
    axes[0].set_yscale("log")
    axes[0].legend()
    return figure


def relaxation(run):
    """Autocorrelation of the slowest posterior mode, first order and with adaptation, and its integrated time."""
    study = run.estimate("relaxation")
    if study is None:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6))
    for m, values in zip(study["m"], study["autocorrelation"]):
        left.plot(study["time"], values, label="first order" if m == 0 else f"m = {m:g}")
    left.axhline(0, color=GREY, lw=0.8)
    left.set(xlabel=r"time ($\tau$)", ylabel="autocorrelation", title="slowest posterior mode")
    left.legend()
    right.errorbar(study["m"], study["tau_int"], study["tau_int_error"], fmt="o", ms=4, capsize=2, label="measured")
    right.plot(study["m"], study["tau_int_exact"], color=ORANGE, label="exact")
    right.plot(study["m"], study["tau_int"][0] / (1 + study["m"]), color=GREY, ls="--", label="first order / (1 + m)")
    right.set(xlabel="m (0: first order)", ylabel=r"integrated autocorrelation time ($\tau$)", ylim=(0, None))
    right.legend()
    return figure


def reconstructions(run, count=64):
    """Held-out images beside their reconstructions."""
    found = run.estimate("reconstructions")
    if found is None or "image_shape" not in run.estimate_attributes("reconstructions", "x"):
        return None
    shape = tuple(int(n) for n in run.estimate_attributes("reconstructions", "x")["image_shape"])
    low, high = np.nanpercentile(found["x"], [0.5, 99.5])
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 4.8))
    for ax, name in zip(axes, ("x", "reconstruction")):
        ax.imshow(_mosaic(found[name][:count].reshape(-1, *shape), low, high), interpolation="nearest")
        ax.set_title("items" if name == "x" else "reconstructions")
        ax.axis("off")
    return figure


def flow_histogram(run):
    """The energy and minus the logarithm of the flow's histogram, by number of samples and by importance weights."""
    found = run.estimate("flow_histogram")
    if found is None:
        return None
    attributes = run.estimate_attributes("flow_histogram")
    log_z = float(attributes["log_z"] if "log_z" in attributes else attributes["log_c"])  # its former name
    shown = found["energy"] < found["energy"].min() + 12
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
    for ax, name in zip(axes, ("direct", "weighted")):
        density = found[f"density_{name}"]
        with np.errstate(divide="ignore"):
            ax.plot(found["x"][shown], -np.log(density[shown]) - log_z, ".", color=ORANGE, ms=3, label="-log histogram - log Z")
        ax.plot(found["x"][shown], found["energy"][shown], color=BLUE, label="U(x)")
        ax.set(xlabel="x", title=f"{name} histogram")
    axes[0].set_ylabel("energy (kT)")
    axes[0].legend()
    return figure


def score_field(run):
    """The score on a grid: its direction as arrows, its length as colour."""
    found = run.estimate("score_grid")
    if found is None or "x1" not in found:
        return None
    score = found["score"]
    every = tuple(slice(None, None, max(1, n // 25)) for n in score.shape[:2])
    length = np.hypot(score[..., 0], score[..., 1])
    figure, ax = plt.subplots(figsize=(5.4, 4.6))
    image = ax.pcolormesh(found["x0"], found["x1"], np.log10(length.T + 1e-12), cmap=SEQUENTIAL, shading="nearest", rasterized=True)
    figure.colorbar(image, ax=ax, label=r"$\log_{10} |s(x)|$")
    u, v = ((score[..., k] / np.maximum(length, 1e-12))[every].T for k in (0, 1))
    ax.quiver(found["x0"][every[0]], found["x1"][every[1]], u, v, color="white", scale=35, width=0.003)
    if run.observed_data is not None:
        ax.scatter(*run.observed_data["x"].values[:2000].T, s=1, color=ORANGE, alpha=0.6, lw=0)
    ax.set(xlabel="$x_0$", ylabel="$x_1$", aspect="equal", title=r"score $\nabla \log p$")
    ax.set(xlim=(found["x0"].min(), found["x0"].max()), ylim=(found["x1"].min(), found["x1"].max()))
    ax.grid(False)
    return figure


def hopfield_capacity(run):
    """Overlap with the stored patterns against the number of sweeps, one curve for each load."""
    study = run.estimate("hopfield_capacity")
    if study is None:
        return None
    figure, ax = plt.subplots(figsize=(6, 4))
    sweeps = np.arange(study["overlap"].shape[1])
    for load, overlap, error in zip(study["load"], study["overlap"], study["overlap_error"]):
        (line,) = ax.plot(sweeps, overlap, label=f"{load:g}")
        ax.fill_between(sweeps, overlap - error, overlap + error, color=line.get_color(), alpha=0.2, lw=0)
    ax.set_xscale("symlog", linthresh=1)
    ax.set(xlabel="parallel sweeps at T = 0", ylabel="overlap with the stored pattern", xlim=(0, sweeps[-1]), ylim=(None, 1.02))
    ax.legend(title="load P / N")
    return figure


def modern_retrieval(run):
    """Distance between noisy patterns after one update and the patterns, one histogram for each beta."""
    found = run.estimate("modern_retrieval")
    if found is None:
        return None
    figure, ax = plt.subplots(figsize=(6, 4))
    bins = np.linspace(0, 1.05 * found["distance"].max(), 80)
    for beta, distances in zip(found["beta"], found["distance"]):
        ax.hist(distances, bins, histtype="stepfilled", alpha=0.6, label=rf"$\beta$ = {beta:g}")
    ax.set(xlabel="|result - pattern| / |pattern|", ylabel="patterns shown", yscale="log")
    ax.legend()
    return figure


STUDIES = [hessian_trend, relaxation, reconstructions, flow_histogram, score_field, hopfield_capacity, modern_retrieval]

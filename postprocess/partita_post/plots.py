"""Plots of a run. Each function takes a Run and returns a figure, or None where the run has no data for it."""

import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's colours, which can be distinguished with any kind of colour vision.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#999999"
SEQUENTIAL = "viridis"

STYLE = {
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "figure.titlesize": 12,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, PINK, GREY]),
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
}

SERIES = {  # the usual ones in the order in which they are shown; others follow under their own names
    "energy": "mean energy of the chains",
    "energy_gap": r"$d_s = \langle E\rangle_{\rm data} - \langle E\rangle_{\rm chains}$",
    "gradient_step": r"$r_s$: mean length of the chains' gradient step",
    "acceptance": "acceptance rate",
    "validation_distance": "energy distance to validation data",
    "learning_rate": "learning rate",
    "energy_data": "mean energy of the data",
    "energy_chains": "mean energy of the chains",
}


def history(run):
    """All series except timings and counts of steps, each in its own panel, the usual ones first."""
    if run.history is None or run.history.sizes.get("step", 0) == 0:
        return None
    shown = {name: s.dropna("step") for name, s in run.history.items() if not s.attrs.get("timing", False) and name != "epoch"}
    names = sorted(
        (name for name, s in shown.items() if s.size),
        key=lambda name: (name not in SERIES, list(SERIES).index(name) if name in SERIES else 0),
    )
    if not names:
        return None
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 2.4 * rows + 0.3), squeeze=False)
    for ax, name in zip(axes.flat, names):
        _series(ax, name, shown[name])
        ax.set_xlabel(_step_name(run))
    for ax in axes.flat[len(names) :]:
        ax.remove()
    _legend_below(figure, axes)
    return figure


def _series(ax, name, series):
    step, value = series["step"].values, series.values
    window = len(value) // 100
    if window < 4:
        ax.plot(step, value, color=BLUE, lw=1.2, marker="." if len(value) < 50 else None)
    else:
        ax.plot(step, value, color=BLUE, lw=0.5, alpha=0.35, label="each value")
        mean = np.convolve(value, np.ones(window) / window, mode="valid")
        ax.plot(step[window // 2 :][: len(mean)], mean, color=BLUE, lw=1.4, label="running mean")
    positive = value[np.isfinite(value)]
    if len(positive) and positive.min() > 0 and positive.max() > 100 * positive.min():
        ax.set_yscale("log")
    if name == "acceptance":
        ax.set_ylim(0, 1.02)
    if name == "energy_gap":
        ax.axhline(0, color=GREY, lw=0.8, zorder=0)
    ax.set_title(SERIES.get(name, name.replace("_", " ")))
    ax.set_ylabel(series.attrs.get("units", ""))


def _legend_below(figure, axes):
    """One legend for all panels, with the labels of the panel that has most of them."""
    handles, labels = max((ax.get_legend_handles_labels() for ax in axes.flat), key=lambda found: len(found[1]))
    if labels:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def _step_name(run):
    return "update" if run.learns else "step"


def image_grid(run, count=64):
    """The last draw of the first chains beside the first observed points, with the same grey scale."""
    if not _of_images(run):
        return None
    x = run.posterior["x"]
    shape = tuple(int(n) for n in np.atleast_1d(x.attrs["image_shape"]))
    title = "samples" if run.generates else f"chains at {_step_name(run)} {int(x['draw'][-1])}"
    panels = [(title, x.isel(draw=-1, chain=slice(count)).values)]
    if run.observed_data is not None:
        panels.append(("observed data", run.observed_data["x"].isel(point=slice(count)).values))
    scale = panels[-1][1]
    low, high = np.nanpercentile(scale, [0.5, 99.5])
    figure, axes = plt.subplots(1, len(panels), figsize=(4.4 * len(panels), 4.8), squeeze=False)
    for ax, (title, images) in zip(axes.flat, panels):
        pixels = images[..., : math.prod(shape)]  # hidden units, where chains have them, come last
        ax.imshow(_mosaic(pixels.reshape(-1, *shape), low, high), interpolation="nearest")
        ax.set_title(title)
        ax.axis("off")
    return figure


def _mosaic(images, low, high, gap=2):
    """Images (n, height, width[, channels]) scaled to [0, 1] and laid out in a near-square RGB mosaic on white."""
    images = np.clip((images - low) / ((high - low) or 1), 0, 1)
    images = images.reshape(*images.shape[:3], -1) * np.ones(3)
    n, height, width = images.shape[:3]
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    canvas = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        canvas[top : top + height, left : left + width] = np.nan_to_num(image)
    return canvas


def density_2d(run):
    """Two-dimensional targets: samples, observed points and the model's density on the same axes and colour scale."""
    if run.posterior is None or run.posterior.sizes["x_dim"] != 2:
        return None
    x = _finite(run.final_samples.values)
    density = run.density if run.density is not None and run.density.ndim == 2 else None
    observed = None if run.observed_data is None else _finite(run.observed_data["x"].values)[:5000]
    if not len(x):
        return None
    bounds = _bounds(x if observed is None else np.concatenate([x, observed]), density)
    extent = np.diff(bounds)[:, 0]
    cell = extent.max() / np.clip(np.sqrt(len(x)) / 1.5, 30, 150)
    edges = [np.linspace(*b, int(np.ceil(e / cell)) + 1) for b, e in zip(bounds, extent)]
    estimate = np.histogram2d(*x.T, bins=edges)[0] / len(x) / np.prod([e[1] - e[0] for e in edges])

    panels = 1 + (density is not None) + (observed is not None)
    height = 3.4 * np.clip(extent[1] / extent[0], 0.4, 1.6)
    figure, axes = plt.subplots(1, panels, figsize=(3.4 * panels + 1.2, height + 1), squeeze=False, sharex=True, sharey=True)
    remaining = iter(axes.flat)
    top = float(density.max()) if density is not None else np.percentile(estimate[estimate > 0], 99.5)
    colours = {"cmap": SEQUENTIAL, "vmin": 0, "vmax": top, "rasterized": True}
    ax = next(remaining)
    image = ax.pcolormesh(*edges, estimate.T, **colours)
    ax.set_title(f"{len(x):,} samples")
    if density is not None:
        ax = next(remaining)
        ax.pcolormesh(density["x0"], density["x1"], density.values.T, shading="nearest", **colours)
        ax.set_title(r"model density $e^{-E}/Z$")
    figure.colorbar(image, ax=ax, label="probability density", extend="max")
    if observed is not None:
        ax = next(remaining)
        ax.scatter(*observed.T, s=2, color=ORANGE, alpha=0.5, lw=0, rasterized=True)
        ax.set_title(f"{len(observed):,} observed points")
    for ax in axes.flat:
        ax.set(xlim=bounds[0], ylim=bounds[1], aspect="equal", xlabel="$x_0$")
        ax.grid(False)
    axes[0, 0].set_ylabel("$x_1$")
    return figure


def histogram_1d(run, most=8):
    """Marginal histograms of the first dimensions, with the model's density where it is known on a grid."""
    if run.posterior is None or _of_images(run):
        return None
    samples = run.final_samples
    dimensions = min(most, samples.sizes["x_dim"])
    columns = min(4, dimensions)
    rows = -(-dimensions // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(max(5, 2.9 * columns), max(3.4, 2.3 * rows + 0.3)), squeeze=False)
    for i, ax in enumerate(axes.flat[:dimensions]):
        x = _finite(samples.isel(x_dim=i).values[:, None])[:, 0]
        if len(x):
            bins = int(np.clip(2 * len(x) ** (1 / 3), 20, 200))
            ax.hist(x, bins=bins, density=True, color=BLUE, alpha=0.45, label="samples")
        exact = _marginal(run.density, i, samples.sizes["x_dim"])
        if exact is not None:
            ax.plot(exact[f"x{i}"], exact, color=ORANGE, lw=1.4, label=r"model $e^{-E}/Z$")
            ax.set_xlim(_bounds(x[:, None], None)[0])
        ax.set_xlabel(f"$x_{{{i}}}$")
    for ax in axes.flat[dimensions:]:
        ax.remove()
    for row in axes:
        row[0].set_ylabel("probability density")
    _legend_below(figure, axes)
    return figure


def _marginal(density, i, dimensions):
    if density is None or density.ndim != dimensions:
        return None
    return density.integrate([d for d in density.dims if d != f"x{i}"])


def trace(run):
    """Energy against the steps at which draws were kept: median and quantiles over the chains."""
    if run.sample_stats is None or "energy" not in run.sample_stats:
        return None
    energy = run.sample_stats["energy"]
    steps = np.unique(energy["draw"])
    if len(steps) < 2:
        return None
    quantiles = [np.nanquantile(energy.values[:, energy["draw"] == step], [0.05, 0.25, 0.5, 0.75, 0.95]) for step in steps]
    low, lower, median, upper, high = np.transpose(quantiles)
    figure, ax = plt.subplots(figsize=(7, 3.4))
    ax.fill_between(steps, low, high, color=BLUE, alpha=0.15, lw=0, label="5 to 95 %")
    ax.fill_between(steps, lower, upper, color=BLUE, alpha=0.3, lw=0, label="25 to 75 %")
    ax.plot(steps, median, color=BLUE, lw=1.4, marker="." if len(steps) < 50 else None, label="median")
    ax.set(xlabel=_step_name(run), ylabel="energy (kT)", title=f"energy of {energy.sizes['chain']:,} chains")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _of_images(run):
    return run.posterior is not None and "image_shape" in run.posterior["x"].attrs


def _finite(x):
    return x[np.isfinite(x).all(axis=1)]


def _bounds(x, density):
    """Axis limits, one pair per dimension: the 0.1 % to 99.9 % quantiles with a margin, within the energy grid if there is one."""
    low, high = np.quantile(x, [0.001, 0.999], axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    low, high = low - margin, high + margin
    if density is not None:
        grid = [density[d].values for d in density.dims]
        low, high = np.maximum(low, [g.min() for g in grid]), np.minimum(high, [g.max() for g in grid])
    return list(zip(low, high))


PLOTS = [history, trace, histogram_1d, density_2d, image_grid]

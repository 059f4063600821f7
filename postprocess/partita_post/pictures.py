"""Draws all plots that apply to a run."""

import matplotlib.pyplot as plt

from .plots import PLOTS, STYLE
from .studies import STUDIES


def draw_all(run, directory, form="png"):
    """Writes every plot that applies to the directory; returns the files written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    with plt.rc_context(STYLE):
        for plot in PLOTS + STUDIES:
            figure = plot(run)
            if figure is None:
                continue
            figure.suptitle(run.title, wrap=True)
            written.append(directory / f"{plot.__name__}.{form}")
            if written[-1].is_symlink():
                written[-1].unlink()  # the target of a link may belong to somebody else
            figure.savefig(written[-1])
            plt.close(figure)
    return written

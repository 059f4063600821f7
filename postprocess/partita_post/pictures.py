"""Every picture of a run that applies to it."""

import matplotlib.pyplot as plt

from .plots import PLOTS, STYLE
from .studies import STUDIES


def draw_all(run, directory, form="png"):
    """Draws every picture that applies into the directory; returns the files written."""
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
                written[-1].unlink()  # what it points to is somebody else's
            figure.savefig(written[-1])
            plt.close(figure)
    return written

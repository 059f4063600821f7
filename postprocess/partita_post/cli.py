"""partita-post: plots and tables of a run. Exit codes as in Partita: 0 done, 2 bad command line, 3 bad data, 4 storage."""

import argparse
import sys
from pathlib import Path

from .reader import DataError, Run, damaged_part


def main(arguments=None):
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except DataError as error:
        return _fail(error, 3)
    except OSError as error:
        damaged = damaged_part(options.run) if error.errno is None and hasattr(options, "run") else None
        if damaged:
            return _fail(f"{damaged}: damaged ({error}); restore it from a copy, its draws are lost otherwise", 3)
        return _fail(f"{error.filename or getattr(options, 'run', '')}: {error.strerror or error}", 4)
    return 0


def plot(options):
    from .pictures import draw_all  # matplotlib is slow to load and `show` does not need it

    run = Run(options.run)
    written = draw_all(run, options.output or run.path / "plots", options.format)
    for path in written:
        print(path)
    if not written:
        print(f"{run.path}: no history or samples to plot")


def show(options):
    run = Run(options.run)
    if run.summary is None:
        raise DataError(f"{run.path}: no summary.json ({_progress(run)})")
    print(_printable(run.title))
    facts = {
        name: run.summary[name] if name != "status" or run.status is None else run.status["status"]
        for name in ("status", "task", "steps", "ranks", "wall_seconds", "chain_steps_per_second")
        if name in run.summary
    }
    print(_printable("  ".join(f"{name} {_number(value)}" for name, value in facts.items())))
    if run.status is not None and run.status["status"] != run.summary.get("status"):
        print(_printable(f"the run has continued since these results: {_progress(run)}"))
    metrics = run.summary.get("metrics", {})
    rows = [
        (name, _number(value), _number(metrics.get(f"{name}_error", ""), 3), _number(metrics.get(f"{name}_error_degrees_of_freedom", ""), 3))
        for name, value in metrics.items()
        if not _is_error(name, metrics)
    ]
    print(_table(("metric", "value", "standard error", "degrees of freedom, if few"), rows))
    for warning in run.summary.get("warnings", []):
        print(_printable(f"warning: {warning}"))
    for omission in run.summary.get("not_examined", []):
        print(_printable(f"not examined: {omission}"))


def ratings(options):
    from .ratings import read_ratings, write_ratings

    columns = read_ratings(options.file, options.object)
    write_ratings(options.output, columns)
    print(f"{options.output}: {len(columns['rating'])} ratings")


def _is_error(name, metrics):
    """Whether this is the standard error of another metric, or the degrees of freedom of such an error."""
    of = name.removesuffix("_degrees_of_freedom").removesuffix("_error")
    return of != name and of in metrics


def _progress(run):
    if run.status is None:
        return "the run has not started or was killed"
    told = {name: run.status.get(name) for name in ("status", "exit_code", "reason", "step")}
    return ", ".join(f"{name} {value}" for name, value in told.items() if value not in (None, ""))


def _printable(text):
    """Text from a run's files on one line, with control characters escaped, so that none moves the terminal's cursor or begins a line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _number(value, digits=8):
    if value is None:
        return "unknown"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]) for row in [head, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def _parser():
    parser = argparse.ArgumentParser(prog="partita-post", description="Plots and tables of a Partita run.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("plot", help="plot the run")
    command.add_argument("run", metavar="RUN", help="the run's output directory")
    command.add_argument("-o", "--output", type=Path, metavar="DIR", help="directory for the plots (default: RUN/plots)")
    command.add_argument("--format", choices=["png", "pdf", "svg"], default="png", help="file format (default: %(default)s)")
    command.set_defaults(command=plot)
    command = commands.add_parser("show", help="print the run's metrics")
    command.add_argument("run", metavar="RUN", help="the run's output directory")
    command.set_defaults(command=show)
    command = commands.add_parser("ratings", help="write lines user,item,rating from a table of R data, for example MovieLens of r-cran-dslabs")
    command.add_argument("file", type=Path, metavar="FILE", help=".rda, .RData or .rds file, or Rdata.rdb of an R package")
    command.add_argument("output", type=Path, metavar="CSV", help="the file to write")
    command.add_argument("--object", default="movielens", metavar="NAME", help="name of the object in the file (default: %(default)s)")
    command.set_defaults(command=ratings)
    return parser


def _fail(message, code):
    print(_printable(f"partita-post: {message}"), file=sys.stderr)
    return code

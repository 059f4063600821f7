"""Tables of ratings from R data files, as the lines user,item,rating that the program reads.

Needs the package rdata (pip install 'partita-post[ratings]')."""

import struct
import warnings
import zlib
from pathlib import Path

from .reader import DataError

# Names of the columns of MovieLens in R packages and in its own files.
_names = {"user": ("user", "userId", "user_id"), "item": ("item", "movieId", "item_id", "movie_id"), "rating": ("rating",)}


def read_ratings(path, name="movielens"):
    """Columns user, item and rating of the data frame `name` in an .rda, .RData or .rds file, or in a package's Rdata.rdb with its .rdx."""
    path = Path(path)
    try:
        frame = _lazy_object(path, name) if path.suffix == ".rdb" else _object(path, name)
    except (ValueError, NotImplementedError, zlib.error, EOFError, struct.error) as error:
        raise DataError(f"{path}: unreadable as R data ({error})") from error
    if not hasattr(frame, "columns"):
        raise DataError(f"{path}: {name} is not a data frame but {type(frame).__name__}")
    return {column: frame[_column(path, frame, column)].to_numpy() for column in _names}


def write_ratings(path, columns):
    with open(path, "w", encoding="ascii") as file:
        file.write("user,item,rating\n")
        for user, item, rating in zip(columns["user"], columns["item"], columns["rating"]):
            file.write(f"{int(user)},{int(item)},{float(rating):g}\n")


def _column(path, frame, column):
    for name in _names[column]:
        if name in frame.columns:
            return name
    raise DataError(f"{path}: no column {' or '.join(_names[column])}; there are: {', '.join(map(str, frame.columns))}")


def _object(path, name):
    value = _parse(path.read_bytes())
    if not isinstance(value, dict):
        return value
    return _named(path, value, name)


def _lazy_object(path, name):
    """Object of a lazy-load database, which stores for each object the length and the compressed bytes."""
    index = _parse(path.with_suffix(".rdx").read_bytes())
    first, length = (int(number) for number in _named(path, index["variables"], name))
    with open(path, "rb") as file:
        file.seek(first)
        stored = file.read(length)
    if stored[4:5] in (b"2", b"Z"):
        raise DataError(f"{path}: compressed by bzip2 or xz; save {name} as .rds with R, and read that")
    (size,), data = struct.unpack(">I", stored[:4]), zlib.decompress(stored[4:])
    if len(data) != size:
        raise DataError(f"{path}: {name} has {len(data)} of {size} bytes")
    return _parse(data)


def _named(path, objects, name):
    if name not in objects:
        raise DataError(f"{path}: no object {name}; there are: {', '.join(map(str, objects))}")
    return objects[name]


def _parse(data):
    try:
        import rdata
    except ImportError as error:
        raise DataError("reading R data needs the package rdata: pip install 'partita-post[ratings]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdata warns that bytes have no file extension from which to tell their format
        return rdata.conversion.convert(rdata.parser.parse_data(data))

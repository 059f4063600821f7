"""Ratings out of R data files, made here."""

import struct
import zlib

import numpy as np
import pytest

from partita_post.cli import main

rdata = pytest.importorskip("rdata")
import pandas as pd  # noqa: E402  (comes with rdata)

EXPECTED = "user,item,rating\n1,31,2.5\n2,1029,3\n671,7,0.5\n"


@pytest.fixture
def frame():
    return pd.DataFrame({"movieId": [31, 1029, 7], "title": ["a", "b", "c"], "userId": [1, 2, 671], "rating": [2.5, 3.0, 0.5]})


def converted(tmp_path, source, *more):
    output = tmp_path / "ratings.csv"
    return main(["ratings", str(source), str(output), *more]), output


def test_rda_and_rds(tmp_path, frame):
    rdata.write_rda(tmp_path / "a.rda", {"movielens": frame, "other": [1, 2]})
    rdata.write_rds(tmp_path / "a.rds", frame)
    for name in ("a.rda", "a.rds"):
        code, output = converted(tmp_path, tmp_path / name)
        assert code == 0 and output.read_text() == EXPECTED


def write_lazy(folder, objects):
    """A lazy-load database as R's packages hold their data: each object's length and its compressed bytes, and an index of them."""
    places, at = {}, 0
    with open(folder / "Rdata.rdb", "wb") as file:
        for name, value in objects.items():
            rdata.write_rds(folder / "one.rds", value, compression=None)
            data = (folder / "one.rds").read_bytes()
            stored = struct.pack(">I", len(data)) + zlib.compress(data)
            file.write(stored)
            places[name], at = np.array([at, len(stored)], "int32"), at + len(stored)
    rdata.write_rds(folder / "index.rds", {"variables": places, "references": {}, "compressed": True})
    (folder / "index.rds").rename(folder / "Rdata.rdx")


def test_lazy_load_database(tmp_path, frame):
    write_lazy(tmp_path, {"first": [1.0, 2.0], "movielens": frame, "films": frame[:1]})
    code, output = converted(tmp_path, tmp_path / "Rdata.rdb")
    assert code == 0 and output.read_text() == EXPECTED
    code, output = converted(tmp_path, tmp_path / "Rdata.rdb", "--object", "films")
    assert code == 0 and output.read_text() == "user,item,rating\n1,31,2.5\n"


def test_mistakes_are_named(tmp_path, frame, capsys):
    rdata.write_rda(tmp_path / "a.rda", {"other": frame, "films": frame.drop(columns="userId"), "numbers": [1.0]})
    (tmp_path / "bad.rda").write_bytes(b"no R data")

    def message(name, *more):
        code, _ = converted(tmp_path, tmp_path / name, *more)
        return code, capsys.readouterr().err

    assert message("a.rda") == (3, f"partita-post: {tmp_path}/a.rda: no object movielens; there are: other, films, numbers\n")
    assert "no column user or userId or user_id; there are: movieId, title, rating" in message("a.rda", "--object", "films")[1]
    assert "numbers is not a data frame" in message("a.rda", "--object", "numbers")[1]
    assert message("bad.rda")[0] == 3
    assert message("nowhere.rda") == (4, f"partita-post: {tmp_path}/nowhere.rda: No such file or directory\n")

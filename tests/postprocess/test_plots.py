import json

import h5py
import matplotlib.image
import numpy as np
import pytest
from conftest import join_parts

from partita_post.cli import main


def drawn(run, *arguments):
    assert main(["plot", str(run), *arguments]) == 0
    pictures = {path.stem: matplotlib.image.imread(path) for path in (run / "plots").glob("*.png")}
    for name, pixels in pictures.items():
        assert min(pixels.shape[:2]) > 300, name
        assert pixels[..., :3].std() > 0.02, f"{name} is blank"
    return pictures


def test_every_picture_of_a_two_dimensional_run(gaussian_run, capsys):
    pictures = drawn(gaussian_run)
    assert set(pictures) == {"history", "trace", "histogram_1d", "density_2d"}
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_every_picture_of_an_image_run(image_run):
    assert set(drawn(image_run)) == {"history", "trace", "image_grid"}


def test_every_picture_of_the_estimators_files(study_run):
    of_samples = {"reconstructions", "flow_histogram", "score_field"}
    assert set(drawn(study_run)) == of_samples | {"hessian_trend", "relaxation", "hopfield_capacity", "modern_retrieval"}


def test_other_directory_and_format(gaussian_run, tmp_path):
    assert main(["plot", str(gaussian_run), "-o", str(tmp_path / "out"), "--format", "pdf"]) == 0
    assert (tmp_path / "out/history.pdf").stat().st_size > 5000 and not (gaussian_run / "plots").exists()


def test_samples_without_grid_and_observed_data(gaussian_run):
    for name in ("energy_grid", "observed_data"):
        (gaussian_run / f"estimates/{name}.h5").unlink()
    assert set(drawn(gaussian_run)) == {"history", "trace", "histogram_1d", "density_2d"}


def test_nothing_to_plot_is_said(tmp_path, capsys):
    (tmp_path / "deck.toml").write_text("")
    assert main(["plot", str(tmp_path)]) == 0
    assert "no history or samples to plot" in capsys.readouterr().out


def test_show_prints_values_with_their_errors(gaussian_run, capsys):
    assert main(["show", str(gaussian_run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["mean", "0.012", "0.005"] in [line.split() for line in lines]
    assert ["energy_distance_ratio", "1.25"] in [line.split() for line in lines]


def test_show_says_what_is_not_known_and_what_is_wrong(gaussian_run, capsys):
    summary = json.loads((gaussian_run / "summary.json").read_text())
    summary["metrics"] = {"rhat": None, "mean": 3.0, "mean_error": None, "area": 2.0, "area_error": 0.5, "area_error_degrees_of_freedom": 4.0}
    summary["warnings"] = ["rhat: not known"]
    summary["not_examined"] = ["the bias of the step"]
    (gaussian_run / "summary.json").write_text(json.dumps(summary))
    assert main(["show", str(gaussian_run)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["rhat", "unknown"] in lines
    assert ["mean", "3", "unknown"] in lines
    assert ["area", "2", "0.5", "4"] in lines
    assert ["warning:", "rhat:", "not", "known"] in lines
    assert ["not", "examined:", "the", "bias", "of", "the", "step"] in lines
    assert not any("_freedom" in word for line in lines for word in line)


def test_show_before_the_end_says_how_far_the_run_is(gaussian_run, capsys):
    (gaussian_run / "summary.json").unlink()
    assert main(["show", str(gaussian_run)]) == 3
    assert "no summary.json (status done" in capsys.readouterr().err


def test_show_tells_that_the_run_went_on_and_died(gaussian_run, capsys):
    (gaussian_run / "run.status.json").write_text(json.dumps({"status": "running", "exit_code": None, "reason": "", "step": 5, "host": "gone"}))
    assert main(["show", str(gaussian_run)]) == 0
    out = capsys.readouterr().out
    assert "status died" in out and "status done" not in out and "continued since these results" in out


def test_show_writes_control_characters_of_a_title_out(gaussian_run, capsys):
    (gaussian_run / "deck.toml").write_text('title = "x\\u001b[2J\\nerror"\n', encoding="utf-8")
    assert main(["show", str(gaussian_run)]) == 0
    assert capsys.readouterr().out.startswith("x\\x1b[2J\\nerror\n")


def test_pictures_are_not_drawn_through_links(gaussian_run, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    assert main(["plot", str(gaussian_run)]) == 0
    for picture in (gaussian_run / "plots").iterdir():
        picture.unlink()
        picture.symlink_to(victim)
    assert main(["plot", str(gaussian_run)]) == 0
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("command", ["plot", "show"])
def test_bad_directory_is_exit_3_in_one_line(tmp_path, command, capsys):
    assert main([command, str(tmp_path / "missing")]) == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("content", ["[1]", "5", "{}", '{"metrics": 5}', '{"warnings": 5}', '{"metrics": [1]}'])
@pytest.mark.parametrize("name", ["summary.json", "run.status.json"])
def test_json_of_another_shape_is_no_traceback(gaussian_run, name, content, capsys):
    (gaussian_run / name).write_text(content)
    code = main(["show", str(gaussian_run)])
    error = capsys.readouterr().err
    assert (code, error) == (0, "") or (code == 3 and name in error and error.count("\n") == 1)
    assert code == 3 or (name, content) == ("summary.json", "{}")


def test_a_damaged_part_is_named_and_exit_3(gaussian_run, capsys):
    part = gaussian_run / "samples/part-000001.h5"
    with h5py.File(part, "a") as file:
        x = file["posterior/x"][...]
        del file["posterior/x"]
        summed = file["posterior"].create_dataset("x", data=x, chunks=x.shape, fletcher32=True)
        for name, axis in zip(("chain", "draw", "x_dim"), summed.dims):
            axis.attach_scale(file["posterior"][name])
        place = summed.id.get_chunk_info(0).byte_offset
    content = bytearray(part.read_bytes())
    content[place + 8] ^= 1
    part.write_bytes(content)
    join_parts(gaussian_run)
    assert main(["plot", str(gaussian_run)]) == 3
    assert "part-000001.h5: damaged" in capsys.readouterr().err


def test_output_that_cannot_be_written_is_exit_4(gaussian_run, tmp_path, capsys):
    (tmp_path / "a file").write_text("")
    assert main(["plot", str(gaussian_run), "-o", str(tmp_path / "a file" / "plots")]) == 4
    assert "a file" in capsys.readouterr().err


def test_bad_command_line_is_exit_2():
    with pytest.raises(SystemExit) as exit:
        main(["plot"])
    assert exit.value.code == 2


def test_mosaic_places_images_in_rows():
    from partita_post.plots import _mosaic

    images = np.arange(5.0)[:, None, None] * np.ones((5, 3, 2))
    mosaic = _mosaic(images, 0, 4, gap=1)
    assert mosaic.shape == (2 * 3 + 1, 3 * 2 + 2, 3)
    assert mosaic[0, 3, 0] == 0.25 and mosaic[4, 0, 0] == 0.75 and mosaic[4, 3, 0] == 1 and (mosaic[3] == 1).all()

"""What a run predicts and tells, beside NumPy and the program `gmpc`."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
import struct
from pathlib import Path

import gmpc
import numpy as np
import pytest
from conftest import rows, written

PROGRAM = Path(sys.executable).with_name("gmpc")


def program(*arguments: object) -> None:
    subprocess.run([str(PROGRAM), *map(str, arguments), "--quiet"], check=True)


def test_predictions_are_those_of_the_formula(net: Path, tmp_path: Path) -> None:
    run = gmpc.train(net, out=tmp_path / "run")
    x, weights, scale = rows(), run.weights, run.about["inputs"]
    given, wanted = scale["input_scale"], scale["target_scale"]
    hidden = (x - given["mean"]) / given["deviation"] @ weights["hidden.w"].T + weights["hidden.b"]
    last = np.maximum(hidden, 0) @ weights["last.w"].T + weights["last.b"]
    right = last * wanted["deviation"] + wanted["mean"]
    found = run.predict(x)
    assert found.shape == (40, 1) and found.dtype == np.float64
    np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_arrays_of_any_kind_and_order_give_what_the_program_gives(net: Path, tmp_path: Path, kind: type) -> None:
    run = gmpc.train(net, out=tmp_path / "run", param="gmp + mn", set={"train.epochs": 2})
    x = rows().astype(kind)
    np.save(tmp_path / "x.npy", x)
    program("predict", tmp_path / "run", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    right = np.load(tmp_path / "y.npy")
    for count in (1, 2, 7, 40):
        # A prediction of few rows is another program, whose sums may be made in another order.
        np.testing.assert_allclose(run.predict(np.asfortranarray(x[:count])), right[:count], rtol=1e-5)
    np.testing.assert_array_equal(run.predict(x[::-1])[::-1], right)
    assert run.predict(x[:0]).shape[0] == 0


def test_classes_have_names_and_probabilities(tmp_path: Path) -> None:
    run = gmpc.train(written(tmp_path, classes=True), out=tmp_path / "run")
    scores, names, shares = run.predict(rows()), run.predict_class(rows()), run.predict_probabilities(rows())
    assert run.classes == ["kind 0", "kind 1", "kind 2"] and run.features == ["year", "wave", "other"]
    assert list(names) == [run.classes[i] for i in scores.argmax(axis=1)]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(shares[:, 1] / shares[:, 0]), scores[:, 1] - scores[:, 0], rtol=1e-9, atol=1e-9)


def png(path: Path, image: np.ndarray) -> None:
    """An image [3, height, width] of bytes."""
    lines = b"".join(b"\0" + line.tobytes() for line in np.ascontiguousarray(image.transpose(1, 2, 0)))
    head = struct.pack(">IIBBBBB", image.shape[2], image.shape[1], 8, 2, 0, 0, 0)

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b""))


def test_images_are_bytes_and_go_through_the_transform(tmp_path: Path) -> None:
    file = tmp_path / "small.gmpnet"
    file.write_text(
        """
        data  = shapes32(sample = 40, transform = [center_crop(24)])
        model small { input -> conv(3, 3) -> relu -> global_avg_pool -> linear(data.classes) }
        train { loss = cross_entropy  optimizer = adam(lr = 0.01)  batch = 8  epochs = 1 }"""
    )
    run = gmpc.train(file, out=tmp_path / "run")
    images = np.random.default_rng(3).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(files, images):
        png(path, image)
    program("predict", tmp_path / "run", "--input", *files, "-o", tmp_path / "y.npy")
    np.testing.assert_array_equal(run.predict(images), np.load(tmp_path / "y.npy"))
    with pytest.raises(TypeError, match="uint8"):
        run.predict(images.astype(np.float32))
    with pytest.raises(gmpc.DataError, match="1 channels"):
        run.predict(images[:, :1])


def test_curves_and_boundaries_are_arrays(net: Path, tmp_path: Path) -> None:
    run = gmpc.train(net, out=tmp_path / "run", set={"data.validation": 0.25, "train.record": "boundaries"})
    curves = run.curves
    assert list(curves["epoch"]) == [1, 2, 3, 4]
    assert {"lr", "train.loss", "valid.rmse", "seconds"} <= set(curves)
    assert all(np.isfinite(curve).all() for curve in curves.values())
    (hidden,) = run.boundaries.values()
    assert hidden.shape == (5, 4, 6) and hidden.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(hidden[:, :3], axis=1), 1, rtol=1e-5)
    assert run.result is not None and run.result["test.rmse"] > 0


def test_python_goes_on_while_gmpc_works(net: Path, tmp_path: Path) -> None:
    ticks, done = [0], threading.Event()

    def tick() -> None:
        while not done.wait(0.001):
            ticks[0] += 1

    other = threading.Thread(target=tick)
    other.start()
    gmpc.train(net, out=tmp_path / "run", set={"train.epochs": 3000})
    done.set()
    other.join()
    assert ticks[0] > 5


def test_several_threads_may_predict(net: Path, tmp_path: Path) -> None:
    run = gmpc.train(net, out=tmp_path / "run")
    right, found = run.predict(rows()), [None] * 4

    def predict(place: int) -> None:
        for _ in range(20):
            found[place] = run.predict(rows())

    threads = [threading.Thread(target=predict, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        np.testing.assert_array_equal(one, right)

"""Trains and exports each network of the tests for a moment, with rows and what `gmpc predict` says of them, for `runtimes.py`.

    python3 tests/export/networks.py PROGRAM FOLDER [WORDS...]

takes the networks of compiler/export/tests/export/testing/networks.rs (those whose names hold a word) and trains each with PROGRAM, the
`gmpc` to test. FOLDER gets a folder for each network: the exported files, and for 1, 2 and 7 rows `xN.npy`, the rows as they stand in
the data, and `yN.npy`, the predictions. Whatever `gmpc export` could compare itself (C, PyTorch where it is) has to agree, too.
Needs Python and numpy.
"""

import json
import math
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ROOT / "compiler/export/tests/export/testing/networks.rs"
ROWS = 60


def networks():
    """Names, kinds of data and texts."""
    text = NETWORKS.read_text()
    case = re.compile(r'\(\s*"(\w+)",\s*Data::(\w+),\s*"((?:[^"\\]|\\.)*)",?\s*\)', re.S)
    return case.findall(text[text.index("NETWORKS") :])


def table(folder, features, outputs, classes):
    """A table with a column far from 0, one that is constant, and names with quotes."""
    rows = [[math.sin(0.7 * i + j) * (j + 1) + (2025 if j == 0 else 0) for j in range(features)] for i in range(ROWS)]
    for row in rows:
        if features > 2:
            row[1] = 5.0
    names = [f'"say ""{j}"""' for j in range(features)]
    if classes:
        targets, heads = [[f"class {i % classes}"] for i in range(ROWS)], ["y"]
    else:
        targets = [[100 * math.cos(0.3 * i * (k + 1)) + 7 * k for k in range(outputs)] for i in range(ROWS)]
        heads = [f"y{k}" for k in range(outputs)]
    lines = [",".join(names + heads)] + [",".join(map(str, x + y)) for x, y in zip(rows, targets)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    return np.array(rows), heads


def png(path, image):
    """[3, height, width] of bytes."""
    lines = b"".join(b"\0" + line.tobytes() for line in np.ascontiguousarray(image.transpose(1, 2, 0)))
    head = struct.pack(">IIBBBBB", image.shape[2], image.shape[1], 8, 2, 0, 0, 0)
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b""))


def prepared(folder, kind, text):
    """The whole file, and rows as the data have them."""
    shape = [int(size) for size in re.search(r"input: \[([\d, ]+)\]", text)[1].split(",")]
    widths = re.findall(r"(?:linear|dense)\((\d+)\)", text)
    width = int(widths[-1])
    train = "train {{ loss = {}  optimizer = adam(lr = 0.003)  batch = 8  epochs = 2 }}"
    if kind == "Images":
        images = np.random.default_rng(1).integers(0, 256, (ROWS, *shape), dtype=np.uint8)
        np.savez(folder / "images.npz", data=images, labels=np.arange(ROWS) % width)
        data = f'data = batches("{folder}", train = ["images.npz"], shape = {shape}, classes = {width}, split = random(train = 0.8))'
        return f"{data}\n{text}\n{train.format('cross_entropy')}", images
    classes = {"Classes": width, "Binary": 2}.get(kind, 0)
    rows, heads = table(folder, shape[0], width, classes)
    target = '"y"' if classes else "[" + ", ".join(f'"{head}"' for head in heads) + "]"
    scaled = {"Bare": "none", "Table": "all"}.get(kind, "features")
    task = "task = classification, " if classes else ""
    data = f'data = table("rows.csv", target = {target}, {task}standardize = {scaled}, split = random(train = 0.8))'
    loss = {"Classes": "cross_entropy", "Binary": "binary_cross_entropy"}.get(kind, "mse")
    return f"{data}\n{text}\n{train.format(loss)}", rows


def run(program, *arguments, code=0):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"gmpc {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def predicted(program, folder, rows):
    """What `gmpc predict` says of rows; of images it takes files."""
    out = folder / "predicted.npy"
    if rows.ndim == 2:
        np.save(folder / "rows.npy", rows)
        inputs = [folder / "rows.npy"]
    else:
        # A file for grey images, too: three equal channels become one.
        inputs = [folder / f"{i}.png" for i in range(len(rows))]
        for file, image in zip(inputs, rows):
            png(file, np.repeat(image, 3, axis=0) if len(image) == 1 else image)
    run(program, "predict", folder / "run", "--input", *inputs, "-o", out, "--quiet")
    return np.load(out)


def made(program, folder, kind, text):
    """Trains, exports and predicts; gives how far each form is from `gmpc predict`, by `gmpc export` itself."""
    source, rows = prepared(folder, kind, text.replace('\\"', '"'))
    (folder / "net.gmpnet").write_text(source)
    run(program, "train", folder / "net.gmpnet", "--out", folder / "run", "--quiet")
    told = {}
    forms = [("onnx", "net.onnx"), ("c", "net.c"), ("object", "machine.o"), ("torch", "net.py"), ("torch", "folded.py")]
    for form, file in forms:
        fold = ["--fold"] if file == "folded.py" else []
        said = run(program, "export", folder / "run", "--as", form, *fold, "-o", folder / file, "--json").stdout
        told[file] = json.loads(said.splitlines()[-1])["difference"]
    for count in (1, 2, 7):
        np.save(folder / f"x{count}.npy", rows[:count])
        np.save(folder / f"y{count}.npy", predicted(program, folder, rows[:count]))
    return told


def main():
    program, place, words = os.path.abspath(sys.argv[1]), Path(sys.argv[2]).absolute(), sys.argv[3:]
    wrong, unseen, count = [], set(), 0
    for name, kind, text in networks():
        if words and not any(word in name for word in words):
            continue
        folder = place / name
        folder.mkdir(parents=True)
        told = made(program, folder, kind, text)
        unseen |= {file for file, difference in told.items() if difference is None}
        wrong += [f"{name}/{file}: {difference:.1e}" for file, difference in told.items() if (difference or 0) > 1e-5]
        count += 1
    print(f"{count} networks in {place}; forms that nothing here could compute: {', '.join(sorted(unseen)) or 'none'}")
    if wrong or not count:
        sys.exit("more than rounding: " + "; ".join(wrong) if wrong else "no network has such a name")


main()

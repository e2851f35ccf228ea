"""How fast a trained network answers: gmpc's package for Python beside ONNX Runtime with the file that gmpc exported, in one process.

    python tests/export/serving.py FOLDER [WORDS...]

needs the package `gmpc` (a release wheel) and onnxruntime. Trains each network for a moment and keeps it in FOLDER, then asks both for
one row and for many, in turns, with 1 and with 2 threads. Prints a table in Markdown: medians and the fastest of all rounds, in
milliseconds. On a machine with other work the fastest are the ones to compare.
"""

import subprocess
import sys
import time
from pathlib import Path

import gmpc
import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("gmpc")
SECONDS = 3.0

MLP = """
param = gmp
data  = table("rows.csv", target = "y", standardize = all, split = random(train = 0.9))
model mlp { input -> dense(512) -> relu -> dense(512) -> relu -> dense(512) -> relu -> linear(1) }
train { loss = mse  optimizer = adam(lr = 0.001)  batch = 100  epochs = 1 }
"""
FEATURES = 64

# Name, the file, what is replaced in it, rows of the large batch.
NETWORKS = [
    ("MLP, 64-512-512-512-1", None, {}, 4096),
    ("VGG-6, 32 x 32", "vgg6.gmpnet", {"data": "shapes32(sample = 64)", "train.epochs": 1, "train.batch": 16}, 256),
    ("ResNet-18, 224 x 224", "resnet18.gmpnet", {"train.epochs": 1, "train.batch": 4, "train.augment": "[]"}, 16),
]


def trained(folder, name, file, replaced):
    """The run, and its ONNX file; what is there from before is used again."""
    place = folder / name.split(",")[0]
    if not (place / "net.onnx").exists():
        place.mkdir(parents=True, exist_ok=True)
        source = ROOT / "examples" / file if file else place / "mlp.gmpnet"
        if not file:
            source.write_text(MLP)
            table = np.random.default_rng(1).normal(size=(1000, FEATURES + 1))
            heads = ",".join([f"x{i}" for i in range(FEATURES)] + ["y"])
            np.savetxt(place / "rows.csv", table, delimiter=",", header=heads, comments="")
        if name.startswith("ResNet"):
            # Photographs in their final size: the exported file takes no others.
            images = np.random.default_rng(1).integers(0, 256, (20, 3, 224, 224), dtype=np.uint8)
            np.savez(place / "images.npz", data=images, labels=np.arange(20) % 10)
            split = "classes = 10, split = random(train = 0.8), validation = 0.2"
            data = f'batches("{place}", train = ["images.npz"], shape = [3, 224, 224], {split})'
            replaced = {"data": data, **replaced}
        gmpc.train(source, set=replaced, out=place / "run", force=True)
        onnx = ["export", place / "run", "--as", "onnx", "-o", place / "net.onnx", "--no-check", "--quiet"]
        subprocess.run([str(PROGRAM), *map(str, onnx)], check=True)
    return place / "run", place / "net.onnx"


def rows_for(run, count):
    shape = run.about["inputs"]["shape"]
    random = np.random.default_rng(2)
    if len(shape) == 3:
        return random.integers(0, 256, (count, *shape), dtype=np.uint8)
    return random.normal(size=(count, *shape))


def timed(calls):
    """Milliseconds of each call, taken in turns: the median and the fastest."""
    times = [[] for _ in calls]
    for call in calls:
        call()  # compiles, allocates
    begin = time.perf_counter()
    while time.perf_counter() - begin < SECONDS * len(calls) or len(times[0]) < 5:
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            times[place].append(time.perf_counter() - start)
    return [(1000 * float(np.median(each)), 1000 * min(each)) for each in times]


def main():
    folder, words = Path(sys.argv[1]).absolute(), sys.argv[2:]
    print(f"gmpc {gmpc.__version__}, onnxruntime {onnxruntime.__version__}\n")
    print("| network | threads | rows | gmpc, ms | fastest | onnxruntime, ms | fastest | ratio of the fastest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, file, replaced, many in NETWORKS:
        if words and not any(word.lower() in name.lower() for word in words):
            continue
        run, onnx = trained(folder, name, file, replaced)
        for threads in (1, 2):
            ours = gmpc.load(run, threads=threads)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            theirs = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
            output = theirs.get_outputs()[0].name
            for count in (1, many):
                x = rows_for(ours, count)
                if len(x.shape) == 4:
                    # The exported file takes images in their final size; no transform changes them here.
                    assert list(x.shape[1:]) == ours.about["inputs"]["shape"]
                a, b = ours.predict(x), theirs.run([output], {"input": x})[0]
                assert np.max(np.abs(a - b)) <= 1e-4 * np.max(np.abs(a)), name
                (our, our_best), (their, their_best) = timed(
                    [lambda: ours.predict(x), lambda: theirs.run([output], {"input": x})]
                )
                ratio = f"{our_best / their_best:.2f}"
                print(f"| {name} | {threads} | {count} | {our:.3f} | {our_best:.3f} | {their:.3f} | {their_best:.3f} | {ratio} |", flush=True)


main()

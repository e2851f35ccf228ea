"""Exported networks in the programs they are for: ONNX's checker and reference evaluator, ONNX Runtime, PyTorch.

    python3 tests/export/runtimes.py FOLDER [--needs NAMES]

takes what `networks.py` made in FOLDER and compares what each runtime that this Python has makes of the exported files with what
`gmpc predict` said, for 1, 2 and 7 rows: at most 1e-5 of the largest prediction apart. Prints a line for each network. Fails where a
runtime differs, where it cannot compute a network that is not named below, and where one of NAMES (`checker,reference,onnxruntime,torch,folded`)
is not there. Old versions of ONNX Runtime are tried with a second Python that has one.
"""

import argparse
import functools
import importlib.util
import sys
from pathlib import Path

import numpy as np

MOST = 1e-5

# Networks that a runtime is known not to compute, and why. Every other one has to be computed.
UNABLE = {
    ("reference", "pools"): "its MaxPool stops at a window of 2 x 1 with padding (`zero-size array to reduction operation`)",
}


def checker():
    """ONNX's own checker with shape inference: a file that is not sound raises."""
    import onnx

    def check(path):
        onnx.checker.check_model(onnx.load(path), full_check=True)
        return None

    return f"onnx {onnx.__version__}, full check", check


def reference():
    """The reference evaluator of the package `onnx`."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    def load(path):
        model = onnx.load(path)
        evaluator = ReferenceEvaluator(model)
        kind = onnx.helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
        return kind, [output.name for output in model.graph.output], lambda x: evaluator.run(None, {"input": x})

    return f"onnx {onnx.__version__}, reference evaluator", load


def runtime():
    """ONNX Runtime."""
    import onnxruntime

    kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(uint8)": np.uint8}

    def load(path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        kind = kinds[session.get_inputs()[0].type]
        return kind, [output.name for output in session.get_outputs()], lambda x: session.run(None, {"input": x})

    return f"onnxruntime {onnxruntime.__version__}", load


def module(file):
    """A module of PyTorch's, with the parameterizations of training or with plain weights."""
    import safetensors
    import torch

    def load(path):
        source = path.with_name(file)
        specification = importlib.util.spec_from_file_location(f"{path.parent.name}_{source.stem}", source)
        exported = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(exported)
        network = exported.load()

        def run(x):
            with torch.no_grad():
                return [network(torch.from_numpy(x)).numpy()]

        return None, ["prediction"], run

    return f"torch {torch.__version__}, safetensors {safetensors.__version__}, {file}", load


def difference(right, found):
    """The largest difference as a share of the largest prediction; infinite where shapes differ or a number is none."""
    if right.shape != found.shape or not np.all(np.isfinite(found)):
        return float("inf")
    return float(np.max(np.abs(right - found)) / max(np.max(np.abs(right)), 1e-30))


def probabilities(scores):
    """Of each class, in double precision: softmax of the scores, of one score its sigmoid."""
    scores = scores.astype(np.float64)
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def worst(load, folder):
    """How far a runtime is from `gmpc predict`, over all numbers of rows and all outputs."""
    loaded = load(folder / "net.onnx")
    if loaded is None:
        return 0.0
    kind, names, run = loaded
    most = 0.0
    for count in (1, 2, 7):
        x, right = np.load(folder / f"x{count}.npy"), np.load(folder / f"y{count}.npy")
        found = dict(zip(names, run(x if kind is None else x.astype(kind))))
        most = max(most, difference(right, found.get("prediction", found.get("scores"))))
        if "probabilities" in found:
            most = max(most, difference(probabilities(right), found["probabilities"]))
    return most


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--needs", default="", type=lambda text: [name for name in text.split(",") if name])
    asked = arguments.parse_args()
    runtimes, missing = {}, []
    known = {"checker": checker, "reference": reference, "onnxruntime": runtime}
    known |= {"torch": functools.partial(module, "net.py"), "folded": functools.partial(module, "folded.py")}
    for name, make in known.items():
        try:
            title, runtimes[name] = make()
            print(f"{name}: {title}")
        except ImportError as error:
            print(f"{name}: not here ({error})")
            missing += [name] if name in asked.needs else []
    folders = sorted(path.parent for path in asked.folder.glob("*/net.onnx"))
    wrong, compared = [], 0
    for folder in folders:
        told = []
        for name, load in runtimes.items():
            try:
                apart = worst(load, folder)
            except Exception as error:  # whatever a runtime raises, the others are asked all the same
                why = UNABLE.get((name, folder.name))
                told.append(f"{name} cannot: {why}" if why else f"{name} FAILS")
                wrong += [] if why else [f"{folder.name}: {name} cannot compute it: {str(error).splitlines()[0][:300]}"]
                continue
            compared += 1
            told.append(f"{name} {apart:.1e}")
            wrong += [f"{folder.name}: {name} differs by {apart:.1e}"] if apart > MOST else []
        print(f"{folder.name:14} {'  '.join(told)}", flush=True)
    print(f"{len(folders)} networks, {compared} comparisons")
    if missing or wrong or not compared:
        sys.exit("\n".join([f"{name} is not here" for name in missing] + wrong or ["nothing was compared"]))


main()

"""Exported networks in a browser: ONNX Runtime Web in a headless Chromium.

    python3 tests/export/web.py FOLDER DIST

takes what `networks.py` made in FOLDER and compares what ONNX Runtime Web makes of the ONNX files with what `gmpc predict` said, for 1, 2
and 7 rows, as `runtimes.py` does for other runtimes. DIST is the folder `dist` of the npm package onnxruntime-web. The browser is
GMPC_BROWSER, else `chromium`. Needs numpy.
"""

import functools
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

MOST = 1e-5
NOBODY = 65534

PAGE = """<!doctype html><meta charset="utf-8"><title>waiting</title><script src="/dist/ort.wasm.min.js"></script><script>
const kinds = { float64: Float64Array, float32: Float32Array, uint8: Uint8Array };
async function all() {
    ort.env.wasm.wasmPaths = "/dist/";
    ort.env.wasm.numThreads = 1;
    const results = {};
    for (const [name, calls] of Object.entries(await (await fetch("/inputs.json")).json())) {
        try {
            const session = await ort.InferenceSession.create(`/networks/${name}/net.onnx`);
            results[name] = [];
            for (const { shape, data } of calls) {
                const type = session.inputMetadata[0].type;
                const input = new ort.Tensor(type, kinds[type].from(data), shape);
                const outputs = await session.run({ input });
                const found = outputs.prediction ?? outputs.scores;
                results[name].push({ shape: found.dims, data: Array.from(found.data) });
            }
        } catch (error) {
            results[name] = String(error);
        }
    }
    return results;
}
all().catch(String).then((results) => fetch("/results", { method: "POST", body: JSON.stringify(results) }));
</script>
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Gives the page, the package and the networks, and takes the results."""

    def __init__(self, *arguments, folders, results, **more):
        self.folders, self.results = folders, results
        super().__init__(*arguments, **more)

    def translate_path(self, path):
        first, _, rest = path.lstrip("/").partition("/")
        return str(self.folders[first] / rest) if first in self.folders else str(self.folders[""] / path.lstrip("/"))

    def do_POST(self):
        self.results.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_):
        pass


def calls(folder):
    """The rows of a network as lists, with their shapes."""
    arrays = [np.load(folder / f"x{count}.npy") for count in (1, 2, 7)]
    return [{"shape": list(array.shape), "data": array.ravel().tolist()} for array in arrays]


def asked(networks, dist):
    """What the browser says of every network."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "index.html").write_text(PAGE)
        inputs = {folder.name: calls(folder) for folder in networks}
        (Path(place) / "inputs.json").write_text(json.dumps(inputs))
        folders, results = {"": Path(place), "dist": dist, "networks": networks[0].parent}, []
        handler = functools.partial(Handler, folders=folders, results=results)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.done = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = started(Path(place) / "profile", f"http://127.0.0.1:{server.server_address[1]}/index.html")
        came = server.done.wait(300)
        browser.terminate()
        browser.wait()
        server.shutdown()
        return results[0] if came else sys.exit("the browser said nothing within 300 seconds")


def started(profile, address):
    """A browser without a window that opens the address, with all of its protections. It does not start for root: then it runs as
    the user `nobody`, who owns the profile."""
    command = [os.environ.get("GMPC_BROWSER") or "chromium", "--headless", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", address]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    profile.mkdir()
    if os.getuid() == 0:
        profile.parent.chmod(0o755)
        os.chown(profile, NOBODY, NOBODY)
        options |= {"user": NOBODY, "group": NOBODY, "extra_groups": [], "env": {**os.environ, "HOME": str(profile)}}
    return subprocess.Popen(command, **options)


def difference(right, found):
    found = np.array(found["data"]).reshape(found["shape"])
    if right.shape != found.shape or not np.all(np.isfinite(found)):
        return float("inf")
    return float(np.max(np.abs(right - found)) / max(np.max(np.abs(right)), 1e-30))


def main():
    place, dist = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    networks, wrong = sorted(path.parent for path in place.glob("*/net.onnx")), []
    results = asked(networks, dist) if networks else sys.exit("there are no networks")
    if not isinstance(results, dict):
        sys.exit(f"the page failed: {results}")
    worst = 0.0
    for folder in networks:
        found = results[folder.name]
        if isinstance(found, str):
            wrong.append(f"{folder.name}: {found[:300]}")
            continue
        apart = max(difference(np.load(folder / f"y{count}.npy"), one) for count, one in zip((1, 2, 7), found))
        worst = max(worst, apart)
        wrong += [f"{folder.name} differs by {apart:.1e}"] if apart > MOST else []
    print(f"onnxruntime-web: {len(networks) - len(wrong)} of {len(networks)} networks within {MOST}, the worst {worst:.1e} apart")
    if wrong:
        sys.exit("\n".join(wrong))


main()

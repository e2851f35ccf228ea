"""Makes reference.json: what the statistics here have to agree with, by SciPy and by published formulas.

    python3 -m venv /tmp/scipy && /tmp/scipy/bin/pip install scipy==1.17.1
    /tmp/scipy/bin/python reference.py > reference.json

Corrected resampled t: the formula of scikit-learn's example "Statistical comparison of models using grid search" and of R's
correctR::resampled_ttest. Bootstrap: SciPy's BCa on resamples drawn as the Rust code draws them (Philox 4x32-10 below).
"""
import json
import numpy as np
import scipy
from scipy import special, stats

M = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & M, (a >> 32) ^ c[3] ^ k[1], a & M]
        k = [(k[0] + 0x9E3779B9) & M, (k[1] + 0xBB67AE85) & M]
    return c


def drawn(values, seed, resample, stratum):
    key, found, block = (seed & M, seed >> 32), [], 0
    while len(found) < len(values):
        found += [values[(w * len(values)) >> 32] for w in philox((block, resample, stratum, 0xB007), key)]
        block += 1
    return np.array(found[: len(values)])


def bca(values, seed):
    replicates = np.array([drawn(values, seed, b, 0).mean() for b in range(10_000)])
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=0, method="BCa", bootstrap_result=Kept(replicates), vectorized=True, axis=-1
    )
    return [found.confidence_interval.low, found.confidence_interval.high]


class Kept:
    """Stands for an earlier result of stats.bootstrap, to whose resamples none are added."""

    def __init__(self, replicates):
        self.bootstrap_distribution = replicates


def numbers(rng, n):
    return [float(x) for x in np.round(rng.normal(0.15, 0.4, n), 6)]


rng = np.random.default_rng(7)
out = {"scipy": scipy.__version__}
out["two_sided"] = [[t, df, float(2 * stats.t.sf(abs(t), df))] for t in (0.01, 0.5, 2.0, 4.5, 30.0) for df in (1, 2, 9, 49, 499)]
out["critical"] = [[c, df, float(stats.t.ppf(0.5 + c / 2, df))] for c in (0.8, 0.95, 0.99) for df in (1, 2, 4, 9, 19, 99, 999)]
out["beta"] = [[a, b, x, float(special.betainc(a, b, x))] for a in (0.5, 2.0, 25.0) for b in (0.5, 7.0) for x in (0.01, 0.3, 0.97)]
out["gamma_upper"] = [[a, x, float(special.gammaincc(a, x))] for a in (0.5, 1.5, 10.0) for x in (0.05, 1.0, 9.0, 40.0)]
out["normal_quantile"] = [[p, float(special.ndtri(p))] for p in (1e-6, 0.025, 0.3, 0.5, 0.975, 0.9999)]
out["range_quantile"] = [[0.95, k, float(stats.studentized_range.ppf(0.95, k, np.inf))] for k in (2, 3, 4, 5, 8)]

pairs = []
for n in (3, 5, 10, 20, 40):
    a, b = np.array(numbers(rng, n)) + 1.0, np.array(numbers(rng, n))
    d = a - b
    plain = stats.ttest_rel(a, b)
    interval = plain.confidence_interval(0.95)
    ratio = 0.25
    error = float(np.sqrt((1 / n + ratio) * d.var(ddof=1)))
    t = d.mean() / error
    reach = stats.t.ppf(0.975, n - 1) * error
    pairs.append({
        "differences": [float(x) for x in d],
        "plain": [float(d.mean()), float(interval.low), float(interval.high), float(plain.pvalue)],
        "ratio": ratio,
        "corrected": [float(d.mean()), float(d.mean() - reach), float(d.mean() + reach), float(2 * stats.t.sf(abs(t), n - 1))],
    })
out["paired"] = pairs

signed = []
for n in (6, 7, 10, 15, 25):
    d = np.array(numbers(rng, n))
    signed.append([list(map(float, d)), float(stats.wilcoxon(d, method="exact").pvalue)])
for d in ([1, 1, -1, 2, 2, 3, -3, 4], [0.5, 0.5, 0.5, 0.5, 0.5, -0.5], [0, 0, 1, -2, 3, 4, 5, 5, 6]):
    d = np.array(d, float)
    method = stats.PermutationMethod(n_resamples=np.inf)
    nonzero = d[d != 0]
    signed.append([list(map(float, d)), float(stats.wilcoxon(nonzero, method=method).pvalue)])
out["wilcoxon"] = signed
many = np.array(numbers(rng, 260))
out["wilcoxon_many"] = [list(map(float, many)), float(stats.wilcoxon(many, method="asymptotic", correction=False).pvalue)]

out["bootstrap"] = []
for n in (5, 12, 30):
    # Multiples of 1/1024 have exact sums in any order, so that resamples with the same mean are the same for everybody.
    values = np.round(np.array(numbers(rng, n)) ** 3 * 8192) / 1024
    out["bootstrap"].append([list(map(float, values)), 7, [float(x) for x in bca(values, 7)]])

sets = [numbers(rng, 5), numbers(rng, 5), numbers(rng, 6)]
trimmed = lambda rows: float(stats.trim_mean(np.concatenate(rows), 0.25))
replicates = [trimmed([drawn(s, 3, b, k) for k, s in enumerate(sets)]) for b in range(10_000)]
out["iqm"] = {"sets": sets, "mean": trimmed(sets), "interval": [float(x) for x in np.percentile(replicates, [2.5, 97.5])]}

out["holm"] = []
for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.9, 0.02]):
    order, largest, adjusted = np.argsort(p), 0.0, [0.0] * len(p)
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, p[k] * (len(p) - place)))
        adjusted[k] = largest
    out["holm"].append([p, adjusted])

out["ranks"] = []
tables = [np.round(rng.normal(0, 1, (6, 4)), 3), np.round(rng.normal(0, 1, (7, 3)), 0)]
for table in tables:
    found = stats.friedmanchisquare(*table.T)
    n, k = table.shape
    critical = stats.studentized_range.ppf(0.95, k, np.inf) * np.sqrt(k * (k + 1) / (12 * n))
    mean = np.mean([stats.rankdata(row) for row in table], axis=0)
    out["ranks"].append({
        "figures": table.tolist(), "mean": mean.tolist(), "statistic": float(found.statistic),
        "p": float(found.pvalue), "critical": float(critical),
    })

out["share"] = []
for wins, n in ((0, 5), (3, 10), (10, 10), (17, 20)):
    found = stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
    out["share"].append([wins, n, float(found.low), float(found.high)])
print(json.dumps(out, indent=1))

"""PyTorch beside `matmul.rs`: matmul.py THREADS SHAPES, where SHAPES is a file with lines of that bench."""
import sys, time, torch

torch.set_num_threads(int(sys.argv[1]))


def fastest(call):
    call()
    begin, best, rounds = time.perf_counter(), float("inf"), 0
    while rounds <= 3 or time.perf_counter() - begin < 0.05:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
        rounds += 1
    return best


for line in open(sys.argv[2]):
    if line.startswith("#"):
        continue
    m, n, k, how, _, ours = line.split()[:6]
    m, n, k = int(m), int(n), int(k)
    a = torch.full((k, m), 0.5).t() if how == "tn" else torch.full((m, k), 0.5)
    b = torch.full((n, k), 0.25).t() if how == "nt" else torch.full((k, n), 0.25)
    c = torch.empty(m, n)
    with torch.inference_mode():
        seconds = fastest(lambda: torch.mm(a, b, out=c))
    rate = 2 * m * n * k / seconds / 1e9
    print(f"| {m} x {n} x {k} | {how} | {float(ours):.0f} | {rate:.0f} | {float(ours) / rate:.2f} |")

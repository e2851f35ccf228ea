// Bug: every block adds to the same number without an atomic operation.
extern "C" __global__ void __launch_bounds__(64)
row_sums(const float* __restrict__ x, float* __restrict__ y, int columns)
{
    if (threadIdx.x > 0) return;
    float sum = 0.0f;
    for (int i = 0; i < columns; ++i) sum += x[blockIdx.x * columns + i];
    y[0] = sum;
}

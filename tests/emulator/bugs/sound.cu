// No bug here: a block of 64 threads computes y[row] = the sum of row `blockIdx.x` of x. The other files differ in one place.
extern "C" __global__ void __launch_bounds__(64)
row_sums(const float* __restrict__ x, float* __restrict__ y, int columns)
{
    __shared__ float parts[64];
    __shared__ float total;
    const int thread = threadIdx.x;
    float sum = 0.0f;
    for (int i = thread; i < columns; i += 64) sum += x[blockIdx.x * columns + i];
    parts[63 - thread] = sum;
    __syncthreads();
    float mine = thread < 32 ? parts[thread] + parts[thread + 32] : 0.0f;
    for (int by = 16; by > 0; by /= 2) mine += __shfl_xor_sync(0xffffffffu, mine, by);
    if (thread == 0) total = mine;
    __syncthreads();
    if (thread == 63) y[blockIdx.x] = total;
}

// What cuBLASLt and cuDNN compute, as plain sums in double precision: the launch plan leaves these to a library.
#pragma once
#include <cstddef>

namespace emulator {

// Element (i, j) stands `i * rows + j * columns` numbers after the first.
template <class T> struct Matrix {
    T* at;
    size_t rows, columns;
};

// c = a b, plus a row, or max(that, 0); a is [m, k], b [k, n], c [m, n].
template <class T>
void product(size_t m, size_t n, size_t k, Matrix<const T> a, Matrix<const T> b, Matrix<T> c, const T* bias, bool relu);

enum Pass { FORWARD, INPUT, WEIGHT };

// Images [batch, height, width, channels], result [batch, out_height, out_width, units], filters
// [units, kernel_height, kernel_width, channels].
struct Convolution {
    size_t batch, height, width, channels, out_height, out_width, units;
    size_t kernel[2], stride[2], before[2];
    bool relu;
};

template <class T> void convolve(Pass pass, const Convolution& shape, const T* a, const T* b, T* c, const T* bias);

}  // namespace emulator

// The functions of cuBLASLt and cuDNN that launch plans call, as plain sums in double precision.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace emulator {

// Element (i, j) lies `i * rows + j * columns` numbers behind the first.
template <class T> struct Matrix {
    T* at;
    size_t rows, columns;
};

// bfloat16: the upper half of a float, rounded to the nearest number. Of two that are equally near, the even one.
struct Half {
    uint16_t bits;
    Half() = default;
    explicit Half(double x) {
        // Rounding twice could give a wrong result. It does not if the first rounding, to float, is to the odd neighbour.
        float single = static_cast<float>(x);
        uint32_t word;
        std::memcpy(&word, &single, 4);
        if (double(single) != x && x == x) {
            if ((double(single) > x) == (x > 0)) --word;  // towards zero
            word |= 1;
        }
        bits = x != x ? 0x7fc0 : uint16_t((word + 0x7fff + (word >> 16 & 1)) >> 16);
    }
    operator double() const {
        const uint32_t word = uint32_t(bits) << 16;
        float single;
        std::memcpy(&single, &word, 4);
        return single;
    }
};

// c = a b, then optionally a bias row is added and negative results become 0. a is [m, k], b [k, n], c [m, n].
template <class In, class Out>
void product(size_t m, size_t n, size_t k, Matrix<const In> a, Matrix<const In> b, Matrix<Out> c, const Out* bias, bool relu);

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

#include "library.h"

#include <vector>

namespace emulator {

namespace {

// A NaN stays NaN.
template <class T> T rectified(double x, bool relu) { return T(relu && x < 0.0 ? 0.0 : x); }

}  // namespace

template <class In, class Out>
void product(size_t m, size_t n, size_t k, Matrix<const In> a, Matrix<const In> b, Matrix<Out> c, const Out* bias,
             bool relu) {
    for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < n; ++j) {
            double sum = 0.0;
            for (size_t l = 0; l < k; ++l)
                sum += double(a.at[i * a.rows + l * a.columns]) * double(b.at[l * b.rows + j * b.columns]);
            c.at[i * c.rows + j * c.columns] = rectified<Out>(sum + (bias != nullptr ? double(bias[j]) : 0.0), relu);
        }
    }
}

namespace {

// Calls `term(image, filter, result)` with the indices of three numbers, for each multiply-add of a convolution.
template <class Term> void for_each_product(const Convolution& s, Term term) {
    for (size_t n = 0; n < s.batch; ++n)
        for (size_t y = 0; y < s.out_height; ++y)
            for (size_t x = 0; x < s.out_width; ++x)
                for (size_t ky = 0; ky < s.kernel[0]; ++ky)
                    for (size_t kx = 0; kx < s.kernel[1]; ++kx) {
                        // Above the first row, the unsigned number wraps around and is too large, too.
                        const size_t row = y * s.stride[0] + ky - s.before[0], column = x * s.stride[1] + kx - s.before[1];
                        if (row >= s.height || column >= s.width) continue;
                        const size_t image = ((n * s.height + row) * s.width + column) * s.channels;
                        const size_t result = ((n * s.out_height + y) * s.out_width + x) * s.units;
                        for (size_t u = 0; u < s.units; ++u)
                            for (size_t c = 0; c < s.channels; ++c)
                                term(image + c, ((u * s.kernel[0] + ky) * s.kernel[1] + kx) * s.channels + c, result + u);
                    }
}

}  // namespace

template <class T> void convolve(Pass pass, const Convolution& s, const T* a, const T* b, T* c, const T* bias) {
    const size_t images = s.batch * s.height * s.width * s.channels;
    const size_t filters = s.units * s.kernel[0] * s.kernel[1] * s.channels;
    const size_t results = s.batch * s.out_height * s.out_width * s.units;
    std::vector<double> sums(pass == FORWARD ? results : pass == INPUT ? images : filters, 0.0);
    for_each_product(s, [&](size_t image, size_t filter, size_t result) {
        switch (pass) {
            case FORWARD: sums[result] += double(a[image]) * double(b[filter]); break;
            case INPUT: sums[image] += double(a[result]) * double(b[filter]); break;
            case WEIGHT: sums[filter] += double(a[image]) * double(b[result]); break;
        }
    });
    for (size_t i = 0; i < sums.size(); ++i)
        c[i] = rectified<T>(sums[i] + (bias != nullptr ? double(bias[i % s.units]) : 0.0), s.relu);
}

template void product(size_t, size_t, size_t, Matrix<const float>, Matrix<const float>, Matrix<float>, const float*, bool);
template void product(size_t, size_t, size_t, Matrix<const double>, Matrix<const double>, Matrix<double>, const double*,
                      bool);
template void product(size_t, size_t, size_t, Matrix<const Half>, Matrix<const Half>, Matrix<float>, const float*, bool);
template void product(size_t, size_t, size_t, Matrix<const Half>, Matrix<const Half>, Matrix<Half>, const Half*, bool);
template void convolve(Pass, const Convolution&, const float*, const float*, float*, const float*);
template void convolve(Pass, const Convolution&, const double*, const double*, double*, const double*);
template void convolve(Pass, const Convolution&, const Half*, const Half*, Half*, const Half*);

}  // namespace emulator

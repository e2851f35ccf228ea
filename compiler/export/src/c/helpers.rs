//! Functions of the source that layers share. Only those that a network needs are written, for compilers warn of others.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    Dense,
    Window,
    Convolve,
    LargestOfWindows,
    MeansOfWindows,
    MeansOfChannels,
    MultiplyEach,
    AddEach,
    SubtractEach,
    LeakyRelu,
    Larger,
    Relu,
    Smaller,
    Sigmoid,
    Softplus,
    Gelu,
}

impl Helper {
    /// Its text; `s` ends the names of mathematical functions: `f` for `float`.
    pub(super) fn text(self, s: &str) -> String {
        match self {
            Helper::Dense => DENSE.into(),
            Helper::Window => WINDOW.into(),
            Helper::Convolve => CONVOLVE.into(),
            Helper::LargestOfWindows => LARGEST.into(),
            Helper::MeansOfWindows => MEANS.into(),
            Helper::MeansOfChannels => CHANNELS.into(),
            Helper::MultiplyEach => each("multiply_each", "Multiplies", "*"),
            Helper::AddEach => each("add_each", "Adds", "+"),
            Helper::SubtractEach => each("subtract_each", "Subtracts", "-"),
            Helper::LeakyRelu => LEAKY_RELU.into(),
            Helper::Relu => RELU.into(),
            Helper::Larger => larger("larger", "larger", ">"),
            Helper::Smaller => larger("smaller", "smaller", "<"),
            // `float` has functions of its own, whose names end in `f`.
            Helper::Sigmoid => SIGMOID.replace('$', s),
            Helper::Softplus => SOFTPLUS.replace('$', s),
            Helper::Gelu => GELU.replace('$', s),
        }
    }
}

fn each(name: &str, does: &str, sign: &str) -> String {
    format!(
        "
/* {does} one number for each channel of so many numbers. */
static void {name}(const number *x, size_t channels, size_t area, const number *of, number *y)
{{
    for (size_t c = 0; c < channels; c++) {{
        for (size_t i = 0; i < area; i++) {{
            y[c * area + i] = x[c * area + i] {sign} of[c];
        }}
    }}
}}
"
    )
}

fn larger(name: &str, does: &str, sign: &str) -> String {
    format!(
        "
/* The {does} number; not a number where one of them is none. */
static number {name}(number x, number y)
{{
    return x {sign} y || x != x ? x : y;
}}
"
    )
}

const DENSE: &str = "
/* y = x weight + offset, weight [inputs][units]. */
static void dense(const number *x, size_t inputs, const number *weight, const number *offset, size_t units, number *restrict y)
{
    for (size_t unit = 0; unit < units; unit++) {
        y[unit] = offset[unit];
    }
    for (size_t i = 0; i < inputs; i++) {
        const number factor = x[i];
        for (size_t unit = 0; unit < units; unit++) {
            y[unit] += factor * weight[i * units + unit];
        }
    }
}
";

const WINDOW: &str = "
/* A window that slides over the channels of an image; zeros stand around it. */
struct window {
    size_t channels, height, width;  /* of the image */
    size_t units, rows, columns;     /* of the result */
    size_t kh, kw, down, right;      /* the window, and its steps */
    size_t top, left;                /* rows and columns of padding before the image */
};
";

const CONVOLVE: &str = "
/* y = filters over x - centre, with zeros around it; weight [units][channels][kh][kw], centre one number a channel, or null. */
static void convolve(const struct window *w, const number *x, const number *weight, const number *offset, const number *centre,
                     number *restrict y)
{
    for (size_t unit = 0; unit < w->units; unit++) {
        number *const plane = y + unit * w->rows * w->columns;
        for (size_t i = 0; i < w->rows * w->columns; i++) {
            plane[i] = offset[unit];
        }
        for (size_t c = 0; c < w->channels; c++) {
            const number middle = centre == NULL ? 0 : centre[c];
            for (size_t k = 0; k < w->kh * w->kw; k++) {
                const size_t i = k / w->kw, j = k % w->kw, limit = w->left + w->width;
                const number factor = weight[(unit * w->channels + c) * w->kh * w->kw + k];
                /* The columns of the result whose pixel lies in the image. */
                const size_t first = j < w->left ? (w->left - j + w->right - 1) / w->right : 0;
                size_t end = j < limit ? (limit - j + w->right - 1) / w->right : 0;
                end = end < w->columns ? end : w->columns;
                for (size_t row = 0; row < w->rows; row++) {
                    const size_t line = row * w->down + i;
                    if (line < w->top || line - w->top >= w->height) {
                        continue;
                    }
                    const number *const pixels = x + (c * w->height + line - w->top) * w->width;
                    for (size_t column = first; column < end; column++) {
                        plane[row * w->columns + column] += factor * (pixels[column * w->right + j - w->left] - middle);
                    }
                }
            }
        }
    }
}
";

const LARGEST: &str = "
/* The largest number that each window sees in the image. */
static void largest_of_windows(const struct window *w, const number *x, number *restrict y)
{
    for (size_t at = 0; at < w->units * w->rows * w->columns; at++) {
        const size_t column = at % w->columns, row = at / w->columns % w->rows, c = at / w->columns / w->rows;
        number largest = -(number)INFINITY;
        for (size_t k = 0; k < w->kh * w->kw; k++) {
            const size_t i = row * w->down + k / w->kw, j = column * w->right + k % w->kw;
            if (i >= w->top && i - w->top < w->height && j >= w->left && j - w->left < w->width) {
                const number pixel = x[(c * w->height + i - w->top) * w->width + j - w->left];
                largest = pixel > largest ? pixel : largest;
            }
        }
        y[at] = largest;
    }
}
";

const MEANS: &str = "
/* The mean of what each window sees; outside of the image are zeros. */
static void means_of_windows(const struct window *w, const number *x, number *restrict y)
{
    for (size_t at = 0; at < w->units * w->rows * w->columns; at++) {
        const size_t column = at % w->columns, row = at / w->columns % w->rows, c = at / w->columns / w->rows;
        number sum = 0;
        for (size_t k = 0; k < w->kh * w->kw; k++) {
            const size_t i = row * w->down + k / w->kw, j = column * w->right + k % w->kw;
            if (i >= w->top && i - w->top < w->height && j >= w->left && j - w->left < w->width) {
                sum += x[(c * w->height + i - w->top) * w->width + j - w->left];
            }
        }
        y[at] = sum / (number)(w->kh * w->kw);
    }
}
";

const CHANNELS: &str = "
/* The mean of each channel. */
static void means_of_channels(const number *x, size_t channels, size_t area, number *restrict y)
{
    for (size_t c = 0; c < channels; c++) {
        number sum = 0;
        for (size_t i = 0; i < area; i++) {
            sum += x[c * area + i];
        }
        y[c] = sum / (number)area;
    }
}
";

const LEAKY_RELU: &str = "
static number leaky_relu(number x, number slope)
{
    return x > 0 ? x : slope * x;
}
";

const RELU: &str = "
static number relu(number x)
{
    return x > 0 ? x : 0;
}
";

const SIGMOID: &str = "
static number sigmoid(number x)
{
    const number e = exp$(-fabs$(x));
    return (x < 0 ? e : 1) / (1 + e);
}
";

const SOFTPLUS: &str = "
static number softplus(number x)
{
    return (x > 0 ? x : 0) + log1p$(exp$(-fabs$(x)));
}
";

const GELU: &str = "
static number gelu(number x)
{
    const number half = (number)0.5, root = (number)0.70710678118654752440;
    return half * x * (1 + erf$(x * root));
}
";

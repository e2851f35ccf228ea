//! Winograd's convolutions F(m x m, 3 x 3) for kernels of 3 x 3 and stride 1.
//!
//! The image is cut into tiles of m x m results. A tile depends on t x t pixels, t = m + 2. With the matrices of [`points`]:
//!
//! ```text
//! Y = A' [sum over channels of (G w G') * (B' x B)] A      dw = G' [sum over tiles of (B' x B) * (A dy A')] G
//! ```
//!
//! where `*` multiplies element by element. Each of the t x t positions of the Winograd domain is a separate matmul.
//! Together they need m m 9 / (t t) times fewer multiplications than a direct convolution: 2.25 for m = 2, 4 for m = 4.
//! The gradient at the input is the first formula with the kernel rotated by 180 degrees. Source: Lavin and Gray, Fast
//! Algorithms for Convolutional Neural Networks, 2015 (arXiv:1509.09308).

#![expect(clippy::needless_range_loop, reason = "tiles are written with their indices, as in the formula")]

mod grid;
mod image;
mod kernel;
mod meetings;
mod panels;
pub(super) mod points;
pub(super) mod result;
pub(super) mod weight;

pub(super) use result::{forward, input};

//! The choice among cuDNN's algorithms for a convolution.

use super::super::library;
use cudarc::cudnn::sys;

/// Limit on the workspace of an algorithm in bytes.
pub(super) const MOST_WORKSPACE: usize = 1 << 30;

/// cuDNN's numbers of an algorithm and of its math type, the workspace in bytes, and whether the call includes bias and
/// ReLU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) algorithm: u32,
    pub(super) math: u32,
    pub(super) workspace: usize,
    pub(super) includes_epilogue: bool,
}

/// The fastest choice, with its seconds.
pub(super) fn best(found: impl Iterator<Item = (f64, Choice)>) -> Option<(f64, Choice)> {
    found.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// Can a call with this algorithm include the epilogue? With a ReLU any algorithm can. With a bias only, cuDNN has one
/// that can.
pub(super) fn usable(algorithm: u32, relu: bool) -> bool {
    relu || algorithm == sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM as u32
}

impl library::Choice for Choice {
    fn bytes(self) -> Vec<u8> {
        let Choice { algorithm, math, workspace, includes_epilogue } = self;
        format!("{algorithm} {math} {workspace} {}", u8::from(includes_epilogue)).into_bytes()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let words: Vec<&str> = std::str::from_utf8(bytes).ok()?.split(' ').collect();
        let [algorithm, math, workspace, includes_epilogue @ ("0" | "1")] = words[..] else { return None };
        let workspace = workspace.parse().ok().filter(|bytes| *bytes <= MOST_WORKSPACE)?;
        Some(Choice {
            algorithm: algorithm.parse().ok()?,
            math: math.parse().ok()?,
            workspace,
            includes_epilogue: includes_epilogue == "1",
        })
    }
}

pub(super) fn forward(number: u32) -> Option<sys::cudnnConvolutionFwdAlgo_t> {
    use sys::cudnnConvolutionFwdAlgo_t as A;
    let all = [
        A::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
        A::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
        A::CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
        A::CUDNN_CONVOLUTION_FWD_ALGO_DIRECT,
        A::CUDNN_CONVOLUTION_FWD_ALGO_FFT,
        A::CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
        A::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD,
        A::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
    ];
    all.into_iter().find(|&one| one as u32 == number)
}

pub(super) fn input(number: u32) -> Option<sys::cudnnConvolutionBwdDataAlgo_t> {
    use sys::cudnnConvolutionBwdDataAlgo_t as A;
    let all = [
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD,
        A::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
    ];
    all.into_iter().find(|&one| one as u32 == number)
}

pub(super) fn weight(number: u32) -> Option<sys::cudnnConvolutionBwdFilterAlgo_t> {
    use sys::cudnnConvolutionBwdFilterAlgo_t as A;
    let all = [
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED,
        A::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING,
    ];
    all.into_iter().find(|&one| one as u32 == number)
}

#[cfg(test)]
mod tests {
    use super::library::Choice as _;
    use super::*;

    #[test]
    fn the_fastest_is_taken_and_what_may_follow_it_depends_on_the_relu() {
        let choice = |algorithm| Choice { algorithm, math: 3, ..Choice::default() };
        let found = [(0.9, choice(2)), (0.5, choice(3)), (f64::NAN, choice(4))];
        assert_eq!(best(found.into_iter()), Some((0.5, choice(3))));
        assert_eq!(best(std::iter::empty()), None);
        assert!(usable(1, false) && usable(6, true) && !usable(6, false));
    }

    #[test]
    fn a_kept_choice_is_read_back_and_nonsense_is_not() {
        let choice = Choice { algorithm: 7, math: 3, workspace: 4096, includes_epilogue: true };
        assert_eq!(Choice::read(&choice.bytes()), Some(choice));
        for text in ["", "7", "7 0 0", "7 0 x 0", "7 0 0 2", "-1 0 0 0", "7 0 99999999999999 0", "7 0 0 0 0"] {
            assert_eq!(Choice::read(text.as_bytes()), None, "{text}");
        }
        assert!(forward(7).is_some() && forward(99).is_none() && input(99).is_none() && weight(3).is_some());
    }
}

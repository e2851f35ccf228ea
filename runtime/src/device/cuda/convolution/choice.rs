//! Which of cuDNN's algorithms computes a convolution.

use cudarc::cudnn::sys;

/// Working memory that an algorithm may ask for.
pub(super) const MOST_WORKSPACE: usize = 1 << 30;

/// The numbers of an algorithm and of the units that it was timed on, and the bytes that it works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) algorithm: u32,
    pub(super) math: u32,
    pub(super) workspace: usize,
}
/// The fastest that may be taken and has room.
pub(super) fn best(found: impl Iterator<Item = (bool, f32, Choice)>) -> Option<Choice> {
    let fits = |(good, _, choice): &(bool, f32, Choice)| *good && choice.workspace <= MOST_WORKSPACE;
    found.filter(fits).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(.., choice)| choice)
}

impl Choice {
    pub(super) fn bytes(self) -> Vec<u8> {
        format!("{} {} {}", self.algorithm, self.math, self.workspace).into_bytes()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (algorithm, rest) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        let (math, workspace) = rest.split_once(' ')?;
        let [algorithm, math] = [algorithm, math].map(|word| word.parse().ok());
        let choice = Choice { algorithm: algorithm?, math: math?, workspace: workspace.parse().ok()? };
        (choice.workspace <= MOST_WORKSPACE).then_some(choice)
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
    use super::*;

    #[test]
    fn the_fastest_that_repeats_and_fits_is_taken() {
        let choice = |algorithm, workspace| Choice { algorithm, math: 3, workspace };
        let found = [
            (false, 0.1, choice(0, 0)),
            (true, 0.2, choice(1, MOST_WORKSPACE + 1)),
            (true, 0.9, choice(2, 0)),
            (true, 0.5, choice(3, 64)),
        ];
        assert_eq!(best(found.into_iter()), Some(choice(3, 64)));
        assert_eq!(best(std::iter::empty()), None);
    }

    #[test]
    fn a_kept_choice_is_read_back_and_nonsense_is_not() {
        let choice = Choice { algorithm: 7, math: 3, workspace: 4096 };
        assert_eq!(Choice::read(&choice.bytes()), Some(choice));
        for text in ["", "7", "7 0", "7 0 x", "-1 0 0", "7 0 99999999999999"] {
            assert_eq!(Choice::read(text.as_bytes()), None, "{text}");
        }
        assert!(forward(7).is_some() && forward(99).is_none() && input(99).is_none() && weight(3).is_some());
    }
}

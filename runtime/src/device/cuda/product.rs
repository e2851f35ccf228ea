//! Matrix products from cuBLASLt, with bias and rectifier in the same call where it has them.
//!
//! Each shape's algorithms are timed once and the choice is kept, on disk too, so that a repeated run adds in the same
//! order. Sums that are cut in pieces are joined in a fixed order: no algorithm whose pieces meet in the result is asked for.

mod description;
mod shape;

pub(super) use shape::{result_width, width};

use super::super::DeviceError;
use super::cache::Cache;
use super::driver::{Call, Queue};
use super::failed::failed;
use super::library::{self, Handle, Kept, seconds};
use super::memory::Memory;
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys;
use cudarc::driver::CudaStream;
use description::{Descriptions, Preference};
use gmpc_compiler::backend::cuda::{Operand, Product};
use gmpc_compiler::experiment::Precision;
use shape::Shape;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Working memory that an algorithm may ask for: what cuBLAS's documentation advises for Hopper.
const MOST_WORKSPACE: usize = 32 << 20;
/// Algorithms that are timed.
const CANDIDATES: usize = 8;
/// cuBLASLt on one stream.
#[derive(Debug)]
pub(super) struct Products {
    cublas: Arc<Library>,
    kept: Kept<Choice>,
}

type Library = Handle<sys::cublasLtHandle_t>;

/// An algorithm in the library's own words, the bytes that it works in, and whether it finishes with bias and rectifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    algorithm: [u64; 8],
    workspace: usize,
    finishes: bool,
}

impl library::Choice for Choice {
    fn bytes(self) -> Vec<u8> {
        let words = self.algorithm.map(|word| format!("{word:x}"));
        format!("{} {} {}", u8::from(self.finishes), self.workspace, words.join(" ")).into_bytes()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
        let finishes = words.next()? == "1";
        let workspace = words.next()?.parse().ok()?;
        let mut algorithm = [0; 8];
        for to in &mut algorithm {
            *to = u64::from_str_radix(words.next()?, 16).ok()?;
        }
        (words.next().is_none() && workspace <= MOST_WORKSPACE).then_some(Choice { algorithm, workspace, finishes })
    }
}

impl Products {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(|error| failed("cuBLASLt does not start", &error))?;
        let destroy = |handle| {
            // SAFETY: `Handle` hands over the one it has, once.
            let _ = unsafe { result::destroy_handle(handle) };
        };
        let cublas = Arc::new(Handle::new(handle, stream, destroy));
        // SAFETY: asks for a number.
        let machine = format!("{gpu}, cuBLASLt {}", unsafe { sys::cublasLtGetVersion() });
        Ok(Products { cublas, kept: Kept::new("product", machine, Cache::of_the_user()) })
    }

    /// Makes a product ready; the first of its shape takes some milliseconds, for its algorithms are timed. `None` where the library
    /// has none.
    pub(super) fn prepare(
        &self,
        queue: &Arc<Queue>,
        product: &Product,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let shape = match Shape::new(product, precision) {
            Ok(shape) => shape,
            Err(error) => {
                tracing::debug!("{}: {error}", product.sizes());
                return Ok(None);
            }
        };
        let name = format!("{shape:?} {precision:?} {:?}", product.contractions);
        let Some(choice) = self.kept.get(&name, || self.fastest(queue, product, &shape, precision))? else {
            return Ok(None);
        };
        let epilogue = shape.epilogue(precision).filter(|_| choice.finishes);
        let descriptions = Descriptions::new(&shape, (precision, product.contractions), epilogue)?;
        let finishes = choice.finishes || !shape.bias && !shape.relu;
        let cublas = Arc::clone(&self.cublas);
        Ok(Some(Box::new(Prepared { cublas, descriptions, precision, choice, finishes })))
    }

    /// Times what the library proposes, with the bias and the rectifier in the call where it can.
    fn fastest(
        &self,
        queue: &Arc<Queue>,
        product: &Product,
        shape: &Shape,
        precision: Precision,
    ) -> Result<Option<Choice>, DeviceError> {
        let room = |operand: &Operand| Memory::new(queue, operand.region.bytes);
        let memory = [room(&product.a)?, room(&product.b)?, room(&product.c)?];
        let workspace = Memory::new(queue, MOST_WORKSPACE.max(16 + product.n * precision.bytes()))?;
        // Any row will do as a bias, aligned no better than the real one: the library judges by that.
        let row = workspace.start + u64::from(shape.aligned) % 16;
        let narrow = width(precision, product.contractions);
        let whole = result_width(precision, product.half);
        let operands = [(&product.a, narrow), (&product.b, narrow), (&product.c, whole)];
        let starts = operands.map(|(operand, width)| (operand.offset * width) as u64);
        let places = [0, 1, 2].map(|i: usize| memory[i].start + starts[i]);
        let epilogues = shape.epilogue(precision).map(Some).into_iter().chain([None]);
        for epilogue in epilogues {
            let Ok(descriptions) = Descriptions::new(shape, (precision, product.contractions), epilogue) else {
                continue;
            };
            if epilogue.is_some() && shape.bias && descriptions.set_bias(row).is_err() {
                continue;
            }
            let mut best: Option<(f64, Choice)> = None;
            for (algorithm, bytes) in self.proposed(&descriptions, shape)? {
                let finishes = epilogue.is_some();
                let choice = Choice { algorithm: algorithm.data, workspace: bytes, finishes };
                let cublas = Arc::clone(&self.cublas);
                // The trial has a description of its own, for a call keeps the one that it has.
                let descriptions = Descriptions::new(shape, (precision, product.contractions), epilogue)?;
                let call = Prepared { cublas, descriptions, precision, choice, finishes };
                let bias = (finishes && shape.bias).then_some(row);
                // SAFETY: the operands have their room; what they hold does not matter.
                let run = || unsafe { queue.call(&call, places, bias, workspace.start) };
                let Ok(took) = seconds(queue, run) else { continue };
                if best.is_none_or(|(least, _)| took < least) {
                    best = Some((took, choice));
                }
            }
            if let Some((_, choice)) = best {
                return Ok(Some(choice));
            }
        }
        Ok(None)
    }

    /// Algorithms with the bytes that they work in, the most promising first; empty where the library has none.
    fn proposed(
        &self,
        all: &Descriptions,
        shape: &Shape,
    ) -> Result<Vec<(sys::cublasLtMatmulAlgo_t, usize)>, DeviceError> {
        use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
        let refused = |error: CublasError| failed("cuBLASLt takes no preference", &error);
        let preference = Preference(result::create_matmul_pref().map_err(refused)?);
        // Sums in pieces only where the pieces are joined in working memory, in order.
        let joined = sys::cublasLtReductionScheme_t::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
        preference.set(Attribute::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &joined).map_err(refused)?;
        preference.set(Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &MOST_WORKSPACE).map_err(refused)?;
        preference.set(Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &shape.a.aligned).map_err(refused)?;
        preference.set(Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &shape.b.aligned).map_err(refused)?;
        for attribute in [
            Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
            Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
        ] {
            preference.set(attribute, &shape.aligned).map_err(refused)?;
        }
        let mut found: [MaybeUninit<sys::cublasLtMatmulHeuristicResult_t>; CANDIDATES] =
            [const { MaybeUninit::uninit() }; _];
        let mut count = 0;
        // SAFETY: handle, descriptions and preference are alive; there is room for `CANDIDATES` results.
        let told = unsafe {
            let (most, results) = (CANDIDATES as i32, found.as_mut_ptr().cast());
            let Descriptions { product, a, b, c } = *all;
            sys::cublasLtMatmulAlgoGetHeuristic(
                self.cublas.raw,
                product,
                a,
                b,
                c,
                c,
                preference.0,
                most,
                results,
                &raw mut count,
            )
        };
        if told.result().is_err() {
            return Ok(vec![]); // none for this shape and these wishes
        }
        let found = found.iter().take(usize::try_from(count).unwrap_or(0));
        // SAFETY: the library has filled in the first `count`.
        let found = found.map(|one| unsafe { one.assume_init_ref() });
        let works = |one: &&sys::cublasLtMatmulHeuristicResult_t| {
            one.state == sys::cublasStatus_t::CUBLAS_STATUS_SUCCESS && one.workspaceSize <= MOST_WORKSPACE
        };
        Ok(found.filter(works).map(|one| (one.algo, one.workspaceSize)).collect())
    }
}

/// A product with its algorithm.
struct Prepared {
    cublas: Arc<Library>,
    descriptions: Descriptions,
    precision: Precision,
    choice: Choice,
    finishes: bool,
}

impl Call for Prepared {
    fn workspace(&self) -> usize {
        self.choice.workspace
    }

    fn finishes(&self) -> bool {
        self.finishes
    }

    unsafe fn run(&self, [a, b, c]: [u64; 3], bias: Option<u64>, workspace: u64) -> Result<(), DeviceError> {
        let refused = |error: CublasError| failed("cuBLASLt refuses a product", &error);
        if let Some(bias) = bias {
            self.descriptions.set_bias(bias).map_err(refused)?;
        }
        let (single, double) = ([1.0_f32, 0.0], [1.0_f64, 0.0]);
        let [one, zero]: [*const c_void; 2] = match self.precision {
            Precision::F32 => [(&raw const single[0]).cast(), (&raw const single[1]).cast()],
            Precision::F64 => [(&raw const double[0]).cast(), (&raw const double[1]).cast()],
        };
        let Descriptions { product, a: a_layout, b: b_layout, c: c_layout } = self.descriptions;
        let algorithm = sys::cublasLtMatmulAlgo_t { data: self.choice.algorithm };
        let (workspace, bytes) = (workspace as *mut c_void, self.choice.workspace);
        // SAFETY: the caller's promise; our b is their a, see `Shape`; everything else is alive.
        let told = unsafe {
            let stream = self.cublas.stream.cu_stream().cast();
            let (x, y, z) = (b as *const c_void, a as *const c_void, c as *mut c_void);
            let handle = self.cublas.raw;
            result::matmul(
                handle,
                product,
                one,
                zero,
                x,
                a_layout,
                y,
                b_layout,
                z,
                c_layout,
                z,
                c_layout,
                &raw const algorithm,
                workspace,
                bytes,
                stream,
            )
        };
        told.map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::library::Choice as _;
    use super::*;

    #[test]
    fn a_kept_choice_is_read_back_and_nonsense_is_not() {
        let choice = Choice { algorithm: [1, 2, 3, 4, 5, 6, 7, u64::MAX], workspace: 4096, finishes: true };
        assert_eq!(Choice::read(&choice.bytes()), Some(choice));
        for text in ["", "1", "1 2", "1 2 3 4 5 6 7 8 9", "1 99999999999999 1 2 3 4 5 6 7 8", "1 0 1 2 3 4 5 6 7 8 9"] {
            assert_eq!(Choice::read(text.as_bytes()), None, "{text}");
        }
    }
}

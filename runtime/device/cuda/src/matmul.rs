//! Matmuls from cuBLASLt, with bias and ReLU in the same call if it supports that.
//!
//! The algorithms of each shape are timed once, and the choice is stored on disk. So a repeated run adds in the same
//! order. If a sum is cut into pieces, they are joined in a fixed order: algorithms that add pieces in place in the
//! result are excluded.

mod description;
mod shape;

use super::cache::Cache;
use super::driver::{Call, Queue};
use super::failed::failed;
use super::library::{self, Choices, Handle, seconds};
use super::memory::Memory;
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys;
use cudarc::driver::CudaStream;
use description::{Descriptions, Preference};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_cuda::{MatMul, Operand};
use gmpc_device::DeviceError;
use shape::Shape;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Limit on the workspace of an algorithm in bytes: the size that cuBLAS's documentation advises for Hopper.
const MOST_WORKSPACE: usize = 32 << 20;
/// The number of algorithms that are timed.
const CANDIDATES: u8 = 8;

/// cuBLASLt on one stream.
#[derive(Debug)]
pub(super) struct MatMuls {
    cublas: Arc<Library>,
    choices: Choices<Choice>,
}

type Library = Handle<sys::cublasLtHandle_t>;

/// An algorithm in the library's own encoding, its workspace in bytes, and whether the call includes bias and ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    algorithm: [u64; 8],
    workspace: usize,
    includes_epilogue: bool,
}

impl library::Choice for Choice {
    fn bytes(self) -> Vec<u8> {
        let words = self.algorithm.map(|word| format!("{word:x}"));
        format!("{} {} {}", u8::from(self.includes_epilogue), self.workspace, words.join(" ")).into_bytes()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
        let includes_epilogue = words.next()? == "1";
        let workspace = words.next()?.parse().ok()?;
        let mut algorithm = [0; 8];
        for to in &mut algorithm {
            *to = u64::from_str_radix(words.next()?, 16).ok()?;
        }
        (words.next().is_none() && workspace <= MOST_WORKSPACE).then_some(Choice {
            algorithm,
            workspace,
            includes_epilogue,
        })
    }
}

impl MatMuls {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(|error| failed("cuBLASLt does not start", &error))?;
        let destroy = |handle| {
            // SAFETY: `Handle::drop` passes the handle that was created above, once.
            let _ = unsafe { result::destroy_handle(handle) };
        };
        let cublas = Arc::new(Handle::new(handle, stream, destroy));
        // SAFETY: the call takes no pointers and returns a number.
        let machine = format!("{gpu}, cuBLASLt {}", unsafe { sys::cublasLtGetVersion() });
        Ok(MatMuls { cublas, choices: Choices::new("product", machine, Cache::of_the_user()) })
    }

    /// Prepares a matmul. The first one of its shape takes some milliseconds, because its algorithms are timed. `None` if
    /// the library has no algorithm for it.
    pub(super) fn prepare(
        &self,
        queue: &Arc<Queue>,
        product: &MatMul,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let shape = match Shape::new(product) {
            Ok(shape) => shape,
            Err(error) => {
                tracing::debug!("{}: {error}", product.sizes());
                return Ok(None);
            }
        };
        let name = format!("{shape:?} {precision:?} {:?}", product.contractions);
        let Some(choice) = self.choices.get(&name, || self.fastest(queue, product, &shape, precision))? else {
            return Ok(None);
        };
        let epilogue = shape.epilogue(precision).filter(|_| choice.includes_epilogue);
        let descriptions = Descriptions::new(&shape, (precision, product.contractions), epilogue)?;
        let includes_epilogue = choice.includes_epilogue || !shape.bias && !shape.relu;
        let cublas = Arc::clone(&self.cublas);
        Ok(Some(Box::new(Prepared { cublas, descriptions, precision, choice, includes_epilogue })))
    }

    /// Times the algorithms that the library proposes and returns the fastest. Calls with bias and ReLU are preferred.
    fn fastest(
        &self,
        queue: &Arc<Queue>,
        product: &MatMul,
        shape: &Shape,
        precision: Precision,
    ) -> Result<Option<Choice>, DeviceError> {
        // Trials run on memory of their own: the program's buffers may hold numbers that are needed.
        let room = |operand: &Operand| Memory::new(queue, operand.region.bytes);
        let memory = [room(&product.a)?, room(&product.b)?, room(&product.c)?];
        let workspace = Memory::new(queue, MOST_WORKSPACE.max(16 + product.n * precision.bytes()))?;
        // The bias of the trials may hold anything. Its address must not be aligned better than that of the real bias,
        // because the library chooses algorithms by alignment.
        let row = workspace.start + u64::from(shape.aligned) % 16;
        let starts = [&product.a, &product.b, &product.c].map(|operand| operand.skipped() as u64);
        let places = [0, 1, 2].map(|i: usize| memory[i].start + starts[i]);
        // Without an algorithm that includes the epilogue, a separate kernel computes it.
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
                let includes_epilogue = epilogue.is_some();
                let choice = Choice { algorithm: algorithm.data, workspace: bytes, includes_epilogue };
                let cublas = Arc::clone(&self.cublas);
                // `Prepared` owns its descriptors, so each trial gets new ones.
                let descriptions = Descriptions::new(shape, (precision, product.contractions), epilogue)?;
                let call = Prepared { cublas, descriptions, precision, choice, includes_epilogue };
                let bias = (includes_epilogue && shape.bias).then_some(row);
                // SAFETY: operands, bias and workspace were allocated above in the sizes that the call needs. It may read
                // unset numbers; nobody uses the results.
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

    /// The algorithms that the library proposes, each with its workspace in bytes, the most promising first. Empty if it
    /// has none.
    fn proposed(
        &self,
        all: &Descriptions,
        shape: &Shape,
    ) -> Result<Vec<(sys::cublasLtMatmulAlgo_t, usize)>, DeviceError> {
        use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
        let refused = |error: CublasError| failed("cuBLASLt takes no preference", &error);
        let preference = Preference(result::create_matmul_pref().map_err(refused)?);
        // Split sums are allowed only if their pieces are joined in the workspace, which gives one order. Joining them in
        // the result would depend on the order in which blocks run.
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
        let mut found: [MaybeUninit<sys::cublasLtMatmulHeuristicResult_t>; CANDIDATES as usize] =
            [const { MaybeUninit::uninit() }; _];
        let mut count = 0;
        // SAFETY: `self`, `all` and `preference` keep handle, descriptors and preference alive; `found` has room for
        // `CANDIDATES` results.
        let status = unsafe {
            let (most, results) = (i32::from(CANDIDATES), found.as_mut_ptr().cast());
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
        if status.result().is_err() {
            return Ok(vec![]); // no algorithm for this shape and these preferences
        }
        let found = found.iter().take(usize::try_from(count).unwrap_or(0));
        // SAFETY: the library has written the first `count` results.
        let found = found.map(|one| unsafe { one.assume_init_ref() });
        let works = |one: &&sys::cublasLtMatmulHeuristicResult_t| {
            one.state == sys::cublasStatus_t::CUBLAS_STATUS_SUCCESS && one.workspaceSize <= MOST_WORKSPACE
        };
        Ok(found.filter(works).map(|one| (one.algo, one.workspaceSize)).collect())
    }
}

/// A matmul with its descriptors and its algorithm.
struct Prepared {
    cublas: Arc<Library>,
    descriptions: Descriptions,
    precision: Precision,
    choice: Choice,
    includes_epilogue: bool,
}

impl Call for Prepared {
    fn workspace(&self) -> usize {
        self.choice.workspace
    }

    fn includes_epilogue(&self) -> bool {
        self.includes_epilogue
    }

    unsafe fn run(&self, [a, b, c]: [u64; 3], bias: Option<u64>, workspace: u64) -> Result<(), DeviceError> {
        let refused = |error: CublasError| failed("cuBLASLt refuses a product", &error);
        if let Some(bias) = bias {
            self.descriptions.set_bias(bias).map_err(refused)?;
        }
        // The library reads the factors of product and old result, 1 and 0, from host memory in the precision of the sums.
        let (single, double) = ([1.0_f32, 0.0], [1.0_f64, 0.0]);
        let [one, zero]: [*const c_void; 2] = match self.precision {
            Precision::F32 => [(&raw const single[0]).cast(), (&raw const single[1]).cast()],
            Precision::F64 => [(&raw const double[0]).cast(), (&raw const double[1]).cast()],
        };
        let Descriptions { product, a: a_layout, b: b_layout, c: c_layout } = self.descriptions;
        let algorithm = sys::cublasLtMatmulAlgo_t { data: self.choice.algorithm };
        let (workspace, bytes) = (workspace as *mut c_void, self.choice.workspace);
        // SAFETY: `Call::run` demands that operands, bias and workspace have the sizes of this matmul. `self` keeps
        // handle, stream and descriptors alive. Our b is the library's a, see `Shape`.
        let status = unsafe {
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
        status.map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::library::Choice as _;
    use super::*;

    #[test]
    fn a_kept_choice_is_read_back_and_nonsense_is_not() {
        let choice = Choice { algorithm: [1, 2, 3, 4, 5, 6, 7, u64::MAX], workspace: 4096, includes_epilogue: true };
        assert_eq!(Choice::read(&choice.bytes()), Some(choice));
        for text in ["", "1", "1 2", "1 2 3 4 5 6 7 8 9", "1 99999999999999 1 2 3 4 5 6 7 8", "1 0 1 2 3 4 5 6 7 8 9"] {
            assert_eq!(Choice::read(text.as_bytes()), None, "{text}");
        }
    }
}

//! Matrix products from cuBLASLt, with bias and rectifier in the same call where it has them.
//!
//! Each shape's algorithms are timed once and the choice is kept, on disk too, so that a repeated run adds in the same
//! order. Sums that are cut in pieces are joined in a fixed order: no algorithm whose pieces meet in the result is asked for.

use super::super::DeviceError;
use super::cache::Cache;
use super::driver::{Call, Queue};
use super::memory::Memory;
use super::nvidia::failed;
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys::{self, cublasComputeType_t, cublasLtEpilogue_t, cudaDataType};
use cudarc::driver::CudaStream;
use gmpc_compiler::backend::cuda::{Operand, Product};
use gmpc_compiler::experiment::{Contractions, Precision};
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Working memory that an algorithm may ask for: what cuBLAS's documentation advises for Hopper.
const MOST_WORKSPACE: usize = 32 << 20;
/// Algorithms that are timed.
const CANDIDATES: usize = 8;
/// Runs of each.
const RUNS: u32 = 10;

/// Of the result, and how it is multiplied.
type Kinds = (Precision, Contractions);

/// cuBLASLt on one stream.
#[derive(Debug)]
pub(super) struct Products {
    library: Arc<Library>,
    /// The GPU and the library: what a choice depends on beside the shape.
    machine: String,
    chosen: Mutex<HashMap<String, Choice>>,
    cache: Cache,
}

/// Its handle.
#[derive(Debug)]
struct Library {
    handle: sys::cublasLtHandle_t,
    stream: Arc<CudaStream>,
}

// SAFETY: cuBLASLt lets any number of threads use a handle.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.stream.context().bind_to_thread();
        // SAFETY: the handle is ours and destroyed once.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// A product with the operands as the library sees them: column by column, so that what it calls m, a is our n, b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    m: u64,
    n: u64,
    k: u64,
    a: Side,
    b: Side,
    /// Numbers between the columns (our rows) of the result.
    step: i64,
    /// Bytes that the addresses of result and bias are multiples of, 16 at most.
    aligned: u32,
    bias: bool,
    relu: bool,
}

/// How an operand lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    turned: bool,
    step: i64,
    /// Bytes that its address is a multiple of, 16 at most.
    aligned: u32,
}

impl Shape {
    /// # Errors
    /// A size that the library cannot count.
    fn new(product: &Product, precision: Precision) -> Result<Self, DeviceError> {
        let uncountable = |n: usize| DeviceError { message: format!("cuBLASLt cannot count to {n}"), help: None };
        let size = |n: usize| i32::try_from(n).map(i64::from).map_err(|_| uncountable(n));
        let count = |n: usize| u32::try_from(n).map(u64::from).map_err(|_| uncountable(n));
        let multiplied = width(precision, product.contractions);
        // Rows of ours side by side are columns of theirs side by side: nothing to turn.
        let side = |operand: &Operand, rows: usize, columns: usize| {
            let (turned, step, least) = match operand.columns == 1 || columns == 1 && operand.rows != 1 {
                true => (false, operand.rows, columns),
                false => (true, operand.columns, rows),
            };
            Ok(Side { turned, step: size(step.max(least).max(1))?, aligned: aligned(operand, multiplied) })
        };
        let (m, n, k) = (product.m, product.n, product.k);
        Ok(Shape {
            m: count(n)?,
            n: count(m)?,
            k: count(k)?,
            a: side(&product.b, k, n)?,
            b: side(&product.a, m, k)?,
            step: size(product.c.rows.max(n).max(1))?,
            aligned: [Some(product.c), product.bias]
                .iter()
                .flatten()
                .map(|o| aligned(o, precision.bytes()))
                .min()
                .unwrap_or(16),
            bias: product.bias.is_some(),
            relu: product.relu,
        })
    }

    /// What the library is to do after the sums; `None` where nothing is to be done, or not in this precision.
    fn epilogue(&self, precision: Precision) -> Option<cublasLtEpilogue_t> {
        match (precision, self.bias, self.relu) {
            (Precision::F64, ..) | (_, false, false) => None,
            (_, true, false) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS),
            (_, false, true) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_RELU),
            (_, true, true) => Some(cublasLtEpilogue_t::CUBLASLT_EPILOGUE_RELU_BIAS),
        }
    }
}

/// Regions begin at multiples of 64 bytes.
fn aligned(operand: &Operand, width: usize) -> u32 {
    if (operand.offset * width).is_multiple_of(16) { 16 } else { width as u32 }
}

/// Bytes of a number that is multiplied.
pub(super) fn width(precision: Precision, contractions: Contractions) -> usize {
    if contractions == Contractions::Bf16 { 2 } else { precision.bytes() }
}

/// An algorithm in the library's own words, the bytes that it works in, and whether it finishes with bias and rectifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    algorithm: [u64; 8],
    workspace: usize,
    finishes: bool,
}

impl Choice {
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

/// The library's descriptions of a product.
#[derive(Debug)]
struct Descriptions {
    product: sys::cublasLtMatmulDesc_t,
    a: sys::cublasLtMatrixLayout_t,
    b: sys::cublasLtMatrixLayout_t,
    c: sys::cublasLtMatrixLayout_t,
}

// SAFETY: descriptions are plain memory, which only the one that runs the product changes.
unsafe impl Send for Descriptions {}

impl Descriptions {
    fn new(shape: &Shape, numbers: Kinds, epilogue: Option<cublasLtEpilogue_t>) -> Result<Self, DeviceError> {
        let refused = |error: CublasError| failed("cuBLASLt refuses the shape of a product", &error);
        let (compute, [multiplied, kind]) = kinds(numbers);
        let mut all = Descriptions {
            product: std::ptr::null_mut(),
            a: std::ptr::null_mut(),
            b: std::ptr::null_mut(),
            c: std::ptr::null_mut(),
        };
        let layout = |rows: u64, columns: u64, side: Side| {
            let (rows, columns) = if side.turned { (columns, rows) } else { (rows, columns) };
            result::create_matrix_layout(multiplied, rows, columns, side.step)
        };
        all.product = result::create_matmul_desc(compute, kind).map_err(refused)?;
        all.a = layout(shape.m, shape.k, shape.a).map_err(refused)?;
        all.b = layout(shape.k, shape.n, shape.b).map_err(refused)?;
        all.c = result::create_matrix_layout(kind, shape.m, shape.n, shape.step).map_err(refused)?;
        use sys::cublasLtMatmulDescAttributes_t as Attribute;
        all.set(Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &i32::from(shape.a.turned)).map_err(refused)?;
        all.set(Attribute::CUBLASLT_MATMUL_DESC_TRANSB, &i32::from(shape.b.turned)).map_err(refused)?;
        if let Some(epilogue) = epilogue {
            all.set(Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &(epilogue as u32)).map_err(refused)?;
        }
        Ok(all)
    }

    /// Sets an attribute of the product, a plain number of the size that the library expects.
    fn set<T: Copy>(&self, attribute: sys::cublasLtMatmulDescAttributes_t, value: &T) -> Result<(), CublasError> {
        // SAFETY: the description is alive; the library copies the number while it is borrowed.
        unsafe {
            let value: *const T = value;
            result::set_matmul_desc_attribute(self.product, attribute, value.cast(), size_of::<T>())
        }
    }

    fn set_bias(&self, start: u64) -> Result<(), CublasError> {
        self.set(sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &start)
    }
}

impl Drop for Descriptions {
    fn drop(&mut self) {
        // SAFETY: each was made by the library or is null, and is destroyed once.
        unsafe {
            if !self.product.is_null() {
                let _ = result::destroy_matmul_desc(self.product);
            }
            for layout in [self.a, self.b, self.c] {
                if !layout.is_null() {
                    let _ = result::destroy_matrix_layout(layout);
                }
            }
        }
    }
}

/// What sums are computed in, what is multiplied, and what result and bias are. `CUBLAS_COMPUTE_32F` is full single precision.
fn kinds(numbers: Kinds) -> (cublasComputeType_t, [cudaDataType; 2]) {
    use cublasComputeType_t::{CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_64F};
    use cudaDataType::{CUDA_R_16BF, CUDA_R_32F, CUDA_R_64F};
    match numbers {
        (Precision::F64, _) => (CUBLAS_COMPUTE_64F, [CUDA_R_64F; 2]),
        (_, Contractions::Full) => (CUBLAS_COMPUTE_32F, [CUDA_R_32F; 2]),
        (_, Contractions::Tf32) => (CUBLAS_COMPUTE_32F_FAST_TF32, [CUDA_R_32F; 2]),
        (_, Contractions::Bf16) => (CUBLAS_COMPUTE_32F, [CUDA_R_16BF, CUDA_R_32F]),
    }
}

impl Products {
    pub(super) fn new(stream: &Arc<CudaStream>, gpu: &str) -> Result<Self, DeviceError> {
        stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let handle = result::create_handle().map_err(|error| failed("cuBLASLt does not start", &error))?;
        let library = Arc::new(Library { handle, stream: Arc::clone(stream) });
        // SAFETY: asks for a number.
        let machine = format!("{gpu}, cuBLASLt {}", unsafe { sys::cublasLtGetVersion() });
        Ok(Products { library, machine, chosen: Mutex::new(HashMap::new()), cache: Cache::of_the_user() })
    }

    /// Makes a product ready; the first of its shape takes some milliseconds, for its algorithms are timed.
    pub(super) fn prepare(
        &self,
        queue: &Arc<Queue>,
        product: &Product,
        precision: Precision,
    ) -> Result<Box<dyn Call>, DeviceError> {
        let shape = Shape::new(product, precision)?;
        let name = format!("{shape:?} {precision:?} {:?}", product.contractions);
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let choice = match chosen.get(&name) {
            Some(&choice) => choice,
            None => {
                let key = Cache::key(&["product", &self.machine, &name]);
                let kept = self.cache.get(&key).and_then(|bytes| Choice::read(&bytes));
                let choice = kept.map_or_else(|| self.fastest(queue, product, &shape, precision), Ok)?;
                self.cache.put(&key, &choice.bytes());
                chosen.insert(name.clone(), choice);
                choice
            }
        };
        tracing::debug!("{name}: {choice:?}");
        let epilogue = shape.epilogue(precision).filter(|_| choice.finishes);
        let descriptions = Descriptions::new(&shape, (precision, product.contractions), epilogue)?;
        let finishes = choice.finishes || !shape.bias && !shape.relu;
        Ok(Box::new(Prepared { library: Arc::clone(&self.library), descriptions, precision, choice, finishes }))
    }

    /// Times what the library proposes, with the bias and the rectifier in the call where it can.
    fn fastest(
        &self,
        queue: &Arc<Queue>,
        product: &Product,
        shape: &Shape,
        precision: Precision,
    ) -> Result<Choice, DeviceError> {
        let room = |operand: &Operand| Memory::new(queue, operand.region.bytes);
        let memory = [room(&product.a)?, room(&product.b)?, room(&product.c)?];
        let workspace = Memory::new(queue, MOST_WORKSPACE.max(product.n * precision.bytes()))?;
        let narrow = width(precision, product.contractions);
        let operands = [(&product.a, narrow), (&product.b, narrow), (&product.c, precision.bytes())];
        let starts = operands.map(|(operand, width)| (operand.offset * width) as u64);
        let places = [0, 1, 2].map(|i: usize| memory[i].start + starts[i]);
        let epilogues = shape.epilogue(precision).map(Some).into_iter().chain([None]);
        for epilogue in epilogues {
            let descriptions = Descriptions::new(shape, (precision, product.contractions), epilogue)?;
            if epilogue.is_some() && shape.bias {
                // Any row will do for the library to judge by.
                let refused = |error: CublasError| failed("cuBLASLt takes no bias", &error);
                descriptions.set_bias(workspace.start).map_err(refused)?;
            }
            let mut best: Option<(f64, Choice)> = None;
            for (algorithm, bytes) in self.proposed(&descriptions, shape)? {
                let finishes = epilogue.is_some();
                let choice = Choice { algorithm: algorithm.data, workspace: bytes, finishes };
                let library = Arc::clone(&self.library);
                // The trial has a description of its own, for a call keeps the one that it has.
                let descriptions = Descriptions::new(shape, (precision, product.contractions), epilogue)?;
                let call = Prepared { library, descriptions, precision, choice, finishes };
                let bias = (finishes && shape.bias).then_some(workspace.start);
                let Ok(seconds) = trial(queue, &call, places, bias, workspace.start) else { continue };
                if best.is_none_or(|(least, _)| seconds < least) {
                    best = Some((seconds, choice));
                }
            }
            if let Some((_, choice)) = best {
                return Ok(choice);
            }
        }
        Err(DeviceError { message: "cuBLASLt has no algorithm for a product".into(), help: None })
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
                self.library.handle,
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

/// Wishes about algorithms.
struct Preference(sys::cublasLtMatmulPreference_t);

impl Preference {
    fn set<T: Copy>(&self, attribute: sys::cublasLtMatmulPreferenceAttributes_t, value: &T) -> Result<(), CublasError> {
        // SAFETY: the preference is alive; the library copies the number while it is borrowed.
        unsafe {
            let value: *const T = value;
            result::set_matmul_pref_attribute(self.0, attribute, value.cast(), size_of::<T>())
        }
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: made by the library, destroyed once.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}

/// Seconds that some runs take, after one that does not count.
fn trial(
    queue: &Arc<Queue>,
    call: &Prepared,
    operands: [u64; 3],
    bias: Option<u64>,
    workspace: u64,
) -> Result<f64, DeviceError> {
    // SAFETY: `fastest` has given the operands their room; what they hold does not matter.
    let run = || unsafe { queue.call(call, operands, bias, workspace) };
    run()?;
    queue.wait()?;
    let begin = Instant::now();
    (0..RUNS).try_for_each(|_| run())?;
    queue.wait()?;
    Ok(begin.elapsed().as_secs_f64())
}

/// A product with its algorithm.
struct Prepared {
    library: Arc<Library>,
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
            let stream = self.library.stream.cu_stream().cast();
            let (x, y, z) = (b as *const c_void, a as *const c_void, c as *mut c_void);
            let handle = self.library.handle;
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
    use super::*;
    use gmpc_compiler::backend::cuda::Region;
    use gmpc_compiler::plan::Address;

    fn operand(rows: usize, columns: usize) -> Operand {
        let region = Region { address: Address::Scratch(0), bytes: 0, read: true, written: false };
        Operand { region, offset: 0, rows, columns }
    }

    fn product([m, n, k]: [usize; 3], a: Operand, b: Operand) -> Product {
        Product { m, n, k, a, b, c: operand(n, 1), bias: None, relu: false, contractions: Contractions::Full }
    }

    fn shape(sizes: [usize; 3], a: Operand, b: Operand) -> Shape {
        Shape::new(&product(sizes, a, b), Precision::F32).unwrap()
    }

    fn side(turned: bool, step: i64) -> Side {
        Side { turned, step, aligned: 16 }
    }

    #[test]
    fn rows_side_by_side_are_columns_there() {
        let plain = shape([64, 100, 13], operand(13, 1), operand(100, 1));
        assert_eq!((plain.m, plain.n, plain.k, plain.step), (100, 64, 13, 100));
        assert_eq!((plain.a, plain.b), (side(false, 100), side(false, 13)));
        let turned = shape([13, 100, 64], operand(1, 13), operand(100, 1));
        assert_eq!(turned.b, side(true, 13));
        let turned = shape([64, 13, 100], operand(100, 1), operand(1, 100));
        assert_eq!(turned.a, side(true, 100));
    }

    #[test]
    fn a_single_column_may_lie_any_way() {
        // Columns of one number: the step between rows is what counts.
        assert_eq!(shape([8, 1, 5], operand(5, 1), operand(3, 7)).a, side(false, 3));
        assert_eq!(shape([8, 1, 5], operand(5, 1), operand(1, 1)).a, side(false, 1));
        let huge = product([1 << 40, 1, 1], operand(1, 1), operand(1, 1));
        assert!(Shape::new(&huge, Precision::F32).is_err());
    }

    #[test]
    fn the_library_finishes_in_single_precision() {
        use cublasLtEpilogue_t::{CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS};
        let plain = shape([64, 100, 13], operand(13, 1), operand(100, 1));
        assert_eq!(plain.epilogue(Precision::F32), None);
        let both = Shape { bias: true, relu: true, ..plain };
        assert_eq!(both.epilogue(Precision::F32), Some(CUBLASLT_EPILOGUE_RELU_BIAS));
        assert_eq!(both.epilogue(Precision::F64), None);
        let bias = Shape { bias: true, ..plain };
        assert_eq!(bias.epilogue(Precision::F32), Some(CUBLASLT_EPILOGUE_BIAS));
    }

    #[test]
    fn an_operand_within_another_says_how_it_is_aligned() {
        let within = Operand { offset: 5, ..operand(100, 1) };
        assert_eq!(shape([64, 100, 13], operand(13, 1), within).a.aligned, 4);
        let within = Operand { offset: 8, ..operand(100, 1) };
        assert_eq!(shape([64, 100, 13], operand(13, 1), within).a.aligned, 16);
    }

    #[test]
    fn a_kept_choice_is_read_back_and_nonsense_is_not() {
        let choice = Choice { algorithm: [1, 2, 3, 4, 5, 6, 7, u64::MAX], workspace: 4096, finishes: true };
        assert_eq!(Choice::read(&choice.bytes()), Some(choice));
        for text in ["", "1", "1 2", "1 2 3 4 5 6 7 8 9", "1 99999999999999 1 2 3 4 5 6 7 8", "1 0 1 2 3 4 5 6 7 8 9"] {
            assert_eq!(Choice::read(text.as_bytes()), None, "{text}");
        }
    }
}

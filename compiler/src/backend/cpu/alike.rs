//! Kernels that are alike but for where their buffers lie. They share one function, which is told the addresses, so that
//! the code of a deep network is that of its different kernels, however many layers there are.
//!
//! ```text
//! for i in 100: t9[i] = dense4.w[i] * 2     \    for i in 100: b[i] = a[i] * 2
//! for i in 100: t17[i] = dense5.w[i] * 2     >       a: dense4.w, dense5.w, dense6.w
//! for i in 100: t25[i] = dense6.w[i] * 2    /        b: t9, t17, t25
//! ```

use crate::ir::kernels::{BufferId, Dtype, Expr, Kernels, Location, MatMul, Nest, Spherical, SphericalGrad, Work};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Kernels that have to be alike to share a function (chosen by hand). Fewer stay as they are: a function with fixed addresses
/// runs a little faster, and neighbours in one function need no steps of their own.
pub(super) const SEVERAL: usize = 16;

/// A kernel that shares its function with others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alike {
    /// Which of the functions that are shared.
    pub(super) form: usize,
    /// Its buffers, in the order in which the function asks for them.
    pub(super) buffers: Vec<BufferId>,
}

/// For each kernel what it shares with others, if it does.
pub(super) fn alike(kernels: &Kernels) -> Vec<Option<Alike>> {
    let mut forms = Forms { kernels, known: HashMap::new(), all: Vec::new() };
    let mut found: Vec<Option<Alike>> = kernels.kernels.iter().map(|kernel| forms.find(&kernel.work)).collect();
    for alike in &mut found {
        if alike.as_ref().is_some_and(|alike| forms.all[alike.form].count < SEVERAL) {
            *alike = None;
        }
    }
    found
}

/// Work whose buffers are numbered in the order in which it names them, and what else its code depends on.
struct Form {
    work: Work,
    places: Vec<Place>,
    /// How many kernels have it.
    count: usize,
}

/// What code depends on of a buffer besides its address.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    dtype: Dtype,
    in_states: bool,
}

struct Forms<'k> {
    kernels: &'k Kernels,
    /// By a hash, which different ones may have in common.
    known: HashMap<u64, Vec<usize>>,
    all: Vec<Form>,
}

impl Forms<'_> {
    /// The form of some work; none for what is never shared.
    fn find(&mut self, work: &Work) -> Option<Alike> {
        let mut buffers = Vec::new();
        let work = numbered(work, &mut buffers)?;
        let places: Vec<Place> = buffers.iter().map(|&id| self.place(id)).collect();
        let same = self.known.entry(hash(&work, &places)).or_default();
        let known = same.iter().copied().find(|&form| {
            let known = &self.all[form];
            known.places == places && is_same(&known.work, &work)
        });
        let form = known.unwrap_or_else(|| {
            self.all.push(Form { work, places, count: 0 });
            same.push(self.all.len() - 1);
            self.all.len() - 1
        });
        self.all[form].count += 1;
        Some(Alike { form, buffers })
    }

    fn place(&self, id: BufferId) -> Place {
        let buffer = &self.kernels.buffers[id.index()];
        Place { dtype: buffer.dtype, in_states: matches!(buffer.location, Location::State(_)) }
    }
}

/// The work with numbers in place of its buffers, which `buffers` lists by number; none where code depends on more than that.
fn numbered(work: &Work, buffers: &mut Vec<BufferId>) -> Option<Work> {
    let mut number = |id: BufferId| {
        let known = buffers.iter().position(|&known| known == id);
        BufferId::new(known.unwrap_or_else(|| {
            buffers.push(id);
            buffers.len() - 1
        }))
    };
    match work {
        Work::Nest(nest) => {
            let mut nest: Nest = nest.clone();
            for expr in &mut nest.exprs {
                if let Expr::Load(access) = expr {
                    access.buffer = number(access.buffer);
                }
            }
            nest.stores.iter_mut().for_each(|store| store.access.buffer = number(store.access.buffer));
            Some(Work::Nest(nest))
        }
        Work::MatMul(product) => {
            let mut product: MatMul = product.clone();
            for matrix in [&mut product.a, &mut product.b, &mut product.c] {
                matrix.buffer = number(matrix.buffer);
            }
            product.bias = product.bias.map(|(bias, offset)| (number(bias), offset));
            Some(Work::MatMul(product))
        }
        Work::Spherical(Spherical { angles, units, theta, u, saved }) => Some(Work::Spherical(Spherical {
            angles: *angles,
            units: *units,
            theta: number(*theta),
            u: u.map(&mut number),
            saved: saved.map(&mut number),
        })),
        Work::SphericalGrad(SphericalGrad { angles, units, theta, saved, g, gradient }) => {
            Some(Work::SphericalGrad(SphericalGrad {
                angles: *angles,
                units: *units,
                theta: number(*theta),
                saved: saved.map(&mut number),
                g: number(*g),
                gradient: number(*gradient),
            }))
        }
        // Each draw has a number of its own; casts are nests over as many numbers as their buffers have.
        Work::Uniform(_) | Work::Cast(_) => None,
        Work::Convolve(_) | Work::Pool(_) => None, // steps of their own
    }
}

/// Equal, and constants to the last bit: a negative zero is no zero.
fn is_same(a: &Work, b: &Work) -> bool {
    let (Work::Nest(x), Work::Nest(y)) = (a, b) else { return a == b };
    let constants = |nest: &Nest| -> Vec<u64> {
        nest.exprs
            .iter()
            .filter_map(|e| if let Expr::Const(value) = e { Some(value.to_bits()) } else { None })
            .collect()
    };
    a == b && constants(x) == constants(y)
}

fn hash(work: &Work, places: &[Place]) -> u64 {
    let mut hasher = DefaultHasher::new();
    places.hash(&mut hasher);
    std::mem::discriminant(work).hash(&mut hasher);
    match work {
        Work::Nest(nest) => {
            (&nest.space, &nest.reduced, nest.exprs.len(), nest.reductions.len()).hash(&mut hasher);
            nest.loads().for_each(|access| access.hash(&mut hasher));
            nest.stores.iter().for_each(|store| (&store.access, store.value).hash(&mut hasher));
        }
        Work::MatMul(product) => (product.m, product.n, product.k).hash(&mut hasher),
        Work::Spherical(scan) => (scan.angles, scan.units).hash(&mut hasher),
        Work::SphericalGrad(scan) => (scan.angles, scan.units).hash(&mut hasher),
        Work::Uniform(_) | Work::Cast(_) | Work::Convolve(_) | Work::Pool(_) => {}
    }
    hasher.finish()
}

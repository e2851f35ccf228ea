//! From a module to a network: blocks expanded, layers named, every shape known.
//!
//! ```text
//! input -> repeat(2, dense(8) -> relu) -> linear(1)
//!
//! input   : [13]
//! dense1  : [8]   Unit dense, gmp, relu
//! dense2  : [8]   Unit dense, gmp, relu
//! linear1 : [1]   Unit dense, affine, identity
//! ```
//!
//! Before: bodies as syntax. After: a [`Net`], a list of layers with operands before users. `if`, `match param` and
//! arithmetic on sizes are decided here, and `repeat` is unrolled. A parameterized layer and the activation right after it
//! in the same flow are one unit, wherever an `if` or a `repeat` put them; the border of a block keeps them apart.

mod block;
mod body;
mod clash;
mod complain;
mod expand;
mod flow;
mod image;
mod input;
mod layer;
mod slide;
mod target;
mod tensor;

use crate::experiment::DataFacts;
use crate::module::{Module, ParamUse, Value};
use crate::net::{Layer, LayerKind, Net};
use gmpc_grammar::ast::{Ident, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// Stages and functions of tensors that every model knows; a block cannot take their names.
pub(crate) const STAGES: [&str; 18] = [
    "dense",
    "conv",
    "linear",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "relu",
    "leaky_relu",
    "tanh",
    "sigmoid",
    "gelu",
    "softplus",
    "identity",
    "dropout",
    "flatten",
    "mean_norm",
    "repeat",
    "concat",
];

/// Layers of a network. The caps of this stage are far above what can be trained and keep hostile files from filling memory.
const MOST_LAYERS: usize = 10_000;
/// Stages and bindings worked through, for blocks and repeats that make no layer.
const MOST_STEPS: usize = 100_000;
/// Characters of stages and blocks worked through, each as often as it is: a long block that is repeated often is much work.
const MOST_WORK: usize = 1 << 24;
/// Numbers of one example, or of one weight.
const MOST_ELEMENTS: usize = 1 << 40;
/// Axes of one example.
const MOST_AXES: usize = 8;
/// Blocks inside blocks.
const DEEPEST_BLOCK: usize = 64;
/// Expressions inside expressions, over all blocks that are open: bounds the recursion of this stage.
const DEEPEST: usize = 256;

/// Expands the model for examples of the shape `facts` tells, or, without facts, of the shape that the model or the data
/// set's declaration states.
///
/// # Errors
/// E03xx and E04xx: everything found wrong, one error for each thing that is.
pub fn infer(module: &Module, facts: Option<&DataFacts>) -> Result<Net, Vec<Diagnostic>> {
    let declared = module.declared_facts();
    let facts = facts.or(declared.as_ref());
    let mut builder = Builder::new(module, facts);
    let built = builder.model();
    if !builder.errors.is_empty() {
        return Err(builder.errors);
    }
    let Some(output) = built else {
        return Err(vec![complain::no_output(&module.model)]);
    };
    let target_shape = target::check(module, facts, &builder.layers, output)?;
    let name = module.experiment.model.clone();
    Ok(Net { name, layers: builder.layers, output, target_shape })
}

/// What a name or an expression stands for.
enum Thing {
    /// The value of a layer.
    Tensor(usize),
    /// Known at compile time.
    Known(Value),
}

/// Where the text states the sizes of a convolution or a pool.
#[derive(Clone, Copy)]
struct Spelled {
    /// Of the channels.
    channels: Option<Span>,
    /// Of the stride.
    stride: Option<Span>,
}

/// Something went wrong and has been told: `None` in place of a value.
type Maybe<T> = Option<T>;

/// A network while it is built.
struct Builder<'m> {
    module: &'m Module,
    facts: Option<&'m DataFacts>,
    layers: Vec<Layer>,
    errors: Vec<Diagnostic>,
    /// Names of layers, and where each was given.
    taken: BTreeMap<String, Span>,
    /// How convolutions and pools were asked for, for what is said about their shapes.
    spelled: BTreeMap<usize, Spelled>,
    /// Stages and bindings so far.
    steps: usize,
    /// Characters of them so far.
    work: usize,
    /// Expressions that are open.
    depth: usize,
    /// A cap was hit: nothing more is built.
    stopped: bool,
}

/// One body that is being read: the model's, or a block's at one place of use.
struct Frame {
    /// Compile-time values: arguments, `input.shape`, `data.classes`, bindings.
    names: BTreeMap<String, Value>,
    /// Layers by name: `input` and bindings. `None`: bound to something that was wrong.
    tensors: BTreeMap<String, Option<usize>>,
    /// Where each name was bound.
    bound: BTreeMap<String, Span>,
    /// In force here.
    param: ParamUse,
    /// `basic1.` for the layers of a block.
    prefix: String,
    /// Layers of each kind so far.
    counts: BTreeMap<String, usize>,
    /// How many blocks stand around it.
    nesting: usize,
}

impl<'m> Builder<'m> {
    fn new(module: &'m Module, facts: Option<&'m DataFacts>) -> Self {
        Builder {
            module,
            facts,
            layers: Vec::new(),
            errors: Vec::new(),
            taken: BTreeMap::new(),
            spelled: BTreeMap::new(),
            steps: 0,
            work: 0,
            depth: 0,
            stopped: false,
        }
    }

    /// Builds the whole model; the layer that is its output.
    fn model(&mut self) -> Maybe<usize> {
        let model = &self.module.model;
        let (shape, span) = self.input_shape()?;
        self.taken.insert("input".to_string(), span);
        self.layers.push(Layer { name: "input".to_string(), kind: LayerKind::Input, inputs: vec![], shape, span });
        let mut frame = self.frame(0, String::new(), self.module.param.clone(), 0);
        self.model_parameters(&mut frame);
        self.body(&model.body, &mut frame)
    }

    /// Notes an error.
    fn fail<T>(&mut self, error: Diagnostic) -> Maybe<T> {
        // After a cap, everything else would only be noise.
        if !self.stopped {
            self.errors.push(error);
        }
        None
    }

    /// Notes an error after which nothing more is built.
    fn stop<T>(&mut self, error: Diagnostic) -> Maybe<T> {
        let _: Maybe<T> = self.fail(error);
        self.stopped = true;
        None
    }

    /// Keeps a result, or notes its errors.
    fn keep<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Maybe<T> {
        result.map_err(|errors| errors.into_iter().for_each(|e| _ = self.fail::<()>(e))).ok()
    }

    /// Counts a stage, a block or a binding; false once there are too many.
    fn step(&mut self, span: Span) -> bool {
        self.steps += 1;
        self.work += span.end.saturating_sub(span.start) as usize;
        if (self.steps > MOST_STEPS || self.work > MOST_WORK) && !self.stopped {
            let _: Maybe<()> = self.stop(complain::too_many(span, "stages", MOST_STEPS));
        }
        !self.stopped
    }

    /// Adds a layer named by its label, or by its kind and its ordinal.
    fn add(
        &mut self,
        frame: &mut Frame,
        kind_name: &str,
        label: Option<&Ident>,
        layer: (LayerKind, Vec<usize>, Vec<usize>),
        span: Span,
    ) -> Maybe<usize> {
        let (kind, inputs, shape) = layer;
        if self.layers.len() >= MOST_LAYERS {
            return self.stop(complain::too_many(span, "layers", MOST_LAYERS));
        }
        let elements = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        if elements.is_none_or(|n| n > MOST_ELEMENTS) {
            return self.fail(complain::too_large(span, &shape));
        }
        let name = frame.name(kind_name, label);
        let place = label.map_or(span, |l| l.span);
        if let Some(first) = self.taken.insert(name.clone(), place) {
            return self.fail(complain::same_name(&name, place, first));
        }
        self.layers.push(Layer { name, kind, inputs, shape, span });
        Some(self.layers.len() - 1)
    }

    /// The shape of a layer's value.
    fn shape(&self, layer: usize) -> &[usize] {
        self.layers.get(layer).map_or(&[], |l| &l.shape)
    }

    /// Where a layer's value comes from.
    fn origin(&self, layer: usize) -> Span {
        self.layers.get(layer).map_or(self.module.model.span, |l| l.span)
    }

    /// Is this the name of a block?
    fn is_block(&self, name: &str) -> bool {
        self.module.definitions.contains_key(&(Kind::Block, name.to_string()))
    }
}

impl Frame {
    /// The name of the next layer of this kind.
    fn name(&mut self, kind: &str, label: Option<&Ident>) -> String {
        let count = self.counts.entry(kind.to_string()).or_default();
        *count += 1;
        match label {
            Some(label) => format!("{}{}", self.prefix, label.text),
            None => format!("{}{kind}{count}", self.prefix),
        }
    }
}

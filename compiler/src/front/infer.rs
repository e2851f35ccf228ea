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
//! Before: bodies as syntax. After: a [`Net`], a list of layers in which operands come before their users. `if`,
//! `match param` and arithmetic on sizes are decided here, and `repeat` is unrolled. A parameterized layer and the activation
//! right after it in the same flow are one unit, also if an `if` or a `repeat` produced them. The border of a block separates
//! them.

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

use crate::ir::experiment::DataFacts;
use crate::ir::module::{Module, ParamUse, Value};
use crate::ir::net::{Layer, LayerKind, Net};
use gmpc_grammar::ast::{Ident, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// The most layers of a network. The limits of this stage are far above what can be trained. They keep hostile files from
/// filling memory.
const MOST_LAYERS: usize = 10_000;
/// The most stages and bindings that are expanded. It limits blocks and repeats that make no layers.
const MOST_STEPS: usize = 100_000;
/// The most source characters that are expanded. They are counted once per expansion, because a long block that is repeated
/// often is much work.
const MOST_WORK: usize = 1 << 24;
/// The most numbers of one example, and of one weight.
const MOST_ELEMENTS: usize = 1 << 40;
/// The most axes of one example.
const MOST_AXES: usize = 8;
/// How deep blocks may be nested.
const DEEPEST_BLOCK: usize = 64;
/// How deep expressions may be nested, summed over all open blocks. It limits the recursion of this stage.
const DEEPEST: usize = 256;

/// Expands the model for examples of the shape in `facts`. Without facts, the shape is the one that the model or the
/// declaration of the data set states.
///
/// # Errors
/// E03xx and E04xx: all mistakes, one error for each.
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

/// The value of a name or an expression.
enum Thing {
    /// The value of a layer.
    Tensor(usize),
    /// A value known at compile time.
    Known(Value),
}

/// Where the text states the sizes of a layer.
#[derive(Clone, Copy)]
struct Spelled {
    /// The argument `channels`.
    channels: Option<Span>,
    /// The argument `stride`.
    stride: Option<Span>,
}

/// A value, or `None` if there was an error. The error is noted already.
type Maybe<T> = Option<T>;

/// A network under construction.
struct Builder<'m> {
    module: &'m Module,
    facts: Option<&'m DataFacts>,
    layers: Vec<Layer>,
    errors: Vec<Diagnostic>,
    /// Names of layers and of expanded blocks, and where each was given.
    taken: BTreeMap<String, Span>,
    /// Where the text states the sizes of parameterized layers, by layer. Errors about shapes quote them.
    spelled: BTreeMap<usize, Spelled>,
    /// The number of stages and bindings so far.
    steps: usize,
    /// The number of their source characters so far.
    work: usize,
    /// How many expressions are open.
    depth: usize,
    /// A limit was exceeded: nothing more is built.
    stopped: bool,
}

/// One body that is being expanded: that of the model, or that of a block for one use.
struct Frame {
    /// Compile-time values: arguments, `input.shape`, `data.classes`, bindings.
    names: BTreeMap<String, Value>,
    /// Layers by name: `input` and bindings. `None` for a name whose value had an error.
    tensors: BTreeMap<String, Option<usize>>,
    /// Where each name was bound.
    bound: BTreeMap<String, Span>,
    /// The parameterization of layers that state none.
    param: ParamUse,
    /// The prefix of the names of a block's layers: `basic1.`
    prefix: String,
    /// The number of layers of each kind so far.
    counts: BTreeMap<String, usize>,
    /// How many blocks are around this body.
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

    /// Builds the whole model. Returns the layer that is its output.
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
        // After a limit is exceeded, further errors would only be consequences.
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

    /// Counts a stage, a block or a binding. Returns false if a limit was exceeded.
    fn step(&mut self, span: Span) -> bool {
        self.steps += 1;
        self.work += span.end.saturating_sub(span.start) as usize;
        if (self.steps > MOST_STEPS || self.work > MOST_WORK) && !self.stopped {
            let _: Maybe<()> = self.stop(complain::too_many(span, "stages", MOST_STEPS));
        }
        !self.stopped
    }

    /// Adds a layer. Its name is its label, or its kind and a number: `dense1`.
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
        // Every shape is checked here, so that later stages can multiply sizes without overflow.
        let elements = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        if elements.is_none_or(|n| n > MOST_ELEMENTS) {
            return self.fail(complain::too_large(span, &shape));
        }
        // Names become prefixes of tensors in checkpoints, so two layers must not share a name, not even across blocks.
        let name = frame.name(kind_name, label);
        let place = label.map_or(span, |l| l.span);
        if let Some(first) = self.taken.insert(name.clone(), place) {
            return self.fail(complain::same_name(&name, place, first));
        }
        self.layers.push(Layer { name, kind, inputs, shape, span });
        Some(self.layers.len() - 1)
    }

    /// Returns the shape of a layer's value, without the batch.
    fn shape(&self, layer: usize) -> &[usize] {
        self.layers.get(layer).map_or(&[], |l| &l.shape)
    }

    /// Returns where the text states a layer.
    fn origin(&self, layer: usize) -> Span {
        self.layers.get(layer).map_or(self.module.model.span, |l| l.span)
    }

    /// Is this the name of a block, an activation or a stage of the file or the library?
    fn is_defined_stage(&self, name: &str) -> bool {
        let kinds = [Kind::Block, Kind::Activation, Kind::Stage];
        kinds.into_iter().any(|kind| self.module.definitions.contains_key(&(kind, name.to_string())))
    }
}

impl Frame {
    /// Returns the name of the next layer of this kind.
    fn name(&mut self, kind: &str, label: Option<&Ident>) -> String {
        let count = self.counts.entry(kind.to_string()).or_default();
        *count += 1;
        match label {
            Some(label) => format!("{}{}", self.prefix, label.text),
            None => format!("{}{kind}{count}", self.prefix),
        }
    }
}

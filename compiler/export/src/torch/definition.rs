//! A definition as a class of its own: its parameters, and its formula as a person would write it.

use super::classes::Class;
use crate::formula::{Formula, Function, Running, State, Step, Work};
use crate::names::{PYTHON, Taken, python_number, python_tuple, word};
use crate::network::after;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Longer expressions become a line of their own.
const LONGEST: usize = 60;

/// A class without its name.
pub(super) struct Definition {
    /// Everything behind `class NAME(nn.Module):`.
    pub(super) text: String,
    /// What it uses itself.
    pub(super) uses: BTreeSet<Class>,
    /// Its attribute for each state.
    pub(super) attributes: Vec<(String, State)>,
}

/// The class of an open formula; `title` is what it is called in the network's file, without quotes.
pub(super) fn definition(title: &str, formula: &Formula) -> Definition {
    // Words of Python cannot be attributes, and a state that is read twice is one attribute.
    let mut taken = Taken::with(PYTHON.split_whitespace());
    let mut attributes: Vec<(String, State)> = vec![];
    for state in formula.states() {
        if !attributes.iter().any(|(_, known)| known.name == state.name) {
            attributes.push((taken.free(word(&state.name)), state.clone()));
        }
    }
    let mut writing = Writing { formula, attributes, uses: BTreeSet::new(), lines: vec![], texts: BTreeMap::new() };
    writing.forward();
    let mut text = format!("    \"\"\"{title}, as the network's file says it.\"\"\"\n");
    if !writing.attributes.is_empty() {
        text.push_str("\n    def __init__(self):\n        super().__init__()\n");
    }
    for (name, state) in &writing.attributes {
        let zeros = format!(
            "torch.zeros({})",
            state.tensor.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
        let _ = match state.is_learned {
            true => writeln!(text, "        self.{name} = nn.Parameter({zeros})"),
            false => writeln!(text, "        self.register_buffer(\"{name}\", {zeros})"),
        };
    }
    text.push_str("\n    def forward(self, x):\n");
    writing.lines.iter().for_each(|line| text.push_str(&format!("        {line}\n")));
    Definition { text, uses: writing.uses, attributes: writing.attributes }
}

struct Writing<'a> {
    formula: &'a Formula,
    attributes: Vec<(String, State)>,
    uses: BTreeSet<Class>,
    lines: Vec<String>,
    /// The expression of each step, and whether it needs no brackets.
    texts: BTreeMap<usize, (String, bool)>,
}

impl Writing<'_> {
    fn forward(&mut self) {
        let formula = self.formula;
        let readers =
            |step: usize| formula.steps.iter().flat_map(|other| &other.inputs).filter(|&&i| i == step).count();
        for (index, step) in formula.steps.iter().enumerate() {
            let (text, is_plain) = self.expression(index, step);
            let is_leaf = matches!(step.work, Work::X | Work::Number(_));
            let is_short = text.len() <= LONGEST && readers(index) == 1;
            if index == formula.result {
                self.lines.push(format!("return {text}"));
            } else if is_leaf || is_short || is_plain && step.inputs.is_empty() {
                self.texts.insert(index, (text, is_plain));
            } else {
                self.lines.push(format!("t{index} = {text}"));
                self.texts.insert(index, (format!("t{index}"), true));
            }
        }
    }

    /// An operand that any operator may stand beside.
    fn operand(&self, step: usize) -> String {
        match self.texts.get(&step) {
            Some((text, true)) => text.clone(),
            Some((text, false)) => format!("({text})"),
            None => format!("t{step}"),
        }
    }

    /// An operand between brackets or commas.
    fn argument(&self, step: usize) -> String {
        self.texts.get(&step).map_or_else(|| format!("t{step}"), |(text, _)| text.clone())
    }

    fn expression(&mut self, index: usize, step: &Step) -> (String, bool) {
        let first = step.inputs.first().copied().unwrap_or(0);
        match &step.work {
            Work::X => ("x".into(), true),
            Work::Number(number) => (python_number(*number), true),
            // Open formulas have none.
            Work::Known(_) => ("x".into(), true),
            Work::State(state) => (self.state(index, step, state), true),
            Work::Function(function) => self.function(*function, &step.inputs),
            Work::Stop => (format!("{}.detach()", self.operand(first)), true),
            Work::Reshape => (format!("{}.reshape({})", self.operand(first), sizes(step)), true),
            Work::Expand => (format!("{}.expand({})", self.operand(first), sizes(step)), true),
            Work::Sum(axes) => (format!("{}.sum(dim={}, keepdim=True)", self.operand(first), python_tuple(axes)), true),
            Work::Largest(axes) => {
                (format!("{}.amax(dim={}, keepdim=True)", self.operand(first), python_tuple(axes)), true)
            }
            Work::Product { transpose_a, transpose_b } => {
                let turned = |step: usize, turn: bool| self.operand(step) + if turn { ".T" } else { "" };
                (format!("{} @ {}", turned(first, *transpose_a), turned(step.inputs[1], *transpose_b)), false)
            }
            Work::Convolve(window) => {
                self.uses.insert(Class::Product);
                let (input, result) = (&self.formula.steps[first].shape[1..], &step.shape[1..]);
                let ([top, left], [bottom, right]) = (window.before, after(window, input, result));
                let filters = [result[0], input[0], window.kernel[0], window.kernel[1]];
                let text = format!(
                    "product({}, {}.T.reshape({}), stride={}, pad=({left}, {right}, {top}, {bottom}))",
                    self.argument(first),
                    self.operand(step.inputs[1]),
                    list(&filters),
                    python_tuple(&window.stride),
                );
                (text, true)
            }
            Work::Spherical => {
                self.uses.insert(Class::Spherical);
                (format!("spherical({})", self.argument(first)), true)
            }
        }
    }

    /// A parameter in the shape that the formula has it in.
    fn state(&mut self, index: usize, step: &Step, state: &State) -> String {
        let name = self.attributes.iter().find(|(_, known)| known.name == state.name).map_or("", |(name, _)| name);
        if let Some(running) = &state.running {
            let name = name.to_string();
            return self.running(&name, step.inputs[0], running);
        }
        if state.transposed {
            return match state.tensor.shape.len() {
                2 => format!("self.{name}.T"),
                _ => format!("self.{name}.flatten(1).T"),
            };
        }
        // One number for each unit or feature stands for a row, where functions read it.
        let is_row = state.tensor.shape.len() == 1 && step.shape.len() == 2 && step.shape[0] == 1;
        let mut readers = self.formula.steps.iter().filter(|other| other.inputs.contains(&index));
        match is_row && readers.all(|reader| matches!(reader.work, Work::Function(_) | Work::Reshape)) {
            true => format!("self.{name}"),
            false => format!("self.{name}.reshape({})", list(&step.shape)),
        }
    }

    fn running(&mut self, name: &str, of: usize, running: &Running) -> String {
        self.uses.insert(Class::Statistics);
        let function = if running.is_variance { "batch_var" } else { "batch_mean" };
        format!(
            "{function}(self, \"{name}\", {}, dim={}, momentum={:?})",
            self.argument(of),
            python_tuple(&running.axes),
            running.momentum
        )
    }

    fn function(&mut self, function: Function, inputs: &[usize]) -> (String, bool) {
        let operand = |place: usize| inputs.get(place).map_or_else(String::new, |&step| self.operand(step));
        let argument = |place: usize| inputs.get(place).map_or_else(String::new, |&step| self.argument(step));
        let number = |place: usize| {
            let Work::Number(number) = self.formula.steps[inputs[place]].work else { return None };
            Some(number)
        };
        let call = |name: &str| (format!("{name}({})", argument(0)), true);
        let sign = |sign: &str| (format!("{} {sign} {}", operand(0), operand(1)), false);
        match function {
            Function::Neg => (format!("-{}", operand(0)), false),
            Function::Abs => call("torch.abs"),
            Function::Exp => call("torch.exp"),
            Function::Log => call("torch.log"),
            Function::Log1p => call("torch.log1p"),
            Function::Sqrt => call("torch.sqrt"),
            Function::Sin => call("torch.sin"),
            Function::Cos => call("torch.cos"),
            Function::Tanh => call("torch.tanh"),
            Function::Erf => call("torch.erf"),
            Function::Sigmoid => call("torch.sigmoid"),
            Function::Softplus => call("F.softplus"),
            Function::Add => sign("+"),
            Function::Sub => sign("-"),
            Function::Mul => sign("*"),
            Function::Div => sign("/"),
            Function::Pow => sign("**"),
            Function::Max => match (number(0), number(1)) {
                (None, Some(0.0)) => call("F.relu"), // its slope at 0 is 0, as here
                (None, Some(least)) => (format!("{}.clamp(min={})", operand(0), python_number(least)), true),
                (Some(least), None) => (format!("{}.clamp(min={})", operand(1), python_number(least)), true),
                _ => (format!("torch.maximum({}, {})", argument(0), argument(1)), true),
            },
            Function::Min => match (number(0), number(1)) {
                (None, Some(most)) => (format!("{}.clamp(max={})", operand(0), python_number(most)), true),
                (Some(most), None) => (format!("{}.clamp(max={})", operand(1), python_number(most)), true),
                _ => (format!("torch.minimum({}, {})", argument(0), argument(1)), true),
            },
            Function::Less => (format!("({}).to(x.dtype)", sign("<").0), true),
            Function::LessEqual => (format!("({}).to(x.dtype)", sign("<=").0), true),
            Function::Equal => (format!("({}).to(x.dtype)", sign("==").0), true),
            Function::Select => {
                let condition = argument(0);
                // A comparison is a condition as it is.
                let is_comparison = matches!(
                    self.formula.steps[inputs[0]].work,
                    Work::Function(Function::Less | Function::LessEqual | Function::Equal)
                );
                let bare = condition.strip_prefix('(').and_then(|rest| rest.strip_suffix(").to(x.dtype)"));
                let bare = bare.filter(|_| is_comparison);
                let condition = bare.map_or_else(|| format!("{} != 0", operand(0)), str::to_string);
                (format!("torch.where({condition}, {}, {})", argument(1), argument(2)), true)
            }
        }
    }
}

/// A shape, where -1 stands for the rows.
fn sizes(step: &Step) -> String {
    let first =
        if step.by_row { "-1".to_string() } else { step.shape.first().map_or_else(String::new, usize::to_string) };
    std::iter::once(first).chain(step.shape.iter().skip(1).map(usize::to_string)).collect::<Vec<_>>().join(", ")
}

fn list(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

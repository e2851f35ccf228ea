//! A formula as loops in C.

use super::helpers::Helper;
use super::layers::{Body, Sizes};
use crate::formula::{End, Function, Loops, Place, Task, Work};
use crate::network::Defined;
use std::fmt::Write;

/// Variables of loops, from the outermost to the innermost.
const VARIABLES: [&str; 6] = ["i", "j", "k", "l", "m", "n"];

/// A formula on its way into the source.
struct Writing<'a> {
    defined: &'a Defined,
    /// What it is applied to, and what it gives.
    ends: [&'a str; 2],
    /// Begins the names of its constants.
    name: String,
    /// Where the room for intermediate values begins in the scratch memory.
    room: usize,
}

impl Body<'_> {
    /// Applies a formula; `name` ends the names of its constants.
    pub(super) fn formula(&mut self, defined: &Defined, name: &str, [x, y]: [&str; 2], about: &str) {
        let writing = Writing { defined, ends: [x, y], name: name.to_string(), room: self.values() };
        for (index, step) in defined.closed.steps.iter().enumerate() {
            if let Work::Known(tensor) = &step.work {
                let filters = defined.closed.filters(index);
                let tensor = filters.as_ref().unwrap_or(tensor);
                self.constant(&writing.known(index), &tensor.data, about);
            }
        }
        for task in &defined.schedule.tasks {
            self.task(&writing, task, about);
        }
    }

    fn task(&mut self, writing: &Writing<'_>, task: &Task, about: &str) {
        let steps = &writing.defined.closed.steps;
        match task {
            Task::Loops(loops) => self.loops(writing, loops),
            Task::Product { x, weight, to } => {
                let (inputs, units) = (steps[*x].shape[1], steps[*to].shape[1]);
                let [x, weight, to] = [*x, *weight, *to].map(|step| writing.place(step));
                let offset = self.zeros(writing, units, about);
                self.call(Helper::Dense, &format!("dense({x}, {inputs}, {weight}, {offset}, {units}, {to});"));
            }
            Task::Convolve { x, weight, to, window } => {
                let (input, result) = (&steps[*x].shape[1..], &steps[*to].shape[1..]);
                let sizes = Sizes { window, input, result };
                let window = self.window(&format!("{}_{to}", writing.name), &sizes);
                let [x, weight, to] = [*x, *weight, *to].map(|step| writing.place(step));
                let offset = self.zeros(writing, result[0], about);
                self.call(Helper::Convolve, &format!("convolve(&{window}, {x}, {weight}, {offset}, NULL, {to});"));
            }
        }
    }

    /// Offsets of a product that has none.
    fn zeros(&mut self, writing: &Writing<'_>, count: usize, about: &str) -> String {
        let name = format!("zeros_{}_{count}", writing.name);
        if !self.has_constant(&name) {
            self.constant(&name, &vec![0.0; count], about);
        }
        name
    }

    fn loops(&mut self, writing: &Writing<'_>, loops: &Loops) {
        let mut text = Text { row: String::new(), depth: 2 };
        let kept = loops.axes.iter().filter(|axis| !axis.is_reduced).count();
        loops.axes.iter().take(kept).enumerate().for_each(|(place, axis)| text.open(place, axis.size));
        let to = format!("{}[{}]", parenthesized(&writing.place(loops.to)), at(&loops.strides));
        let (start, join): (&str, &dyn Fn(&str) -> String) = match loops.end {
            End::Store => ("", &|value| format!("{to} = {value};")),
            End::Sum => ("double sum = 0;", &|value| format!("sum += (double)({value});")),
            End::Largest => {
                self.used(Helper::Larger);
                ("number largest = -(number)INFINITY;", &|value| format!("largest = larger({value}, largest);"))
            }
        };
        if loops.end != End::Store {
            // Of one number there is a block of its own for its variable.
            text.block(kept == 0);
            text.line(start);
        }
        loops.axes.iter().enumerate().skip(kept).for_each(|(place, axis)| text.open(place, axis.size));
        // Without a loop the variables of the body need a block, too.
        text.block(loops.axes.is_empty() && loops.end == End::Store && loops.body.len() > 1);
        for &step in loops.body.iter().filter(|&&step| step != loops.from) {
            let value = self.value_of(writing, loops, step);
            text.line(&format!("const number t{step} = {value};"));
        }
        let value = match loops.body.contains(&loops.from) {
            true => self.value_of(writing, loops, loops.from),
            false => self.operand(writing, loops, loops.from),
        };
        text.line(&join(&value));
        match loops.end {
            End::Store => text.close_to(2),
            End::Sum | End::Largest => {
                text.close_to(if kept == 0 { 3 } else { 2 + kept });
                text.line(&match loops.end {
                    End::Sum => format!("{to} = (number)sum;"),
                    End::Largest | End::Store => format!("{to} = largest;"),
                });
                text.close_to(2);
            }
        }
        self.append(&text.row);
    }

    /// A step as an expression.
    fn value_of(&mut self, writing: &Writing<'_>, loops: &Loops, step: usize) -> String {
        let formula = &writing.defined.closed;
        let of = &formula.steps[step];
        let operands: Vec<String> = of.inputs.iter().map(|&input| self.operand(writing, loops, input)).collect();
        let operand = |place: usize| operands.get(place).map_or("0", String::as_str);
        if let Work::Function(function) = &of.work {
            return self.function(*function, [operand(0), operand(1), operand(2)]);
        }
        // What else stands in a loop passes its operand on: only where it is read from differs.
        operand(0).to_string()
    }

    /// What a step reads: a number, a variable of the loop or a number in memory.
    fn operand(&mut self, writing: &Writing<'_>, loops: &Loops, step: usize) -> String {
        match (&writing.defined.closed.steps[step].work, loops.reads.get(&step)) {
            (Work::Number(number), _) => {
                let literal = self.literal(*number);
                if literal.starts_with('-') { format!("({literal})") } else { literal }
            }
            (_, Some(strides)) => format!("{}[{}]", parenthesized(&writing.place(step)), at(strides)),
            (_, None) => format!("t{step}"),
        }
    }

    fn function(&mut self, function: Function, [a, b, c]: [&str; 3]) -> String {
        let s = self.suffix();
        match function {
            Function::Neg => format!("-{a}"),
            Function::Abs => format!("fabs{s}({a})"),
            Function::Exp => format!("exp{s}({a})"),
            Function::Log => format!("log{s}({a})"),
            Function::Log1p => format!("log1p{s}({a})"),
            Function::Sqrt => format!("sqrt{s}({a})"),
            Function::Sin => format!("sin{s}({a})"),
            Function::Cos => format!("cos{s}({a})"),
            Function::Tanh => format!("tanh{s}({a})"),
            Function::Erf => format!("erf{s}({a})"),
            Function::Pow => format!("pow{s}({a}, {b})"),
            Function::Sigmoid => self.helped(Helper::Sigmoid, &format!("sigmoid({a})")),
            Function::Softplus => self.helped(Helper::Softplus, &format!("softplus({a})")),
            Function::Max => self.helped(Helper::Larger, &format!("larger({a}, {b})")),
            Function::Min => self.helped(Helper::Smaller, &format!("smaller({a}, {b})")),
            Function::Add => format!("{a} + {b}"),
            Function::Sub => format!("{a} - {b}"),
            Function::Mul => format!("{a} * {b}"),
            Function::Div => format!("{a} / {b}"),
            Function::Less => format!("(number)({a} < {b})"),
            Function::LessEqual => format!("(number)({a} <= {b})"),
            Function::Equal => format!("(number)({a} == {b})"),
            Function::Select => format!("{a} != 0 ? {b} : {c}"),
        }
    }

    fn helped(&mut self, helper: Helper, call: &str) -> String {
        self.used(helper);
        call.to_string()
    }
}

impl Writing<'_> {
    /// The name of a constant.
    fn known(&self, step: usize) -> String {
        format!("known_{}_{step}", self.name)
    }

    /// Where the numbers of a step begin.
    fn place(&self, step: usize) -> String {
        match self.defined.schedule.places.get(&step) {
            Some(Place::X) | None => self.ends[0].to_string(),
            Some(Place::Result) => self.ends[1].to_string(),
            Some(Place::Room(offset)) => format!("scratch + {}", self.room + offset),
            Some(Place::Known(step)) => self.known(*step),
        }
    }
}

/// So that an index can follow.
fn parenthesized(place: &str) -> String {
    if place.contains(' ') { format!("({place})") } else { place.to_string() }
}

/// An index of so many numbers for each round of each loop.
fn at(strides: &[usize]) -> String {
    let term = |(variable, stride): (&&str, &usize)| match stride {
        0 => None,
        1 => Some((*variable).to_string()),
        stride => Some(format!("{variable} * {stride}")),
    };
    let terms: Vec<String> = VARIABLES.iter().zip(strides).filter_map(term).collect();
    if terms.is_empty() { "0".to_string() } else { terms.join(" + ") }
}

/// Lines of the row's statements.
struct Text {
    row: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.row, "{}{line}", "    ".repeat(self.depth));
    }

    fn open(&mut self, place: usize, size: usize) {
        let variable = VARIABLES[place.min(VARIABLES.len() - 1)];
        self.line(&format!("for (size_t {variable} = 0; {variable} < {size}; {variable}++) {{"));
        self.depth += 1;
    }

    /// A block of its own, if it is needed.
    fn block(&mut self, is_needed: bool) {
        if is_needed {
            self.line("{");
            self.depth += 1;
        }
    }

    fn close_to(&mut self, depth: usize) {
        while self.depth > depth {
            self.depth -= 1;
            self.line("}");
        }
    }
}

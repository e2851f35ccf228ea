//! Networks drawn at random: every layer, parameterization, modifier, loss and optimizer, odd sizes, and inputs whose
//! numbers repeat, so that pools have ties.

use gmpc_compiler::ir::graph::Tensor;

/// A network as text, what it is trained on, and how far.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The file, without a precision.
    pub text: String,
    /// `[rows, …]`: quarters, so that every precision holds them.
    pub x: Tensor,
    /// `[rows, outputs]`, of classes `[rows, 1]`.
    pub target: Tensor,
    /// The rate of every step.
    pub lr: f64,
}

/// Numbers that a seed gives.
pub struct Dice(u64);

impl Dice {
    /// Of a seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        for _ in 0..4 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// One of some.
    pub fn of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.next() as usize % some.len()]
    }

    /// True once in so many.
    pub fn once_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    /// From -1 to 1.
    pub fn share(&mut self) -> f64 {
        self.next() as f64 / f64::from(1 << 30) - 1.0
    }
}

/// What a flow carries.
#[derive(Clone, Copy)]
enum Form {
    Row(usize),
    Image([usize; 3]),
    /// Channels and positions.
    Series([usize; 2]),
}

/// The layers that a network is drawn from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// Those of the first networks: a seed gives the same network for ever.
    First,
    /// Also convolutions of every kind, series, and the stages that came with them.
    All,
}

impl Form {
    fn numbers(self) -> usize {
        match self {
            Form::Row(features) => features,
            Form::Image([channels, height, width]) => channels * height * width,
            Form::Series([channels, positions]) => channels * positions,
        }
    }
}

/// The network of a seed.
pub fn draw(seed: u64, layers: Layers) -> Drawn {
    let mut dice = Dice::new(seed);
    let d = &mut dice;
    let is_image = !d.once_in(3);
    let input = match is_image {
        false if layers == Layers::All => Form::Series([d.of(&[1, 2, 6]), d.of(&[3, 8, 11])]),
        false => Form::Row(d.of(&[1, 2, 3, 7, 13])),
        true => Form::Image([d.of(&[1, 3, 3, 16]), d.of(&[1, 4, 5, 6, 8, 9]), d.of(&[2, 4, 5, 6, 7, 8])]),
    };
    let mut form = input;
    let mut flow = String::from("input");
    for _ in 0..d.of(&[1, 2, 2, 3, 4]) {
        let (stage, next) = match layers {
            Layers::All if !d.once_in(3) => newer_stage(form, d),
            Layers::All | Layers::First => stage(form, d),
        };
        flow.push_str(&format!(" -> {stage}"));
        form = next;
    }
    match (form, layers) {
        (Form::Row(_), _) => {}
        (_, Layers::First) => flow.push_str(d.of(&[" -> flatten", " -> global_avg_pool", " -> global_avg_pool"])),
        (_, Layers::All) => flow.push_str(d.of(&[" -> flatten", " -> global_avg_pool", " -> global_max_pool"])),
    }
    let rows = d.of(&[2, 3, 5, 8]);
    let (loss, outputs, classes) = d.of(&[
        ("mse", 2, 0),
        ("mae", 1, 0),
        ("huber(delta = 0.5)", 3, 0),
        ("cross_entropy", 4, 4),
        ("cross_entropy", 3, 3),
        ("binary_cross_entropy", 1, 2),
    ]);
    let optimizer = d.of(&[
        "sgd(lr = 0.02)",
        "sgd(lr = 0.02, momentum = 0.9)",
        "sgd(lr = 0.02, momentum = 0.5, nesterov = true, weight_decay = 0.01)",
        "adam(lr = 0.01)",
        "adam(lr = 0.01, weight_decay = 0.02)",
        "adamw(lr = 0.01, weight_decay = 0.1)",
    ]);
    let shape = match input {
        Form::Row(features) => format!("[{features}]"),
        Form::Image(shape) => format!("{shape:?}"),
        Form::Series(shape) => format!("{shape:?}"),
    };
    let text = format!(
        "param = {}\nmodel drawn(input: {shape}) {{ {flow} -> linear({outputs}) }}\n\
         train {{ loss = {loss}  optimizer = {optimizer} }}\n",
        param(d)
    );
    // Few different numbers, and much of nothing: ties in pools, and sums without a term.
    let numbers = (0..rows * input.numbers()).map(|_| if d.once_in(3) { 0.0 } else { (d.share() * 6.0).round() / 4.0 });
    let data = numbers.collect();
    let mut full = vec![rows];
    match input {
        Form::Row(features) => full.push(features),
        Form::Image([channels, height, width]) => full.extend([height, width, channels]), // as graphs have them
        Form::Series(shape) => full.extend(shape),                                        // as files have them
    }
    let columns = if classes > 0 { 1 } else { outputs };
    let aim = |d: &mut Dice| {
        if classes > 0 { f64::from(d.of(&[0, 1, 2, 3]) % classes) } else { (d.share() * 8.0).round() / 4.0 }
    };
    let target = (0..rows * columns).map(|_| aim(d)).collect();
    let lr = if optimizer.starts_with("sgd") { 0.02 } else { 0.01 };
    Drawn { text, x: Tensor { shape: full, data }, target: Tensor { shape: vec![rows, columns], data: target }, lr }
}

fn param(d: &mut Dice) -> String {
    let base = d.of(&["sp", "wn", "bn", "gmp", "gmp", "bn(eps = 0.001)"]);
    let modifiers = d.of(&["", "", "", " + mn", " + mbn", " + mn + mbn", " + mn(momentum = 0.3)"]);
    format!("{base}{modifiers}")
}

fn activation(d: &mut Dice) -> &'static str {
    d.of(&["relu", "relu", "relu", "leaky_relu(0.1)", "tanh", "sigmoid", "gelu", "softplus", "identity"])
}

/// A stage that fits, as text, and what it makes.
fn stage(form: Form, d: &mut Dice) -> (String, Form) {
    match form {
        Form::Row(features) => row_stage(features, d),
        Form::Image(shape) => image_stage(shape, d),
        Form::Series(_) => newer_stage(form, d),
    }
}

/// A newer stage that fits.
fn newer_stage(form: Form, d: &mut Dice) -> (String, Form) {
    let (channels, size) = match form {
        Form::Row(features) => {
            let pieces = d.of(&[1, 2, 3]);
            return match d.of(&[0, 1, 2]) {
                0 => (format!("dense({}) -> maxout({pieces})", 3 * pieces), Form::Row(3)),
                1 => ("noise(0.1)".to_string(), Form::Row(features)),
                _ => (format!("stochastic_depth({})", d.of(&["0.1", "0.5"])), Form::Row(features)),
            };
        }
        Form::Image([channels, height, width]) => (channels, [height, width]),
        Form::Series([channels, positions]) => (channels, [1, positions]),
    };
    // A window moves along the height of an image alone.
    let with = |channels: usize, of: &dyn Fn(usize) -> usize| match form {
        Form::Series(_) => Form::Series([channels, of(size[1])]),
        Form::Row(_) | Form::Image(_) => Form::Image([channels, of(size[0]), of(size[1])]),
    };
    let small = size[1] < 3 || (size[0] < 3 && !matches!(form, Form::Series(_)));
    match d.of(&[0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6]) {
        0 => {
            let groups = if channels % 2 == 0 { d.of(&[1, 2, channels]) } else { d.of(&[1, channels, channels]) };
            let units = groups * d.of(&[1, 2, 3]).min(24 / groups + 1);
            let (kernel, stride) = (d.of(&[1, 2, 3, 3, 3]), d.of(&[1, 1, 1, 2]));
            let dilation = d.of(&[1, 1, 2, 3]);
            let fill = if small || (kernel - 1) * dilation > 2 { "" } else { d.of(&["", ", fill = reflect"]) };
            let options = format!("stride = {stride}, groups = {groups}, dilation = {dilation}{fill}");
            let text = format!("conv({units}, {kernel}, {options}{}) -> {}", own(d), activation(d));
            (text, with(units, &|size| size.div_ceil(stride)))
        }
        1 => {
            let (units, kernel, stride) = (d.of(&[1, 3, 4]), d.of(&[1, 2, 3, 4]), d.of(&[1, 2, 3]));
            let text = format!("conv_transpose({units}, {kernel}, stride = {stride}{}) -> {}", own(d), activation(d));
            (text, with(units, &|size| size * stride))
        }
        2 => {
            let factor = d.of(&[1, 2, 3]);
            let method = d.of(&["nearest", "bilinear"]);
            (format!("upsample({factor}, method = {method})"), with(channels, &|size| size * factor))
        }
        3 if channels % 2 == 0 => ("maxout(2)".to_string(), with(channels / 2, &|size| size)),
        3 | 4 => ("noise(0.2)".to_string(), form),
        5 => (format!("stochastic_depth({})", d.of(&["0.1", "0.5"])), form),
        _ => {
            let pool = d.of(&["max_pool", "avg_pool"]);
            (format!("{pool}(3, stride = 2, pad = 1)"), with(channels, &|size| (size - 1) / 2 + 1))
        }
    }
}

fn own(d: &mut Dice) -> String {
    if d.once_in(4) { format!(", param = {}", param(d)) } else { String::new() }
}

fn row_stage(features: usize, d: &mut Dice) -> (String, Form) {
    let form = Form::Row(features);
    match d.of(&[0, 0, 0, 1, 2, 3, 4]) {
        0 => {
            let units = d.of(&[1, 2, 5, 9, 17]);
            let bias = d.of(&["", "", ", bias = false"]);
            (format!("dense({units}{bias}{}) -> {}", own(d), activation(d)), Form::Row(units))
        }
        1 => (format!("dropout({})", d.of(&["0.1", "0.5"])), form),
        2 => ("mean_norm".to_string(), form),
        3 => (activation(d).to_string(), form),
        _ => (format!("dense({features}) -> {} -> dense({features})", activation(d)), form),
    }
}

fn image_stage([channels, height, width]: [usize; 3], d: &mut Dice) -> (String, Form) {
    let form = Form::Image([channels, height, width]);
    match d.of(&[0, 0, 0, 0, 1, 1, 2, 3, 4, 5]) {
        0 => {
            let units = d.of(&[1, 3, 7, 16, 16, 18]);
            let kernel = d.of(&[1, 3, 3, 3, 5]);
            let stride = d.of(&[1, 1, 1, 2]);
            let bias = d.of(&["", "", ", bias = false"]);
            let to = |size: usize| size.div_ceil(stride);
            let shape = [units, to(height), to(width)];
            (
                format!("conv({units}, {kernel}, stride = {stride}{bias}{}) -> {}", own(d), activation(d)),
                Form::Image(shape),
            )
        }
        1 if height >= 2 && width >= 2 => {
            let (kernel, stride) = d.of(&[(2, 2), (2, 1), (2, 2)]);
            let to = |size: usize| (size - kernel) / stride + 1;
            let pool = d.of(&["max_pool", "max_pool", "avg_pool"]);
            (format!("{pool}({kernel}, stride = {stride})"), Form::Image([channels, to(height), to(width)]))
        }
        2 => (format!("dropout({})", d.of(&["0.1", "0.5"])), form),
        3 => ("mean_norm".to_string(), form),
        4 => ("max_pool(3, stride = 1, pad = 1)".to_string(), form),
        _ => (activation(d).to_string(), form),
    }
}

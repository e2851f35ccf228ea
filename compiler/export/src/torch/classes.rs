//! Python classes and functions that modules share; only those that a network needs are written.

/// One of them, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    ByUnit,
    Mean,
    Statistics,
    Spherical,
    Product,
    Wn,
    Gmp,
}

impl Class {
    /// What it uses itself.
    pub(super) fn needs(self) -> &'static [Class] {
        match self {
            Class::ByUnit | Class::Product | Class::Statistics | Class::Spherical => &[],
            Class::Mean => &[Class::ByUnit],
            Class::Wn | Class::Gmp => &[Class::ByUnit, Class::Product],
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Class::ByUnit => BY_UNIT,
            Class::Mean => MEAN,
            Class::Statistics => STATISTICS,
            Class::Spherical => SPHERICAL,
            Class::Product => PRODUCT,
            Class::Wn => WN,
            Class::Gmp => GMP,
        }
    }
}

const BY_UNIT: &str = r#"

def by_unit(numbers, x):
    """One number for each feature of rows, or each channel of images."""
    return numbers.reshape(-1, 1, 1) if x.dim() == 4 else numbers
"#;

const MEAN: &str = r#"

class Mean(nn.Module):
    """Subtracts the mean of each feature or channel: the batch's in training, the running one in evaluation."""

    def __init__(self, features, momentum):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(features))

    def forward(self, x):
        if not self.training:
            return x - by_unit(self.running_mean, x)
        mean = x.mean(dim=(0, 2, 3) if x.dim() == 4 else 0)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
        return x - by_unit(mean, x)
"#;

const STATISTICS: &str = r#"

def batch_mean(module, name, x, dim, momentum):
    """The mean over some axes: the batch's in training, which the running one follows, and the running one in evaluation."""
    mean, running = x.mean(dim=dim, keepdim=True), getattr(module, name)
    if not module.training:
        return running.reshape([1, *mean.shape[1:]])
    with torch.no_grad():
        running.lerp_(mean.reshape(running.shape), momentum)
    return mean


def batch_var(module, name, x, dim, momentum):
    """The variance, likewise. The running one follows the unbiased variance of the batch."""
    var, running = x.var(dim=dim, unbiased=False, keepdim=True), getattr(module, name)
    if not module.training:
        return running.reshape([1, *var.shape[1:]])
    with torch.no_grad():
        count = x.numel() / var.numel()
        running.lerp_(var.reshape(running.shape) * count / (count - 1), momentum)
    return var
"#;

const SPHERICAL: &str = r#"

def spherical(theta):
    """Unit vectors [n, units] of angles [n - 1, units] (arXiv 2305.15912, Eq. 6)."""
    ones = theta.new_ones(1, theta.shape[1])
    sines = torch.cat([ones, torch.cumprod(torch.sin(theta), dim=0)])
    return sines * torch.cat([torch.cos(theta), ones])
"#;

const PRODUCT: &str = r#"

def product(x, weight, stride=1, pad=(0, 0, 0, 0)):
    """`weight . x`: of rows, or of what a filter sees of images; `pad` is left, right, top, bottom."""
    if weight.dim() == 2:
        return F.linear(x, weight)
    return F.conv2d(F.pad(x, pad), weight, stride=stride)
"#;

const WN: &str = r#"

class Wn(nn.Module):
    """act(l v / |v| . x + b): weight normalization, length and direction of each unit apart."""

    def __init__(self, shape, act, bias=True, mbn=None, **window):
        super().__init__()
        self.act, self.mbn, self.window = act, mbn, window
        self.v = nn.Parameter(torch.ones(shape))
        self.l = nn.Parameter(torch.ones(shape[0]))
        self.b = nn.Parameter(torch.zeros(shape[0])) if bias else None

    def forward(self, x):
        norm = self.v.flatten(1).norm(dim=1).clamp_min(1e-18)
        weight = self.v * (self.l / norm).reshape(-1, *[1] * (self.v.dim() - 1))
        s = product(x, weight, **self.window)
        if self.mbn is not None:
            s = self.mbn(s)
        if self.b is not None:
            s = s + by_unit(self.b, s)
        return self.act(s)
"#;

const GMP: &str = r#"

class Gmp(nn.Module):
    """r act(u(theta) . x + lambda_): the direction of each unit as angles, its scale outside (arXiv 2305.15912, Eq. 10)."""

    def __init__(self, shape, act, bias=True, mbn=None, **window):
        super().__init__()
        self.shape, self.act, self.mbn, self.window = shape, act, mbn, window
        inputs = math.prod(shape[1:])
        self.theta = nn.Parameter(torch.zeros(shape[0], inputs - 1))
        self.lambda_ = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.r = nn.Parameter(torch.ones(shape[0]))
        # A unit with one input has no angle, only a side.
        self.register_buffer("sign", torch.ones(shape[0]) if inputs == 1 else None)

    def weight(self):
        """Unit vectors of the angles (Eq. 6)."""
        ones = self.theta.new_ones(self.theta.shape[0], 1)
        sines = torch.cat([ones, torch.cumprod(torch.sin(self.theta), dim=1)], dim=1)
        vectors = sines * torch.cat([torch.cos(self.theta), ones], dim=1)
        if self.sign is not None:
            vectors = vectors * self.sign[:, None]
        return vectors.reshape(self.shape)

    def forward(self, x):
        s = product(x, self.weight(), **self.window)
        if self.mbn is not None:
            s = self.mbn(s)
        if self.lambda_ is not None:
            s = s + by_unit(self.lambda_, s)
        return by_unit(self.r, s) * self.act(s)
"#;

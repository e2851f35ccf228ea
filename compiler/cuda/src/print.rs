//! A program as text: its source, then the launches in order as comments.

use super::{Convolution, Counts, Kernel, MatMul, Operand, Program, Region, Work};
use crate::emit::library;
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::Contractions;
use gmpc_compiler::ir::kernels::Dtype;
use std::fmt::{Display, Formatter, Result};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{}", self.source)?;
        let counts = self.counts();
        let Counts { kernels, libraries, read_bytes, written_bytes } = counts;
        writeln!(f, "// {} launches: {kernels} kernels, {libraries} library calls", counts.launches())?;
        writeln!(f, "// counted, not measured: {read_bytes} bytes read, {written_bytes} bytes written")?;
        writeln!(f, "// {} bytes of scratch memory", self.scratch_bytes)?;
        for (number, launch) in self.launches.iter().enumerate() {
            let line = launch.line.as_deref().map(|line| format!("   {line}")).unwrap_or_default();
            writeln!(f, "// {:>3} {}{line}", number + 1, launch.work)?;
        }
        Ok(())
    }
}

impl Display for Work {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Work::Kernel(kernel) => kernel.fmt(f),
            Work::MatMul(product) => product.fmt(f),
            Work::Convolution(product) => product.fmt(f),
        }
    }
}

impl Display for Kernel {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        write!(f, "{}<<<{}, {}>>>({})", self.name, self.grid[0], self.block[0], arguments.join(", "))
    }
}

impl Display for MatMul {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let MatMul { a, b, c, bias, relu, .. } = self;
        let bias = bias.map(|bias| format!(" + {bias}")).unwrap_or_default();
        let relu = if *relu { "max 0, " } else { "" };
        write!(f, "{c} = {relu}{a} {b}{bias}   ({})", self.sizes())
    }
}

impl MatMul {
    /// `256 x 512 x 1000, bf16`: rows, terms of each sum, columns, and the number format if factors are rounded.
    #[must_use]
    pub fn sizes(&self) -> String {
        let MatMul { m, n, k, c, contractions, .. } = self;
        let how = if c.region.dtype == Dtype::Bf16 { ", bf16 to bf16" } else { multiplied(*contractions) };
        format!("{m} x {k} x {n}{how}")
    }
}

impl Convolution {
    /// `3x3 stride 1x1 pad 1x1   (256 x 32x32x3 to 32x32x128, bf16)`
    #[must_use]
    pub fn sizes(&self) -> String {
        let ([n, h, w, c], [oh, ow, units]) = (self.images, self.result);
        let how = multiplied(self.contractions);
        format!("{}   ({n} x {h}x{w}x{c} to {oh}x{ow}x{units}{how})", self.window)
    }
}

fn multiplied(contractions: Contractions) -> &'static str {
    match contractions {
        Contractions::Full => "",
        Contractions::Tf32 => ", tf32",
        Contractions::Bf16 => ", bf16",
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}[{} + {} i + {} j]", self.region, self.offset, self.rows, self.columns)
    }
}

impl Display for Convolution {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let bias = self.bias.map(|bias| format!(" + {bias}")).unwrap_or_default();
        let relu = if self.relu { "max 0, " } else { "" };
        let (c, word) = (self.c, library::word(self.pass));
        write!(f, "{c} = {relu}{word} {} {}{bias}   {}", self.a, self.b, self.sizes())
    }
}

impl Display for Region {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.address {
            Address::States(at) => write!(f, "states+{at}"),
            Address::Scratch(at) => write!(f, "scratch+{at}"),
        }
    }
}

//! Calls of reductions and of `stop_gradient` in a definition: how their arguments are read.

use super::over::{self, Over, Reduce, Reduction};
use super::{Builtins, Scope, Term, call, node};
use crate::front::interpret::{Vocabulary, choose};
use crate::ir::graph::Op;
use gmpc_grammar::ast::{Argument, Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

impl<P: Builtins> Scope<'_, P> {
    /// Evaluates `mean(x)`, `norm(w, over = units)` and the like. `None` if this is no reduction of one value.
    pub(super) fn reduction(
        &mut self,
        name: &str,
        arguments: &[Argument],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        let is_over = |a: &Argument| a.name.as_ref().is_some_and(|name| name.text == "over");
        let (over, rest): (Vec<&Argument>, Vec<&Argument>) = arguments.iter().partition(|a| is_over(a));
        let [argument] = rest[..] else { return None };
        let what = Reduction::of(name, !over.is_empty()).filter(|_| argument.name.is_none())?;
        Some(self.reduced(what, &argument.value, over.first().map(|a| &a.value), span))
    }

    fn reduced(
        &mut self,
        what: Reduction,
        argument: &Expr,
        over: Option<&Expr>,
        span: Span,
    ) -> Result<Term, Diagnostic> {
        let term = self.evaluate(argument)?;
        let (id, axes) = node(self.graph, &term, argument.span)?;
        let over = over.map(|expr| self.axes_named(expr)).transpose()?;
        over::each_once(over.as_deref().unwrap_or_default())?;
        let call = Reduce { what, id, axes, over: over.as_deref(), argument: argument.span, span };
        match self.builtins.reduce(self.graph, &call) {
            Some(result) => result,
            None => call.places().map(|places| call.apply(self.graph, &places)),
        }
    }

    /// Reads `over = features` or `over = [group, positions]`. An `if` or a `match` around it is decided first.
    fn axes_named(&mut self, expr: &Expr) -> Result<Vec<(Over, Span)>, Diagnostic> {
        let expr = choose(self, expr)?;
        match &expr.node {
            ExprKind::Path(path) => Ok(vec![over::word(path)?]),
            ExprKind::List(items) if !items.is_empty() => {
                let named = items.iter().map(|item| self.axes_named(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(named.into_iter().flatten().collect())
            }
            _ => Err(over::no_axes(expr.span)),
        }
    }

    /// A copy of a value that no gradient goes back through.
    pub(super) fn stop_gradient(&mut self, terms: &[Term], span: Span) -> Result<Term, Diagnostic> {
        call::take("stop_gradient", terms, 1, span)?;
        let Term::Node(id, axes) = &terms[0] else { return Ok(terms[0].clone()) };
        let shape = self.graph.shape(*id).to_vec();
        let copy = self.graph.push(Op::Reshape, vec![*id], shape);
        self.builtins.stop(copy);
        Ok(Term::Node(copy, *axes))
    }
}

//! Finds outputs of a graph that share no computation, so that they can be computed separately.

use crate::ir::graph::Graph;

/// Divides the outputs (their indices) into groups. Two groups share only single numbers and leaves. The largest group comes
/// first. The initial values of a network form about one group for each layer.
#[must_use]
pub fn independent(graph: &Graph) -> Vec<Vec<usize>> {
    let mut root: Vec<usize> = (0..graph.nodes.len()).collect();
    let elements = |index: usize| graph.nodes[index].shape.iter().product::<usize>();
    for (index, node) in graph.nodes.iter().enumerate() {
        for input in node.inputs.iter().map(|input| input.index()).filter(|&input| elements(input) > 1) {
            let (a, b) = (find(&mut root, input), find(&mut root, index));
            root[a.max(b)] = a.min(b);
        }
    }
    let mut groups: Vec<(usize, usize, Vec<usize>)> = Vec::new();
    for (place, output) in graph.outputs.iter().enumerate() {
        let (root, size) = (find(&mut root, output.id().index()), elements(output.id().index()));
        match groups.iter_mut().find(|(other, ..)| *other == root) {
            Some((_, total, outputs)) => (*total, _) = (*total + size, outputs.push(place)),
            None => groups.push((root, size, vec![place])),
        }
    }
    groups.sort_by_key(|&(_, size, _)| std::cmp::Reverse(size));
    groups.into_iter().map(|(.., outputs)| outputs).collect()
}

/// Returns the representative of a node's group (union-find, with paths halved on the way).
fn find(root: &mut [usize], mut index: usize) -> usize {
    while root[index] != index {
        root[index] = root[root[index]];
        index = root[index];
    }
    index
}

//! Where each layer's value lies in the scratch memory of one row: values that are needed at the same time lie apart.

use crate::network::{Network, Op};

/// Places in scratch memory, in numbers.
pub(crate) struct Plan {
    /// Where each layer's value begins.
    pub places: Vec<usize>,
    /// Of all values, at least 1.
    pub size: usize,
    /// Numbers behind them, for what definitions compute on the way.
    pub room: usize,
}

impl Plan {
    /// All of it.
    pub(crate) fn numbers(&self) -> usize {
        self.size + self.room
    }
}

/// First fit, in the order of layers.
pub(crate) fn plan(network: &Network) -> Plan {
    let count = network.layers.len();
    let mut last: Vec<usize> = (0..count).collect();
    for (index, layer) in network.layers.iter().enumerate() {
        for &input in &layer.inputs {
            last[owner(network, input)] = index;
        }
    }
    if let Some(last) = last.get_mut(owner(network, network.output)) {
        *last = count;
    }
    let (mut places, mut size) = (vec![0; count], 1);
    // Begin, end and last use of what is needed.
    let mut kept: Vec<(usize, usize, usize)> = vec![];
    for index in 0..count {
        let of = owner(network, index);
        if of != index {
            places[index] = places[of];
            continue;
        }
        let numbers: usize = network.layers[index].shape.iter().product();
        kept.retain(|(.., last)| *last >= index);
        kept.sort_unstable();
        let mut at = 0;
        for &(begin, end, _) in &kept {
            if begin >= at + numbers {
                break;
            }
            at = at.max(end);
        }
        places[index] = at;
        kept.push((at, at + numbers, last[index]));
        size = size.max(at + numbers);
    }
    let room = network.layers.iter().map(|layer| layer.op.room()).max().unwrap_or(0);
    Plan { places, size, room }
}

/// The layer whose memory a layer's value lies in: dropout does nothing, and a flat image has the same numbers in the same order.
pub(crate) fn owner(network: &Network, mut layer: usize) -> usize {
    while let Op::Dropout { .. } | Op::Flatten = network.layers[layer].op {
        layer = network.layers[layer].inputs[0];
    }
    layer
}

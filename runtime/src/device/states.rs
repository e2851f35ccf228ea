//! The numbers that outlive a step: here, or in a device's own memory until somebody here asks for them.

use super::{DeviceError, Numbers};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::layout::StateLayout;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// Every state of a network: parameters, statistics, optimizer state, in graph layout at the layout's offsets.
///
/// A device with memory of its own keeps a copy there between steps. Whichever copy is newer counts; the other is brought
/// up to date when it is needed, so that a training loop moves nothing.
#[derive(Debug)]
pub struct States {
    /// Where each lies.
    pub layout: Arc<StateLayout>,
    /// Empty while only the device has the newest numbers.
    here: OnceLock<Numbers>,
    precision: Precision,
    away: Option<Box<dyn Away>>,
    /// Does the device's copy hold the newest numbers?
    away_is_new: bool,
}

/// A copy of states in a device's own memory.
pub trait Away: Any + Send + Sync + std::fmt::Debug {
    /// Its numbers.
    ///
    /// # Errors
    /// The device failed.
    fn fetch(&self) -> Result<Numbers, DeviceError>;

    /// For the device that made it.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl States {
    /// `layout.elements` numbers.
    #[must_use]
    pub fn new(layout: Arc<StateLayout>, data: Numbers) -> Self {
        let precision = match data {
            Numbers::F32(_) => Precision::F32,
            Numbers::F64(_) => Precision::F64,
        };
        States { layout, here: OnceLock::from(data), precision, away: None, away_is_new: false }
    }

    /// The newest numbers. Where a device fails to give them they are not numbers, so that nothing can keep them: its error
    /// comes with the next run.
    #[must_use]
    pub fn data(&self) -> &Numbers {
        self.here.get_or_init(|| match self.away.as_ref().map(|away| away.fetch()) {
            Some(Ok(numbers)) => numbers,
            Some(Err(error)) => {
                tracing::error!("{error}");
                self.no_numbers()
            }
            None => self.no_numbers(), // one of the two is always there
        })
    }

    fn no_numbers(&self) -> Numbers {
        match self.precision {
            Precision::F32 => Numbers::F32(vec![f32::NAN; self.layout.elements]),
            Precision::F64 => Numbers::F64(vec![f64::NAN; self.layout.elements]),
        }
    }

    /// The newest numbers, to be changed; a device's copy is old from now on.
    pub fn data_mut(&mut self) -> &mut Numbers {
        let _ = self.data(); // brings it here
        self.away_is_new = false;
        self.here.get_mut().expect("`data` has just filled it")
    }

    /// A device's copy of its own kind, and whether it has the newest numbers; `None` where there is none yet.
    pub fn away<T: Away>(&mut self) -> Option<(&mut T, bool)> {
        let is_new = self.away_is_new;
        self.away.as_mut()?.as_any_mut().downcast_mut().map(|copy| (copy, is_new))
    }

    /// Gives a device's copy a place here, equal to the numbers here.
    pub fn settle(&mut self, copy: Box<dyn Away>) {
        let _ = self.data(); // from the copy that goes
        self.away = Some(copy);
        self.away_is_new = true;
    }

    /// The device's copy holds what is here.
    pub fn away_is_equal(&mut self) {
        self.away_is_new = true;
    }

    /// The device has changed its copy.
    pub fn away_has_changed(&mut self) {
        self.away_is_new = true;
        self.here.take();
    }
}

impl Clone for States {
    /// The numbers; a device makes its own copy of them when it needs one.
    fn clone(&self) -> Self {
        States::new(Arc::clone(&self.layout), self.data().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of a device that has failed where it is empty.
    #[derive(Debug)]
    struct Far(Vec<f64>);

    impl Away for Far {
        fn fetch(&self) -> Result<Numbers, DeviceError> {
            match self.0[..] {
                [] => Err(DeviceError { message: "it fell off the bus".into(), help: None }),
                _ => Ok(Numbers::F64(self.0.clone())),
            }
        }

        fn as_any_mut(&mut self) -> &mut dyn Any {
            self
        }
    }

    fn states() -> States {
        let layout = StateLayout { states: vec![], offsets: vec![], elements: 2 };
        States::new(Arc::new(layout), Numbers::zeros(Precision::F64, 2))
    }

    #[test]
    fn the_newer_copy_counts() {
        let mut states = states();
        assert!(states.away::<Far>().is_none());
        states.settle(Box::new(Far(vec![0.0, 0.0])));
        states.away::<Far>().unwrap().0.0 = vec![1.0, 2.0];
        assert_eq!(*states.data(), Numbers::F64(vec![0.0, 0.0]), "nobody said that it changed");
        states.away_has_changed();
        assert_eq!(*states.data(), Numbers::F64(vec![1.0, 2.0]));
        assert!(states.away::<Far>().unwrap().1, "reading changes nothing");
        *states.data_mut() = Numbers::F64(vec![3.0, 4.0]);
        assert!(!states.away::<Far>().unwrap().1);
        assert_eq!(*states.clone().data(), Numbers::F64(vec![3.0, 4.0]));
    }

    #[test]
    fn what_a_broken_device_leaves_is_never_finite() {
        let mut states = states();
        states.settle(Box::new(Far(vec![])));
        states.away_has_changed();
        assert!(states.data().get(0).is_nan() && states.data().len() == 2);
    }
}

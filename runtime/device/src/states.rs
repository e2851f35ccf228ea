//! The numbers that outlive a step. They are on the host, or in a device's memory until the host asks for them.

pub mod named;

use crate::{DeviceError, Numbers};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::layout::StateLayout;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// All states of a network: parameters, statistics and optimizer states, in graph layout at the offsets of `layout`.
///
/// A device with its own memory keeps a copy between steps. The newer copy counts. The older one is updated when it is
/// needed, so a training loop copies nothing.
#[derive(Debug)]
pub struct States {
    /// The offset of every state.
    pub layout: Arc<StateLayout>,
    /// The host's copy. Empty while only the device has the newest numbers.
    host_copy: OnceLock<Numbers>,
    precision: Precision,
    device_copy: Option<Box<dyn DeviceCopy>>,
    /// Does the device copy hold the newest numbers?
    device_is_newest: bool,
}

/// A copy of the states in a device's memory.
pub trait DeviceCopy: Any + Send + Sync + std::fmt::Debug {
    /// Copies the numbers to the host.
    ///
    /// # Errors
    /// The device failed.
    fn fetch(&self) -> Result<Numbers, DeviceError>;

    /// For the downcast by the device that made the copy.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl States {
    /// States on the host; `data` holds `layout.elements` numbers.
    #[must_use]
    pub fn new(layout: Arc<StateLayout>, data: Numbers) -> Self {
        let precision = match data {
            Numbers::F32(_) => Precision::F32,
            Numbers::F64(_) => Precision::F64,
        };
        States { layout, host_copy: OnceLock::from(data), precision, device_copy: None, device_is_newest: false }
    }

    /// The newest numbers. If the read-back fails, every value is NaN, so that no checkpoint can store it. The next run
    /// reports the device's error.
    #[must_use]
    pub fn data(&self) -> &Numbers {
        self.host_copy.get_or_init(|| match self.device_copy.as_ref().map(|copy| copy.fetch()) {
            Some(Ok(numbers)) => numbers,
            Some(Err(error)) => {
                tracing::error!("{error}");
                self.no_numbers()
            }
            None => self.no_numbers(), // unreachable: without a device copy the host copy is never empty
        })
    }

    /// NaN everywhere.
    fn no_numbers(&self) -> Numbers {
        match self.precision {
            Precision::F32 => Numbers::F32(vec![f32::NAN; self.layout.elements]),
            Precision::F64 => Numbers::F64(vec![f64::NAN; self.layout.elements]),
        }
    }

    /// The newest numbers, for writing. A device copy counts as outdated from now on.
    pub fn data_mut(&mut self) -> &mut Numbers {
        let _ = self.data(); // fetches the numbers if only the device has them
        self.device_is_newest = false;
        self.host_copy.get_mut().expect("`data` has just filled it")
    }

    /// The device copy of type `T`, and whether it holds the newest numbers. `None` if there is no such copy yet.
    pub fn device_copy<T: DeviceCopy>(&mut self) -> Option<(&mut T, bool)> {
        let is_new = self.device_is_newest;
        self.device_copy.as_mut()?.as_any_mut().downcast_mut().map(|copy| (copy, is_new))
    }

    /// Attaches a device copy that is equal to the newest numbers.
    pub fn attach(&mut self, copy: Box<dyn DeviceCopy>) {
        let _ = self.data(); // fetches the numbers before the old copy is dropped
        self.device_copy = Some(copy);
        self.device_is_newest = true;
    }

    /// Declares that the device copy is equal to the host copy.
    pub fn device_is_equal(&mut self) {
        self.device_is_newest = true;
    }

    /// Declares that the device has changed its copy. The host copy is dropped.
    pub fn device_has_changed(&mut self) {
        self.device_is_newest = true;
        self.host_copy.take();
    }
}

impl Clone for States {
    /// Clones the numbers without the device copy. A device makes a new copy when it needs one.
    fn clone(&self) -> Self {
        States::new(Arc::clone(&self.layout), self.data().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of a device. A device with empty memory has failed.
    #[derive(Debug)]
    struct Far(Vec<f64>);

    impl DeviceCopy for Far {
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
        assert!(states.device_copy::<Far>().is_none());
        states.attach(Box::new(Far(vec![0.0, 0.0])));
        states.device_copy::<Far>().unwrap().0.0 = vec![1.0, 2.0];
        assert_eq!(*states.data(), Numbers::F64(vec![0.0, 0.0]), "nobody said that it changed");
        states.device_has_changed();
        assert_eq!(*states.data(), Numbers::F64(vec![1.0, 2.0]));
        assert!(states.device_copy::<Far>().unwrap().1, "reading changes nothing");
        *states.data_mut() = Numbers::F64(vec![3.0, 4.0]);
        assert!(!states.device_copy::<Far>().unwrap().1);
        assert_eq!(*states.clone().data(), Numbers::F64(vec![3.0, 4.0]));
    }

    #[test]
    fn what_a_broken_device_leaves_is_never_finite() {
        let mut states = states();
        states.attach(Box::new(Far(vec![])));
        states.device_has_changed();
        assert!(states.data().get(0).is_nan() && states.data().len() == 2);
    }
}

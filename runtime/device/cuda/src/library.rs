//! Parts shared by the code for cuBLASLt and cuDNN: a handle on a stream, and choices of algorithms that are made once.

use super::cache::Cache;
use super::driver::Queue;
use cudarc::driver::CudaStream;
use gmpc_device::DeviceError;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Runs over which an algorithm is timed.
const RUNS: u32 = 10;

/// A library's handle on one stream.
#[derive(Debug)]
pub(super) struct Handle<H: Copy> {
    pub(super) raw: H,
    pub(super) stream: Arc<CudaStream>,
    destroy: fn(H),
}

// SAFETY: cuBLASLt allows several threads to use a handle. cuDNN allows one thread at a time: the mutex `Shared::turn` is
// locked while a program is loaded or runs, which are the only uses.
unsafe impl<H: Copy> Send for Handle<H> {}
// SAFETY: as for `Send`.
unsafe impl<H: Copy> Sync for Handle<H> {}

impl<H: Copy> Handle<H> {
    /// `destroy` is called once with the handle, when nobody uses it any more.
    pub(super) fn new(raw: H, stream: &Arc<CudaStream>, destroy: fn(H)) -> Self {
        Handle { raw, stream: Arc::clone(stream), destroy }
    }
}

impl<H: Copy> Drop for Handle<H> {
    fn drop(&mut self) {
        let _ = self.stream.context().bind_to_thread();
        (self.destroy)(self.raw);
    }
}

/// An algorithm of a library, with everything that is needed to use it again.
pub(super) trait Choice: Copy + Debug {
    /// The bytes that are stored in the cache.
    fn bytes(self) -> Vec<u8>;
    /// The choice from stored bytes. `None` if they are not those of a choice.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// The choices by shape. Each is made once on a machine and stored on disk, so that a repeated run adds in the same order.
#[derive(Debug)]
pub(super) struct Choices<C> {
    /// The kind of call that is chosen: `product`.
    kind: &'static str,
    /// The GPU and the version of the library, on which a choice depends besides the shape.
    machine: String,
    chosen: Mutex<HashMap<String, Option<C>>>,
    cache: Cache,
}

impl<C: Choice> Choices<C> {
    pub(super) fn new(kind: &'static str, machine: String, cache: Cache) -> Self {
        Choices { kind, machine, chosen: Mutex::default(), cache }
    }

    /// The choice for a shape: from memory, from the disk, or made by `choose` now. `None`, no algorithm, is not stored
    /// on disk: a later version of the library may have one.
    pub(super) fn get(
        &self,
        shape: &str,
        choose: impl FnOnce() -> Result<Option<C>, DeviceError>,
    ) -> Result<Option<C>, DeviceError> {
        // A thread that panicked cannot have left a choice half written, so a poisoned lock is safe to use.
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&choice) = chosen.get(shape) {
            return Ok(choice);
        }
        // The lock is held during `choose`: two measurements at the same time would disturb each other.
        let key = Cache::key(&[self.kind, &self.machine, shape]);
        let cached = self.cache.get(&key).and_then(|bytes| C::read(&bytes));
        let choice = match cached {
            Some(choice) => Some(choice),
            None => {
                let choice = choose()?;
                if let Some(choice) = choice {
                    self.cache.put(&key, &choice.bytes());
                }
                choice
            }
        };
        tracing::debug!("{} {shape}: {choice:?}", self.kind);
        chosen.insert(shape.to_string(), choice);
        Ok(choice)
    }
}

/// Seconds that a run takes, the mean of several after one that does not count.
pub(super) fn seconds(
    queue: &Arc<Queue>,
    mut run: impl FnMut() -> Result<(), DeviceError>,
) -> Result<f64, DeviceError> {
    run()?;
    queue.wait()?;
    let begin = Instant::now();
    (0..RUNS).try_for_each(|_| run())?;
    queue.wait()?;
    Ok(begin.elapsed().as_secs_f64() / f64::from(RUNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Number(u8);

    impl Choice for Number {
        fn bytes(self) -> Vec<u8> {
            vec![self.0]
        }

        fn read(bytes: &[u8]) -> Option<Self> {
            if let [number] = bytes { Some(Number(*number)) } else { None }
        }
    }

    fn refused() -> Result<Option<Number>, DeviceError> {
        Err(DeviceError { message: "none".into(), help: None })
    }

    #[test]
    fn a_choice_is_made_once_for_a_shape_and_a_machine_and_failures_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |machine: &str| Choices::new("number", machine.to_string(), Cache::in_folder(folder.path()));
        let first = kept("GPU 1");
        assert!(first.get("8 x 8", refused).is_err());
        assert_eq!(first.get("8 x 8", || Ok(Some(Number(3)))).unwrap(), Some(Number(3)));
        assert_eq!(first.get("8 x 8", refused).unwrap(), Some(Number(3)));
        assert!(first.get("8 x 9", refused).is_err());
        assert_eq!(first.get("8 x 9", || Ok(None)).unwrap(), None);
        assert_eq!(first.get("8 x 9", refused).unwrap(), None, "asked once");
        assert_eq!(kept("GPU 1").get("8 x 8", refused).unwrap(), Some(Number(3)), "from the disk");
        assert!(kept("GPU 1").get("8 x 9", refused).is_err(), "not from the disk");
        assert!(kept("GPU 2").get("8 x 8", refused).is_err());
    }
}

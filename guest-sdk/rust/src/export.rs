//! What [`export!`](crate::export) expands to stands on this.

use crate::constants;
use crate::dispatch::{Guest, OpenFn};
use crate::driver::Driver;
use crate::manifest::Manifest;
use crate::sys;

pub use sys::{alloc, free};

/// The export `abi`.
pub const VERSION: u32 = constants::VERSION;

/// The export `dispatch`.
pub fn dispatch<D: Driver + 'static>(
    op: u32,
    ptr: usize,
    len: usize,
    manifest: fn() -> Manifest,
    open: OpenFn<D>,
) -> u64 {
    sys::dispatch(op, ptr, len, |imports| Box::new(Guest::new(imports, manifest, open)))
}

/// Holds the arguments of [`export!`](crate::export) against their types where there is nothing to export.
pub fn check<D: Driver + 'static>(_: fn() -> Manifest, _: OpenFn<D>) {}

/// Makes the crate a driver: exports what the host calls. It stands once in a crate of type `cdylib`, with a function that returns
/// the [`Manifest`](crate::Manifest) and one that opens the driver, an [`OpenFn`](crate::OpenFn).
///
/// ```
/// use berth_guest::{Call, Content, Driver, Entry, Error, Manifest, Opened, Page, Parameters, Result, Stream};
///
/// struct Empty;
///
/// impl Driver for Empty {
///     fn stat(&mut self, _: &Call, path: &str) -> Result<Entry> {
///         match path {
///             "/" => Ok(Entry::dir("")),
///             _ => Err(Error::not_found()),
///         }
///     }
///     fn list(&mut self, _: &Call, _: &str, _: &str, _: usize) -> Result<Page> {
///         Ok(Page::default())
///     }
///     fn read<'c>(&'c mut self, _: &'c Call, _: &str, _: u64, _: Option<u64>) -> Result<Content<'c>> {
///         Err(Error::not_found())
///     }
///     fn put(&mut self, _: &Call, _: &str, _: Stream) -> Result<()> {
///         Err(Error::unsupported("put"))
///     }
///     fn delete(&mut self, _: &Call, _: &str) -> Result<()> {
///         Err(Error::not_found())
///     }
/// }
///
/// fn manifest() -> Manifest {
///     Manifest { name: "empty", version: "1.0.0", description: "has nothing", ..Manifest::default() }
/// }
///
/// fn open(_: &Call, _: &Parameters) -> Result<Opened<Empty>> {
///     Ok(Opened::new(Empty))
/// }
///
/// berth_guest::export!(manifest, open);
/// ```
#[macro_export]
macro_rules! export {
    ($manifest:expr, $open:expr $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[no_mangle]
            extern "C" fn abi() -> u32 {
                $crate::__export::VERSION
            }

            #[no_mangle]
            extern "C" fn alloc(size: usize) -> usize {
                $crate::__export::alloc(size)
            }

            #[no_mangle]
            extern "C" fn free(ptr: usize, _: usize) {
                $crate::__export::free(ptr);
            }

            #[no_mangle]
            extern "C" fn dispatch(op: u32, ptr: usize, len: usize) -> u64 {
                $crate::__export::dispatch(op, ptr, len, $manifest, $open)
            }
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            #[allow(dead_code)]
            fn checked() {
                $crate::__export::check($manifest, $open);
            }
        };
    };
}

//! The one place with unsafe code: the imports; and the exports, over memory that the host writes requests into.

#![allow(clippy::declare_interior_mutable_const)] // what thread_local makes of const, where clippy is as old as the compiler may be

use std::cell::RefCell;

use crate::call::Imports;
use crate::constants::MAX_MESSAGE;
use crate::dispatch::Dispatch;

#[cfg(target_arch = "wasm32")]
mod raw {
    #[link(wasm_import_module = "berth")]
    extern "C" {
        pub(super) fn call(op: u32, ptr: *const u8, len: usize, out: *mut u8, cap: usize) -> i64;
        pub(super) fn take(out: *mut u8, cap: usize) -> i64;
        pub(super) fn read(handle: i64, ptr: *mut u8, len: usize) -> i64;
        pub(super) fn write(handle: i64, ptr: *const u8, len: usize) -> i64;
        pub(super) fn splice(dst: i64, src: i64, n: i64) -> i64;
        pub(super) fn close(handle: i64) -> i64;
        pub(super) fn now() -> i64;
        pub(super) fn random(ptr: *mut u8, len: usize) -> i64;
        pub(super) fn log(level: u32, ptr: *const u8, len: usize) -> i64;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        pub(super) fn fd_write(fd: u32, vectors: *const Vector, count: usize, written: *mut usize) -> u32;
        pub(super) fn poll_oneoff(
            subscriptions: *const Subscription,
            events: *mut [u64; 4],
            count: usize,
            done: *mut usize,
        ) -> u32;
    }

    /// A `ciovec`.
    #[repr(C)]
    pub(super) struct Vector {
        pub(super) ptr: *const u8,
        pub(super) len: usize,
    }

    /// A `subscription` to a clock.
    #[repr(C)]
    pub(super) struct Subscription {
        pub(super) userdata: u64,
        /// The tag, 0 for a clock, in eight bytes.
        pub(super) tag: u64,
        /// The clock, 1 for the monotonic one, in eight bytes.
        pub(super) clock: u64,
        pub(super) timeout: u64,
        pub(super) precision: u64,
        /// 0: the timeout counts from now. In eight bytes.
        pub(super) flags: u64,
    }
}

/// The imports of a sandboxed driver.
#[cfg(target_arch = "wasm32")]
struct Sandbox;

#[cfg(target_arch = "wasm32")]
impl Imports for Sandbox {
    fn call(&self, op: u32, request: &[u8], out: &mut [u8]) -> i64 {
        // SAFETY: the host reads request and writes at most out.len() bytes to out, during the call.
        unsafe { raw::call(op, request.as_ptr(), request.len(), out.as_mut_ptr(), out.len()) }
    }

    fn take(&self, out: &mut [u8]) -> i64 {
        // SAFETY: the host writes at most out.len() bytes to out, during the call.
        unsafe { raw::take(out.as_mut_ptr(), out.len()) }
    }

    fn read(&self, handle: i64, p: &mut [u8]) -> i64 {
        // SAFETY: the host writes at most p.len() bytes to p, during the call.
        unsafe { raw::read(handle, p.as_mut_ptr(), p.len()) }
    }

    fn write(&self, handle: i64, p: &[u8]) -> i64 {
        // SAFETY: the host reads p during the call.
        unsafe { raw::write(handle, p.as_ptr(), p.len()) }
    }

    fn splice(&self, dst: i64, src: i64, n: i64) -> i64 {
        // SAFETY: no memory is involved.
        unsafe { raw::splice(dst, src, n) }
    }

    fn close(&self, handle: i64) -> i64 {
        // SAFETY: no memory is involved.
        unsafe { raw::close(handle) }
    }

    fn now(&self) -> i64 {
        // SAFETY: no memory is involved.
        unsafe { raw::now() }
    }

    fn random(&self, p: &mut [u8]) -> i64 {
        // SAFETY: the host writes p.len() bytes to p, during the call.
        unsafe { raw::random(p.as_mut_ptr(), p.len()) }
    }

    fn log(&self, level: u32, line: &[u8]) -> i64 {
        // SAFETY: the host reads line during the call.
        unsafe { raw::log(level, line.as_ptr(), line.len()) }
    }

    fn sleep(&self, nanoseconds: u64) {
        let subscription =
            raw::Subscription { userdata: 0, tag: 0, clock: 1, timeout: nanoseconds, precision: 0, flags: 0 };
        let (mut event, mut done) = ([0; 4], 0);
        // SAFETY: the host reads one subscription and writes one event and their number, during the call; the types are WASI's.
        unsafe { raw::poll_oneoff(&subscription, &mut event, 1, &mut done) };
    }
}

/// Has a panic say what and where it was on descriptor 2, of which the host keeps the end for the error that its caller gets.
#[cfg(target_arch = "wasm32")]
fn hook_panics() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a value that is no text");
        let mut line = "panic: ".to_owned() + &message.replace('\n', " ");
        if let Some(at) = info.location() {
            line += &format!(" (at {}:{})", at.file(), at.line());
        }
        line.push('\n');
        let vector = raw::Vector { ptr: line.as_ptr(), len: line.len() };
        let mut written = 0;
        // SAFETY: the host reads line and writes to written, during the call; the types are WASI's.
        unsafe { raw::fd_write(2, &vector, 1, &mut written) };
    }));
}

#[cfg(target_arch = "wasm32")]
fn sandbox() -> Box<dyn Imports> {
    hook_panics();
    Box::new(Sandbox)
}

#[cfg(not(target_arch = "wasm32"))]
fn sandbox() -> Box<dyn Imports> {
    panic!("a driver runs as a .wasm module only")
}

thread_local! {
    /// The buffers that the host has asked for.
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
    static GUEST: RefCell<Option<Box<dyn Dispatch>>> = const { RefCell::new(None) };
}

/// The export `alloc`: a buffer of `size` bytes that stays put until [`free`]; 0 when that is not a size of messages.
pub fn alloc(size: usize) -> usize {
    if size == 0 || size > MAX_MESSAGE {
        return 0;
    }
    let buffer = vec![0; size].into_boxed_slice();
    let at = address(&buffer);
    BUFFERS.with(|buffers| buffers.borrow_mut().push(buffer));
    at
}

/// The export `free`.
pub fn free(ptr: usize) {
    BUFFERS.with(|buffers| buffers.borrow_mut().retain(|b| address(b) != ptr));
}

fn address(p: &[u8]) -> usize {
    p.as_ptr() as usize
}

/// The export `dispatch`. Its first call makes the guest.
///
/// # Panics
///
/// It panics when the message is in no buffer of [`alloc`].
pub(crate) fn dispatch(
    op: u32,
    ptr: usize,
    len: usize,
    make: impl FnOnce(Box<dyn Imports>) -> Box<dyn Dispatch>,
) -> u64 {
    BUFFERS.with(|buffers| {
        let buffers = buffers.borrow();
        let buffer = buffers.iter().find(|b| address(b) == ptr);
        let message = buffer.and_then(|b| b.get(..len)).expect("dispatch was given a buffer that alloc did not make");
        GUEST.with(|guest| {
            let mut guest = guest.borrow_mut();
            let guest = guest.get_or_insert_with(|| make(sandbox()));
            let reply = guest.dispatch(op, message);
            (address(reply) as u64) << 32 | reply.len() as u64
        })
    })
}

//! Tests of what crosses to the host, against the golden vectors of package abi.

mod dispatch;
mod encoder;
mod fields;
mod golden;
mod hostile;
mod replies;
mod requests;
mod testing;
mod vectors;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::call::{Call, Imports};

/// A host that remembers what it was asked and answers what it was told.
#[derive(Clone, Default)]
pub(crate) struct Host(Rc<State>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) op: Cell<u32>,
    pub(crate) request: RefCell<Vec<u8>>,
    pub(crate) reply: RefCell<Vec<u8>>,
    /// What `call` answers first.
    pub(crate) before: RefCell<Vec<Vec<u8>>>,
    /// What `call` and the rest return instead of succeeding.
    pub(crate) failure: Cell<i64>,
    /// What streams have.
    pub(crate) content: RefCell<Vec<u8>>,
    pub(crate) written: RefCell<Vec<u8>>,
    pub(crate) closed: RefCell<Vec<i64>>,
    pub(crate) log: RefCell<Vec<String>>,
}

impl std::ops::Deref for Host {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl Host {
    pub(crate) fn answering(reply: &[u8]) -> Host {
        let host = Host::default();
        host.reply.replace(reply.to_vec());
        host
    }

    pub(crate) fn call(&self) -> Call {
        Call::new(Box::new(self.clone()))
    }
}

impl Imports for Host {
    fn call(&self, op: u32, request: &[u8], out: &mut [u8]) -> i64 {
        self.op.set(op);
        self.request.replace(request.to_vec());
        if self.failure.get() != 0 {
            return self.failure.get();
        }
        let before = self.before.borrow_mut().pop();
        let reply = before.unwrap_or_else(|| self.reply.borrow().clone());
        if let Some(out) = out.get_mut(..reply.len()) {
            out.copy_from_slice(&reply);
        }
        reply.len() as i64
    }

    fn take(&self, out: &mut [u8]) -> i64 {
        let reply = self.reply.borrow();
        out[..reply.len()].copy_from_slice(&reply);
        reply.len() as i64
    }

    fn read(&self, _: i64, p: &mut [u8]) -> i64 {
        if self.failure.get() != 0 {
            return self.failure.get();
        }
        let mut content = self.content.borrow_mut();
        let n = p.len().min(content.len());
        p[..n].copy_from_slice(&content[..n]);
        content.drain(..n);
        n as i64
    }

    fn write(&self, _: i64, p: &[u8]) -> i64 {
        if self.failure.get() != 0 {
            return self.failure.get();
        }
        self.written.borrow_mut().extend_from_slice(p);
        p.len() as i64
    }

    fn splice(&self, _: i64, _: i64, n: i64) -> i64 {
        if self.failure.get() != 0 {
            return self.failure.get();
        }
        let mut content = self.content.borrow_mut();
        let n = usize::try_from(n).unwrap_or(usize::MAX).min(content.len());
        self.written.borrow_mut().extend(content.drain(..n));
        n as i64
    }

    fn close(&self, handle: i64) -> i64 {
        self.closed.borrow_mut().push(handle);
        0
    }

    fn now(&self) -> i64 {
        1_700_000_000_123_456_789
    }

    fn random(&self, p: &mut [u8]) -> i64 {
        p.fill(7);
        0
    }

    fn log(&self, _: u32, line: &[u8]) -> i64 {
        let line = String::from_utf8(line.to_vec()).expect("a line of the log is UTF-8");
        self.log.borrow_mut().push(line);
        0
    }

    fn sleep(&self, _: u64) {}
}

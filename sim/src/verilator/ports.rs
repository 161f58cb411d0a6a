//! Single transfers at the accelerator's ports: for what an inference by itself does not do.

use super::accelerator::Verilator;
use crate::{Result, check_input};
use std::ffi::{c_int, c_void};

type Handle = *mut c_void;

impl Verilator<'_> {
    /// Holds `aresetn` low for `cycles` cycles.
    pub fn reset(&mut self, cycles: u32) -> Result<()> {
        // SAFETY: here and below, the types are those of the shim, the handle is valid, and buffers outlive the calls.
        let status = unsafe {
            let reset: unsafe extern "C" fn(Handle, c_int) -> c_int = self.function("empf_reset")?;
            reset(self.instance.handle, c_int::try_from(cycles).unwrap_or(c_int::MAX))
        };
        self.check(status)
    }

    /// Sends `input` and starts, and leaves everything as it is after `cycles` cycles. The receiver is ready from the
    /// first cycle on, and stays so until [`receive`](Self::receive) or [`reset`](Self::reset); its logits are lost.
    pub fn begin(&mut self, input: &[u8], cycles: u64) -> Result<()> {
        check_input(self.program, input)?;
        let status = unsafe {
            let begin: unsafe extern "C" fn(Handle, *const u8, usize, u64) -> c_int =
                self.function("empf_begin")?;
            begin(self.instance.handle, input.as_ptr(), input.len(), cycles)
        };
        self.check(status)
    }

    /// Sends `codes` as one input, whatever its length is.
    pub fn send(&mut self, codes: &[u8]) -> Result<()> {
        let status = unsafe {
            let send: unsafe extern "C" fn(Handle, *const u8, usize, u64) -> c_int =
                self.function("empf_send")?;
            send(self.instance.handle, codes.as_ptr(), codes.len(), self.limit)
        };
        self.check(status)
    }

    /// Takes the logits of one inference.
    pub fn receive(&mut self) -> Result<Vec<i32>> {
        let mut logits = vec![0; self.program.classes];
        let status = unsafe {
            let receive: unsafe extern "C" fn(Handle, *mut i32, usize, u64) -> c_int =
                self.function("empf_receive")?;
            receive(self.instance.handle, logits.as_mut_ptr(), logits.len(), self.limit)
        };
        self.check(status).map(|()| logits)
    }

    /// Lets `cycles` cycles pass.
    pub fn wait(&mut self, cycles: u64) -> Result<()> {
        let status = unsafe {
            let wait: unsafe extern "C" fn(Handle, u64) -> c_int = self.function("empf_wait")?;
            wait(self.instance.handle, cycles)
        };
        self.check(status)
    }

    /// Writes the bytes of `value` that `strobe` names into a register of the control port.
    pub fn write_register(&mut self, address: u8, value: u32, strobe: u8) -> Result<()> {
        let status = unsafe {
            let write: unsafe extern "C" fn(Handle, u8, u32, u8) -> c_int = self.function("empf_write")?;
            write(self.instance.handle, address, value, strobe)
        };
        self.check(status)
    }

    /// A register of the control port.
    pub fn register(&mut self, address: u8) -> Result<u32> {
        let mut value = 0;
        let status = unsafe {
            let read: unsafe extern "C" fn(Handle, u8, *mut u32) -> c_int = self.function("empf_read")?;
            read(self.instance.handle, address, &mut value)
        };
        self.check(status).map(|()| value)
    }

    /// # Safety
    /// `T` must be the type of the shim's function `name`.
    unsafe fn function<T: Copy>(&self, name: &str) -> Result<T> {
        unsafe { self.instance.object.function(name) }
    }
}

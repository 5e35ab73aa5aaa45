// SPDX-License-Identifier: BSD-3-Clause
//! ptah.rs: the contract of ptah/module.h, option.h, span.h and host.h, ABI 1.1.
//!
//! Written by hand: fields stand in the header's order, and what a newer header
//! has behind them is not asked for (`Head::size` says how much is known here).
#![allow(dead_code)]

use std::ffi::c_void;
use std::mem::size_of;
use std::os::raw::{c_char, c_int, c_long};

pub const CLIENT: u32 = 1;
pub const SERVER: u32 = 2;

pub const GO: c_int = 0;
pub const OPEN: c_int = 1;
pub const ADMIT: c_int = 2;
pub const PASS: c_int = 3;
pub const REJECT: c_int = 4;

pub const EIO: c_int = -5;
pub const EBADMSG: c_int = -74;
pub const ECONNRESET: c_int = -104;

pub const NEVER: usize = usize::MAX;

pub const HEX: u32 = 2;
pub const LINK: u32 = 0x01;
pub const REQUIRED: u32 = 0x02;
pub const SECRET: u32 = 0x04;

pub const CAN_CLIENT: u32 = 0x0001;
pub const CAN_SERVER: u32 = 0x0002;
pub const CAN_STREAM: u32 = 0x0004;
pub const CAN_HALF_CLOSE: u32 = 0x0010;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Span {
    pub at: *const u8,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Room {
    pub at: *mut u8,
    pub len: usize,
}

#[repr(C)]
pub struct Side {
    pub input: Span,
    pub out: Room,
    pub ended: u32,
    pub finish: u32,
    pub hold: u32,
    pub more: u32,
    pub eaten: usize,
    pub made: usize,
    pub want: usize,
}

impl Side {
    /// What has come; a null pointer where that is nothing.
    pub fn input(&self) -> &[u8] {
        if self.input.len == 0 {
            return &[];
        }
        // SAFETY: the host lends 'len' bytes for the call.
        unsafe { std::slice::from_raw_parts(self.input.at, self.input.len) }
    }

    /// Where to write to; it may hold anything.
    pub fn room(&mut self) -> &mut [u8] {
        if self.out.len == 0 {
            return &mut [];
        }
        // SAFETY: the host lends 'len' bytes for the call, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.out.at, self.out.len) }
    }
}

#[repr(C)]
pub struct Io {
    pub size: u32,
    pub flush: u32,
    pub plain: Side,
    pub wire: Side,
    pub manner: u32,
    pub close_s: u32,
    pub dest: *const c_char,
    pub peer: *const c_char,
    pub reason: *const c_char,
}

/// The host's name for a life.
#[repr(C)]
pub struct Itself {
    private: [u8; 0],
}

#[repr(C)]
pub struct Open {
    pub size: u32,
    pub role: u32,
    pub messages: u32,
    pub layer: u32,
    pub attempt: u32,
    pub reserved: u32,
    pub conf: *const c_void,
    pub worker: *mut c_void,
    pub args: *const c_void,
    pub settings: *const c_char,
    pub server: *const c_char,
    pub dest: *const c_char,
    pub peer: *const c_char,
    pub itself: *mut Itself,
    pub host: *const Host,
    pub home: *const c_void,
}

/// The services; those behind these are in ptah/host.h, in this order.
#[repr(C)]
pub struct Host {
    pub size: u32,
    pub major: u16,
    pub minor: u16,
    pub now_ns: Option<unsafe extern "C" fn(*mut Itself) -> u64>,
    pub wall_s: Option<unsafe extern "C" fn(*mut Itself) -> i64>,
    pub random: Option<unsafe extern "C" fn(*mut Itself, *mut c_void, usize)>,
    pub timer: Option<unsafe extern "C" fn(*mut Itself, u32, u64) -> c_int>,
    pub log: Option<unsafe extern "C" fn(*mut Itself, u32, *const c_char, usize)>,
    pub count: Option<unsafe extern "C" fn(*mut Itself, u32, i64)>,
    pub id: Option<unsafe extern "C" fn(*mut Itself) -> u64>,
    pub mail: Option<unsafe extern "C" fn(*mut Itself, u64, Span) -> c_int>,
    pub replay: Option<unsafe extern "C" fn(*mut Itself, Span, Span, u32, u64) -> c_int>,
    pub state_get: Option<unsafe extern "C" fn(*mut Itself, *const c_char, Room) -> c_long>,
    pub state_put: Option<unsafe extern "C" fn(*mut Itself, *const c_char, Span, u64) -> c_int>,
}

#[repr(C)]
pub struct Choice {
    pub name: *const c_char,
    pub aliases: *const *const c_char,
    pub kind: u32,
    pub flags: u32,
    pub offset: usize,
    pub min: i64,
    pub max: i64,
    pub words: *const *const c_char,
    pub def: *const c_char,
    pub help: *const c_char,
}

#[repr(C)]
pub struct Head {
    pub magic: u32,
    pub major: u16,
    pub minor: u16,
    pub needs_minor: u16,
    pub reserved: u16,
    pub size: u32,
    pub option_size: u32,
}

pub type Opener = unsafe extern "C" fn(*mut c_void, *const Open, *mut Io) -> c_int;
pub type Step = unsafe extern "C" fn(*mut c_void, *mut Io) -> c_int;
pub type Closer = unsafe extern "C" fn(*mut c_void, c_int);

/// A hook that this module has not: where you need one, give it its type.
pub type Unused = Option<unsafe extern "C" fn()>;

#[repr(C)]
pub struct Module {
    pub head: Head,
    pub name: *const c_char,
    pub aliases: *const *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub example: *const c_char,
    pub counters: *const *const c_char,
    pub abilities: u32,
    pub handshake_ms: u32,
    pub options: *const Choice,
    pub conf_size: u32,
    pub args_size: u32,
    pub home_size: u32,
    pub worker_size: u32,
    pub link_size: u32,
    pub unit: u32,
    pub msg_head: u32,
    pub msg_tail: u32,
    pub conf_check: Unused,
    pub args_check: Unused,
    pub home_open: Unused,
    pub home_event: Unused,
    pub home_close: Unused,
    pub worker_open: Unused,
    pub worker_event: Unused,
    pub worker_close: Unused,
    pub open: Option<Opener>,
    pub wrap: Option<Step>,
    pub unwrap: Option<Step>,
    pub event: Unused,
    pub close: Option<Closer>,
    pub endpoint: Unused,
    pub dial: Unused,
    pub listen: Unused,
    pub key: Unused,
    pub wrap_message: Unused,
    pub unwrap_message: Unused,
    pub generate: Unused,
    pub bridge_args: Unused,
}

/// Constant, and its pointers lead to constants.
unsafe impl Sync for Module {}
unsafe impl Sync for Choice {}

/// A text for C; ends in a NUL.
pub const fn text(bytes: &'static [u8]) -> *const c_char {
    assert!(bytes[bytes.len() - 1] == 0);
    bytes.as_ptr() as *const c_char
}

pub const NO_CHOICE: Choice = Choice {
    name: std::ptr::null(),
    aliases: std::ptr::null(),
    kind: 0,
    flags: 0,
    offset: 0,
    min: 0,
    max: 0,
    words: std::ptr::null(),
    def: std::ptr::null(),
    help: std::ptr::null(),
};

/// What a descriptor is without anything said.
pub const NO_MODULE: Module = Module {
    head: Head {
        magic: 0x7074_6168,
        major: 1,
        minor: 1,
        needs_minor: 0,
        reserved: 0,
        size: size_of::<Module>() as u32,
        option_size: size_of::<Choice>() as u32,
    },
    name: std::ptr::null(),
    aliases: std::ptr::null(),
    version: std::ptr::null(),
    summary: std::ptr::null(),
    example: std::ptr::null(),
    counters: std::ptr::null(),
    abilities: 0,
    handshake_ms: 0,
    options: std::ptr::null(),
    conf_size: 0,
    args_size: 0,
    home_size: 0,
    worker_size: 0,
    link_size: 0,
    unit: 0,
    msg_head: 0,
    msg_tail: 0,
    conf_check: None,
    args_check: None,
    home_open: None,
    home_event: None,
    home_close: None,
    worker_open: None,
    worker_event: None,
    worker_close: None,
    open: None,
    wrap: None,
    unwrap: None,
    event: None,
    close: None,
    endpoint: None,
    dial: None,
    listen: None,
    key: None,
    wrap_message: None,
    unwrap_message: None,
    generate: None,
    bridge_args: None,
};

// SPDX-License-Identifier: BSD-3-Clause
//! sketch: both ends know a key, and cover what they say with it.  README.md draws the wire.
#![allow(non_upper_case_globals)]

mod ptah;

use ptah::{Choice, Io, Itself, Module, Open, Side, Span};
use std::ffi::c_void;
use std::mem::size_of;
use std::os::raw::{c_int, c_ulonglong};

#[link(name = "sodium")]
extern "C" {
    fn sodium_init() -> c_int;
    fn sodium_memcmp(a: *const u8, b: *const u8, len: usize) -> c_int;
    fn sodium_memzero(at: *mut u8, len: usize);
    fn crypto_generichash(
        out: *mut u8, out_len: usize, input: *const u8, len: c_ulonglong, key: *const u8, key_len: usize,
    ) -> c_int;
    fn crypto_stream_chacha20_xor_ic(
        out: *mut u8, input: *const u8, len: c_ulonglong, nonce: *const u8, block: u64, key: *const u8,
    ) -> c_int;
}

const SECRET_LEN: usize = 16;
const SALT_LEN: usize = 16;
const MARK_LEN: usize = 16;
const HEAD_LEN: usize = SALT_LEN + MARK_LEN + 1; // its last byte says how much padding follows
const PADDING_MOST: usize = 255;
const KEY_LEN: usize = 32;
const BLOCK: usize = 64;

#[repr(C)]
struct Args {
    key: Span,
}

/// One direction.  Behind its key lies the mark that shows the peer that we know the secret.
struct Cover {
    key: [u8; KEY_LEN + MARK_LEN],
    block: [u8; BLOCK],
    at: usize,
}

impl Cover {
    const NONE: Cover = Cover { key: [0; KEY_LEN + MARK_LEN], block: [0; BLOCK], at: 0 };

    fn new(secret: &[u8; SECRET_LEN], salt: &[u8]) -> Cover {
        let mut cover = Cover::NONE;
        // SAFETY: all lengths are those of the arrays.
        unsafe {
            crypto_generichash(
                cover.key.as_mut_ptr(), cover.key.len(), salt.as_ptr(), salt.len() as c_ulonglong,
                secret.as_ptr(), secret.len(),
            );
        }
        cover
    }

    /// Cover the next byte, or uncover it: it is the same.
    fn next(&mut self, byte: u8) -> u8 {
        const ZEROS: [u8; BLOCK] = [0; BLOCK];
        if self.at % BLOCK == 0 {
            // SAFETY: as above; the nonce is 8 bytes, the key 32.
            unsafe {
                crypto_stream_chacha20_xor_ic(
                    self.block.as_mut_ptr(), ZEROS.as_ptr(), BLOCK as c_ulonglong, ZEROS.as_ptr(),
                    (self.at / BLOCK) as u64, self.key.as_ptr(),
                );
            }
        }
        self.at += 1;
        byte ^ self.block[(self.at - 1) % BLOCK]
    }

    fn carry(&mut self, from: &mut Side, to: &mut Side) -> c_int {
        let n = from.input().len().min(to.room().len());
        for (out, byte) in to.room().iter_mut().zip(from.input()) {
            *out = self.next(*byte);
        }
        from.eaten = n;
        to.made = n;
        ptah::GO
    }
}

struct Link {
    host: *const ptah::Host,
    itself: *mut Itself,
    role: u32,
    is_open: bool,
    secret: [u8; SECRET_LEN],
    to_wire: Cover,
    from_wire: Cover,
}

impl Link {
    fn say_hello(&mut self, io: &mut Io) {
        let at = io.wire.room();
        // SAFETY: the host has this service, and 'at' our unit at least.
        if let Some(random) = unsafe { (*self.host).random } {
            unsafe { random(self.itself, at.as_mut_ptr() as *mut c_void, HEAD_LEN + PADDING_MOST) };
        }
        self.to_wire = Cover::new(&self.secret, &at[..SALT_LEN]);
        at[SALT_LEN..HEAD_LEN - 1].copy_from_slice(&self.to_wire.key[KEY_LEN..]);
        let made = HEAD_LEN + at[HEAD_LEN - 1] as usize;
        for byte in &mut at[HEAD_LEN - 1..made] {
            *byte = self.to_wire.next(*byte);
        }
        io.wire.made = made;
    }

    /// Nothing of the peer's hello is eaten until all of it is here.
    fn hear_hello(&mut self, io: &mut Io) -> c_int {
        let (len, wanted) = (io.wire.input.len, io.wire.want);
        let short = if io.wire.ended != 0 { ptah::ECONNRESET } else { ptah::GO };
        if len < wanted || io.wire.out.len == 0 {
            return short;
        }
        let at = io.wire.input();
        let mut cover = Cover::new(&self.secret, &at[..SALT_LEN]);
        // SAFETY: both have as many bytes.
        if unsafe { sodium_memcmp(cover.key[KEY_LEN..].as_ptr(), at[SALT_LEN..].as_ptr(), MARK_LEN) } != 0 {
            io.reason = ptah::text(b"the peer does not know the key\0");
            return if self.role == ptah::SERVER { ptah::REJECT } else { ptah::EBADMSG };
        }
        let all = HEAD_LEN + cover.next(at[HEAD_LEN - 1]) as usize;
        if len < all {
            io.wire.want = all;
            return short;
        }
        for byte in &at[HEAD_LEN..all] {
            cover.next(*byte);
        }
        self.from_wire = cover;
        if self.role == ptah::SERVER {
            self.say_hello(io);
        }
        io.wire.eaten = all;
        io.wire.want = 0;
        io.plain.want = 0;
        self.is_open = true;
        ptah::OPEN
    }
}

// The host owns the memory of a link, aligned to 64, and is alone with it during a call.

unsafe extern "C" fn open(link: *mut c_void, open: *const Open, io: *mut Io) -> c_int {
    let (open, io, link) = (&*open, &mut *io, link as *mut Link);
    let key = (*(open.args as *const Args)).key;
    let mut secret = [0; SECRET_LEN];
    secret.copy_from_slice(std::slice::from_raw_parts(key.at, SECRET_LEN));
    link.write(Link {
        host: open.host,
        itself: open.itself,
        role: open.role,
        is_open: false,
        secret,
        to_wire: Cover::NONE,
        from_wire: Cover::NONE,
    });
    if open.role == ptah::CLIENT {
        (*link).say_hello(io);
    }
    io.wire.want = HEAD_LEN;
    io.plain.want = ptah::NEVER;
    if sodium_init() < 0 { ptah::EIO } else { ptah::GO }
}

unsafe extern "C" fn wrap(link: *mut c_void, io: *mut Io) -> c_int {
    let (link, io) = (&mut *(link as *mut Link), &mut *io);
    link.to_wire.carry(&mut io.plain, &mut io.wire)
}

unsafe extern "C" fn unwrap(link: *mut c_void, io: *mut Io) -> c_int {
    let (link, io) = (&mut *(link as *mut Link), &mut *io);
    if link.is_open { link.from_wire.carry(&mut io.wire, &mut io.plain) } else { link.hear_hello(io) }
}

unsafe extern "C" fn close(link: *mut c_void, _why: c_int) {
    let link = &mut *(link as *mut Link);
    sodium_memzero(link.secret.as_mut_ptr(), SECRET_LEN);
}

static OPTIONS: [Choice; 2] = [
    Choice {
        name: ptah::text(b"key\0"),
        kind: ptah::HEX,
        flags: ptah::LINK | ptah::REQUIRED | ptah::SECRET,
        offset: 0, // of Args::key
        min: SECRET_LEN as i64,
        max: SECRET_LEN as i64,
        help: ptah::text(b"16 bytes that both ends know, in hex\0"),
        ..ptah::NO_CHOICE
    },
    ptah::NO_CHOICE,
];

#[no_mangle]
pub static sketch_LTX_ptah_module: Module = Module {
    name: ptah::text(b"sketch\0"),
    version: ptah::text(b"1\0"),
    summary: ptah::text(b"a beginning: covers each byte with a key that both ends know\0"),
    example: ptah::text(
        b"{\"server\": {\"key\": \"000102030405060708090a0b0c0d0e0f\"}, \
        \"client\": {\"key\": \"000102030405060708090a0b0c0d0e0f\"}}\0",
    ),
    abilities: ptah::CAN_CLIENT | ptah::CAN_SERVER | ptah::CAN_STREAM | ptah::CAN_HALF_CLOSE,
    options: OPTIONS.as_ptr(),
    args_size: size_of::<Args>() as u32,
    link_size: size_of::<Link>() as u32,
    unit: (HEAD_LEN + PADDING_MOST) as u32,
    open: Some(open),
    wrap: Some(wrap),
    unwrap: Some(unwrap),
    close: Some(close),
    ..ptah::NO_MODULE
};

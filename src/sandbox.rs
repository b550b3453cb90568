//! Untrusted bytes are looked at in a child of this program that can do nothing but compute: it has no files, no
//! network, no other processes, so much memory and so much time. Its death is one failed request.
//!
//! [`Pool`] is this process's side: it starts children, asks them, and throws away whichever dies, stalls or talks
//! nonsense. [`serve`] is the child's side: it locks itself in ([`jail`]) before it takes the first request. What is
//! asked and answered is the caller's; this module moves bytes.

pub mod jail;
pub mod pool;

mod cell;
mod filter;
mod serve;
mod wire;

pub use jail::{Jailed, Landlock};
pub use pool::{Pool, Program, Request};
pub use serve::serve;

use crate::fault::{Class, Code};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The hidden command by which this program starts itself as a decoder.
pub const COMMAND: &str = "decoder";

/// What a child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Address space of a child in bytes, the program itself included.
    pub memory_bytes: u64,
    /// Processor seconds of a child's whole life.
    pub cpu_seconds: u64,
    /// Wall time of one request.
    pub request: Duration,
    /// Wall time from the start of a child until it says that it is locked in.
    pub start: Duration,
    /// Requests that a child serves before a new one takes its place, so that nothing a page did to it lasts.
    pub requests: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            memory_bytes: 1 << 30,
            cpu_seconds: 3_600,
            request: Duration::from_secs(30),
            start: Duration::from_secs(10),
            requests: 512,
        }
    }
}

/// What a child answers.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Says what it is; at most [`MOST_ANSWERED`] bytes.
    pub header: Vec<u8>,
    /// Bytes that belong to it, as many as the request allows.
    pub payload: Vec<u8>,
}

/// Bytes of a request's header.
pub const MOST_ASKED: usize = 64 << 10;
/// Bytes of an answer's header.
pub const MOST_ANSWERED: usize = 16 << 20;

/// The decoder died of what it was given.
pub const DIED: Code = Code {
    id: "BOX-001",
    class: Class::Input,
    vi: "Bộ giải mã bị dừng đột ngột vì dữ liệu này",
    en: "the decoder died of these data",
    remedy_vi: "Quét lại từ bản giấy; nếu vẫn lỗi, gửi tệp cho bộ phận kỹ thuật",
    remedy_en: "scan the paper again; if it fails again, hand the file to support",
};

/// The decoder did not answer in time.
pub const LATE: Code = Code {
    id: "BOX-002",
    class: Class::Input,
    vi: "Giải mã quá thời gian cho phép",
    en: "decoding took longer than it may",
    remedy_vi: "Quét lại với độ phân giải 200 đến 300 dpi",
    remedy_en: "scan it again at 200 to 300 dpi",
};

/// The decoder wanted more memory than it may have.
pub const MEMORY: Code = Code {
    id: "BOX-003",
    class: Class::Input,
    vi: "Giải mã cần nhiều bộ nhớ hơn mức cho phép",
    en: "decoding needs more memory than it may have",
    remedy_vi: "Quét lại với độ phân giải 200 đến 300 dpi, hoặc chia tệp nhỏ hơn",
    remedy_en: "scan it again at 200 to 300 dpi, or split the file",
};

/// No decoder can be started.
pub const NOT_STARTED: Code = Code {
    id: "BOX-004",
    class: Class::Later,
    vi: "Không khởi động được bộ giải mã",
    en: "the decoder cannot be started",
    remedy_vi: "Xem máy còn bộ nhớ và tiến trình không; chạy hoso check",
    remedy_en: "see whether the machine has memory and processes left; run hoso check",
};

/// The decoder answered what no decoder answers.
pub const NONSENSE: Code = Code {
    id: "BOX-005",
    class: Class::Input,
    vi: "Bộ giải mã trả lời vô nghĩa với dữ liệu này",
    en: "the decoder answered nonsense to these data",
    remedy_vi: "Quét lại từ bản giấy; giữ lại tệp và báo bộ phận kỹ thuật",
    remedy_en: "scan the paper again; keep the file and tell support",
};

/// This kernel lacks a part of the protection.
pub const UNPROTECTED: Code = Code {
    id: "BOX-006",
    class: Class::Setup,
    vi: "Nhân hệ điều hành thiếu một phần bảo vệ cho bộ giải mã",
    en: "the kernel lacks a part of the decoders' protection",
    remedy_vi: "Bật Landlock và seccomp, nên dùng Linux 6.12 trở lên; bộ giải mã vẫn chạy riêng và có giới hạn",
    remedy_en: "enable Landlock and seccomp, best with Linux 6.12 or later; decoders still run apart and limited",
};

/// Somebody else ended the decoder, twice.
pub const KILLED: Code = Code {
    id: "BOX-007",
    class: Class::Later,
    vi: "Bộ giải mã bị hệ điều hành kết thúc, có thể máy hết bộ nhớ",
    en: "the system ended the decoder, the machine may be out of memory",
    remedy_vi: "Đóng bớt chương trình hoặc giảm số việc chạy song song",
    remedy_en: "close other programs, or let fewer jobs run at once",
};

/// Every code of this room.
pub const CODES: &[&Code] = &[&DIED, &LATE, &MEMORY, &NOT_STARTED, &NONSENSE, &UNPROTECTED, &KILLED];

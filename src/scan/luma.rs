//! The grey plane that every judgement of a page reads: decoded once, full size, 8 bits.

/// 8-bit luma, row by row, no padding; 0 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `width * height` samples.
    pub data: Vec<u8>,
}

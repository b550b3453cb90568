//! What the scans of a JPEG have sent, read off their headers alone.

/// Which coefficients of which component the scans have sent in full (G.1.1.1).
#[derive(Default)]
pub(super) struct Sent {
    pub(super) progressive: bool,
    /// Component id and one bit for each of its 64 coefficients.
    complete: Vec<(u8, u64)>,
    /// A bit for each quantisation table.
    pub(super) tables: u8,
}

impl Sent {
    /// A scan's header: what it brings.
    pub(super) fn scan(&mut self, body: &[u8]) {
        let count = body.first().map_or(0, |&n| usize::from(n));
        let tail = body.get(1 + 2 * count..).unwrap_or(&[]);
        let band = match (self.progressive, tail) {
            (false, _) => u64::MAX,
            // The lowest bit of the band's coefficients comes with Al = 0.
            (true, &[from, to, ahal, ..]) if from <= to && to < 64 && ahal & 0x0F == 0 => {
                (u64::MAX >> (63 - to)) & (u64::MAX << from)
            }
            _ => 0,
        };
        for i in 0..count {
            if let Some(&id) = body.get(1 + 2 * i) {
                match self.complete.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, bits)) => *bits |= band,
                    None => self.complete.push((id, band)),
                }
            }
        }
    }

    /// A segment of quantisation tables (B.2.4.1): 64 figures each, of one or two bytes.
    pub(super) fn tables(&mut self, mut body: &[u8]) {
        while let [kind, rest @ ..] = body
            && let Some(rest) = rest.get(if kind >> 4 == 0 { 64 } else { 128 }..)
        {
            self.tables |= 1 << (kind & 3);
            body = rest;
        }
    }

    /// What no scan has sent: every component needs its mean values, the first all its detail.
    pub(super) fn missing(&self, ids: &[(usize, u8)]) -> Option<&'static str> {
        for (i, (_, id)) in ids.iter().enumerate() {
            let bits = self.complete.iter().find(|(known, _)| known == id).map_or(0, |(_, bits)| *bits);
            if bits & 1 == 0 {
                return Some("mean values");
            }
            if i == 0 && bits != u64::MAX {
                return Some("details");
            }
        }
        None
    }
}

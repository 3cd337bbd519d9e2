//! Seeded numbers, so that a failure comes back.

/// xorshift64* (Vigna 2016).
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Uniform in `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end as u64) as usize
    }

    /// Uniform in -1 to 1.
    pub fn sample(&mut self) -> f32 {
        self.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn noise(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.sample()).collect()
    }

    /// Lengths that add up to `total`: nothing, single samples, and blocks up to three hops.
    pub fn cuts(&mut self, total: usize) -> Vec<usize> {
        let mut cuts = Vec::new();
        let mut left = total;
        while left > 0 {
            let len = match self.below(4) {
                0 => 0,
                1 => 1,
                2 => self.below(16),
                _ => self.below(3 * persona_dsp::HOP),
            };
            cuts.push(len.min(left));
            left -= len.min(left);
        }
        cuts.push(0);
        cuts
    }
}

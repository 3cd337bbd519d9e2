//! Half floats, and how they become numbers to work with.
#![allow(unsafe_code)] // a live stream costs a third less with the processor's own conversion

use pulp::{Arch, WithSimd};

/// Of a half float moved to a place in a single one: the bits of sign, exponent and fraction.
const BITS: u32 = 0x8fff_e000;
/// Its exponent then counts from another zero: the value is too small by this, 2^112.
const TOO_SMALL: f32 = f32::from_bits((112 + 127) << 23);

/// A way to read weights from memory.
pub(crate) trait Reader: Copy {
    type Weight: Copy;

    /// Each weight times `scale`, whole eights of them.
    fn read(self, weights: &[Self::Weight], scale: f32, values: &mut [f32]);

    /// What `read` gives is too small by this.
    fn too_small(self) -> f32 {
        1.0
    }

    /// Works for the processor at hand, with all that `read` needs.
    fn dispatch<Op: WithSimd>(self, arch: Arch, op: Op) -> Op::Output {
        arch.dispatch(op)
    }
}

/// Of single floats.
#[derive(Clone, Copy)]
pub(crate) struct Singles;

impl Reader for Singles {
    type Weight = f32;

    #[inline(always)]
    fn read(self, weights: &[f32], scale: f32, values: &mut [f32]) {
        for (value, weight) in values.iter_mut().zip(weights) {
            *value = weight * scale;
        }
    }
}

/// Of half floats that are normal or zero, on every processor: their bits, moved.
#[derive(Clone, Copy)]
pub(crate) struct Moved;

impl Reader for Moved {
    type Weight = i16;

    #[inline(always)]
    fn read(self, weights: &[i16], scale: f32, values: &mut [f32]) {
        for (value, weight) in values.iter_mut().zip(weights) {
            *value = f32::from_bits((i32::from(*weight) << 13) as u32 & BITS) * scale;
        }
    }

    fn too_small(self) -> f32 {
        TOO_SMALL
    }
}

/// Of half floats, by a processor with AVX2 that reads them itself: there is none of these on others.
/// Where there is AVX-512, twice as wide, it does without.
#[derive(Clone, Copy)]
pub(crate) struct Own(#[cfg(target_arch = "x86_64")] pulp::x86::V3);

impl Own {
    pub fn new(arch: Arch) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if let (Arch::V3(v3), true) = (arch, std::is_x86_feature_detected!("f16c")) {
            return Some(Self(v3));
        }
        let _ = arch;
        None
    }
}

#[cfg(target_arch = "x86_64")]
impl Reader for Own {
    type Weight = i16;

    #[inline(always)]
    fn read(self, weights: &[i16], scale: f32, values: &mut [f32]) {
        use core::arch::x86_64::{__m256, _mm256_cvtph_ps};
        let eights = weights.as_chunks::<8>().0;
        for (values, eight) in values.as_chunks_mut::<8>().0.iter_mut().zip(eights) {
            // SAFETY: the processor has F16C, or `new` would not have made `self`; no memory is touched.
            let read: __m256 = unsafe { _mm256_cvtph_ps(pulp::cast(*eight)) };
            for (value, read) in values.iter_mut().zip(pulp::cast::<_, [f32; 8]>(read)) {
                *value = read * scale;
            }
        }
    }

    fn dispatch<Op: WithSimd>(self, _: Arch, op: Op) -> Op::Output {
        // Of what `V3` stands for, what the products need: all inlined into this takes these registers.
        #[target_feature(enable = "avx2,fma,f16c")]
        fn with_own<Op: WithSimd>(v3: pulp::x86::V3, op: Op) -> Op::Output {
            op.with_simd(v3)
        }
        // SAFETY: there is a `V3` on processors with AVX2 and FMA alone, and F16C as above.
        unsafe { with_own(self.0, op) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Reader for Own {
    type Weight = i16;

    fn read(self, weights: &[i16], scale: f32, values: &mut [f32]) {
        Moved.read(weights, scale * TOO_SMALL, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_float_reads_as_the_same_number_on_every_way() {
        let of_all = |n: i32| (n as i16, n >> 10 & 31);
        // Normal ones, neither infinite nor denormal, and both zeros.
        let normal =
            |(bits, exponent): &(i16, i32)| (1..31).contains(exponent) || bits & 0x7fff == 0;
        let bits = (0..65_536).map(of_all).filter(normal);
        let mut bits: Vec<i16> = bits.map(|(bits, _)| bits).collect();
        assert_eq!(bits.len(), 2 * (30 * 1024 + 1));
        bits.resize(bits.len().next_multiple_of(8), 0);
        let mut moved = vec![f32::NAN; bits.len()];
        Moved.read(&bits, 0.5 * TOO_SMALL, &mut moved);
        assert!(moved.contains(&0.5) && moved.contains(&-32_752.0));
        if let Some(own) = Own::new(Arch::new()) {
            let mut read = vec![f32::NAN; bits.len()];
            own.read(&bits, 0.5, &mut read);
            assert_eq!(read, moved);
        }
    }
}

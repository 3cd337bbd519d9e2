//! Matrices that a stream multiplies by, laid out to be read in one go.

use pulp::{Arch, Simd, WithSimd};

use crate::math::curve::gelu;
use crate::math::half::{Moved, Own, Reader, Singles};
use crate::math::soon::soon;

/// Rows that lie side by side, and are summed so.
const TILE: usize = 32;
/// From so many vectors on it pays to unpack weights first.
const MANY: usize = 6;
/// Tiles that one vector is multiplied by at a time.
const ABREAST: usize = 3;
/// Vectors that unpacked weights are held for.
const CROWD: usize = 128;
/// Columns that are unpacked at once: they stay in the nearest cache.
const UNPACKED: usize = 64;
/// Exponent of the largest weight of a matrix in half floats: the small ones stay normal so.
const LARGEST_EXPONENT: i32 = 15;
/// Exponents that they may be moved down by.
const MOST_DOWN: i32 = 15;

/// `weight * x + bias`.
///
/// ```text
///   weight [rows, columns]  ─▶  tiles of 32 rows, each column by column: [tiles, columns, 32]
/// ```
///
/// Each row is summed from its first column to its last, so that a processor gives the same numbers, one
/// vector at a time or several; those that fuse a product and a sum differ from others in rounding alone.
/// Weights that half floats hold exactly, as those of a weights file, are kept as such: the fewer bytes
/// are read, the faster.
pub struct Linear {
    tiles: Tiles,
    /// Of whole tiles: zeros after the last row.
    bias: Vec<f32>,
    rows: usize,
    columns: usize,
    arch: Arch,
    own: Option<Own>,
}

enum Tiles {
    /// Bits of half floats, and what their values are too small by.
    Half(Vec<i16>, f32),
    Single(Vec<f32>),
}

impl Linear {
    /// `weight` holds as many whole rows as `bias` holds numbers, `[rows, columns]`.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        let rows = bias.len();
        let columns = weight.len() / rows.max(1);
        let single = tiled(weight, rows, columns);
        let mut bias = bias.to_vec();
        bias.resize(rows.next_multiple_of(TILE), 0.0);
        let arch = Arch::new();
        Self {
            tiles: halves(&single).unwrap_or(Tiles::Single(single)),
            bias,
            rows,
            columns,
            arch,
            own: Own::new(arch),
        }
    }

    /// Writes the product of each vector of `x` `[n, columns]` to `y` `[n, rows]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        self.multiply(x, y, Ending::Replace);
    }

    /// The same, and then [`gelu`] of it.
    pub fn apply_gelu(&self, x: &[f32], y: &mut [f32]) {
        self.multiply(x, y, Ending::Gelu);
    }

    /// Adds the product of each vector of `x` `[n, columns]` to `y` `[n, rows]`.
    pub fn add(&self, x: &[f32], y: &mut [f32]) {
        self.multiply(x, y, Ending::Add);
    }

    fn multiply(&self, x: &[f32], y: &mut [f32], ending: Ending) {
        match (&self.tiles, self.own) {
            (Tiles::Half(tiles, scale), Some(own)) => {
                self.product(self.weights(own, tiles, *scale, ending), x, y);
            }
            (Tiles::Half(tiles, scale), None) => {
                self.product(self.weights(Moved, tiles, *scale, ending), x, y);
            }
            (Tiles::Single(tiles), _) => {
                self.product(self.weights(Singles, tiles, 1.0, ending), x, y);
            }
        }
    }

    fn weights<'a, R: Reader>(
        &'a self,
        reader: R,
        tiles: &'a [R::Weight],
        scale: f32,
        ending: Ending,
    ) -> Weights<'a, R> {
        Weights {
            reader,
            tiles,
            scale: scale * reader.too_small(),
            bias: &self.bias,
            columns: self.columns,
            rows: self.rows,
            ending,
        }
    }

    fn product<R: Reader>(&self, weights: Weights<R>, x: &[f32], y: &mut [f32]) {
        let Weights {
            columns,
            rows,
            reader,
            ..
        } = weights;
        let crowds = x.chunks(CROWD * columns.max(1));
        for (x, y) in crowds.zip(y.chunks_mut(CROWD * rows)) {
            if x.len() >= MANY * columns {
                reader.dispatch(self.arch, ProductOfMany { weights, x, y });
            } else {
                let each = x.chunks_exact(columns.max(1));
                for (x, y) in each.zip(y.chunks_exact_mut(rows)) {
                    reader.dispatch(self.arch, Product { weights, x, y });
                }
            }
        }
    }
}

/// What becomes of a product.
#[derive(Clone, Copy)]
enum Ending {
    Replace,
    Add,
    Gelu,
}

fn tiled(weight: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut tiles = vec![0.0; rows.div_ceil(TILE) * TILE * columns];
    for (row, numbers) in weight.chunks_exact(columns.max(1)).enumerate() {
        let tile = &mut tiles[row / TILE * TILE * columns..];
        for (column, number) in numbers.iter().enumerate() {
            tile[column * TILE + row % TILE] = *number;
        }
    }
    tiles
}

/// The same numbers as half floats, times a power of two; `None` unless all are exactly that.
fn halves(numbers: &[f32]) -> Option<Tiles> {
    let largest = numbers.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    if !largest.is_normal() {
        return None;
    }
    let up = LARGEST_EXPONENT - exponent(largest);
    let bits = |x: &f32| half_bits(*x, up);
    let bits = numbers.iter().map(bits).collect::<Option<_>>()?;
    // The scale of what is multiplied by them must be a number, however they are read.
    (-MOST_DOWN..=126)
        .contains(&up)
        .then(|| Tiles::Half(bits, 2f32.powi(-up)))
}

fn exponent(x: f32) -> i32 {
    ((x.to_bits() >> 23) & 0xff) as i32 - 127
}

/// Bits of the half float that is `x * 2^up`, where there is one, and it is normal or zero.
fn half_bits(x: f32, up: i32) -> Option<i16> {
    let sign = (x.to_bits() >> 16 & 0x8000) as u16;
    if x == 0.0 {
        return Some(sign as i16);
    }
    let (exponent, fraction) = (exponent(x) + up + 15, x.to_bits() & 0x7f_ffff);
    let exact = x.is_normal() && (1..31).contains(&exponent) && fraction & 0x1fff == 0;
    exact.then_some((sign | (exponent as u16) << 10 | (fraction >> 13) as u16) as i16)
}

/// Numbers that registers are filled with, without crossing into another cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Aligned<const N: usize>([f32; N]);

impl<const N: usize> Aligned<N> {
    const ZEROS: Self = Self([0.0; N]);
}

/// A number for each row of a tile.
type Row = Aligned<TILE>;

/// A matrix as products see it.
#[derive(Clone, Copy)]
struct Weights<'a, R: Reader> {
    reader: R,
    tiles: &'a [R::Weight],
    /// Of what is read.
    scale: f32,
    bias: &'a [f32],
    columns: usize,
    rows: usize,
    ending: Ending,
}

impl<R: Reader> Weights<'_, R> {
    /// Ends the products of a vector with tiles from number `first` on: `y` are their rows.
    #[inline(always)]
    fn end<S: Simd>(&self, simd: S, first: usize, sums: &[Row], y: &mut [f32]) {
        let bias = self.bias[first * TILE..].chunks_exact(TILE);
        for ((sums, bias), y) in sums.iter().zip(bias).zip(y.chunks_mut(TILE)) {
            if y.len() == TILE {
                self.ending.end(simd, bias, sums, y);
                continue;
            }
            let mut whole = [0.0; TILE];
            whole[..y.len()].copy_from_slice(y);
            self.ending.end(simd, bias, sums, &mut whole);
            y.copy_from_slice(&whole[..y.len()]);
        }
    }
}

impl Ending {
    #[inline(always)]
    fn end<S: Simd>(self, simd: S, bias: &[f32], sums: &Row, y: &mut [f32]) {
        let (bias, sums) = (S::as_simd_f32s(bias).0, S::as_simd_f32s(&sums.0).0);
        for ((y, bias), sum) in S::as_mut_simd_f32s(y).0.iter_mut().zip(bias).zip(sums) {
            let sum = simd.add_f32s(*sum, *bias);
            *y = match self {
                Self::Replace => sum,
                Self::Add => simd.add_f32s(*y, sum),
                Self::Gelu => gelu(simd, sum),
            };
        }
    }
}

/// The product of one vector, for the processor at hand. A closure would not do: it is called,
/// not inlined, and so compiled for the plainest processor.
struct Product<'a, R: Reader> {
    weights: Weights<'a, R>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<R: Reader> WithSimd for Product<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Registers that a tile's row of weights fills.
        match S::F32_LANES {
            16 => self.run::<S, 2>(simd),
            8 => self.run::<S, 4>(simd),
            4 => self.run::<S, 8>(simd),
            _ => self.run::<S, TILE>(simd),
        }
    }
}

impl<R: Reader> Product<'_, R> {
    #[inline(always)]
    fn run<S: Simd, const WIDE: usize>(self, simd: S) {
        let Self { weights, x, y } = self;
        let tile = (TILE * weights.columns).max(1);
        let tiles = weights.tiles.chunks(ABREAST * tile);
        for (n, (tiles, y)) in tiles.zip(y.chunks_mut(ABREAST * TILE)).enumerate() {
            let mut each = tiles.chunks_exact(tile);
            if let (Some(a), Some(b), Some(c)) = (each.next(), each.next(), each.next()) {
                let sums = abreast::<S, R, WIDE, ABREAST>(simd, weights, [a, b, c], x);
                weights.end(simd, n * ABREAST, &sums, y);
            } else {
                let each = tiles.chunks_exact(tile).zip(y.chunks_mut(TILE));
                for (k, (tile, y)) in each.enumerate() {
                    let sums = abreast::<S, R, WIDE, 1>(simd, weights, [tile], x);
                    weights.end(simd, n * ABREAST + k, &sums, y);
                }
            }
        }
    }
}

/// The products of several tiles at once, so that none waits for another.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
fn abreast<S: Simd, R: Reader, const WIDE: usize, const N: usize>(
    simd: S,
    weights: Weights<R>,
    tiles: [&[R::Weight]; N],
    x: &[f32],
) -> [Row; N] {
    let mut held = [[simd.splat_f32s(0.0); WIDE]; N];
    for (column, x) in x.iter().enumerate() {
        let x = simd.splat_f32s(x * weights.scale);
        for n in 0..N {
            let mut values = [0.0f32; TILE];
            let row = &tiles[n][column * TILE..][..TILE];
            weights.reader.read(row, 1.0, &mut values);
            let values = S::as_simd_f32s(&values).0;
            for wide in 0..WIDE {
                held[n][wide] = simd.mul_add_e_f32s(values[wide], x, held[n][wide]);
            }
        }
    }
    let mut sums = [Row::ZEROS; N];
    for n in 0..N {
        S::as_mut_simd_f32s(&mut sums[n].0)
            .0
            .copy_from_slice(&held[n]);
    }
    sums
}

/// The products of [`CROWD`] vectors at most, each the same to the last bit as [`Product`]'s: what is
/// scaled, weight or vector, is so by a power of two.
struct ProductOfMany<'a, R: Reader> {
    weights: Weights<'a, R>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<R: Reader> WithSimd for ProductOfMany<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Registers that a tile's row of weights fills.
        match S::F32_LANES {
            16 => self.run::<S, 2, 8>(simd),
            8 => self.run::<S, 4, 2>(simd),
            4 => self.run::<S, 8, 2>(simd),
            _ => self.run::<S, TILE, 2>(simd),
        }
    }
}

impl<R: Reader> ProductOfMany<'_, R> {
    #[inline(always)]
    fn run<S: Simd, const WIDE: usize, const TOGETHER: usize>(self, simd: S) {
        let Weights { columns, rows, .. } = self.weights;
        let count = self.y.len() / rows;
        let mut values = Aligned::<{ UNPACKED * TILE }>::ZEROS;
        let mut sums = [Row::ZEROS; CROWD];
        let sums = &mut sums[..count];
        let tiles = self.weights.tiles.chunks_exact((TILE * columns).max(1));
        for (number, tile) in tiles.enumerate() {
            sums.fill(Row::ZEROS);
            for (block, weights) in tile.chunks(UNPACKED * TILE).enumerate() {
                let values = &mut values.0[..weights.len()];
                self.weights
                    .reader
                    .read(weights, self.weights.scale, values);
                let values = values.as_chunks::<TILE>().0;
                let next = (number * columns + (block + 1) * UNPACKED) * TILE;
                let coming = self.weights.tiles.get(next..).unwrap_or_default();
                let coming = coming.chunks(UNPACKED * TILE).next();
                soon(coming.unwrap_or_default());
                let x = |n: usize| &self.x[n * columns + block * UNPACKED..][..values.len()];
                let mut n = 0;
                while n + TOGETHER <= count {
                    let some = core::array::from_fn(|k| x(n + k));
                    some_sums::<S, WIDE, TOGETHER>(simd, values, some, &mut sums[n..]);
                    n += TOGETHER;
                }
                while n + 2 <= count {
                    let some = core::array::from_fn(|k| x(n + k));
                    some_sums::<S, WIDE, 2>(simd, values, some, &mut sums[n..]);
                    n += 2;
                }
                if n < count {
                    some_sums::<S, WIDE, 1>(simd, values, [x(n)], &mut sums[n..]);
                }
            }
            let here = number * TILE..(number * TILE + TILE).min(rows);
            for (y, sums) in self.y.chunks_exact_mut(rows).zip(sums.chunks_exact(1)) {
                self.weights.end(simd, number, sums, &mut y[here.clone()]);
            }
        }
    }
}

/// Goes on with the sums of `N` vectors over the columns of `values`.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
fn some_sums<S: Simd, const WIDE: usize, const N: usize>(
    simd: S,
    values: &[[f32; TILE]],
    x: [&[f32]; N],
    sums: &mut [Row],
) {
    let x = x.map(|x| &x[..values.len()]);
    let mut held = [[simd.splat_f32s(0.0); WIDE]; N];
    for n in 0..N {
        held[n].copy_from_slice(S::as_simd_f32s(&sums[n].0).0);
    }
    for (column, values) in values.iter().enumerate() {
        let values = S::as_simd_f32s(values).0;
        let mut here = [simd.splat_f32s(0.0); N];
        for n in 0..N {
            here[n] = simd.splat_f32s(x[n][column]);
        }
        for wide in 0..WIDE {
            for n in 0..N {
                held[n][wide] = simd.mul_add_e_f32s(values[wide], here[n], held[n][wide]);
            }
        }
    }
    for n in 0..N {
        S::as_mut_simd_f32s(&mut sums[n].0)
            .0
            .copy_from_slice(&held[n]);
    }
}

/// The numbers of a weights file: bfloat16, little-endian.
pub fn bfloat16s(file: &[u8]) -> Vec<f32> {
    let number = |b: &[u8]| f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16);
    file.chunks_exact(2).map(number).collect()
}

/// As many as `count` of them, and on to those behind.
pub fn next<'a>(rest: &mut &'a [f32], count: usize) -> &'a [f32] {
    let (taken, later) = rest.split_at(count);
    *rest = later;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product by the plainest registers, which some processors have alone.
    fn plain(linear: &Linear, x: &[f32], ending: Ending) -> Vec<f32> {
        let Tiles::Half(tiles, scale) = &linear.tiles else {
            unreachable!("made of half floats")
        };
        let weights = linear.weights(Moved, tiles, *scale, ending);
        let mut y = vec![0.5; x.len() / linear.columns * linear.rows];
        ProductOfMany {
            weights,
            x,
            y: &mut y,
        }
        .with_simd(pulp::Scalar);
        let mut alone = vec![0.5; y.len()];
        let each = x.chunks(linear.columns);
        for (x, y) in each.zip(alone.chunks_mut(linear.rows)) {
            Product { weights, x, y }.with_simd(pulp::Scalar);
        }
        assert_eq!(y, alone);
        y
    }

    #[test]
    fn every_processor_gives_the_same_numbers_but_for_rounding() {
        let number = |n: usize| ((n * 7919 % 2003) as f32 - 1001.0) / 1024.0;
        for (rows, columns) in [(1, 1), (33, 70), (64, 130), (160, 65)] {
            let weight: Vec<f32> = (0..rows * columns).map(number).collect();
            let linear = Linear::new(&weight, &vec![0.0; rows]);
            let endings = [Ending::Replace, Ending::Add, Ending::Gelu];
            let counts = [1, 2, MANY, MANY + 3, CROWD, CROWD + 4];
            for (ending, count) in endings.iter().flat_map(|e| counts.map(|n| (*e, n))) {
                let x: Vec<f32> = (0..count * columns).map(|n| number(n + 5) * 1.37).collect();
                let mut y = vec![0.5; count * rows];
                linear.multiply(&x, &mut y, ending);
                let crowds = x.chunks(CROWD * columns);
                let expected = crowds.flat_map(|x| plain(&linear, x, ending));
                for (y, expected) in y.iter().zip(expected) {
                    assert!((y - expected).abs() < 1e-4, "{y} {expected}");
                }
                let mut alone = vec![0.5; count * rows];
                for (x, y) in x.chunks(columns).zip(alone.chunks_mut(rows)) {
                    linear.multiply(x, y, ending);
                }
                assert_eq!(y, alone, "together as alone");
            }
        }
    }

    #[test]
    fn half_floats_are_kept_as_such_and_nothing_else_is() {
        let smallest = 2f32.powi(-24);
        for numbers in [
            [1.0, -0.5, 0.0],
            [65_504.0, 1.0, -0.0],
            [0.25, 1023.0 * smallest, smallest],
        ] {
            let Some(Tiles::Half(bits, scale)) = halves(&numbers) else {
                unreachable!("{numbers:?} are half floats")
            };
            let mut back = [f32::NAN; 3];
            Moved.read(&bits, scale * Moved.too_small(), &mut back);
            assert_eq!(back, numbers);
        }
        for numbers in [
            [1.0, 0.1, 0.0],
            [0.0; 3],
            [1.0, f32::NAN, 0.0],
            [1.0, 2f32.powi(-40), 0.0],
        ] {
            assert!(halves(&numbers).is_none(), "{numbers:?}");
        }
    }
}

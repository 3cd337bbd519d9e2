//! Matrices that a stream multiplies by, laid out to be read in one go.

use pulp::{Arch, Simd, WithSimd};

/// Rows that lie side by side, and are summed so.
const TILE: usize = 32;
/// From so many vectors on it pays to unpack weights first.
const MANY: usize = 3;
/// Tiles that one vector is multiplied by at a time.
const ABREAST: usize = 3;
/// Vectors that unpacked weights are held for.
const CROWD: usize = 64;
/// Columns that are unpacked at once: they stay in the nearest cache.
const UNPACKED: usize = 64;
/// Of a half float moved to a place in a single one: the bits of sign, exponent and fraction.
const HALF_BITS: u32 = 0x8fff_e000;
/// Its exponent then counts from another zero: the value is too small by this power of two.
const HALF_SHORT: i32 = 112;
/// Exponent of the largest weight of a matrix in half floats: the small ones stay normal so.
const LARGEST_EXPONENT: i32 = 15;

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
    bias: Vec<f32>,
    columns: usize,
    arch: Arch,
}

enum Tiles {
    /// Bits of half floats, and what a product of theirs is too small by.
    Half(Vec<i16>, f32),
    Single(Vec<f32>),
}

impl Linear {
    /// `weight` holds as many whole rows as `bias` holds numbers, `[rows, columns]`.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        let columns = weight.len() / bias.len().max(1);
        let single = tiled(weight, bias.len(), columns);
        Self {
            tiles: halves(&single).unwrap_or(Tiles::Single(single)),
            bias: bias.to_vec(),
            columns,
            arch: Arch::new(),
        }
    }

    /// Writes the product of each vector of `x` `[n, columns]` to `y` `[n, rows]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        for y in y.chunks_exact_mut(self.bias.len()) {
            y.copy_from_slice(&self.bias);
        }
        self.multiply(x, y);
    }

    /// Adds the product of each vector of `x` `[n, columns]` to `y` `[n, rows]`.
    pub fn add(&self, x: &[f32], y: &mut [f32]) {
        for y in y.chunks_exact_mut(self.bias.len()) {
            for (y, bias) in y.iter_mut().zip(&self.bias) {
                *y += bias;
            }
        }
        self.multiply(x, y);
    }

    fn multiply(&self, x: &[f32], y: &mut [f32]) {
        match &self.tiles {
            Tiles::Half(tiles, scale) => self.product(tiles, *scale, x, y),
            Tiles::Single(tiles) => self.product(tiles, 1.0, x, y),
        }
    }

    fn product<W: Weight>(&self, tiles: &[W], scale: f32, x: &[f32], y: &mut [f32]) {
        let (columns, rows) = (self.columns, self.bias.len());
        let weights = Weights {
            tiles,
            scale,
            columns,
            rows,
        };
        let crowds = x.chunks(CROWD * columns.max(1));
        for (x, y) in crowds.zip(y.chunks_mut(CROWD * rows)) {
            if x.len() >= MANY * columns {
                self.arch.dispatch(ProductOfMany { weights, x, y });
            } else {
                let each = x.chunks_exact(columns.max(1));
                for (x, y) in each.zip(y.chunks_exact_mut(rows)) {
                    self.arch.dispatch(Product { weights, x, y });
                }
            }
        }
    }
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
    // The scale of what is multiplied by them must be a number.
    let scale = HALF_SHORT - up;
    (-126..=127)
        .contains(&scale)
        .then(|| Tiles::Half(bits, 2f32.powi(scale)))
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

/// A weight as it lies in memory.
trait Weight: Copy {
    fn value(self) -> f32;
}

impl Weight for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

impl Weight for i16 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from_bits((i32::from(self) << 13) as u32 & HALF_BITS)
    }
}

/// A matrix as products see it.
struct Weights<'a, W> {
    tiles: &'a [W],
    /// Of each weight.
    scale: f32,
    columns: usize,
    rows: usize,
}

impl<W> Clone for Weights<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Weights<'_, W> {}

impl<'a, W> Weights<'a, W> {
    /// Each tile, and the rows that it holds.
    fn tiles(self) -> impl Iterator<Item = (&'a [W], core::ops::Range<usize>)> {
        let starts = (0..self.rows).step_by(TILE);
        let tiles = self.tiles.chunks_exact((TILE * self.columns).max(1));
        tiles
            .zip(starts)
            .map(move |(tile, start)| (tile, start..(start + TILE).min(self.rows)))
    }
}

/// Adds the product of one vector, for the processor at hand. A closure would not do: it is called,
/// not inlined, and so compiled for the plainest processor.
struct Product<'a, W> {
    weights: Weights<'a, W>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<W: Weight> WithSimd for Product<'_, W> {
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

impl<W: Weight> Product<'_, W> {
    #[inline(always)]
    fn run<S: Simd, const WIDE: usize>(self, simd: S) {
        let Weights { columns, scale, .. } = self.weights;
        let tile = (TILE * columns).max(1);
        let tiles = self.weights.tiles.chunks(ABREAST * tile);
        for (tiles, y) in tiles.zip(self.y.chunks_mut(ABREAST * TILE)) {
            let mut each = tiles.chunks_exact(tile);
            if let (Some(a), Some(b), Some(c)) = (each.next(), each.next(), each.next()) {
                abreast::<S, W, WIDE, ABREAST>(simd, [a, b, c], self.x, scale, y);
            } else {
                for (tile, y) in tiles.chunks_exact(tile).zip(y.chunks_mut(TILE)) {
                    abreast::<S, W, WIDE, 1>(simd, [tile], self.x, scale, y);
                }
            }
        }
    }
}

/// Adds the products of several tiles at once, so that none waits for another.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
fn abreast<S: Simd, W: Weight, const WIDE: usize, const N: usize>(
    simd: S,
    tiles: [&[W]; N],
    x: &[f32],
    scale: f32,
    y: &mut [f32],
) {
    let mut held = [[simd.splat_f32s(0.0); WIDE]; N];
    for (column, x) in x.iter().enumerate() {
        let x = simd.splat_f32s(x * scale);
        for n in 0..N {
            let weights = &tiles[n][column * TILE..][..TILE];
            let mut values = [0.0f32; TILE];
            for k in 0..TILE {
                values[k] = weights[k].value();
            }
            let values = S::as_simd_f32s(&values).0;
            for wide in 0..WIDE {
                held[n][wide] = simd.mul_add_e_f32s(values[wide], x, held[n][wide]);
            }
        }
    }
    for n in 0..N {
        let mut sums = [0.0f32; TILE];
        S::as_mut_simd_f32s(&mut sums).0.copy_from_slice(&held[n]);
        let rows = y.iter_mut().skip(n * TILE);
        for (y, sum) in rows.zip(sums) {
            *y += sum;
        }
    }
}

/// Adds the products of [`CROWD`] vectors at most, each the same to the last bit as [`Product`]'s:
/// what is scaled, weight or vector, is so by a power of two.
struct ProductOfMany<'a, W> {
    weights: Weights<'a, W>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<W: Weight> WithSimd for ProductOfMany<'_, W> {
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

impl<W: Weight> ProductOfMany<'_, W> {
    #[inline(always)]
    fn run<S: Simd, const WIDE: usize, const TOGETHER: usize>(self, simd: S) {
        let Weights { columns, rows, .. } = self.weights;
        let count = self.y.len() / rows;
        let mut values = [0.0f32; UNPACKED * TILE];
        let mut sums = [[0.0f32; TILE]; CROWD];
        let sums = &mut sums[..count];
        for (tile, here) in self.weights.tiles() {
            sums.fill([0.0; TILE]);
            for (block, weights) in tile.chunks(UNPACKED * TILE).enumerate() {
                let values = &mut values[..weights.len()];
                for (value, weight) in values.iter_mut().zip(weights) {
                    *value = weight.value() * self.weights.scale;
                }
                let (first, len) = (block * UNPACKED, weights.len() / TILE);
                let x = |n: usize| &self.x[n * columns + first..][..len];
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
            for (y, sums) in self.y.chunks_exact_mut(rows).zip(&*sums) {
                for (y, sum) in y[here.clone()].iter_mut().zip(sums) {
                    *y += *sum;
                }
            }
        }
    }
}

/// Goes on with the sums of `N` vectors over the columns of `values`.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
fn some_sums<S: Simd, const WIDE: usize, const N: usize>(
    simd: S,
    values: &[f32],
    x: [&[f32]; N],
    sums: &mut [[f32; TILE]],
) {
    let mut held = [[simd.splat_f32s(0.0); WIDE]; N];
    for n in 0..N {
        held[n].copy_from_slice(S::as_simd_f32s(&sums[n]).0);
    }
    for (column, values) in values.chunks_exact(TILE).enumerate() {
        let values = S::as_simd_f32s(values).0;
        for n in 0..N {
            let x = simd.splat_f32s(x[n][column]);
            for wide in 0..WIDE {
                held[n][wide] = simd.mul_add_e_f32s(values[wide], x, held[n][wide]);
            }
        }
    }
    for n in 0..N {
        S::as_mut_simd_f32s(&mut sums[n])
            .0
            .copy_from_slice(&held[n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product by the plainest registers, which some processors have alone.
    fn plain(linear: &Linear, x: &[f32]) -> Vec<f32> {
        let Tiles::Half(tiles, scale) = &linear.tiles else {
            unreachable!("made of half floats")
        };
        let weights = Weights {
            tiles: tiles.as_slice(),
            scale: *scale,
            columns: linear.columns,
            rows: linear.bias.len(),
        };
        let mut y = vec![0.0; x.len() / linear.columns * linear.bias.len()];
        ProductOfMany {
            weights,
            x,
            y: &mut y,
        }
        .with_simd(pulp::Scalar);
        let mut alone = vec![0.0; y.len()];
        let each = x.chunks(linear.columns);
        for (x, y) in each.zip(alone.chunks_mut(linear.bias.len())) {
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
            for count in [1, 2, 3, 5, CROWD, CROWD + 4] {
                let x: Vec<f32> = (0..count * columns).map(|n| number(n + 5) * 1.37).collect();
                let mut y = vec![f32::NAN; count * rows];
                linear.apply(&x, &mut y);
                let crowds = x.chunks(CROWD * columns);
                let expected: Vec<f32> = crowds.flat_map(|x| plain(&linear, x)).collect();
                for (y, expected) in y.iter().zip(&expected) {
                    assert!((y - expected).abs() < 1e-4, "{y} {expected}");
                }
                let mut alone = vec![f32::NAN; count * rows];
                for (x, y) in x.chunks(columns).zip(alone.chunks_mut(rows)) {
                    linear.apply(x, y);
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
            let back: Vec<f32> = bits.iter().map(|b| b.value() * scale).collect();
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

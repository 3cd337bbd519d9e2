//! Matrices that a stream multiplies by, laid out to be read in one go.

use pulp::Arch;

/// Rows that are summed side by side: eight registers of the plainest processor.
const TILE: usize = 32;

/// `weight * x + bias`.
///
/// ```text
///   weight [rows, columns]  ─▶  tiles of 32 rows, each column by column: [tiles, columns, 32]
/// ```
///
/// Each row is summed from its first column to its last, without fused steps, so that every
/// processor gives the same numbers.
pub struct Linear {
    tiles: Vec<f32>,
    bias: Vec<f32>,
    columns: usize,
    arch: Arch,
}

impl Linear {
    /// `weight` holds as many whole rows as `bias` holds numbers, `[rows, columns]`.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        let columns = weight.len() / bias.len().max(1);
        let mut tiles = vec![0.0; bias.len().div_ceil(TILE) * TILE * columns];
        for (row, numbers) in weight.chunks_exact(columns.max(1)).enumerate() {
            let tile = &mut tiles[row / TILE * TILE * columns..];
            for (column, number) in numbers.iter().enumerate() {
                tile[column * TILE + row % TILE] = *number;
            }
        }
        Self {
            tiles,
            bias: bias.to_vec(),
            columns,
            arch: Arch::new(),
        }
    }

    /// Writes the product of `x` `[columns]` to `y` `[rows]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(&self.bias);
        self.multiply(x, y);
    }

    /// Adds the product of `x` `[columns]` to `y` `[rows]`.
    pub fn add(&self, x: &[f32], y: &mut [f32]) {
        for (y, bias) in y.iter_mut().zip(&self.bias) {
            *y += bias;
        }
        self.multiply(x, y);
    }

    fn multiply(&self, x: &[f32], y: &mut [f32]) {
        self.arch.dispatch(|| {
            let tiles = self.tiles.chunks_exact((TILE * self.columns).max(1));
            for (tile, y) in tiles.zip(y.chunks_mut(TILE)) {
                let mut sums = [0.0f32; TILE];
                for (weights, x) in tile.chunks_exact(TILE).zip(x) {
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += weight * x;
                    }
                }
                for (y, sum) in y.iter_mut().zip(sums) {
                    *y += sum;
                }
            }
        });
    }
}

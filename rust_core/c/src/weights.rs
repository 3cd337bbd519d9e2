//! The weights file, without Python: fp16 safetensors, as `persona_voice/model/weights.py` writes it.

use std::collections::HashMap;
use std::path::Path;

use persona_dsp::{NetShape, Network, HOP};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

const FORMAT: &str = "persona-voice converter 2";

/// The network of a file for a mode, and its look-ahead in samples at 24 kHz; or what is wrong.
pub fn read(file: &Path, mode: &str) -> Result<(Network, usize), String> {
    let name = file.display();
    if mode != "live" && mode != "studio" {
        return Err(format!("mode must be one of live, studio, got '{mode}'"));
    }
    let bytes = std::fs::read(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let whole = |error| format!("{name} must be a whole safetensors file: {error}");
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(whole)?;
    let facts = header.metadata().clone().unwrap_or_default();
    let found = facts.get("format").map_or("none", String::as_str);
    if found != FORMAT {
        return Err(format!(
            "{name} must have the format \"{FORMAT}\", found \"{found}\""
        ));
    }
    let config: Value = facts
        .get("config")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let number = |key: &str| {
        let found = config[key].as_u64().map(|n| n as usize);
        found.ok_or_else(|| format!("{name} must describe its network: {key}"))
    };
    let dilations = config["dilations"].as_array().map(|all| {
        let each = all.iter().map(|d| d.as_u64().map(|d| d as usize));
        each.collect::<Option<Vec<_>>>()
    });
    let lookahead = number(&format!("{mode}_lookahead"))?;
    let shape = NetShape {
        channels: number("channels")?,
        hidden: number("hidden")?,
        input_frames: number("input_frames")?,
        dilations: dilations
            .flatten()
            .ok_or_else(|| format!("{name} must describe its network: dilations"))?,
        late: (lookahead / HOP).saturating_sub(1),
    };
    let tensors = SafeTensors::deserialize(&bytes).map_err(whole)?;
    let mut numbers: HashMap<String, (Vec<usize>, Vec<f32>)> = HashMap::new();
    for (tensor, view) in tensors.iter() {
        if view.dtype() != Dtype::F16 {
            return Err(format!(
                "{name} must hold half floats, and {tensor} is {:?}",
                view.dtype()
            ));
        }
        let pairs = view.data().chunks_exact(2);
        let values: Option<Vec<f32>> = pairs
            .map(|pair| from_half(u16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        let values = values
            .ok_or_else(|| format!("{name} must hold finite numbers only; {tensor} does not"))?;
        let head = format!("heads.{mode}.");
        let own = match tensor.strip_prefix(&head) {
            Some(part) => format!("head.{part}"),
            None => tensor.to_owned(),
        };
        numbers.insert(own, (view.shape().to_vec(), values));
    }
    check_shapes(&shape, &numbers).map_err(|problem| format!("{name} {problem}"))?;
    let network = Network::new(shape, |name| {
        numbers.get(name).map(|(_, values)| values.as_slice())
    });
    let network = network.map_err(|error| format!("{name}: {error}"))?;
    Ok((network, lookahead))
}

/// Every tensor must be there, of its shape: a transposed one has as many numbers.
fn check_shapes(
    of: &NetShape,
    found: &HashMap<String, (Vec<usize>, Vec<f32>)>,
) -> Result<(), String> {
    of.check()
        .map_err(|error| format!("must describe its network: {error}"))?;
    for (tensor, expected) in of.tensors() {
        match found.get(&tensor.to_string()) {
            None => return Err(format!("must hold {tensor}")),
            Some((got, _)) if *got != expected => {
                return Err(format!(
                    "must hold {tensor} of shape {expected:?}, got {got:?}"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The number that these bits of a half float are; `None` for infinities and what is no number.
fn from_half(bits: u16) -> Option<f32> {
    let size = f32::from_bits(u32::from(bits & 0x7fff) << 13) * 2f32.powi(112);
    let finite = bits & 0x7c00 != 0x7c00;
    finite.then_some(if bits & 0x8000 == 0 { size } else { -size })
}

#[cfg(test)]
mod tests {
    use super::from_half;

    #[test]
    fn half_floats_are_read_exactly() {
        let known = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65_504.0),
            (0x0001, 2f32.powi(-24)),
            (0x83ff, -1023.0 * 2f32.powi(-24)),
            (0x3555, 0.333_251_95),
        ];
        for (bits, expected) in known {
            assert_eq!(from_half(bits), Some(expected));
        }
        for bits in [0x7c00, 0xfc00, 0x7e01] {
            assert_eq!(from_half(bits), None);
        }
    }
}

//! The weights file, without Python: fp16 safetensors, as `persona_voice/model/weights.py` writes it.

use std::collections::HashMap;
use std::path::Path as File;

use persona_dsp::{NetShape, Network, Path, HOP};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

const FORMAT: &str = "persona-voice converter 2";
const MODES: [&str; 2] = ["live", "studio"];
const NUMBERS: [&str; 5] = [
    "channels",
    "hidden",
    "input_frames",
    "live_lookahead",
    "studio_lookahead",
];

/// The network of a file for a mode, and its look-ahead in samples at 24 kHz; or what is wrong.
pub fn read(file: &File, mode: &str) -> Result<(Network, usize), String> {
    if !MODES.contains(&mode) {
        return Err(format!("mode must be one of live, studio, got '{mode}'"));
    }
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    network(&bytes, mode).map_err(|problem| format!("{name} {problem}"))
}

fn network(bytes: &[u8], mode: &str) -> Result<(Network, usize), String> {
    let whole = |error| format!("must be a whole safetensors file: {error}");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(whole)?;
    let facts = header.metadata().clone().unwrap_or_default();
    let found = facts.get("format").map_or("none", String::as_str);
    if found != FORMAT {
        return Err(format!(
            "must have the format \"{FORMAT}\", found \"{found}\""
        ));
    }
    let config = facts.get("config").map_or("", String::as_str);
    let (shape, lookahead) = described(config, mode)
        .map_err(|problem| format!("must describe its network: {problem}"))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(whole)?;
    check_shapes(&shape, &tensors)?;
    let numbers = tensors.iter().map(|(name, view)| {
        let values = from_halves(view.data());
        values
            .map(|values| (name.to_owned(), values))
            .ok_or_else(|| format!("must hold finite numbers only; {name} does not"))
    });
    let numbers: HashMap<String, Vec<f32>> = numbers.collect::<Result<_, String>>()?;
    let tensor = |name: &str| numbers.get(&in_file(name, mode)).map(Vec::as_slice);
    let network = Network::new(shape, tensor).map_err(|error| error.to_string())?;
    Ok((network, lookahead))
}

/// The shape that the file states, and the look-ahead of a mode.
fn described(config: &str, mode: &str) -> Result<(NetShape, usize), String> {
    let config: Value = serde_json::from_str(config).map_err(|error| error.to_string())?;
    let keys = config.as_object().map_or(0, |object| object.len());
    if keys != NUMBERS.len() + 1 {
        let names = NUMBERS.join(", ");
        return Err(format!("it must hold exactly {names}, dilations"));
    }
    let number = |what: &str, of: &Value| match of.as_u64() {
        Some(number) => Ok(number as usize),
        None => Err(format!("{what} must be a whole number, got {of}")),
    };
    let [channels, hidden, input_frames, live, studio] =
        NUMBERS.map(|key| number(key, &config[key]));
    let dilations = config["dilations"].as_array();
    let dilations = dilations.ok_or("dilations must be a list of whole numbers")?;
    let dilations = dilations.iter().map(|of| number("a dilation", of));
    let (live, studio) = (live?, studio?);
    for lookahead in [live, studio] {
        Path::check_lookahead(lookahead).map_err(|error| error.to_string())?;
        if lookahead % HOP != 0 {
            return Err(format!(
                "a lookahead must be whole hops of {HOP} samples, got {lookahead}"
            ));
        }
    }
    let lookahead = if mode == "live" { live } else { studio };
    let shape = NetShape {
        channels: channels?,
        hidden: hidden?,
        input_frames: input_frames?,
        dilations: dilations.collect::<Result<_, String>>()?,
        late: lookahead / HOP - 1,
    };
    shape.check().map_err(|error| error.to_string())?;
    Ok((shape, lookahead))
}

/// What the file calls a tensor of the network: it holds a head for each mode.
fn in_file(name: &str, mode: &str) -> String {
    match name.strip_prefix("head.") {
        Some(part) => format!("heads.{mode}.{part}"),
        None => name.to_owned(),
    }
}

/// Every tensor must be there, of its shape (a transposed one has as many numbers), and no other.
fn check_shapes(of: &NetShape, found: &SafeTensors<'_>) -> Result<(), String> {
    let mut expected = HashMap::new();
    for (name, shape) in of.tensors() {
        for mode in MODES {
            expected.insert(in_file(&name.to_string(), mode), shape.clone());
        }
    }
    for (name, view) in found.iter() {
        let Some(expected) = expected.remove(name) else {
            return Err(format!("must hold no {name}"));
        };
        let (got, dtype) = (view.shape(), view.dtype());
        if got != expected {
            return Err(format!(
                "must hold {name} of shape {expected:?}, got {got:?}"
            ));
        }
        if dtype != Dtype::F16 {
            return Err(format!("must hold half floats, and {name} is {dtype:?}"));
        }
    }
    match expected.keys().min() {
        Some(missing) => Err(format!("must hold {missing}")),
        None => Ok(()),
    }
}

fn from_halves(bytes: &[u8]) -> Option<Vec<f32>> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| from_half(u16::from_le_bytes([pair[0], pair[1]])))
        .collect()
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

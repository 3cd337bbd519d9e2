//! Who stands under the laws. A new type is one line here.

/// Stages: name, how one is made.
macro_rules! for_each_stage {
    ($($check:ident)::+) => {
        $($check)::+!(resampler_48_to_24, persona_dsp::Resampler::new(48_000, 24_000).unwrap());
        $($check)::+!(resampler_24_to_48, persona_dsp::Resampler::new(24_000, 48_000).unwrap());
        $($check)::+!(resampler_44_to_24, persona_dsp::Resampler::new(44_100, 24_000).unwrap());
        $($check)::+!(resampler_24_to_44, persona_dsp::Resampler::new(24_000, 44_100).unwrap());
        $($check)::+!(resampler_8_to_24, persona_dsp::Resampler::new(8_000, 24_000).unwrap());
        $($check)::+!(resampler_192_to_8, persona_dsp::Resampler::new(192_000, 8_000).unwrap());
        $($check)::+!(resampler_odd, persona_dsp::Resampler::new(24_000, 11_027).unwrap());
        $($check)::+!(resampler_none, persona_dsp::Resampler::new(24_000, 24_000).unwrap());
        $($check)::+!(limiter, persona_dsp::Limiter::new(-1.0).unwrap());
        $($check)::+!(fade, persona_dsp::Fade::new());
    };
}

/// Analyzers: name, how one is made, what a frame of silence must be.
macro_rules! for_each_analyzer {
    ($($check:ident)::+) => {
        $($check)::+!(log_mel, persona_dsp::LogMel::new(), |f: &[f32]| {
            f.iter().all(|band| (band + 23.0259).abs() < 1e-3)
        });
        $($check)::+!(loudness, persona_dsp::Loudness::new(), |f: &[f32]| f == [-120.0]);
        $($check)::+!(f0_evidence, persona_dsp::F0Evidence::new(), |f: &[f32]| {
            f[..2 * 98].iter().all(|likeness| *likeness == 0.0)
        });
        $($check)::+!(f0_tracker_fast, persona_dsp::F0Tracker::new(0).unwrap(), |f: &[f32]| {
            f[0] == 0.0 && f[2] == 0.0
        });
        $($check)::+!(f0_tracker_late, persona_dsp::F0Tracker::new(3).unwrap(), |f: &[f32]| {
            f[0] == 0.0 && f[2] == 0.0
        });
        $($check)::+!(vad, persona_dsp::Vad::new(), |f: &[f32]| f[0] < 0.5 && f[1] == 0.0);
    };
}

/// Frames in, frames or samples out, and the whole path, which answers with a voice: name, how one
/// is made.
macro_rules! for_each_shaper {
    ($($check:ident)::+) => {
        $($check)::+!(prosody, {
            let targets = persona_dsp::ProsodyTargets { register_hz: 200.0, range: 1.2 };
            persona_dsp::Prosody::new(targets).unwrap()
        });
        $($check)::+!(network, crate::subject::network());
        $($check)::+!(vocoder, persona_dsp::Vocoder::new(7));
        $($check)::+!(chain_24, crate::subject::chain(24_000));
        $($check)::+!(chain_44, crate::subject::chain(44_100));
    };
}

pub(crate) use {for_each_analyzer, for_each_shaper, for_each_stage};

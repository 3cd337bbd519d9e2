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
        $($check)::+!(resampler_48_to_16, persona_dsp::Resampler::new(48_000, 16_000).unwrap());
        $($check)::+!(resampler_16_to_24, persona_dsp::Resampler::new(16_000, 24_000).unwrap());
        $($check)::+!(leveller_24, crate::subject::leveller(24_000));
        $($check)::+!(leveller_44, crate::subject::leveller(44_100));
        $($check)::+!(limiter_24, persona_dsp::Limiter::new(24_000, -1.0).unwrap());
        $($check)::+!(limiter_48, persona_dsp::Limiter::new(48_000, -1.0).unwrap());
        $($check)::+!(limiter_8, persona_dsp::Limiter::new(8_000, -1.0).unwrap());
        $($check)::+!(fade, persona_dsp::Fade::new(24_000).unwrap());
        $($check)::+!(shifter_still, persona_dsp::Shifter::new(48_000).unwrap());
        $($check)::+!(shifter_up, crate::subject::shifter(24_000, 5.0, 0.0));
        $($check)::+!(shifter_down, crate::subject::shifter(44_100, -4.0, 0.0));
    };
}

/// Stages that are later at some frequencies than at others: name, how one is made.
macro_rules! for_each_early_stage {
    ($($check:ident)::+) => {
        $($check)::+!(early_48_to_24, persona_dsp::Resampler::minimum_phase(48_000, 24_000).unwrap());
        $($check)::+!(early_24_to_48, persona_dsp::Resampler::minimum_phase(24_000, 48_000).unwrap());
        $($check)::+!(early_44_to_24, persona_dsp::Resampler::minimum_phase(44_100, 24_000).unwrap());
        $($check)::+!(early_24_to_44, persona_dsp::Resampler::minimum_phase(24_000, 44_100).unwrap());
        $($check)::+!(early_48_to_16, persona_dsp::Resampler::minimum_phase(48_000, 16_000).unwrap());
        $($check)::+!(early_16_to_24, persona_dsp::Resampler::minimum_phase(16_000, 24_000).unwrap());
        $($check)::+!(early_odd, persona_dsp::Resampler::minimum_phase(24_000, 11_027).unwrap());
        $($check)::+!(early_none, persona_dsp::Resampler::minimum_phase(24_000, 24_000).unwrap());
    };
}

/// Analyzers: name, how one is made, what a frame of silence must be.
macro_rules! for_each_analyzer {
    ($($check:ident)::+) => {
        $($check)::+!(log_mel, persona_dsp::LogMel::new(), |f: &[f32]| {
            f.iter().all(|band| (band + 23.0259).abs() < 1e-3)
        });
        $($check)::+!(loudness, persona_dsp::Loudness::new(), |f: &[f32]| f == [-120.0]);
        $($check)::+!(meter_24, persona_dsp::Meter::new(24_000).unwrap(), |f: &[f32]| f == [-120.0; 3]);
        $($check)::+!(meter_44, persona_dsp::Meter::new(44_100).unwrap(), |f: &[f32]| f == [-120.0; 3]);
        $($check)::+!(f0_tracker, persona_dsp::F0Tracker::new(), |f: &[f32]| {
            f[0] == 0.0 && f[2] == 0.0
        });
        $($check)::+!(f0_tracks, persona_dsp::F0Tracks::new(), |f: &[f32]| {
            f[0] == 0.0 && f[2] == 0.0 && f[3] == 0.0 && f[5] == 0.0
        });
        $($check)::+!(f0_evidence, persona_dsp::F0Evidence::new(), |f: &[f32]| {
            f.iter().all(|x| x.is_finite())
        });
        $($check)::+!(vad, persona_dsp::Vad::new(), |f: &[f32]| {
            f[0] < 0.5 && f[1] == 0.0 && f[2] == 0.0
        });
    };
}

/// Frames in, frames or samples out, the whole path, which answers with a voice, and what goes between
/// two clocks: name, how one is made.
macro_rules! for_each_shaper {
    ($($check:ident)::+) => {
        $($check)::+!(prosody, {
            let targets = persona_dsp::ProsodyTargets { register_hz: 200.0, range: 1.2 };
            persona_dsp::Prosody::new(targets).unwrap()
        });
        $($check)::+!(network, crate::subject::network());
        $($check)::+!(vocoder, persona_dsp::Vocoder::new(7));
        $($check)::+!(drift, persona_dsp::Drift::new());
        $($check)::+!(drift_up, crate::subject::drift(500.0));
        $($check)::+!(drift_down, crate::subject::drift(-313.0));
        $($check)::+!(envelopes, persona_dsp::Envelopes::new());
        // Another tract draws an impulse out about its grains: no law of latency for it.
        $($check)::+!(shifter_tract, {
            crate::subject::OfStage(crate::subject::shifter(48_000, -4.0, -0.2))
        });
        $($check)::+!(chain_24, crate::subject::chain(24_000));
        $($check)::+!(chain_44, crate::subject::chain(44_100));
    };
}

pub(crate) use {for_each_analyzer, for_each_early_stage, for_each_shaper, for_each_stage};

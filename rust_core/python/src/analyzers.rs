use crate::stream::analyzer;

analyzer!(LogMel);
analyzer!(Vad);
analyzer!(F0Tracker);
analyzer!(Loudness);

/* persona_voice: any speech in, one persona's voice out, live.
 *
 * Unstable: names and meanings may change with any version.
 *
 *   pv_network *network = pv_network_open("converter.safetensors", "live");
 *   pv_stream *stream = pv_stream_open(network, 48000, 195.0f, 1.0f);
 *   pv_stream_process(stream, in, out, n);   (as many samples come back, pv_stream_latency later)
 *   pv_stream_close(stream);
 *   pv_network_close(network);
 *
 * A network may be shared by all threads and outlived by its streams. A stream is for one thread at a
 * time, and not to be used after its close. No function but `open` and `close` uses the heap, nor does
 * one that refuses. What fails gives NULL or a code below, and pv_last_error() says what, the rule and
 * the value. What was refused has changed nothing: the stream goes on.
 */
#ifndef PERSONA_VOICE_H
#define PERSONA_VOICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pv_network pv_network;
typedef struct pv_stream pv_stream;

enum {
    PV_OK = 0,
    PV_NULL = -1,        /* a pointer was NULL */
    PV_REFUSED = -2,     /* a value out of its range */
    PV_PANIC = -3        /* a mistake of this library; the stream must be closed */
};

/* Differences from how the voice of the weights speaks; all 0 is none. */
typedef struct {
    float register_semitones; /* of its F0, -12 to 12 */
    float range_octaves;      /* of the factor on F0's deviations from its mean: log2, -2 to 2 */
    float level_db;           /* of all that sounds, -24 to 24 */
    float breath_db;          /* of the noise in voiced sounds, -24 to 24 */
    float tilt_db;            /* of the spectrum, per octave about 500 Hz, -6 to 6 */
    float tract_octaves;      /* of the vocal tract's length: log2, -0.5 to 0.5; longer is lower formants */
} pv_manner;

/* The small movements of a voice; 1, 0, 0, 0 leaves those of the speaker. */
typedef struct {
    float dynamics;          /* deviations of the level from its mean, as a multiple of the speaker's: 0 to 2 */
    float vibrato_semitones; /* how far F0 swings 5.5 times a second in sounds that last: 0 to 1 */
    float jitter;            /* standard deviation of F0 from hop to hop, as a share of it: 0 to 0.05 */
    float onset_db;          /* more level where a sound begins: -6 to 6 */
} pv_delivery;

/* What the newest hop of 10 ms was like, and what has gone wrong so far. */
typedef struct {
    float input_db;      /* dBFS, -120 for silence */
    float output_db;
    float f0_in_hz;      /* 0 where unvoiced */
    float f0_out_hz;
    uint64_t non_finite; /* samples taken as zeros */
    int speech;
    int failed;          /* the network failed: silence from then on */
} pv_status;

/* Weights of a file; mode is "live" or "studio". NULL if they cannot be had. */
pv_network *pv_network_open(const char *path, const char *mode);
void pv_network_close(pv_network *network);

/* A stream at sample_rate Hz, 8000 to 192000, of a voice whose F0 lies about register_hz, 60 to 500,
 * and moves range times as far (in octaves) as the speaker's, 0 to 3. NULL if refused. */
pv_stream *pv_stream_open(const pv_network *network, uint32_t sample_rate, float register_hz, float range);
void pv_stream_close(pv_stream *stream);

/* Samples by which the output trails the input. 0 for NULL. */
size_t pv_stream_latency(const pv_stream *stream);

/* Converts a block of any length, 0 too; in and out hold n samples each, and are the same or apart. When
 * it fails, out is silence. A sample that is not finite counts as 0, and in non_finite. */
int pv_stream_process(pv_stream *stream, const float *in, float *out, size_t n);

/* Steers to another register and range, over 200 ms. PV_REFUSED outside their ranges: the old ones stay. */
int pv_stream_set_targets(pv_stream *stream, float register_hz, float range);

/* Speaks in this manner until told otherwise, over 200 ms; it outlasts a reset. PV_REFUSED for a value
 * outside its range, or none: the old manner stays. */
int pv_stream_set_manner(pv_stream *stream, const pv_manner *manner);

/* A mood, on top of the manner: there within 200 ms, and half of it gone after each half-life of so many
 * hops of 10 ms; 0 for one that stays until the next. PV_REFUSED as above: the old mood stays. */
int pv_stream_express(pv_stream *stream, const pv_manner *mood, float half_life_hops);

/* Delivers so until told otherwise, over 200 ms, or from the first hop on after a reset, which it outlasts.
 * PV_REFUSED as above: the old delivery stays. */
int pv_stream_set_delivery(pv_stream *stream, const pv_delivery *delivery);

/* Falls silent, because the other has begun to speak: fades within release_ms, 10 to 80, from the next sample
 * on. What it is given from then on it hears, so that it goes on knowing the speaker, and does not say. A fall
 * that has begun keeps its time. PV_REFUSED for another time. */
int pv_stream_stop(pv_stream *stream, float release_ms);

/* Speaks again, of what it is given from now on: what was pending is not said any more. Without a stop before
 * it nothing changes. */
int pv_stream_resume(pv_stream *stream);

/* Forgets what was heard, the mood, and that it was stopped; targets, manner and delivery stay. */
int pv_stream_reset(pv_stream *stream);

int pv_stream_status(const pv_stream *stream, pv_status *status);

/* What went wrong last on this thread, in UTF-8, at most 1023 bytes of it; until the next failure there.
 * In a library that was loaded by dlopen, the system takes memory for it at a thread's first refusal or
 * first call of this: a thread that must not wait for the heap calls it once before. */
const char *pv_last_error(void);

#ifdef __cplusplus
}
#endif

#endif

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
 * time. No function but `open` and `close` uses the heap. What fails gives NULL or a code below, and
 * pv_last_error() says what, the rule and the value.
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

/* Converts a block of any length; in and out hold n samples each, and may be the same. When it
 * fails, out is silence. */
int pv_stream_process(pv_stream *stream, const float *in, float *out, size_t n);

/* Steers to another register and range, over 200 ms. */
int pv_stream_set_targets(pv_stream *stream, float register_hz, float range);

/* Forgets what was heard. */
int pv_stream_reset(pv_stream *stream);

int pv_stream_status(const pv_stream *stream, pv_status *status);

/* What went wrong last on this thread; until the next failure on it. */
const char *pv_last_error(void);

#ifdef __cplusplus
}
#endif

#endif

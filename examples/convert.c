/* Converts a mono WAV of 16 bits in blocks of 10 ms.
 *
 *   cargo build --release -p persona_voice_c
 *   cc examples/convert.c -I rust_core/c/include -L target/release -lpersona_voice -lm -o convert
 *   LD_LIBRARY_PATH=target/release ./convert persona_voice/assets/weights/converter.safetensors in.wav out.wav
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "persona_voice.h"

/* The voice of the persona Samantha: persona_voice/assets/personas/samantha/persona.toml. */
#define REGISTER_HZ 195.0f
#define RANGE 1.0f

static int stop(const char *what) {
    fprintf(stderr, "convert: %s\n", what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 4) return stop("usage: convert WEIGHTS IN.wav OUT.wav");
    FILE *in = fopen(argv[2], "rb"), *out = NULL;
    unsigned char head[44];
    uint32_t rate;
    if (!in || fread(head, 1, 44, in) != 44 || memcmp(head, "RIFF", 4) || head[22] != 1 || head[34] != 16 ||
        memcmp(head + 36, "data", 4))
        return stop("the input must be a plain WAV, mono, 16 bits");
    memcpy(&rate, head + 24, 4);

    pv_network *network = pv_network_open(argv[1], "live");
    pv_stream *stream = network ? pv_stream_open(network, rate, REGISTER_HZ, RANGE) : NULL;
    if (!stream) return stop(pv_last_error());
    if (!(out = fopen(argv[3], "wb")) || fwrite(head, 1, 44, out) != 44) return stop("cannot write");

    size_t block = rate / 100, n, late = pv_stream_latency(stream), due = late;
    int16_t *pcm = calloc(block, sizeof *pcm);
    float *samples = calloc(block, sizeof *samples);
    if (!pcm || !samples) return stop("no memory");
    while ((n = fread(pcm, sizeof *pcm, block, in)) > 0 || due > 0) {
        if (n == 0) { /* the end: as much silence as the output trails */
            n = due < block ? due : block;
            due -= n;
            memset(pcm, 0, n * sizeof *pcm);
        }
        for (size_t i = 0; i < n; i++) samples[i] = pcm[i] / 32768.0f;
        if (pv_stream_process(stream, samples, samples, n) != PV_OK) return stop(pv_last_error());
        size_t skip = late < n ? late : n; /* in time with the input */
        late -= skip;
        for (size_t i = skip; i < n; i++) pcm[i] = (int16_t)lrintf(fmaxf(-1, fminf(1, samples[i])) * 32767);
        if (fwrite(pcm + skip, sizeof *pcm, n - skip, out) != n - skip) return stop("cannot write");
    }
    free(pcm);
    free(samples);
    pv_stream_close(stream);
    pv_network_close(network);
    fclose(in);
    return fclose(out) ? stop("cannot write") : 0;
}

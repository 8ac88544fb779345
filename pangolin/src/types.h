/* Fixed-width integers: the game compiles for the 68000 and for the host, and both must agree. */
#ifndef TYPES_H
#define TYPES_H

#include <stdint.h>

typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))
#define ABS(v) ((v) < 0 ? -(v) : (v))

/* Positions are 16.16: pixels, and speeds of 8.8, as positions. The 68000 reads the pixel as one word. */
#define PX(px) ((s32)(px) * 65536)
#define SPEED(v) ((s32)(v) * 256)

/* One 16x16 -> 32 multiply: a single muls on the 68000. */
#define MUL16(a, b) ((s32)(s16)(a) * (s32)(s16)(b))
#define UMUL16(a, b) ((u32)(u16)(a) * (u32)(u16)(b))

#endif

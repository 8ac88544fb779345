/* Sine table and random numbers. */
#include "game.h"
#include "sine_table.h"

/* 256 = 1.0 */
s16 sine(u8 angle)
{
    return sine_table[angle];
}

s16 cosine(u8 angle)
{
    return sine_table[(u8)(angle + 64)];
}

/* Xorshift: shifts and exclusive-ors only, so cheap on the 68000. */
u8 random_u8(void)
{
    u32 r = G.rng;
    r ^= r << 13;
    r ^= r >> 17;
    r ^= r << 5;
    G.rng = r;
    return (u8)(r >> 8);
}

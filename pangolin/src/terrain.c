/* Terrain sensors: how far the ground is from a pixel, in each of four directions.
 *
 * Terrain is a bitmap cut into 16x16 blocks, so any shape is ground from every side: a loop needs
 * no special case. Each sensor counts pixels along one column or row of bits. */
#include "game.h"

#define REACH 16 /* pixels looked ahead; inside solid ground it may say up to twice that */

static inline const Block *block_at(s16 bx, s16 by, u8 layer)
{
    const Level *level = L;
    u16 cx = (u16)bx >> 2, cy = (u16)by >> 2;
    if (cx >= level->chunk_w || cy >= level->chunk_h)
        return level->blocks; /* block 0 is empty */
    u16 first = level->chunk_rows[cy][cx];
    u16 within = (by & 3) << 2 | (bx & 3);
    return &level->blocks[level->coll[layer][(u32)first + within]];
}

#define MASK(row, entry) (L->masks[(u16)((row) + (entry))])
#define ANGLE(row, entry) (L->angles[(u16)((row) + (entry))])
#define HIT(dist, angle) ((s32)(dist) * 256 + (angle))

/* First set bit at or after `bit` towards bit 15; the mask must hold one. */
static s16 run_up(u16 mask, s16 bit)
{
    s16 n = 0;
    for (mask >>= bit; !(mask & 1); mask >>= 1)
        n++;
    return n;
}

/* First clear bit at or before `bit` towards bit 0; the mask must hold one. */
static s16 run_back(u16 mask, s16 bit)
{
    s16 n = 0;
    for (mask <<= 15 - bit; mask & 0x8000; mask <<= 1)
        n++;
    return n;
}

/* First set bit at or before `bit` towards bit 0; the mask must hold one. */
static s16 run_down(u16 mask, s16 bit)
{
    return run_back((u16)~mask, bit);
}

/* First clear bit at or after `bit` towards bit 15; the mask must hold one. */
static s16 run_ahead(u16 mask, s16 bit)
{
    return run_up((u16)~mask, bit);
}

/* The four sensors share one body: `field` is the mask row, `along` the axis that moves.
 * Towards higher coordinates (down, right). */
#define SENSE_HIGH(name, field, angles, AT, along, across)                                       \
    s32 name(s16 x, s16 y, u8 layer)                                                              \
    {                                                                                             \
        s16 block = along >> 4, bit = along & 15, entry = across & 15, n = 0;                     \
        const Block *b = AT(block);                                                               \
        u16 mask = MASK(b->field, entry);                                                         \
        if ((mask >> bit) & 1) {                                                                  \
            while (!((u16)~mask & (u16)((2u << bit) - 1))) {                                      \
                n += bit + 1;                                                                     \
                if (n >= 2 * REACH)                                                               \
                    return HIT(-2 * REACH, 0);                                                        \
                block--;                                                                          \
                const Block *next = AT(block);                                                    \
                u16 above = MASK(next->field, entry);                                             \
                bit = 15;                                                                         \
                if (!(above & 0x8000))                                                            \
                    return HIT(-n, ANGLE(b->angles, entry));                                      \
                b = next;                                                                         \
                mask = above;                                                                     \
            }                                                                                     \
            n += run_back(mask, bit);                                                             \
            return HIT(-n, ANGLE(b->angles, entry));                                              \
        }                                                                                         \
        while (!(mask >> bit)) {                                                                  \
            n += 16 - bit;                                                                        \
            if (n >= REACH)                                                                       \
                return HIT(REACH, 0);                                                             \
            bit = 0;                                                                              \
            block++;                                                                              \
            b = AT(block);                                                                        \
            mask = MASK(b->field, entry);                                                         \
        }                                                                                         \
        n += run_up(mask, bit);                                                                   \
        return HIT(n - 1, ANGLE(b->angles, entry));                                               \
    }

/* Towards lower coordinates (up, left). */
#define SENSE_LOW(name, field, angles, AT, along, across)                                        \
    s32 name(s16 x, s16 y, u8 layer)                                                              \
    {                                                                                             \
        s16 block = along >> 4, bit = along & 15, entry = across & 15, n = 0;                     \
        const Block *b = AT(block);                                                               \
        u16 mask = MASK(b->field, entry);                                                         \
        if ((mask >> bit) & 1) {                                                                  \
            while (!((u16)~mask >> bit)) {                                                        \
                n += 16 - bit;                                                                    \
                if (n >= 2 * REACH)                                                               \
                    return HIT(-2 * REACH, 0);                                                        \
                block++;                                                                          \
                const Block *next = AT(block);                                                    \
                u16 below = MASK(next->field, entry);                                             \
                bit = 0;                                                                          \
                if (!(below & 1))                                                                 \
                    return HIT(-n, ANGLE(b->angles, entry));                                      \
                b = next;                                                                         \
                mask = below;                                                                     \
            }                                                                                     \
            n += run_ahead(mask, bit);                                                            \
            return HIT(-n, ANGLE(b->angles, entry));                                              \
        }                                                                                         \
        while (!(mask & (u16)((2u << bit) - 1))) {                                                \
            n += bit + 1;                                                                         \
            if (n >= REACH)                                                                       \
                return HIT(REACH, 0);                                                             \
            bit = 15;                                                                             \
            block--;                                                                              \
            b = AT(block);                                                                        \
            mask = MASK(b->field, entry);                                                         \
        }                                                                                         \
        n += run_down(mask, bit);                                                                 \
        return HIT(n - 1, ANGLE(b->angles, entry));                                               \
    }

/* Only whether a pixel is inside solid ground, and how deep: half the price of a sensor. */
#define PROBE(name, sensor, field, AT, along, across)                                             \
    s16 name(s16 x, s16 y, u8 layer)                                                              \
    {                                                                                             \
        const Block *b = AT(along >> 4);                                                          \
        if (!(MASK(b->field, across & 15) >> (along & 15) & 1))                                   \
            return REACH;                                                                         \
        return HIT_DIST(sensor(x, y, layer));                                                     \
    }

#define AT_ROW(by) block_at(x >> 4, (by), layer)
#define AT_COLUMN(bx) block_at((bx), y >> 4, layer)

SENSE_HIGH(sense_down, col_floor, ang_floor, AT_ROW, y, x)
SENSE_LOW(sense_up, col_solid, ang_ceil, AT_ROW, y, x)
SENSE_HIGH(sense_right, row_solid, ang_right, AT_COLUMN, x, y)
SENSE_LOW(sense_left, row_solid, ang_left, AT_COLUMN, x, y)

PROBE(probe_up, sense_up, col_solid, AT_ROW, y, x)
PROBE(probe_right, sense_right, row_solid, AT_COLUMN, x, y)
PROBE(probe_left, sense_left, row_solid, AT_COLUMN, x, y)
PROBE(probe_floor, sense_down, col_solid, AT_ROW, y, x)

/* Towards the ground of a quadrant: 0 floor, 1 wall on the right, 2 ceiling, 3 wall on the left. */
s32 sense(u8 quadrant, s16 x, s16 y, u8 layer)
{
    switch (quadrant & 3) {
    case 0:
        return sense_down(x, y, layer);
    case 1:
        return sense_right(x, y, layer);
    case 2:
        return sense_up(x, y, layer);
    default:
        return sense_left(x, y, layer);
    }
}

s16 probe(u8 quadrant, s16 x, s16 y, u8 layer)
{
    switch (quadrant & 3) {
    case 0:
        return probe_floor(x, y, layer);
    case 1:
        return probe_right(x, y, layer);
    case 2:
        return probe_up(x, y, layer);
    default:
        return probe_left(x, y, layer);
    }
}

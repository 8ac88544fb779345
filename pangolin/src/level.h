/* The compiled form of an act; tools/ writes these as C tables. */
#ifndef LEVEL_H
#define LEVEL_H

#include "types.h"

/* What a 16x16 block is to each sensor direction: first entries of rows of Level.masks, Level.angles. */
typedef struct {
    u16 col_floor; /* solid from above: full solid and one-way pixels; bit i of entry c = row i */
    u16 col_solid; /* solid from below: full solid only */
    u16 row_solid; /* solid from the sides; bit i of entry r = column i */
    u16 ang_floor, ang_ceil, ang_right, ang_left; /* angle of the surface each sensor meets */
    u16 unused;    /* 16 bytes: cheap to index */
} Block;

typedef struct {
    u16 x, y;
    u8 type, sub;
    s16 a, b;
} ObjDef;

typedef struct {
    u16 x, y;
} RingDef;

/* Crossing x between y0 and y1 puts the player on a layer: to_right when moving right. */
typedef struct {
    u16 x, y0, y1;
    u8 to_right, to_left;
} SwitchDef;

typedef struct {
    u16 x0, y0, x1, y1;
} RectDef;

typedef struct {
    u8 zone, act;
    u16 width, height; /* pixels */
    u16 start_x, start_y, end_x;
    u16 chunk_w, chunk_h; /* in chunks of 4x4 blocks */
    const u16 *const *chunk_rows; /* per row of chunks: 16 x chunk */
    const u16 *coll[2];           /* 16 blocks a chunk, per layer */
    const Block *blocks;
    const u16 *masks;      /* 16 entries a row */
    const u8 *angles;      /* 16 entries a row */
    u16 n_objs, n_rings, n_switches, n_kills;
    const ObjDef *objs;    /* sorted by x */
    const RingDef *rings;  /* sorted by x */
    const SwitchDef *switches;
    const RectDef *kills;
    /* graphics: unused on the host */
    const u16 *chunks;     /* 16 x 4 x cell a chunk */
    const u16 *cell_tiles; /* 4 name-table words a cell */
    const u8 *tiles;
    u16 n_tiles;
} Level;

/* Null where an act is not part of this build. */
extern const Level *const level_table[9];

#endif

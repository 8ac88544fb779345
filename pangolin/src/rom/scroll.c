/* The two planes: the act streams into plane A, the zone's picture stands in plane B. */
#include "screen.h"

#define BLOCKS_W 21
#define BLOCKS_H 15
#define REDRAW_ROWS 2

static s16 drawn_col, drawn_row; /* block at the top left of what plane A holds */
static u16 column_words[2][BLOCKS_H * 2], row_words[2][BLOCKS_W * 2];
static s16 column_block, row_block; /* to be written; -1 none */
static s16 redraw_row, redraw_left; /* rows of a redraw, spread over some frames, from the bottom */
static s16 band_offset[SCREEN_H / 8];

static void build_column(s16 bx)
{
    const Level *level = L;
    const u16 *chunks = level->chunks, *tiles = level->cell_tiles;
    u16 cx = (u16)bx >> 2, column = bx & 3, base = terrain_base;
    u16 *left = column_words[0], *right = column_words[1];
    for (s16 by = drawn_row; by < drawn_row + BLOCKS_H; by++) {
        u16 cy = (u16)by >> 2;
        const u16 *words = tiles;
        if (cx < level->chunk_w && cy < level->chunk_h)
            words += chunks[(u16)(level->chunk_rows[cy][cx] + ((by & 3) << 2 | column))];
        *left++ = words[0] + base;
        *right++ = words[1] + base;
        *left++ = words[2] + base;
        *right++ = words[3] + base;
    }
    column_block = bx;
}

static void build_row(s16 by)
{
    const Level *level = L;
    const u16 *chunks = level->chunks, *tiles = level->cell_tiles;
    u16 cy = (u16)by >> 2, line = (by & 3) << 2, base = terrain_base;
    const u16 *row = level->chunk_rows[cy < level->chunk_h ? cy : 0];
    u16 *high = row_words[0], *low = row_words[1];
    for (s16 bx = drawn_col; bx < drawn_col + BLOCKS_W; bx++) {
        u16 cx = (u16)bx >> 2;
        const u16 *words = tiles;
        if (cx < level->chunk_w && cy < level->chunk_h)
            words += chunks[(u16)(row[cx] + (line | (bx & 3)))];
        *high++ = words[0] + base;
        *high++ = words[1] + base;
        *low++ = words[2] + base;
        *low++ = words[3] + base;
    }
    row_block = by;
}

/* Writes n words round the end of a plane's column or row. */
static void put_wrapped(u16 at, u16 first, u16 end, u8 step, const u16 *from, u16 n)
{
    u16 until_end = MIN(n, end - first);
    vdp_write_at(at + first * step, step);
    for (u16 i = until_end; i; i--)
        vdp_put(*from++);
    if (until_end == n)
        return;
    vdp_write_at(at, step);
    for (u16 i = n - until_end; i; i--)
        vdp_put(*from++);
}

static void flush_column(void)
{
    u16 at = PLANE_A + (column_block & 31) * 4, row = (drawn_row & 15) * 2;
    put_wrapped(at, row, PLANE_H, PLANE_W * 2, column_words[0], BLOCKS_H * 2);
    put_wrapped(at + 2, row, PLANE_H, PLANE_W * 2, column_words[1], BLOCKS_H * 2);
    column_block = -1;
}

static void flush_row(void)
{
    u16 at = PLANE_A + (row_block & 15) * 4 * PLANE_W, col = (drawn_col & 31) * 2;
    put_wrapped(at, col, PLANE_W, 2, row_words[0], BLOCKS_W * 2);
    put_wrapped(at + 2 * PLANE_W, col, PLANE_W, 2, row_words[1], BLOCKS_W * 2);
    row_block = -1;
}

/* From the bottom up: that is where the player usually stands. */
static void redraw(s16 n)
{
    for (; n && redraw_left; n--) {
        redraw_left--;
        redraw_row--;
        if (redraw_row < drawn_row || redraw_row >= drawn_row + BLOCKS_H)
            continue; /* the camera has moved on */
        build_row(redraw_row);
        flush_row();
    }
}

static void begin_redraw(void)
{
    redraw_left = BLOCKS_H;
    redraw_row = drawn_row + BLOCKS_H;
}

static void load_background(const u16 *words, u16 first_tile)
{
    vdp_write_at(PLANE_B, 2);
    for (u16 i = PLANE_W * PLANE_H; i; i--)
        vdp_put(*words++ + first_tile);
}

static void load_foreground(void)
{
    drawn_col = G.cam_x >> 4;
    drawn_row = G.cam_y >> 4;
    begin_redraw();
    redraw(BLOCKS_H);
    column_block = -1;
    row_block = -1;
}

void scroll_load(u8 part)
{
    const ZoneArt *art = &zone_art[L->zone];
    u16 background_base = 1 + n_object_tiles;
    object_base = 1;
    terrain_base = background_base + art->n_tiles;
    switch (part) {
    case 0:
        vdp_palettes(art->palettes);
        vdp_fill(0, 0, 16);
        break;
    case 1:
        vdp_dma(object_base * 32, object_tiles, n_object_tiles * 16);
        break;
    case 2:
        vdp_dma(background_base * 32, art->tiles, art->n_tiles * 16);
        break;
    case 3:
        vdp_dma(terrain_base * 32, L->tiles, L->n_tiles * 16);
        break;
    case 4:
        load_background(art->words, background_base);
        break;
    default:
        load_foreground();
        break;
    }
}

static void build_bands(void)
{
    const ZoneArt *art = &zone_art[L->zone];
    const BandDef *band = art->bands;
    s16 y = G.cam_y >> 6;
    s16 offset = -(s16)(UMUL16(G.cam_x, band->speed) >> 8);
    for (u16 i = 0; i < SCREEN_H / 8; i++, y += 8) {
        if (y >= (s16)band->y1 && band < art->bands + art->n_bands - 1) {
            band++;
            offset = -(s16)(UMUL16(G.cam_x, band->speed) >> 8);
        }
        band_offset[i] = offset;
    }
}

void scroll_build(void)
{
    s16 col = G.cam_x >> 4, row = G.cam_y >> 4;
    s16 dx = col - drawn_col, dy = row - drawn_row;
    drawn_col = col;
    drawn_row = row;
    if (dx > 1 || dx < -1 || dy > 1 || dy < -1)
        begin_redraw();
    else {
        if (dx)
            build_column(dx > 0 ? col + BLOCKS_W - 1 : col);
        if (dy)
            build_row(dy > 0 ? row + BLOCKS_H - 1 : row);
    }
    build_bands();
}

void scroll_flush(void)
{
    s16 shift = -G.cam_x;
    vdp_vscroll(G.cam_y, G.cam_y >> 6);
    vdp_write_at(HSCROLL, 32);
    for (u16 i = SCREEN_H / 8; i; i--)
        vdp_put(shift);
    vdp_write_at(HSCROLL + 2, 32);
    for (u16 i = 0; i < SCREEN_H / 8; i++)
        vdp_put(band_offset[i]);
    if (column_block >= 0)
        flush_column();
    if (row_block >= 0)
        flush_row();
    redraw(REDRAW_ROWS);
}

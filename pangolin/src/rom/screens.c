/* Title, pause, act clear and game over. */
#include "screen.h"

#define TITLE_BASE 1

#define LINE_ROW 22

static char line[41];

static const char *const zone_names[3] = {"CANOPY ZONE", "QUARRY ZONE", "SKYLINE ZONE"};

void text_at(u16 plane, u8 column, u8 row, const char *text)
{
    vdp_write_at(plane + (row * PLANE_W + column) * 2, 2);
    while (*text)
        vdp_put(TILE_OF(FONT_VRAM) + (u16)(*text++ - ' ') | 0x8000);
}

void screens_load_title(u8 part)
{
    switch (part) {
    case 0:
        vdp_palettes(title_palettes);
        break;
    case 1:
        vdp_dma(TITLE_BASE * 32, title_tiles, n_title_tiles * 16);
        break;
    case 2:
        vdp_fill(PLANE_A, 0, PLANE_W * PLANE_H);
        break;
    case 3:
        for (u16 y = 0; y < 28; y++) {
            vdp_write_at(PLANE_B + y * PLANE_W * 2, 2);
            for (u16 x = 0; x < 40; x++)
                vdp_put(title_words[y * 40 + x] + TITLE_BASE);
        }
        break;
    case 4:
        vdp_fill(HSCROLL, 0, 448);
        vdp_vscroll(0, 0);
        text_at(PLANE_A, 10, 24, "ARROWS CHOOSE  START");
        break;
    default:
        break;
    }
}

static u8 put_words(u8 at, const char *text)
{
    while (*text)
        line[at++] = *text++;
    return at;
}

static void act_name(u8 zone, u8 act)
{
    u8 at = put_words(put_words(0, zone_names[zone]), " ACT ");
    line[at++] = '1' + act;
    line[at] = 0;
}

static void sprite_text(s16 x, s16 y, const char *text)
{
    for (; *text; text++, x += 8)
        if (*text != ' ')
            sprite_put(x, y, 1, 1, (TILE_OF(FONT_VRAM) + (u16)(*text - ' ')) | 0x8000);
}

void screens_build(void)
{
    switch (G.mode) {
    case MODE_TITLE:
        act_name(L->zone, L->act);
        break;
    case MODE_CLEAR:
        sprite_text(124, 48, "ACT CLEAR");
        format_number(line, 5, G.bonus_time, ' ');
        line[5] = 0;
        sprite_text(116, 64, "TIME");
        sprite_text(164, 64, line);
        format_number(line, 5, G.bonus_rings, ' ');
        sprite_text(116, 76, "RINGS");
        sprite_text(164, 76, line);
        break;
    case MODE_OVER:
        sprite_text(124, 64, "GAME OVER");
        break;
    default:
        if (G.paused)
            sprite_text(140, 64, "PAUSE");
        break;
    }
}

void screens_flush(void)
{
    if (G.mode == MODE_TITLE) {
        text_at(PLANE_A, 8, LINE_ROW, "                        ");
        text_at(PLANE_A, 11, LINE_ROW, line);
    }
}

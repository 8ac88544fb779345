/* Score, time, rings and lives: sprites over tiles that are rewritten where a digit changes. */
#include "screen.h"

#define N_CELLS 38
#define LINE 12

static char wanted[N_CELLS + 1], shown[N_CELLS];
static u8 dirty; /* some cells may differ */

/* By subtraction: the 68000 divides 32 by 16 bits only. */
void format_number(char *out, u8 width, u32 value, char fill)
{
    static const u32 powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    char shown_zero = fill;
    for (s16 i = width - 1; i >= 0; i--) {
        u8 digit = 0;
        while (value >= powers[i] && digit < 9) {
            value -= powers[i];
            digit++;
        }
        if (digit || i == 0)
            shown_zero = '0';
        *out++ = digit ? '0' + (char)digit : shown_zero;
    }
}

static void put_text(u8 at, const char *text)
{
    while (*text)
        wanted[at++] = *text++;
}

static void put_sprites(void)
{
    u16 tile = TILE_OF(HUD_VRAM);
    for (s16 line = 0; line < 3; line++)
        for (s16 part = 0; part < 3; part++) {
            sprite_put(16 + part * 32, 8 + line * 12, 4, 1, tile | 0x8000);
            tile += 4;
        }
    picture_put(PICTURE_LIFE, 0, 24, 208, 0, 0);
    sprite_put(36, 204, 2, 1, tile | 0x8000);
    sprites_keep();
}

void hud_build(void)
{
    static u32 last_score;
    static u16 last_timer, last_rings;
    static u8 last_lives;
    if (G.score != last_score || shown[0] == 0) {
        last_score = G.score;
        dirty = 1;
        format_number(&wanted[6], 6, G.score, ' ');
    }
    if (G.timer_s != last_timer || shown[0] == 0) {
        last_timer = G.timer_s;
        dirty = 1;
        u16 minutes = G.timer_s / 60u;
        wanted[LINE + 6] = '0' + (char)minutes;
        wanted[LINE + 7] = ':';
        format_number(&wanted[LINE + 8], 2, G.timer_s - minutes * 60u, '0');
    }
    if (G.rings != last_rings || shown[0] == 0) {
        last_rings = G.rings;
        dirty = 1;
        format_number(&wanted[2 * LINE + 6], 3, G.rings, ' ');
    }
    if (G.lives != last_lives || shown[0] == 0) {
        last_lives = G.lives;
        dirty = 1;
        format_number(&wanted[3 * LINE], 2, G.lives, ' ');
    }
}

void hud_flush(void)
{
    u8 budget = 8;
    if (!dirty)
        return;
    for (u16 i = 0; i < N_CELLS; i++) {
        if (wanted[i] == shown[i])
            continue;
        if (!budget--)
            return;
        shown[i] = wanted[i];
        vdp_copy(HUD_VRAM + i * 32, font_tiles + (u16)(wanted[i] - ' ') * 16, 16);
    }
    dirty = 0;
}

/* After sprites_reset. */
void hud_reset(void)
{
    put_sprites();
    for (u16 i = 0; i < N_CELLS; i++) {
        wanted[i] = ' ';
        shown[i] = 0;
    }
    put_text(0, "SCORE");
    put_text(LINE, "TIME");
    put_text(2 * LINE, "RINGS");
    dirty = 1;
    hud_build();
    while (dirty)
        hud_flush();
}

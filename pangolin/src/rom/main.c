/* The ROM's frame: show what was built, read the pad, step the game, publish, build.
 *
 * The emulator's frame begins with the vertical interrupt, so a frame's buttons are seen in RAM
 * at the end of that same frame. */
#include "screen.h"

#define WORD(address) (*(volatile u16 *)(address))
#define LONG(address) (*(volatile u32 *)(address))
#define BYTE(address) (*(volatile u8 *)(address))

u16 object_base, terrain_base;

/* The addresses of SonicTheHedgehog-Genesis-v0's data.json, and facts for tests from 0xFFD100. */
static void publish(void)
{
    const Player *p = &G.p;
    u8 playing = G.mode != MODE_TITLE;
    WORD(0xFFD008) = PLAYER_X;
    WORD(0xFFD00C) = PLAYER_Y < 0 ? 0 : PLAYER_Y;
    BYTE(0xFFFE12) = G.lives;
    WORD(0xFFFE20) = G.rings;
    LONG(0xFFFE26) = G.score;
    BYTE(0xFFFE10) = G.zone;
    BYTE(0xFFFE11) = G.act;
    WORD(0xFFF700) = G.cam_x;
    WORD(0xFFF704) = G.cam_y;
    WORD(0xFFF72A) = playing ? L->width - SCREEN_W : 0;
    BYTE(0xFFF7D6) = G.end_bonus;
    LONG(0xFFD100) = G.frame;
    WORD(0xFFD104) = p->gsp;
    WORD(0xFFD106) = p->vx;
    WORD(0xFFD108) = p->vy;
    BYTE(0xFFD10A) = p->angle;
    BYTE(0xFFD10B) = p->grounded | p->ball << 1 | p->layer << 2 | (p->dead != 0) << 3 |
                     (p->hurt != 0) << 4 | (p->spindash != 0) << 5 | (p->ride != 0) << 6 |
                     (p->facing_left != 0) << 7;
    BYTE(0xFFD10C) = G.mode;
    BYTE(0xFFD10D) = p->invulnerable;
    LONG(0xFFD110) = G.rng;
    WORD(0xFFD114) = G.timer_s;
}

static u8 is_level_shown(void)
{
    return G.mode != MODE_TITLE;
}

/* A part of the pictures of another act or screen, each no more than a frame's work. */
static void load(u8 part)
{
    if (part == 0) {
        vdp_display(0);
        sprites_reset();
    }
    if (is_level_shown())
        scroll_load(part);
    else
        screens_load_title(part);
    if (part == LOAD_FRAMES - 1) {
        if (is_level_shown())
            hud_reset();
        vdp_display(1);
    }
}

static void build(void)
{
    sprites_begin();
    screens_build(); /* words stand before the things of the act */
    if (is_level_shown()) {
        scroll_build();
        hud_build();
        sprites_build();
    }
    sprites_end();
}

/* What is copied by DMA comes first: outside the vertical blank it takes ten times as long. */
static void flush(void)
{
    sprites_flush();
    if (is_level_shown()) {
        scroll_flush();
        hud_flush();
    }
    screens_flush();
}

/* Lines of the screen (262 a frame) since the interrupt: the tests watch the worst. */
static void note_time(void)
{
    u16 line = BYTE(0xC00008);
    line = line >= 224 ? line - 224 : line + 38;
    WORD(0xFFD118) = line;
    if (line > WORD(0xFFD11A))
        WORD(0xFFD11A) = line;
}

int main(void)
{
    u8 is_loading = 1;
    vdp_init();
    vdp_copy(FONT_VRAM, font_tiles, 64 * 16);
    game_boot();
    publish();
    load(0);
    for (;;) {
        wait_for_frame();
        if (!is_loading)
            flush();
        WORD(0xFFD116)++;
        game_step(pad_read());
        publish();
        is_loading = G.loading != 0;
        if (is_loading)
            load(LOAD_FRAMES - G.loading);
        else
            build();
        note_time();
    }
}

/* Modes of the game: title, level, act clear, game over. */
#include "game.h"

#define START_LIVES 3
#define TIME_LIMIT_S 600
#define CLEAR_FRAMES 150
#define OVER_FRAMES 240
#define SEED 0x50A4601Du

State G;
const Level *L;

void game_add_score(u16 points)
{
    G.score += points;
}

void game_add_ring(void)
{
    if (G.rings < 999)
        G.rings++;
    game_add_score(10);
    if (G.extra_lives < 2 && G.rings >= 100u * (G.extra_lives + 1u)) {
        G.extra_lives++;
        if (G.lives < 99)
            G.lives++;
    }
}

static void place_player(void)
{
    if (G.has_checkpoint)
        player_reset(G.checkpoint_x, G.checkpoint_y);
    else
        player_reset(L->start_x, L->start_y);
    camera_reset();
    objects_reset();
    rings_reset();
    G.rings = 0;
    G.timer_frames = 0;
    G.timer_s = G.has_checkpoint ? G.checkpoint_timer_s : 0;
    G.end_bonus = 0;
    G.paused = 0;
    G.extra_lives = 0;
    G.mode_frames = 0;
    G.mode = MODE_LEVEL;
}

/* An act of this build at or after the asked one. */
static u8 next_available(u8 index)
{
    for (u8 i = 0; i < 9; i++, index++) {
        if (index >= 9)
            index = 0;
        if (level_table[index])
            return index;
    }
    return 0;
}

void game_start_level(u8 zone, u8 act)
{
    u8 index = next_available(zone * 3 + act);
    L = level_table[index];
    G.zone = L->zone;
    G.act = L->act;
    G.has_checkpoint = 0;
    G.frame = 0;
    G.rng = SEED;
    G.loading = 0;
    G.obj_lo = 0;
    G.obj_hi = 0;
    G.ring_lo = 0;
    G.ring_hi = 0;
    place_player();
}

static void load_level(u8 index)
{
    game_start_level(level_table[index]->zone, level_table[index]->act);
    G.loading = LOAD_FRAMES;
}

void game_boot(void)
{
    u8 *bytes = (u8 *)&G;
    for (u16 i = 0; i < sizeof(State); i++)
        bytes[i] = 0;
    G.rng = SEED;
    G.lives = START_LIVES;
    G.mode = MODE_TITLE;
    G.loading = LOAD_FRAMES;
    G.cursor = next_available(0);
    L = level_table[G.cursor];
}

static void move_cursor(s8 by)
{
    u8 at = G.cursor;
    do {
        at = at + by > 8 ? 0 : at + by < 0 ? 8 : at + by;
    } while (!level_table[at]);
    G.cursor = at;
    L = level_table[at];
}

static void title_step(void)
{
    if (G.pressed & (BTN_RIGHT | BTN_DOWN))
        move_cursor(1);
    if (G.pressed & (BTN_LEFT | BTN_UP))
        move_cursor(-1);
    if (G.pressed & BTN_START) {
        G.lives = START_LIVES;
        G.score = 0;
        load_level(G.cursor);
    }
}

static void tick_timer(void)
{
    if (G.p.dead || G.p.finished)
        return;
    if (++G.timer_frames < 60)
        return;
    G.timer_frames = 0;
    if (++G.timer_s >= TIME_LIMIT_S) {
        G.timer_s = TIME_LIMIT_S - 1;
        player_die();
    }
}

static void begin_clear(void)
{
    G.mode = MODE_CLEAR;
    G.mode_frames = 0;
    G.bonus_rings = G.rings * 100;
    G.bonus_time = G.timer_s < 30 ? 50000 : G.timer_s < 60 ? 10000 : G.timer_s < 120 ? 3000
                 : G.timer_s < 180 ? 1000 : 500;
}

static void check_end(void)
{
    if (!G.end_bonus) {
        if (G.p.dead || PLAYER_X < (s16)L->end_x)
            return;
        G.end_bonus = 1;
        G.p.finished = 1;
        return;
    }
    if (G.p.finished < CLEAR_FRAMES)
        G.p.finished++;
    else
        begin_clear();
}

static void after_death(void)
{
    if (G.lives) {
        place_player();
        return;
    }
    G.mode = MODE_OVER;
    G.mode_frames = 0;
}

static void level_step(void)
{
    if (G.pressed & BTN_START && !G.p.dead)
        G.paused ^= 1;
    if (G.paused)
        return;
    G.frame++;
    player_step();
    objects_step();
    rings_step();
    camera_step();
    tick_timer();
    check_end();
    if (G.p.dead && G.p.dead_frames <= 0)
        after_death();
}

/* The tally runs down into the score, then the next act begins. */
static void clear_step(void)
{
    G.mode_frames++;
    if (G.mode_frames < 60)
        return;
    u16 *pots[2] = {&G.bonus_time, &G.bonus_rings};
    for (u8 i = 0; i < 2; i++) {
        u16 part = MIN(*pots[i], 500);
        *pots[i] -= part;
        G.score += part;
    }
    if (G.bonus_time || G.bonus_rings || G.mode_frames < 240)
        return;
    load_level(next_available(G.zone * 3 + G.act + 1));
}

static void over_step(void)
{
    if (++G.mode_frames >= OVER_FRAMES)
        game_boot();
}

/* One frame of 1/60 s; the pad holds BTN_* bits. */
void game_step(u8 pad)
{
    G.pressed = pad & (u8)~G.pad;
    G.pad = pad;
    if (G.loading) {
        G.loading--;
        return;
    }
    switch (G.mode) {
    case MODE_TITLE:
        title_step();
        break;
    case MODE_LEVEL:
        level_step();
        break;
    case MODE_CLEAR:
        clear_step();
        break;
    default:
        over_step();
        break;
    }
}

/* The native test bench: the game logic as a shared library. */
#include "game.h"

#include <stdlib.h>
#include <string.h>

int host_state_size(void)
{
    return (int)sizeof(State);
}

void host_reset(int zone, int act)
{
    game_boot();
    game_start_level((u8)zone, (u8)act);
}

static void select_level(void)
{
    L = level_table[G.mode == MODE_TITLE ? G.cursor : G.zone * 3 + G.act];
}

void host_save(void *to)
{
    memcpy(to, &G, sizeof(State));
}

void host_load(const void *from)
{
    memcpy(&G, from, sizeof(State));
    select_level();
}

/* Facts in the order of HOST_FACTS in tools/native.py. */
void host_facts(int32_t *out)
{
    const Player *p = &G.p;
    int32_t facts[] = {
        p->x >> 16, p->y >> 16, G.lives, G.rings, (int32_t)G.score, G.zone, G.act, G.cam_x, G.cam_y,
        G.end_bonus, p->angle, p->gsp, p->vx, p->vy, p->grounded, p->ball, p->layer, p->dead,
        p->hurt, p->invulnerable, p->spindash, (int32_t)G.frame, G.mode, G.timer_s,
        (int32_t)G.rng, p->ride, p->facing_left, L->end_x, L->width, L->height, p->pushing,
    };
    memcpy(out, facts, sizeof(facts));
}

void host_step(int pad)
{
    game_step((u8)pad);
}

/* Runs n frames of one pad; stops early at a death or the goal. Returns frames run. */
int host_run(int pad, int n)
{
    for (int i = 0; i < n; i++) {
        game_step((u8)pad);
        if (G.p.dead || G.end_bonus)
            return i + 1;
    }
    return n;
}

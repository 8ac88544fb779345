/* Which picture of the player to show: no effect on the rules. */
#include "game.h"

static void show(u8 sprite, u8 ticks, u8 n_frames)
{
    Player *p = &G.p;
    if (p->sprite != sprite) {
        p->sprite = sprite;
        p->sprite_frame = 0;
        p->sprite_clock = 0;
        return;
    }
    if (++p->sprite_clock < ticks)
        return;
    p->sprite_clock = 0;
    if (++p->sprite_frame >= n_frames)
        p->sprite_frame = 0;
}

static void show_on_ground(Player *p)
{
    s16 speed = ABS(p->gsp);
    u8 ticks = speed >= 2048 ? 1 : 8 - (speed >> 8);
    if (p->spindash)
        show(SPRITE_SPINDASH, 2, 4);
    else if (p->ball)
        show(SPRITE_BALL, ticks > 5 ? 5 : ticks, 8);
    else if (p->finished && !speed)
        show(SPRITE_VICTORY, 16, 2);
    else if (p->crouch)
        show(SPRITE_CROUCH, 1, 1);
    else if (p->skidding)
        show(SPRITE_SKID, 6, 2);
    else if (p->pushing)
        show(SPRITE_PUSH, 12, 2);
    else if (speed >= 1400)
        show(SPRITE_RUN, ticks > 3 ? 3 : ticks, 4);
    else if (speed)
        show(SPRITE_WALK, ticks, 6);
    else if (p->balance)
        show(SPRITE_BALANCE, 12, 2);
    else
        show(SPRITE_IDLE, 40, 2);
}

void player_choose_sprite(void)
{
    Player *p = &G.p;
    if (p->dead)
        show(SPRITE_DEAD, 1, 1);
    else if (p->hurt)
        show(SPRITE_HURT, 1, 1);
    else if (p->grounded)
        show_on_ground(p);
    else if (p->ball)
        show(SPRITE_BALL, 3, 8);
    else if (p->springing)
        show(SPRITE_SPRING, 6, 2);
    else
        show(SPRITE_WALK, 5, 6);
}
